"""Signed checkpoints: what a chain alone cannot show, found with the file and a public key."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import CliRunner

from deskmate.cli import root
from deskmate.errors import CorruptData, UserError
from deskmate.store import chain, signing
from deskmate.store.making import create_thread
from deskmate.store.thread import open_thread
from deskmate.types.events import ThreadRenamed

TIME = "2026-11-23T09:00:00.000000Z"
PRIVATE = signing.new_key()
KEY = signing.public_of(PRIVATE)


def log(size: int = 5, title: str = "T") -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    head = chain.GENESIS
    for seq in range(1, size + 1):
        payload = {"thread": "t-x", "title": f"{title}{seq}"}
        record = {"seq": seq, "time": TIME, "kind": "K", "payload": payload, "prev_hash": head}
        head = chain.record_hash(record)
        records.append({**record, "hash": head})
    return records


def signed(records: list[dict[str, Any]]) -> signing.SignedCheckpoint:
    return signing.sign(chain.check(records), PRIVATE, time=TIME)


def test_a_log_and_a_longer_one_fit_their_checkpoint() -> None:
    made = signed(log(4))
    assert signing.problem_of(made, log(4), KEY) == ""
    assert signing.problem_of(made, log(9), KEY) == ""


@pytest.mark.parametrize(
    ("records", "problem"),
    [(log(3), "was cut"), (log(4, "U"), "was rewritten"), ([], "of thread")],
)
def test_a_cut_or_rewritten_log_does_not(records: list[dict[str, Any]], problem: str) -> None:
    assert chain.check(records).problem == ""  # by itself it looks sound
    assert problem in signing.problem_of(signed(log(4)), records, KEY)


@pytest.mark.parametrize(
    "change",
    [{"size": 3}, {"head": "0" * 64}, {"time": TIME.replace("09", "10")}, {"thread": "t-y"},
     {"signature": "00" * 64}, {"signature": "zz"}, {"signature": ""}],
)  # fmt: skip
def test_any_change_of_a_checkpoint_breaks_its_signature(change: dict[str, Any]) -> None:
    assert "signature" in signing.problem_of(replace(signed(log(4)), **change), log(4), KEY)


def test_another_key_is_named_and_refused() -> None:
    other = signing.sign(chain.check(log(4)), signing.new_key(), time=TIME)
    assert "another key" in signing.problem_of(other, log(4), KEY)
    assert signing.problem_of(other, log(4)) == ""
    forged = replace(other, key=KEY)
    assert "signature" in signing.problem_of(forged, log(4), KEY)


def test_a_damaged_log_is_not_signed() -> None:
    records = log(4)
    records[2]["payload"]["title"] = "other"
    with pytest.raises(UserError, match="not signed"):
        signed(records)


@pytest.mark.parametrize("data", [None, [], {}, {"size": 1}, {"thread": "x", "size": True}])
def test_what_is_no_checkpoint_is_said_to_be_none(data: Any) -> None:
    with pytest.raises(CorruptData):
        signing.parse_signed(data)


@pytest.mark.parametrize("text", ["", "12", "g" * 64, "ab" * 33])
def test_what_is_no_key_is_an_error_for_the_user(text: str) -> None:
    with pytest.raises(UserError):
        signing.parse_key(text)


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    import keyring
    from keyring.backends import fail

    monkeypatch.setattr(keyring, "get_keyring", fail.Keyring)

    def run(*words: str) -> tuple[int, str]:
        environ = {"DESKMATE_HOME": str(tmp_path)}
        result = CliRunner().invoke(root, ["audit", *words], env=environ, standalone_mode=False)
        code = 1 if result.exception else result.return_value or 0
        return code, result.stdout

    return run


@pytest.fixture
def thread(tmp_path: Path) -> str:
    async def make() -> str:
        name = await create_thread(tmp_path / "data/threads", "T", version="0")
        async with open_thread(tmp_path / "data/threads", name) as store:
            for number in range(4):
                await store.append(ThreadRenamed(title=f"T{number}"))
        return name

    return anyio.run(make)


def test_an_export_is_verified_with_itself_and_the_public_key(
    tmp_path: Path, audit: Run, thread: str
) -> None:
    file = tmp_path / "log.jsonl"
    assert audit("export", "--thread", thread, "--sign", "-o", str(file))[0] == 0
    key = json.loads(audit("key", "--json")[1])
    assert "readable by you alone" in key["place"]
    kept = tmp_path / "config/audit/secrets.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    code, text = checked(audit, file, key["key"])
    assert code == 0
    assert "signed up to record 5" in text
    lines = file.read_text().splitlines(keepends=True)
    for damaged in (lines[:-2] + lines[-1:], lines[:-1], lines[1:], [*lines[:2], *lines[3:]]):
        file.write_text("".join(damaged))
        assert checked(audit, file, key["key"])[0] != 0
    file.write_text("".join(lines))
    assert checked(audit, file, signing.public_of(signing.new_key()))[0] != 0


def checked(audit: Run, file: Path, key: str) -> tuple[int, str]:
    return audit("verify", str(file), "--key", key)


def test_all_heads_are_signed_and_kept_in_a_second_place(
    tmp_path: Path, audit: Run, thread: str
) -> None:
    code, text = audit("sign")
    assert code == 0
    made = signing.parse_signed(json.loads(text)["checkpoint"])
    assert (made.thread, made.size) == (thread, 5)
    assert audit("sign", "--thread", thread)[0] == 0
    assert len((tmp_path / "data/audit/checkpoints.jsonl").read_text().splitlines()) == 2


def cut(folder: Path, left: int) -> None:
    """Take the end of a log away as somebody who owns the disk does it: guards, witness and all."""
    db = sqlite3.connect(folder / "thread.db")
    (guard,) = db.execute(
        "select sql from sqlite_master where name = 'events_no_delete'"
    ).fetchone()
    db.execute("drop trigger events_no_delete")
    db.execute("delete from events where seq > ?", [left])
    db.execute(guard)
    db.commit()
    (head,) = db.execute("select hash from events where seq = ?", [left]).fetchone()
    db.close()
    witness = {"thread": folder.name, "size": left, "head": head, "time": TIME}
    (folder / "head.json").write_text(json.dumps(witness))


def test_a_cut_log_does_not_fit_what_was_signed_here(
    tmp_path: Path, audit: Run, thread: str
) -> None:
    assert audit("sign")[0] == 0
    assert audit("verify")[0] == 0
    cut(tmp_path / "data/threads" / thread, 3)
    code, text = audit("verify")
    assert code == 1
    assert "the log was cut: 3 records, the checkpoint has seen 5 (I1)" in text
    assert audit("verify", "--thread", thread)[0] == 1


def test_a_kept_line_that_cannot_be_read_is_said_and_hides_no_other(
    tmp_path: Path, audit: Run, thread: str
) -> None:
    assert audit("sign")[0] == 0
    kept = tmp_path / "data/audit/checkpoints.jsonl"
    kept.write_text('{"checkpoint":{}}\n{"torn\n' + kept.read_text())
    code, text = audit("verify")
    assert code == 0
    assert "2 cannot be read" in text
    cut(tmp_path / "data/threads" / thread, 3)
    assert audit("verify")[0] == 1


def test_heads_kept_elsewhere_are_compared_with_threads_and_files(
    tmp_path: Path, audit: Run, thread: str
) -> None:
    heads, file = tmp_path / "heads.jsonl", tmp_path / "log.jsonl"
    assert audit("sign", "-o", str(heads))[0] == 0
    key = json.loads(audit("key", "--json")[1])["key"]
    sure = ("--checkpoint", str(heads), "--key", key)
    assert audit("export", "--thread", thread, "-o", str(file))[0] == 0
    assert "signed up to record 5" in audit("verify", str(file), *sure)[1]
    assert audit("verify", *sure)[0] == 0
    assert audit("verify", *sure[:3], signing.public_of(signing.new_key()))[0] == 1
    (tmp_path / "data/audit/checkpoints.jsonl").unlink()
    cut(tmp_path / "data/threads" / thread, 3)
    assert audit("verify")[0] == 0  # nothing on this machine knows better
    code, text = audit("verify", *sure)
    assert (code, "has seen 5" in text) == (1, True)
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:3]))
    assert audit("verify", str(file), *sure)[0] == 1


def test_a_thread_that_vanished_is_missed_by_heads_kept_elsewhere(
    tmp_path: Path, audit: Run, thread: str
) -> None:
    heads = tmp_path / "heads.jsonl"
    assert audit("sign", "-o", str(heads))[0] == 0
    (tmp_path / "data/threads" / thread).rename(tmp_path / "gone")
    code, text = audit("verify", "--checkpoint", str(heads), "--json")
    assert (code, json.loads(text)["missing"]) == (1, [thread])


def test_what_is_no_checkpoint_cannot_be_compared(tmp_path: Path, audit: Run, thread: str) -> None:
    file = tmp_path / "heads.jsonl"
    for text in ("", "{}", '{"checkpoint":{}}', "nonsense"):
        file.write_text(text)
        assert audit("verify", "--checkpoint", str(file))[0] == 1, text
