from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskmate.store import chain

Records = list[dict[str, Any]]
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # lone surrogates too: a model's JSON may hold them
    | st.text(st.characters(codec=None, exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _log(size: int = 6, thread: str = "t-a") -> Records:
    records: Records = []
    head = chain.GENESIS
    for seq in range(1, size + 1):
        record: dict[str, Any] = {
            "seq": seq,
            "time": f"2026-01-01T00:00:0{seq}.000000Z",
            "kind": "ThreadCreated" if seq == 1 else "Refused",
            "payload": {"thread": thread} if seq == 1 else {"what": "x", "cost": 0.1 * seq},
            "prev_hash": head,
        }
        head = record["hash"] = chain.record_hash(record)
        records.append(record)
    return records


def _rechain(records: Records) -> Records:
    head = chain.GENESIS
    for seq, record in enumerate(records, 1):
        record |= {"seq": seq, "prev_hash": head}
        head = record["hash"] = chain.record_hash(record)
    return records


def test_a_sound_log_is_sound() -> None:
    records = _log()
    head = records[-1]["hash"]
    report = chain.check(records, chain.Checkpoint(thread="t-a", size=6, head=head))
    assert report == chain.ChainReport(thread="t-a", size=6, head=head)
    assert chain.check([]).size == 0


def test_the_hash_is_what_the_documentation_says() -> None:
    record = {
        "seq": 1,
        "time": "t",
        "kind": "K",
        "payload": {"b": 1, "ä": 0.5},
        "prev_hash": "0" * 64,
    }
    import hashlib

    text = f'{{"kind":"K","payload":{{"b":1,"ä":0.5}},"prev_hash":"{"0" * 64}","seq":1,"time":"t"}}'
    expected = hashlib.sha256(b"deskmate-log-v1\0" + bytes(32) + text.encode()).hexdigest()
    assert chain.record_hash(record) == expected
    assert chain.row_hash(1, "t", "K", '{"b":1,"ä":0.5}', "0" * 64) == expected


@given(payload=st.dictionaries(st.text(), _JSON, max_size=4))
def test_writing_and_reading_any_json_keeps_the_hash(payload: dict[str, Any]) -> None:
    payload = chain.normal(payload)
    record = {"seq": 1, "time": "t", "kind": "K", "payload": payload, "prev_hash": chain.GENESIS}
    record["hash"] = chain.record_hash(record)
    line = chain.canonical(record).decode()
    (again,) = chain.read_lines([line])
    assert chain.check([again]).problem == ""
    text = chain.canonical(payload).decode()
    assert chain.row_hash(1, "t", "K", text, chain.GENESIS) == record["hash"]


def _flip(records: Records) -> None:
    records[2]["payload"]["what"] = "y"


def _delete(records: Records) -> None:
    del records[2]


def _insert(records: Records) -> None:
    records.insert(2, copy.deepcopy(records[2]))


def _swap(records: Records) -> None:
    records[2], records[3] = records[3], records[2]


def _swap_numbered(records: Records) -> None:
    _swap(records)
    records[2]["seq"], records[3]["seq"] = 3, 4


def _splice(records: Records) -> None:
    records[3:] = _log(thread="t-b")[3:]


def _extra_field(records: Records) -> None:
    records[2]["note"] = "x"


def _true_for_one(records: Records) -> None:
    records[0]["seq"] = True


def _not_a_number(records: Records) -> None:
    records[2]["payload"]["cost"] = float("nan")


def _bad_hash(records: Records) -> None:
    records[2]["prev_hash"] = records[1]["hash"] = "not hex"


@pytest.mark.parametrize(
    "tamper",
    [
        _flip,
        _delete,
        _insert,
        _swap,
        _swap_numbered,
        _splice,
        _extra_field,
        _true_for_one,
        _not_a_number,
        _bad_hash,
    ],
)
def test_tampering_is_found(tamper: Callable[[Records], None]) -> None:
    records = _log()
    tamper(records)
    report = chain.check(records)
    assert report.problem
    assert report.size in (0, 1, 2, 3)


def test_every_field_of_every_record_is_protected() -> None:
    for number in range(6):
        for field in ("seq", "time", "kind", "payload", "prev_hash", "hash"):
            records = _log()
            value = records[number][field]
            records[number][field] = {"x": 1} if field == "payload" else f"{value}"[:-1] + "~"
            report = chain.check(records)
            assert report.problem, (number, field)
            assert report.size <= number


def test_a_cut_or_rewritten_log_is_found_with_a_checkpoint_only() -> None:
    records = _log()
    known = chain.Checkpoint(thread="t-a", size=6, head=records[-1]["hash"])
    cut = records[:-1]
    assert chain.check(cut).problem == ""
    assert "cut: 5 records, the checkpoint has seen 6" in chain.check(cut, known).problem
    forged = copy.deepcopy(records)
    forged[1]["payload"]["what"] = "nothing happened"
    assert chain.check(_rechain(forged)).problem == ""
    assert "rewritten" in chain.check(forged, known).problem
    other = chain.Checkpoint(thread="t-b", size=6, head=records[-1]["hash"])
    assert "of thread t-b" in chain.check(records, other).problem
    assert chain.check(_log(9), known).problem == ""


def test_the_order_of_keys_does_not_matter_but_a_twin_key_does() -> None:
    records = _log()
    shuffled = []
    for record in records:
        pairs = list(record.items())
        random.Random(1).shuffle(pairs)
        shuffled.append(json.dumps(dict(pairs)))
    assert chain.check(chain.read_lines(shuffled)).problem == ""
    twin = '{"seq":1,' + chain.canonical_text(records[0])[1:]
    assert "twice" in chain.check(chain.read_lines([twin])).problem


@pytest.mark.parametrize("line", ["{", "[]", "1", '"x"', "\x00", "{}", "[" * 100_000])
def test_what_is_no_record_is_a_problem_and_no_crash(line: str) -> None:
    assert chain.check(chain.read_lines([line])).problem


def test_the_verifier_needs_the_standard_library_only() -> None:
    assert chain.__file__
    code = f"import runpy; runpy.run_path({chain.__file__!r})['check']([])"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, cwd=Path("/"))
