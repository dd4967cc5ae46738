"""`deskmate plugin add`, `update`, `remove` and `skill` over plugins in other formats, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner, Result
from tests.unit.formats.material import CONNECTORS, MANIFEST, lay, manifest, plain, skill

from deskmate.cli import main, root
from deskmate.errors import DeskmateError
from deskmate.formats.marketplace import FILE as MARKET
from deskmate.host import Host
from deskmate.types.places import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    home = tmp_path / "home"
    return Places(data=home / "data", cache=home / "cache", config=home / "config")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    handler = {"type": "command", "command": "${CLAUDE_PLUGIN_ROOT}/pwn.sh"}
    return lay(tmp_path / "acme", plain(**{
        "commands/go.md": "---\ndescription: Go there\nargument-hint: <where>\n---\nGo to $ARGUMENTS\n",
        "agents/hunter.md": "---\nname: hunter\ndescription: Hunts\n---\nYou hunt.\n",
        "hooks/hooks.json": json.dumps({"hooks": {"SessionStart": [{"hooks": [handler]}]}}),
        ".mcp.json": json.dumps({"mcpServers": {"mail": {"type": "http", "url": ""}}}),
        "CONNECTORS.md": CONNECTORS, "pwn.sh": "#!/bin/sh\ntouch pwned\n",
    }))  # fmt: skip


def call(places: Places, *arguments: str | Path, given: str | None = None) -> Result:
    environ = {"DESKMATE_HOME": str(places.data.parent), "PATH": ""}
    return CliRunner().invoke(root, [*map(str, arguments)], env=environ, input=given)


def test_add_says_what_came_and_what_becomes_of_each_part(places: Places, folder: Path) -> None:
    result = call(places, "plugin", "add", folder)
    assert result.exit_code == 0, result.output
    for line in (
        "- 1 skill: acme:write", "- 1 command: acme:go", "- 1 agent, roles for sub-agents, which only read: hunter",
        "- 1 hook, off until you allow them (deskmate plugin hooks acme): SessionStart (a thread begins): command ${CLAUDE_PLUGIN_ROOT}/pwn.sh",
        "- 1 connector wanted, none is asked before you connect it (deskmate connector wanted): mail (http, address to be chosen)",
        "~~CRM, ~~project tracker; what is not connected, they ask you for as a file",
        "Next: deskmate plugin enable acme --thread THREAD",
    ):  # fmt: skip
        assert line in result.stdout
    assert not [*folder.parent.rglob("pwned")]
    assert (
        "acme, in another format, in the plugin store · 2 skills, 3 diagnostics"
        in call(places, "plugin", "list").stdout
    )


def test_skills_are_listed_and_shown(places: Places, folder: Path) -> None:
    call(places, "plugin", "add", folder)
    listed = call(places, "skill", "list").stdout
    assert "/acme:write (skill)  Does a thing." in listed
    assert "/acme:go <where> (command)  Go there" in listed
    for name in ("acme:go", "acme/go", "go", "/acme:go"):
        shown = call(places, "skill", "show", name)
        assert "acme:go (commands/go.md): Go there\n\nGo to $ARGUMENTS" in shown.stdout
    rows = json.loads(call(places, "skill", "list", "--json").stdout)["skills"]
    (row,) = [row for row in rows if row["name"] == "acme:go"]
    assert (row["kind"], row["hint"], row["path"], row["listed"]) == (
        "command",
        "<where>",
        "commands/go.md",
        True,
    )


def test_what_a_stranger_wrote_cannot_command_the_terminal(places: Places, tmp_path: Path) -> None:
    evil = "Nice \x1b]0;pwned\x07\x1b[2J\u202e text"
    files = {
        MANIFEST: manifest(description=evil, displayName=evil),
        "skills/a/SKILL.md": f"---\nname: a\ndescription: {evil}\n---\n{evil}",
        "hooks/hooks.json": json.dumps({"hooks": {evil: []}}),
    }
    what = lay(tmp_path / "evil", files)
    said = "".join(
        call(places, *command).output
        for command in (
            ("plugin", "add", what),
            ("plugin", "list"),
            ("plugin", "show", "acme"),
            ("skill", "list"),
            ("skill", "show", "acme:a"),
        )
    )
    assert "Nice" in said
    assert not {"\x1b", "\x07", "\u202e"} & set(said)


def test_strict_refuses_what_is_odd_and_shows_all_of_it(places: Places, folder: Path) -> None:
    result = call(places, "plugin", "add", folder, "--strict")
    assert result.exit_code == 0, result.exception
    assert "note mcp-later, .mcp.json: " in result.stdout
    assert "Nothing was added: --strict refuses what is odd." in result.stdout
    assert "acme" not in call(places, "plugin", "list").stdout
    data = json.loads(call(places, "plugin", "add", folder, "--strict", "--json").stdout)
    assert data["refused"] is True
    assert {row["code"] for row in data["plugins"][0]["plugin"]["diagnostics"]} == {
        "mcp-later",
        "connectors-not-configured",
    }


def test_an_update_shows_what_changed_asks_and_keeps_the_overlay(
    places: Places, folder: Path
) -> None:
    call(places, "plugin", "add", folder)
    lay(places.plugins / "overlays/acme", {"skills/write/SKILL.md": skill("write", "Mine.")})
    lay(
        folder,
        {"skills/write/SKILL.md": skill("write", "Theirs."), "skills/new/SKILL.md": skill("new")},
    )
    refused = call(places, "plugin", "update", "acme")
    assert isinstance(refused.exception, DeskmateError)
    assert "new skill: new" in refused.stdout
    assert "acme:new" not in call(places, "skill", "list").stdout
    taken = call(places, "plugin", "update", "acme", "--yes")
    assert "warning overlay-base-changed, skills/write/SKILL.md" in taken.stdout
    listed = call(places, "skill", "list").stdout
    assert "/acme:new" in listed
    assert "Mine." in listed
    assert "acme is what it was" in call(places, "plugin", "update", "acme").stdout
    removed = call(places, "plugin", "remove", "acme")
    assert f"Your own files for it stay in {places.plugins / 'overlays/acme'}" in removed.stdout
    gone = call(places, "plugin", "update", "acme")
    assert isinstance(gone.exception, DeskmateError)


def test_an_update_may_come_from_another_place(
    places: Places, folder: Path, tmp_path: Path
) -> None:
    call(places, "plugin", "add", folder)
    newer = lay(tmp_path / "acme-2", {**plain(), MANIFEST: manifest(version="2.0.0")})
    result = call(places, "plugin", "update", "acme", newer, "--yes")
    assert "Updated acme to 2.0.0 (sha256:" in result.stdout
    assert "skill gone: go" in result.stdout


def test_a_marketplace_is_one_line_a_plugin(places: Places, tmp_path: Path) -> None:
    entries = [{"name": f"p{n}", "source": f"./p{n}"} for n in range(5)]
    far = [{"name": "far", "source": {"source": "npm", "package": "far"}}]
    market = lay(tmp_path / "m", {MARKET: json.dumps({"name": "m", "plugins": entries + far})})
    for number in range(5):
        lay(
            market / f"p{number}",
            {MANIFEST: manifest(f"p{number}"), "skills/a/SKILL.md": skill("a")},
        )
    said = call(places, "plugin", "add", market).stdout
    assert "Marketplace m: 5 of its plugins lie in it, 1 must be fetched." in said
    assert "Added p0 without a version (sha256:" in said
    assert "Not here; nothing is fetched." in said
    assert "  far: npm: package far" in said
    assert len(said.splitlines()) < 12


def test_enabled_in_a_thread_it_says_that_nothing_runs_by_itself(
    places: Places, folder: Path
) -> None:
    call(places, "plugin", "add", folder)
    thread = anyio.run(Host(places).create_thread, "A thread")
    result = call(places, "plugin", "enable", "acme", "--thread", thread, "--yes")
    assert result.exit_code == 0, result.exception
    assert "Nothing of it runs by itself" in result.output
    assert "May reach no network at all." in result.output
    assert f"{thread} uses acme 0+" in result.stdout


@pytest.mark.parametrize("what", ["https://example.com/a.git", "/nowhere/at/all"])
def test_what_cannot_be_had_is_one_line_and_a_hint(places: Places, what: str) -> None:
    result = call(places, "plugin", "add", what)
    assert isinstance(result.exception, DeskmateError)
    assert result.exception.hint
    assert "\n" not in result.exception.message


def test_strict_ends_with_exit_code_1(
    places: Places, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESKMATE_HOME", str(places.data.parent))
    for arguments, code in (
        (["plugin", "add", str(folder), "--strict"], 1),
        (["plugin", "add", str(folder)], 0),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == code


def test_the_audit_names_files_of_the_store_that_were_changed(places: Places, folder: Path) -> None:
    call(places, "plugin", "add", folder)
    assert "in another format" not in call(places, "plugin", "audit").stdout
    (item,) = (places.plugins / "items").iterdir()
    (item / "content/commands/go.md").write_text("Now do evil.")
    (item / "content/new.md").write_text("x")
    (item / "content/pwn.sh").unlink()
    said = call(places, "plugin", "audit").stdout
    for path in ("commands/go.md", "new.md", "pwn.sh"):
        assert f"acme (in another format): {path} is not what was added" in said


def test_a_damaged_list_of_the_store_is_a_named_problem(places: Places, folder: Path) -> None:
    call(places, "plugin", "add", folder)
    index = places.plugins / "store.json"
    index.write_text(index.read_text().replace('"folder": "acme-', '"folder": "../acme-'))
    said = call(places, "plugin", "list").stdout
    assert "acme  NOT USABLE: The plugin store's list names the folder" in said


def test_a_plugin_of_a_marketplace_is_updated_from_it_or_from_another(
    places: Places, tmp_path: Path
) -> None:
    entries = [{"name": "one", "source": "./one"}, {"name": "two", "source": "./two"}]
    files = {
        MARKET: json.dumps({"name": "m", "plugins": entries}),
        "one/skills/a/SKILL.md": skill("a"),
        "two/skills/b/SKILL.md": skill("b"),
    }
    market = lay(tmp_path / "m", files)
    call(places, "plugin", "add", market)
    lay(market, {"one/skills/c/SKILL.md": skill("c")})
    assert "new skill: c" in call(places, "plugin", "update", "one", "--yes").stdout
    other = lay(tmp_path / "other", {**files, "one/skills/d/SKILL.md": skill("d")})
    unclear = call(places, "plugin", "update", "one", other, "--yes")
    assert "--plugin NAME" in getattr(unclear.exception, "hint", "")
    assert (
        "new skill: d"
        in call(places, "plugin", "update", "one", other, "--plugin", "one", "--yes").stdout
    )
    names = {
        row["name"] for row in json.loads(call(places, "skill", "list", "--json").stdout)["skills"]
    }
    assert {"one:a", "one:d", "two:b"} <= names
    assert "one:c" not in names


def test_adding_it_again_says_what_is_other_than_before(places: Places, folder: Path) -> None:
    call(places, "plugin", "add", folder)
    (folder / "commands/go.md").write_text("---\ndescription: Go\n---\nRun away.\n")
    said = call(places, "plugin", "add", folder).stdout
    assert said.startswith("Updated acme ")
    assert "Against the one that was there:\n  skill with another text: go\n" in said


def test_hooks_are_shown_allowed_and_forbidden_by_the_users_word_alone(
    places: Places, folder: Path
) -> None:
    call(places, "plugin", "add", folder)
    shown = call(places, "plugin", "hooks", "acme").stdout
    assert "SessionStart (a thread begins): ${CLAUDE_PLUGIN_ROOT}/pwn.sh (at most 60 s)" in shown
    assert "They are off." in shown

    def allowed() -> bool:
        found: bool = json.loads(call(places, "plugin", "hooks", "acme", "--json").stdout)[
            "allowed"
        ]
        return found

    nobody = call(places, "plugin", "hooks", "acme", "--allow")
    assert isinstance(nobody.exception, DeskmateError)
    assert not allowed()
    assert (
        "inside the virtual machine"
        in call(places, "plugin", "hooks", "acme", "--allow", "--yes").stdout
    )
    assert allowed()
    assert "You allowed them." in call(places, "plugin", "hooks", "acme").stdout
    (folder / "pwn.sh").write_text("#!/bin/sh\necho other\n")
    call(places, "plugin", "add", folder)
    assert not allowed()
    assert (
        "the plugin changed since you allowed them"
        in call(places, "plugin", "hooks", "acme").stdout
    )
    call(places, "plugin", "hooks", "acme", "--allow", "--yes")
    assert "are off" in call(places, "plugin", "hooks", "acme", "--forbid").stdout
    assert not allowed()
    assert not [*folder.parent.rglob("pwned")]


def test_a_plugin_of_our_own_format_has_no_such_hooks(places: Places) -> None:
    refused = call(places, "plugin", "hooks", "workspace")
    assert isinstance(refused.exception, DeskmateError)
