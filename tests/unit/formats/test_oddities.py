"""The oddities that real plugins have, each on made material: what is read, and what is said of it."""

from __future__ import annotations

import json

import pytest
from tests.unit.formats.material import (
    CONNECTORS,
    MANIFEST,
    Files,
    codes,
    corpus,
    manifest,
    plain,
    read,
    skill,
)

from deskmate.formats.codes import CODES


def test_a_plain_plugin_has_nothing_odd() -> None:
    plugin = read(plain())
    assert codes(plugin) == []
    assert [(s.name, s.kind, s.listed, s.by_user) for s in plugin.skills] == [
        ("write", "skill", True, True)
    ]


def test_every_plugin_of_a_made_corpus_is_read_with_all_that_it_holds() -> None:
    seen: set[str] = set()
    count = 0
    for name, files, expected in corpus(452):
        plugin = read(files, name=name)
        held = (
            len([s for s in plugin.skills if s.kind == "skill"]),
            len([s for s in plugin.skills if s.kind == "command"]),
            len(plugin.agents), len(plugin.hooks), len(plugin.connectors),
        )  # fmt: skip
        assert held == (
            expected.skills,
            expected.commands,
            expected.agents,
            expected.hooks,
            expected.servers,
        ), name
        assert not [one for one in plugin.diagnostics if one.severity == "error"], name
        assert plugin.name == name
        assert all(s.description for s in plugin.skills), name
        seen |= {one.code for one in plugin.diagnostics}
        count += 1
    assert count == 452
    assert {
        "frontmatter-missing",
        "frontmatter-yaml",
        "mcp-later",
        "hooks-empty",
        "manifest-missing",
    } <= seen


def test_without_front_matter_the_folder_names_it_and_the_first_paragraph_describes_it() -> None:
    plugin = read(
        plain(**{"skills/deck/SKILL.md": "# Deck Maker\n\ndescription: Makes decks.\n\nSteps.\n"})
    )
    (deck,) = [s for s in plugin.skills if s.name == "deck"]
    assert deck.description == "Makes decks."
    assert codes(plugin) == ["frontmatter-missing", "skill-description-missing"]


def test_front_matter_that_is_no_yaml_is_read_line_by_line() -> None:
    text = "---\nname: hunter\ndescription: Finds errors. Examples:\n\n<example>\nuser: x: y\n</example>\nmodel: opus\ncolor: red\n---\nYou.\n"
    (agent,) = (plugin := read(plain(**{"agents/hunter.md": text}))).agents
    assert (agent.name, agent.model) == ("hunter", "opus")
    assert agent.description.startswith("Finds errors. Examples:")
    assert "frontmatter-yaml" in codes(plugin)


@pytest.mark.parametrize(
    ("name", "becomes"),
    [("kit/web", "kit-web"), ("Über Skill", "ber-skill"), ("a--b", "a-b"), ("x" * 80, "x" * 64)],
)
def test_a_name_of_another_form_gets_one_that_fits(name: str, becomes: str) -> None:
    plugin = read({MANIFEST: manifest(), "skills/web/SKILL.md": skill(name)})
    assert plugin.skills[0].name == becomes
    assert codes(plugin) == ["skill-name-form"]


def test_a_name_that_differs_from_its_folder_counts_and_is_noted() -> None:
    plugin = read({MANIFEST: manifest(), "skills/web/SKILL.md": skill("site")})
    assert (plugin.skills[0].name, codes(plugin)) == ("site", ["skill-name-folder"])


def test_a_plugin_that_is_called_otherwise_than_its_folder_keeps_its_name() -> None:
    plugin = read(
        {MANIFEST: manifest("slack-by-sales"), "skills/a/SKILL.md": skill("a")}, name="slack"
    )
    assert (plugin.name, codes(plugin)) == ("slack-by-sales", ["plugin-name-folder"])


def test_a_nested_skill_is_a_file_of_its_skill_and_not_one_of_its_own() -> None:
    plugin = read(plain(**{"skills/write/web/SKILL.md": skill("write/web")}))
    assert [s.name for s in plugin.skills] == ["write"]
    assert codes(plugin) == ["skill-nested"]


def test_long_descriptions_and_angle_brackets_are_noted_and_kept() -> None:
    long = "Do <b>this</b> " + "very " * 220 + "well."
    plugin = read({MANIFEST: manifest(), "skills/write/SKILL.md": skill("write", long)})
    assert plugin.skills[0].description == long
    assert codes(plugin) == ["skill-description-long", "skill-description-tags"]


