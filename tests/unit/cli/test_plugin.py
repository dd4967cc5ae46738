"""`deskmate plugin` and `deskmate skill`, in process, over whatever is installed here."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deskmate.cli import plugin, root, skill
from deskmate.discovery.installed import Catalogue, Problem
from deskmate.errors import DeskmateError
from deskmate.types.registry import HostRule, InstalledPlugin, Manifest, SecretRule

SKILL = "---\nname: do-it\ndescription: Does it.\n---\nStep one.\n"


def acme(tmp_path: Path) -> InstalledPlugin:
    file = tmp_path / "SKILL.md"
    file.write_text(SKILL)
    return InstalledPlugin(
        name="acme",
        package="acme",
        distribution="deskmate-acme",
        version="1.0",
        manifest=Manifest(
            api=">=1",
            title="Acme",
            summary="Does \x1b[31mthings.",
            tools={"find": "read", "post": "send"},
            validators={"ACME-OK": True},
            skills=("do-it",),
            hosts=(HostRule(host="api.example.com", methods=("POST",), why="to send it"),),
            secrets=(SecretRule(name="KEY", why="your account", send_to=("api.example.com",)),),
        ),
        files={"acme/skills/do-it/SKILL.md": str(file)},
    )


@pytest.fixture(autouse=True)
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Problem(plugin="bad", distributions=("bad 1",), message="Bad is bad.", hint="Mend it.")
    found = Catalogue(plugins=(acme(tmp_path),), problems=(broken,))
    monkeypatch.setattr(plugin, "installed_plugins", lambda session: found)
    monkeypatch.setattr(skill, "installed_plugins", lambda session: found)


def call(tmp_path: Path, *arguments: str) -> Result:
    environ = {"DESKMATE_HOME": str(tmp_path / "home")}
    return CliRunner().invoke(root, [*arguments], env=environ)


def test_the_list_shows_usable_plugins_and_why_others_are_not(tmp_path: Path) -> None:
    result = call(tmp_path, "plugin", "list")
    assert result.exit_code == 0
    assert "acme 1.0" in result.stdout
    assert "2 tools, 1 rule, 1 skill" in result.stdout
    assert "bad  NOT USABLE: Bad is bad." in result.stdout
    assert "Mend it." in result.stdout
    assert "\x1b" not in result.stdout


def test_the_list_as_json_has_the_same_keys_for_what_is_usable_and_what_is_not(
    tmp_path: Path,
) -> None:
    rows = json.loads(call(tmp_path, "plugin", "list", "--json").stdout)["plugins"]
    assert [(row["name"], row["state"]) for row in rows] == [("acme", "ok"), ("bad", "problem")]
    assert set(rows[0]) == set(rows[1])
    assert rows[0]["hooks"] == ["deskmate_skills", "deskmate_tools", "deskmate_validators"]


def test_show_says_in_plain_words_what_a_plugin_may_do(tmp_path: Path) -> None:
    text = call(tmp_path, "plugin", "show", "acme").stdout
    assert "runs inside the virtual machine only" in text
    assert "Tools that send something out: post" in text
    assert "May reach api.example.com (POST): to send it" in text
    assert "Your secret KEY may be sent to api.example.com: your account" in text
    assert "Stops a deliverable that breaks: ACME-OK" in text


def test_show_of_an_unknown_or_broken_plugin_is_an_error_with_a_hint(tmp_path: Path) -> None:
    for name, words in (("nix", "no plugin 'nix'"), ("bad", "Bad is bad.")):
        error = call(tmp_path, "plugin", "show", name).exception
        assert isinstance(error, DeskmateError)
        assert words in error.message
        assert error.hint


def test_audit_always_says_what_it_cannot_see(tmp_path: Path) -> None:
    assert "Not visible here" in call(tmp_path, "plugin", "audit").stdout


def test_a_plugin_of_deskmate_itself_cannot_be_disabled(tmp_path: Path) -> None:
    error = call(tmp_path, "plugin", "disable", "office", "--thread", "t-x").exception
    assert isinstance(error, DeskmateError)
    assert "cannot be disabled" in error.message


def test_enabling_in_a_thread_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    error = call(tmp_path, "plugin", "enable", "acme", "--thread", "t-none").exception
    assert isinstance(error, DeskmateError)


def test_skills_are_listed_and_shown(tmp_path: Path) -> None:
    assert "/do-it (acme)  Does it." in call(tmp_path, "skill", "list").stdout
    for name in ("do-it", "/do-it", "acme/do-it"):
        assert "Step one." in call(tmp_path, "skill", "show", name).stdout
    error = call(tmp_path, "skill", "show", "other/do-it").exception
    assert isinstance(error, DeskmateError)


def test_skills_as_json(tmp_path: Path) -> None:
    (row,) = json.loads(call(tmp_path, "skill", "list", "--json").stdout)["skills"]
    assert row == {
        "plugin": "acme",
        "name": "do-it",
        "description": "Does it.",
        "has_procedure": False,
        "problem": "",
        "kind": "skill",
        "hint": "",
        "path": "",
        "listed": True,
    }
