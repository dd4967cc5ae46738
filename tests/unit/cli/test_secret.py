"""`deskmate secret` and `deskmate thread allow`: values from stdin only, hosts in words."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner, Result

from deskmate.cli.output import Session
from deskmate.cli.secret import command as secret
from deskmate.cli.thread import command as thread
from deskmate.connectors import vault
from deskmate.errors import UserError
from deskmate.store.making import create_thread
from deskmate.types.places import Places

VALUE = "s3cret-value-of-mine"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setattr(
        vault, "open_vault", lambda folder, to_read=False: vault.Vault(folder, None)
    )
    return Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")


def call(places: Places, group: object, *arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(
        group,  # type: ignore[arg-type]
        arguments,
        obj=Session(places=places),
        input=stdin,
        standalone_mode=False,
    )


def test_a_secret_is_read_from_stdin_listed_by_name_and_forgotten(places: Places) -> None:
    done = call(places, secret, "set", "shop", "API_KEY", stdin=f"{VALUE}\n")
    assert done.exception is None, done.output
    assert VALUE not in done.output
    assert "sealed with the key in secrets.key beside it, both readable by you alone" in " ".join(
        done.output.split()
    )
    listed = call(places, secret, "list", "--json")
    assert json.loads(listed.stdout) == [{"name": "API_KEY", "plugin": "shop"}]
    assert call(places, secret, "remove", "shop", "API_KEY").return_value == 0
    assert call(places, secret, "remove", "shop", "API_KEY").return_value == 1
    assert "There are none" in call(places, secret, "list").output


def test_a_value_is_never_an_argument(places: Places) -> None:
    done = call(places, secret, "set", "shop", "API_KEY", VALUE)
    assert done.exception is not None
    assert "unexpected extra argument" in str(done.exception)


def test_hosts_are_allowed_shown_and_taken_away(places: Places) -> None:
    made = anyio.run(lambda: create_thread(places.threads, "x", version="0"))
    assert "may reach no network at all" in call(places, thread, "allow", made).output
    done = call(places, thread, "allow", made, "api.example.test:GET,POST", "b.example.test")
    assert "api.example.test:GET,POST,HEAD  (by the user)" in done.output
    rows = json.loads(call(places, thread, "allow", made, "--json").stdout)
    assert [row["host"] for row in rows] == ["api.example.test", "b.example.test"]
    left = call(places, thread, "allow", made, "--remove", "b.example.test")
    assert "b.example.test" not in left.output
    gone = call(places, thread, "allow", made, "--remove", "b.example.test")
    assert isinstance(gone.exception, UserError)
    assert "NetworkSet" in call(places, thread, "show", made).output


def test_a_host_that_cannot_be_allowed_changes_nothing(places: Places) -> None:
    made = anyio.run(lambda: create_thread(places.threads, "x", version="0"))
    done = call(places, thread, "allow", made, "good.example.test", "api.openai.com")
    assert isinstance(done.exception, UserError)
    assert "may reach no network at all" in call(places, thread, "allow", made).output