def test_a_list_where_text_is_due_becomes_the_text_that_was_meant() -> None:
    plugin = read(
        plain(
            **{
                "commands/go.md": "---\ndescription: Go\nargument-hint: [project-name, file]\n---\nGo\n"
            }
        )
    )
    assert plugin.skills[1].hint == "[project-name, file]"
    assert codes(plugin) == ["field-type"]


@pytest.mark.parametrize(
    ("value", "is_listed", "odd"),
    [
        ("true", False, []),
        ('"true"', False, ["field-type"]),
        ("yes", False, []),
        ("on", False, []),
        ("1", False, []),
        ("0", True, []),
        ("no", True, []),
        ("perhaps", True, ["field-type"]),
    ],
)
def test_a_flag_is_read_however_it_is_written(value: str, is_listed: bool, odd: list[str]) -> None:
    text = f"---\ndescription: Go\ndisable-model-invocation: {value}\n---\nGo\n"
    plugin = read(plain(**{"commands/go.md": text}))
    assert (plugin.skills[1].listed, codes(plugin)) == (is_listed, odd)


def test_a_command_and_a_skill_of_one_name_are_both_there() -> None:
    plugin = read(
        plain(**{"commands/write.md": "---\ndescription: Write it\n---\nWrite $ARGUMENTS\n"})
    )
    assert [(s.name, s.kind) for s in plugin.skills] == [
        ("write", "skill"),
        ("write-command", "command"),
    ]
    assert codes(plugin) == ["skill-name-twice"]


def test_without_a_manifest_the_folder_names_the_plugin() -> None:
    plugin = read({"skills/write/SKILL.md": skill("write")}, name="receipts")
    assert (plugin.name, codes(plugin)) == ("receipts", ["manifest-missing"])


def test_an_entry_of_a_marketplace_stands_for_a_manifest() -> None:
    entry = {
        "name": "gopls",
        "source": "./gopls",
        "strict": False,
        "lspServers": {"go": {"command": "gopls"}},
        "category": "dev",
    }
    plugin = read({"README.md": "x"}, entry, name="gopls")
    assert plugin.name == "gopls"
    assert plugin.not_used == {"lspServers": "language servers"}
    assert codes(plugin) == ["part-not-used", "plugin-empty"]


def test_an_entry_that_is_the_whole_definition_wins_over_the_manifest() -> None:
    files = {
        MANIFEST: manifest(commands="./other"),
        "other/a.md": "---\ndescription: A\n---\nA",
        "commands/b.md": "---\ndescription: B\n---\nB",
    }
    plugin = read(files, {"name": "acme", "source": "./a", "strict": False})
    assert [s.name for s in plugin.skills] == ["b"]
    assert "market-conflict" in codes(plugin)


SERVERS = {
    "mail": {"type": "http", "url": ""},
    "google calendar": {"type": "http", "url": "https://cal.example.com/${TENANT:-x}", "headers": {"Authorization": "Bearer ${TOKEN}"}},
    "chat": {"type": "http", "url": "https://chat.example.com", "oauth": {"clientId": "1.2", "callbackPort": 3118}},
    "new": {"command": "npx", "args": ["-y", "thing@latest"]},
    "git": {"command": "uvx", "args": ["--from", "git+https://example.com/x", "x"]},
    "fixed": {"command": "npx", "args": ["-y", "thing@1.2.3"]},
    "own": {"command": "${CLAUDE_PLUGIN_ROOT}/server", "args": []},
    "bad": {"type": "http"},
}  # fmt: skip


@pytest.mark.parametrize("wrapped", [True, False])
def test_servers_are_listed_as_wanted_in_both_shapes(wrapped: bool) -> None:
    plugin = read(
        plain(**{".mcp.json": json.dumps({"mcpServers": SERVERS} if wrapped else SERVERS)})
    )
    found = {one.name: one for one in plugin.connectors}
    assert set(found) == set(SERVERS) - {"bad"}
    assert found["mail"].target == ""
    assert found["google calendar"].variables == ("TENANT", "TOKEN")
    assert found["google calendar"].headers == {"Authorization": "Bearer ${TOKEN}"}
    assert [name for name, one in found.items() if one.unpinned] == ["new", "git"]
    expected = ["mcp-client-id", "mcp-later", "mcp-name-form", "mcp-shape", "mcp-unpinned"]
    assert codes(plugin) == sorted([*expected, *(() if wrapped else ("mcp-bare",))])


