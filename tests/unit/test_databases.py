"""A database behind the same SQL: transactions whole or not at all, and patience with a server that is away."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from deskmate import databases
from deskmate.databases import DatabaseAway, FileDatabase, patiently, server_url
from deskmate.errors import CorruptData, UserError


def test_a_transaction_counts_whole_or_not_at_all(tmp_path: Path) -> None:
    database = FileDatabase(tmp_path / "a.db", "thing")
    database.create("create table one (n integer primary key);")
    with database.begin() as db:
        db.execute("insert into one values (?)", (1,))

    def breaks_off() -> None:
        with database.begin() as db:
            db.execute("insert into one values (?)", (2,))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks_off()
    assert [row["n"] for row in database.all("select n from one")] == [1]
    with pytest.raises(CorruptData, match="thing cannot be read"), database.begin() as db:
        db.execute("insert into one values (?)", (1,))
    database.close()


def test_a_server_that_is_away_is_waited_for_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(databases, "_PAUSES_S", (0.0,))
    calls = 0

    def comes_back() -> str:
        nonlocal calls
        calls += 1
        if calls < 4:
            raise DatabaseAway("It does not answer.")
        return "here"

    assert patiently(comes_back, threading.Event()) == "here"
    assert calls == 4

    def away() -> None:
        raise DatabaseAway("It does not answer.")

    closed = threading.Event()
    closed.set()
    with pytest.raises(DatabaseAway):
        patiently(away, closed)
    monkeypatch.setattr(databases, "PATIENCE_S", -1.0)
    with pytest.raises(DatabaseAway):
        patiently(away, threading.Event())


def test_connections_notice_that_the_other_side_is_gone_unless_the_address_says_otherwise() -> None:
    address = server_url("postgresql://me@h/d")
    assert "tcp_user_timeout=15000" in address
    assert "idle_in_transaction_session_timeout" in address
    assert "connect_timeout=3&" in server_url("postgresql://me@h/d?connect_timeout=3") + "&"
    with pytest.raises(UserError, match="names no database"):
        server_url("nonsense")
