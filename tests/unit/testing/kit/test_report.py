"""A signed report holds for its very words, its key and its wheel, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deskmate.errors import CorruptData
from deskmate.store.signing import new_key, public_of
from deskmate.testing.kit.report import (
    LOADS,
    TESTED,
    Check,
    Report,
    Where,
    level_of,
    problem_of,
    read_report,
    signed,
)
from deskmate.types.codec import to_json

KEY = new_key()


def report(where: Where = "virtual machine") -> Report:
    checks = {name: Check(id=name, status="ok", summary="") for name in (*LOADS, *TESTED)}
    return Report(
        plugin="acme", distribution="deskmate-acme", version="1", wheel="w.whl", sha256="a" * 64,
        where=where, level=level_of(checks, where), checks=tuple(checks.values()), deskmate="0", time="",
    )  # fmt: skip


def test_what_is_tested_in_a_machine_and_signed_is_verified() -> None:
    found = signed(report(), KEY)
    assert found.level == "verified"
    assert problem_of(found, key=public_of(KEY), sha256="a" * 64) == ""
    assert problem_of(read_report(to_json(found, defaults=True))) == ""


def test_what_ran_elsewhere_is_not_verified_by_a_signature() -> None:
    assert signed(report("child process"), KEY).level == "tested"


def test_every_change_breaks_the_signature() -> None:
    found = signed(report(), KEY)
    changes = {
        "version": "2", "sha256": "b" * 64, "plugin": "other", "time": "now", "checks": found.checks[1:],
    }  # fmt: skip
    for name, value in changes.items():
        assert "does not fit" in problem_of(replace(found, **{name: value})), name  # type: ignore[arg-type]


def test_another_key_another_wheel_and_no_signature_are_named() -> None:
    found = signed(report(), KEY)
    assert "another key" in problem_of(found, key=public_of(new_key()))
    assert "another wheel" in problem_of(found, sha256="b" * 64)
    assert problem_of(report()) == "it is not signed"


def test_a_level_that_the_checks_do_not_give_is_named_though_it_is_signed() -> None:
    failed = (Check(id="gates", status="failed", summary=""), *report().checks[:-1])
    lie = signed(replace(report(), checks=failed), KEY)
    assert "amount to loads" in problem_of(lie)


@pytest.mark.parametrize("data", [None, [], {}, {"format": 9}, {"checks": "x"}])
def test_what_is_no_report_is_refused(data: object) -> None:
    with pytest.raises(CorruptData):
        read_report(data)


def test_a_check_that_was_left_out_is_not_one_that_held() -> None:
    checks = {check.id: check for check in report().checks if check.id != "imports"}
    assert level_of(checks, "virtual machine") == "none"