@pytest.mark.parametrize(
    ("name", "value"),
    [("X-Key", "written-out-in-the-file"), ("X-Key", "a ${B} c"), ("X Key", "${B}"), ("X-Key", 7)],
)
def test_a_header_that_is_no_variable_of_the_users_is_not_kept(name: str, value: object) -> None:
    server = {"type": "http", "url": "https://a.example.com", "headers": {name: value}}
    plugin = read(plain(**{".mcp.json": json.dumps({"mcpServers": {"a": server}})}))
    assert plugin.connectors[0].headers == {}


def test_a_server_in_manifest_and_file_is_wanted_once() -> None:
    one = {"mcpServers": {"global": {"type": "http", "url": "https://a.example.com"}}}
    plugin = read(
        {
            MANIFEST: manifest(mcpServers=one["mcpServers"]),
            ".mcp.json": json.dumps(one),
            "skills/a/SKILL.md": skill("a"),
        }
    )
    assert [server.name for server in plugin.connectors] == ["global"]
    assert codes(plugin) == ["mcp-twice"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[]", "hooks-empty"),
        ('{"hooks": {}}', "hooks-empty"),
        ("{}", "hooks-empty"),
        ("[1]", "hooks-shape"),
        ('{"hooks": {"Stop": 3}}', "hooks-shape"),
        ('{"hooks": {"Stop": [{"hooks": [{"type": "magic"}]}]}}', "hook-type"),
        ('{"hooks": {"Lunch": []}}', "hook-event"),
        ("{", "json-broken"),
    ],
)
def test_odd_files_of_hooks_are_named(text: str, code: str) -> None:
    plugin = read(plain(**{"hooks/hooks.json": text}))
    assert code in codes(plugin)
    assert [s.name for s in plugin.skills] == ["write"], "the rest is there"


def test_hooks_say_at_which_moment_they_would_act() -> None:
    handler = {
        "type": "command",
        "command": "${CLAUDE_PLUGIN_ROOT}/check.sh",
        "if": "Bash(git *)",
        "asyncRewake": True,
    }
    data = {
        "hooks": {
            "PreToolUse": [{"matcher": "Bash", "hooks": [handler]}],
            "PreCompact": [{"hooks": [handler]}],
        }
    }
    plugin = read(plain(**{"hooks/hooks.json": json.dumps(data)}))
    assert [(h.event, h.matcher, h.moment) for h in plugin.hooks] == [
        ("PreToolUse", "Bash", "before a tool runs"),
        ("PreCompact", "", ""),
    ]


def test_a_table_that_disagrees_with_the_servers_is_noted() -> None:
    files = plain(
        **{
            "CONNECTORS.md": CONNECTORS,
            ".mcp.json": '{"mcpServers": {"boards": {"url": "https://b.example.com"}}}',
        }
    )
    plugin = read(files)
    assert [(c.placeholder, c.included) for c in plugin.categories] == [
        ("CRM", ("Acme CRM",)),
        ("project tracker", ("Boards",)),
    ]
    (one,) = plugin.diagnostics
    assert one.code == "connectors-not-configured"
    assert "Acme CRM" in one.message


def test_marks_that_no_table_has_are_noted_and_struck_text_is_not() -> None:
    body = "Post to ~~your-team-channel and ~~CRM, ~~struck out~~ too.\n"
    plugin = read(
        plain(**{"CONNECTORS.md": CONNECTORS, "skills/b/SKILL.md": skill("b", body=body)})
    )
    assert [one.message for one in plugin.diagnostics if one.code == "category-unknown"] == [
        "A ~~name is not in the table of CONNECTORS.md; it stays as it is (your-team-channel)."
    ]


def test_settings_of_all_conventions_are_found() -> None:
    files = plain(**{
        MANIFEST: manifest(userConfig={"region": {"type": "string", "title": "Region"}}),
        "acme.local.md.example": "x", ".claude/settings.local.json": "{}", ".claude/hookify.no-rm.local.md": "x",
    })  # fmt: skip
    plugin = read(files)
    assert set(plugin.settings) == {"region"}
    assert plugin.setting_files == {
        ".claude/hookify.no-rm.local.md": "a rule of hookify",
        ".claude/settings.local.json": "local settings",
        "acme.local.md.example": "local settings with text",
    }


