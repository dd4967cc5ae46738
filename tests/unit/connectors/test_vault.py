"""Secrets are kept in the keyring, or in a file of the user alone, and that is said."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from keyring.errors import KeyringLocked

from deskmate.connectors.vault import Vault, open_vault
from deskmate.errors import ConfigError, UserError

VALUE = "s3cret-value"


class Ring:
    """A keyring in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def _check(self) -> None:
        if self.locked:
            raise KeyringLocked(VALUE)

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._check()
        del self.kept[service, username]


def test_with_a_keyring_no_value_is_in_a_file(tmp_path: Path) -> None:
    ring = Ring()
    vault = Vault(tmp_path / "config", ring)
    vault.set("shop", "KEY", VALUE)
    assert vault.get("shop", "KEY") == VALUE
    assert vault.names() == (("shop", "KEY"),)
    assert vault.values() == {("shop", "KEY"): VALUE}
    assert VALUE not in (tmp_path / "config/secrets.json").read_text()
    assert "keyring" in vault.place
    assert vault.remove("shop", "KEY")
    assert not vault.remove("shop", "KEY")
    assert ring.kept == {}


def test_without_a_keyring_the_file_is_the_users_alone_and_that_is_said(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "config", None)
    vault.set("shop", "KEY", VALUE)
    file = tmp_path / "config/secrets.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert vault.get("shop", "KEY") == VALUE
    assert VALUE not in file.read_text()
    key = tmp_path / "config/secrets.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "sealed with the key in secrets.key" in vault.place
    assert "who can read your files can read both" in vault.place
    assert Vault(tmp_path / "config", None).get("shop", "KEY") == VALUE
    assert vault.remove("shop", "KEY")
    assert vault.names() == ()


def test_a_seal_opens_with_its_key_and_under_its_name_only(tmp_path: Path) -> None:
    vault = Vault(tmp_path, None)
    vault.set("shop", "KEY", VALUE)
    vault.set("shop", "OTHER", "another-value")
    file, key = tmp_path / "secrets.json", tmp_path / "secrets.key"
    kept, own = file.read_text(), key.read_bytes()
    entries = json.loads(kept)["secrets"]
    swapped = {"shop/KEY": entries["shop/OTHER"], "shop/OTHER": entries["shop/KEY"]}
    broken = [
        json.dumps({"secrets": swapped}),
        kept.replace(entries["shop/KEY"]["sealed"][:8], "AAAAAAAA"),
    ]
    for text in (*broken, json.dumps({"secrets": {"shop/KEY": {"sealed": "?"}}})):
        file.write_text(text)
        with pytest.raises(ConfigError, match="another key, or changed"):
            vault.get("shop", "KEY")
    file.write_text(kept)
    for damage in (bytes(32), b"short"):
        key.write_bytes(damage)
        with pytest.raises(ConfigError):
            vault.get("shop", "KEY")
    key.unlink()
    with pytest.raises(ConfigError, match="is gone"):
        vault.get("shop", "KEY")
    assert vault.values() == {}
    key.write_bytes(own)
    assert vault.get("shop", "KEY") == VALUE


def test_what_was_kept_in_clear_is_sealed_when_it_is_next_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(json.dumps({"secrets": {"shop/KEY": {"value": VALUE}, "shop/RING": {}}}))
    assert Vault(tmp_path, None).get("shop", "KEY") == VALUE
    vault = open_vault(tmp_path, to_read=True)
    assert VALUE not in file.read_text()
    assert vault.get("shop", "KEY") == VALUE
    assert json.loads(file.read_text())["secrets"]["shop/RING"] == {}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Vault(tmp_path, None).seal_plain() == 0


@pytest.mark.parametrize(
    ("plugin", "name", "value"),
    [
        ("Shop", "KEY", VALUE),
        ("shop", "key", VALUE),
        ("../x", "KEY", VALUE),
        ("shop", "KEY", "short"),
        ("shop", "KEY", "with\nline breaks"),
        ("shop", "KEY", "ünïcödé-value"),
        ("shop", "KEY", "x" * 20_000),
    ],
)
def test_what_is_no_secret_is_refused(tmp_path: Path, plugin: str, name: str, value: str) -> None:
    vault = Vault(tmp_path, None)
    with pytest.raises(UserError) as caught:
        vault.set(plugin, name, value)
    assert value not in str(caught.value)
    assert vault.names() == ()


def test_a_locked_keyring_is_an_error_without_the_value(tmp_path: Path) -> None:
    ring = Ring()
    vault = Vault(tmp_path, ring)
    vault.set("shop", "KEY", VALUE)
    ring.locked = True
    with pytest.raises(ConfigError) as caught:
        vault.get("shop", "KEY")
    assert VALUE not in str(caught.value)
    assert vault.values() == {}
    with pytest.raises(ConfigError, match="keyring that cannot be reached"):
        Vault(tmp_path, None).get("shop", "KEY")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"secrets": 1}', '{"secrets": {"a": 1}}', "\x00"]
)
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(ConfigError, match="cannot be read"):
        Vault(tmp_path, None).names()


def test_where_nothing_is_kept_no_keyring_is_looked_for(tmp_path: Path) -> None:
    assert open_vault(tmp_path, to_read=True).values() == {}
