"""`deskmate connector add --pypi|--npm` as people type it: what is refused, shown, and offered for what plugins want."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.unit.connectors.fake_program import program_entry
from tests.unit.discovery.test_fetching import wheel

from deskmate.cli.connector import command
from deskmate.cli.connector_program import command_for, stderr_lines
from deskmate.cli.output import Session
from deskmate.connectors.book import Book
from deskmate.errors import PluginError, UserError
from deskmate.host.connector_making import program_folder
from deskmate.types.places import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")


def call(places: Places, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, obj=Session(places=places), standalone_mode=False)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--pypi", "a", "--npm", "b"), "of PyPI or of npm"),
        (("--pypi", "a", "--login"), "no headers and no login"),
        (("--pypi", "a", "--secret-env", "TOKEN=api.example.com"), "may not reach"),
        (("--pypi", "a", "--secret-env", "token"), "no variable with a secret"),
        (("--pypi", "a", "--env", "LD_PRELOAD=/x"), "Deskmate's to set"),
        (("--pypi", "a", "--env", "HTTPS_PROXY=http://x"), "Deskmate's to set"),
        (("--pypi", "a", "--env", "novalue"), "no variable with a value"),
        (("--pypi", "a", "--allow-host", "10.0.0.1"), "cannot be allowed"),
        (("--pypi", "../a"), "no package of PyPI"),
        (("https://mcp.example.com/mcp", "more"), "one address"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_fetched(
    places: Places, words: tuple[str, ...], why: str
) -> None:
    done = call(places, "add", "shop", *words, "--yes")
    assert isinstance(done.exception, UserError), done.output
    assert why in done.exception.message
    assert not program_folder(places, "shop").exists()
    assert Book(places.config).names() == ()


def test_a_program_is_shown_whole_and_nothing_is_kept_without_a_yes(
    places: Places, tmp_path: Path
) -> None:
    house = tmp_path / "house"
    house.mkdir()
    wheel(house, "shop_mcp", {"shop.py": ""}, "shop-mcp = shop:main")
    done = call(
        places, "add", "shop", "--pypi", "shop-mcp==1.0", "--wheelhouse", str(house),
        "--allow-host", "api.example.com:GET", "--env", "MODE=x", "--", "--db", "my file",
    )  # fmt: skip
    assert isinstance(done.exception, UserError)
    assert "nobody is at a terminal" in done.exception.message
    assert "pypi:shop-mcp==1.0, a program in a virtual machine of its own" in done.output
    assert "it may reach api.example.com:GET,HEAD" in done.output
    assert "arguments: --db 'my file'" in done.output
    assert "variable MODE=x" in done.output
    assert "shop-mcp==1.0  sha256:" in done.output
    assert not program_folder(places, "shop").exists()
    assert Book(places.config).names() == ()


def test_what_cannot_be_had_says_that_young_packages_are_left_out(
    places: Places, tmp_path: Path
) -> None:
    alone = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "uv")}
    done = CliRunner(env=alone).invoke(
        command,
        ["add", "shop", "--pypi", "shop-mcp==1.0", "--cooldown", "3"],
        obj=Session(places=places),
        standalone_mode=False,
    )
    assert isinstance(done.exception, PluginError)
    assert "--cooldown 0 takes it" in done.exception.hint


def test_a_program_is_listed_shown_and_forgotten_with_its_packages(places: Places) -> None:
    folder = program_folder(places, "crm")
    Book(places.config).save(program_entry(folder))
    assert "pypi:shop==1" in call(places, "list").output
    shown = call(places, "show", "crm").output
    assert "1 package, pinned" in shown
    assert "shop==1  sha256:0" in shown
    assert call(places, "remove", "crm").exception is None
    assert not folder.exists()


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("npx -y @shop/mcp@1.2 --fast", "deskmate connector add x --npm @shop/mcp@1.2 --of p -- --fast"),
        ("npx shop-mcp@latest", "deskmate connector add x --npm shop-mcp --of p"),
        ("uvx shop-mcp", "deskmate connector add x --pypi shop-mcp --of p"),
        ("uvx shop-mcp@1.0 a b", "deskmate connector add x --pypi shop-mcp==1.0 --of p -- a b"),
        ("pipx run shop-mcp", "deskmate connector add x --pypi shop-mcp --of p"),
        ("node server.js", ""),
        ("sh -c touch", ""),
        ("npx -y shop $(touch x)", ""),
        ("npx -y shop `touch`", ""),
        ("npx --registry=x shop", ""),
    ],
)  # fmt: skip
def test_what_a_plugin_would_start_becomes_a_command_of_ours_or_nothing(
    target: str, expected: str
) -> None:
    assert command_for(target, "x", "p") == expected


def test_variables_of_a_wanted_program_are_asked_for_as_secrets() -> None:
    found = command_for("npx -y shop", "x", "p", ("TOKEN",))
    assert found.endswith("--secret-env TOKEN=HOST --allow-host HOST")


def test_the_last_lines_of_stderr_are_told() -> None:
    assert stderr_lines("") == []
    assert stderr_lines("a\n" * 50 + "end", 2) == ["it wrote to stderr:", "    a", "    end"]