@pytest.mark.parametrize(("files", "code"), [
    ({MANIFEST: "[]"}, "manifest-shape"),
    ({MANIFEST: "{"}, "json-broken"),
    ({MANIFEST: '{"name": "acme", "name": "acme"}'}, "json-key-twice"),
    ({MANIFEST: manifest(skills=3)}, "field-type"),
    ({MANIFEST: manifest(flavour="sweet")}, "field-unknown"),
    ({MANIFEST: manifest(skills=["../outside"])}, "manifest-path"),
    ({MANIFEST: manifest(commands="./none")}, "manifest-path"),
    ({MANIFEST: manifest("Ac Me")}, "plugin-name-form"),
    ({"skills/a/SKILL.md": "---\nname: a\ndescription: A\n"}, "frontmatter-open"),
    ({"skills/a/SKILL.md": "---\n- a\n- b\n---\nText."}, "frontmatter-shape"),
    ({"skills/a/SKILL.md": "---\nname: a\nname: b\ndescription: c\n---\nText."}, "frontmatter-key-twice"),
    ({"skills/a/SKILL.md": "\ufeff" + skill("a")}, "text-bom"),
    ({"skills/a/SKILL.md": skill("a").replace("\n", "\r\n")}, "text-line-ends"),
    ({"skills/a/SKILL.md": skill("a", "Gr\xfc\xdfe. Use when greeting.").encode("latin-1")}, "text-not-utf8"),
    ({"skills/a/SKILL.md": skill("a").encode("utf-16")}, "text-not-utf8"),
    ({"skills/a/SKILL.md": skill("a", body="a\0b")}, "text-nul"),
    ({"skills/a/SKILL.md": skill("a", body="x" * 300_000)}, "text-too-long"),
    ({"skills/a/SKILL.md": ""}, "skill-empty"),
    ({"skills/a/skill.md": skill("a")}, "skill-file-name"),
    ({"skills/a/SKILL.md": skill("a", body="!`git status`\n")}, "skill-shell"),
    ({"agents/a.md": "---\nname: a\ndescription: b\npermissionMode: plan\n---\nYou."}, "agent-field"),
    ({"bin/tool": "x"}, "part-not-used"),
    ({"CONNECTORS.md": "# nothing\n"}, "connectors-table"),
    ({".mcp.json": "{}"}, "mcp-empty"),
    ({".mcp.json": '{"mcpServers": []}'}, "mcp-shape"),
])  # fmt: skip
def test_each_oddity_is_named_and_leaves_the_rest_in_use(files: Files, code: str) -> None:
    plugin = read({**plain(), **files})
    assert code in codes(plugin)
    assert "write" in [s.name for s in plugin.skills]
    assert all(one.code in CODES and one.cure and one.path for one in plugin.diagnostics)


def test_a_byte_order_mark_and_carriage_returns_do_not_hide_the_front_matter() -> None:
    plugin = read(
        plain(**{"skills/a/SKILL.md": ("\ufeff" + skill("a", "Greets.")).replace("\n", "\r\n")})
    )
    assert [s.description for s in plugin.skills if s.name == "a"] == ["Greets."]


def test_numbers_and_dates_in_front_matter_stay_as_they_are_written() -> None:
    plugin = read(plain(**{"skills/a/SKILL.md": skill("a", version="1.10", released="2026-01-02")}))
    assert plugin.skills[0].extra == {"version": "1.10", "released": "2026-01-02"}


def test_folders_of_skills_and_a_lone_skill_are_read_without_a_manifest() -> None:
    many = read(
        {
            "one/SKILL.md": skill("one"),
            "two/SKILL.md": skill("two"),
            "two/x/y/SKILL.md": skill("y"),
        },
        name="kit",
    )
    assert (many.kind, [s.name for s in many.skills], codes(many)) == (
        "agent-skills",
        ["one", "two"],
        [],
    )
    lone = read({"SKILL.md": skill("solo"), "scripts/run.py": "x"}, name="solo")
    assert (lone.kind, [s.name for s in lone.skills], codes(lone)) == ("agent-skills", ["solo"], [])
    hidden = read({".agents/skills/one/SKILL.md": skill("one")}, name="kit")
    assert [s.name for s in hidden.skills] == ["one"]
