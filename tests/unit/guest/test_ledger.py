from __future__ import annotations

from pathlib import Path

from deskmate_guest.ledger import Ledger


def fill(ledger: Ledger) -> None:
    """Have all results so far written to the file."""
    for number in range(8):
        ledger.finish(f"filler-{number}", {})
    ledger.spill()


def test_a_key_is_unknown_then_running_then_finished() -> None:
    ledger = Ledger()
    assert ledger.state("k") == "unknown"
    ledger.start("k")
    assert ledger.state("k") == "running"
    ledger.finish("k", {"content": []})
    assert (ledger.state("k"), ledger.result("k")) == ("finished", {"content": []})


def test_results_move_to_the_file_once_there_is_one(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.start("before")
    ledger.finish("before", {"n": 1})
    ledger.open(tmp_path / "ledger")
    ledger.start("after")
    ledger.finish("after", {"n": "zwei – 2"})
    assert ledger.result("before") == {"n": 1}
    assert ledger.result("after") == {"n": "zwei – 2"}
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o600
    fill(ledger)
    assert ledger.result("before") == {"n": 1}
    again = Ledger()
    again.open(tmp_path / "ledger")
    assert (again.result("before"), again.result("after")) == ({"n": 1}, {"n": "zwei – 2"})
    assert again.state("never") == "unknown"


def test_a_torn_line_is_cut_off_and_the_file_goes_on(tmp_path: Path) -> None:
    first = Ledger()
    first.open(tmp_path / "ledger")
    first.finish("whole", {"n": 1})
    fill(first)
    with (tmp_path / "ledger").open("ab") as stream:
        stream.write(b'{"key": "torn", "resu')
    second = Ledger()
    second.open(tmp_path / "ledger")
    assert second.state("torn") == "unknown"
    second.finish("next", {"n": 2})
    assert (second.result("whole"), second.result("next")) == ({"n": 1}, {"n": 2})


def test_without_a_file_only_the_latest_results_are_kept() -> None:
    ledger = Ledger()
    for number in range(100):
        ledger.finish(str(number), {"n": number})
    assert ledger.state("0") == "unknown"
    assert ledger.result("99") == {"n": 99}


def test_what_was_practised_before_the_freeze_is_forgotten(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.open(tmp_path / "ledger")
    ledger.finish("practice", {"n": 1})
    fill(ledger)
    ledger.forget()
    assert ledger.state("practice") == "unknown"
    assert (tmp_path / "ledger").stat().st_size == 0
    ledger.finish("real", {"n": 2})
    fill(ledger)
    assert ledger.result("real") == {"n": 2}
