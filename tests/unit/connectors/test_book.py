"""Connectors on disk: one file each, readable by the user alone, refused where they are damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.connectors.fake_mcp import FakeMcp, entry_for, tool

from deskmate.connectors.book import Book
from deskmate.errors import ConfigError, UserError
from deskmate.types.connectors import SecretHeader, ToolSetting


def test_a_connector_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    book = Book(tmp_path)
    fake = FakeMcp(tools=(tool("find", annotations={"readOnlyHint": True}), tool("send")))
    entry = entry_for(
        fake,
        categories=("CRM",),
        headers=(SecretHeader(name="X-Key", secret="KEY"),),
        settings={"send": ToolSetting(decision="deny", risk="send")},
        off={"find": "it changed"},
    )
    book.save(entry)
    assert book.get("crm") == entry
    assert (book.names(), book.all()) == (("crm",), (entry,))
    assert (tmp_path / "connectors" / "crm.json").stat().st_mode & 0o777 == 0o600
    assert book.remove("crm")
    assert not book.remove("crm")
    assert book.all() == ()


@pytest.mark.parametrize(
    "name", ["", "CRM", "a b", "../x", "a__b", "a-", "x" * 25, "workspace", "skill"]
)
def test_a_name_that_could_be_taken_for_another_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError):
        Book(tmp_path).save(entry_for(FakeMcp(), name))
    assert Book(tmp_path).find(name) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"name": "crm"}', '{"name": "other", "url": "https://x.example/"}']
)
def test_a_file_that_is_damaged_is_named_with_the_cure(tmp_path: Path, text: str) -> None:
    book = Book(tmp_path)
    book.save(entry_for(FakeMcp()))
    (tmp_path / "connectors" / "crm.json").write_text(text)
    with pytest.raises(ConfigError, match=r"crm\.json") as caught:
        book.get("crm")
    assert caught.value.hint


def test_one_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.save(entry_for(FakeMcp()))
    with pytest.raises(UserError) as caught:
        book.get("erp")
    assert "crm" in caught.value.hint


def test_a_login_beside_it_is_not_taken_for_a_connector(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.save(entry_for(FakeMcp()))
    (tmp_path / "connectors" / "crm.login.json").write_text(json.dumps({}))
    assert book.names() == ("crm",)
