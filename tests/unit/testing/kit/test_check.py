"""Every check finds what it is for, by name, and a sound plugin passes all of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import pytest

from deskmate.errors import PluginError
from deskmate.testing.kit.check import Subject, bill_of, check_plugin, laid_out
from deskmate.testing.kit.probing import probe_in_child
from deskmate.testing.kit.report import Report
from deskmate.types.probe import ProbeReport

sys.path.insert(0, str(Path(__file__).parents[4]))

from tests.attack.evil_wheels import REFUSED, Evil
from tests.unit.testing.kit.evil_plugins import CASES, MANIFEST, ODDITIES, SOUND, Odd

Checked = Callable[[Path], Report]


def quiet(line: str) -> None:
    """Show nothing."""


def report_of(what: Path, *, office: bool = False) -> Report:
    async def probe(subject: Subject) -> ProbeReport:
        run = partial(probe_in_child, subject.plugin, subject.site, office=office)
        return await anyio.to_thread.run_sync(run)

    with laid_out(what, quiet) as subject:
        return anyio.run(check_plugin, subject, probe, "child process")


def test_a_sound_plugin_passes_every_check(tmp_path: Path) -> None:
    report = report_of(SOUND.write(tmp_path))
    assert [(c.id, c.details) for c in report.checks if c.status != "ok"] == []
    assert report.level == "tested"
    assert report.reaches("tested")
    assert not report.reaches("verified")


@pytest.mark.parametrize("odd", ODDITIES, ids=lambda odd: odd.name)
def test_what_an_author_overlooked_fails_the_check_that_is_for_it(odd: Odd, tmp_path: Path) -> None:
    report = report_of(odd.write(tmp_path))
    assert report[odd.check].status == "failed", report
    assert re.search(odd.says, "\n".join(report[odd.check].details))
    assert not report.reaches("loads")
    assert not Path("/tmp/odd").exists()


def test_examples_that_are_missing_leave_a_plugin_at_loads(tmp_path: Path) -> None:
    report = report_of(Odd(name="", check="", says="", cases="").write(tmp_path))
    assert report.failures == ()
    assert report.level == "loads"
    assert report["gates"].status == report["calls"].status == "open"
    assert "ODD-LOOK" in report["gates"].summary


def test_odd_calls_of_a_slow_tool_are_fewer_and_no_fault(tmp_path: Path) -> None:
    manifest = MANIFEST + "[limits]\ntimeout_s = 2\n"
    slow = Odd(name="", check="", says="", body="import time; time.sleep(0.2)", manifest=manifest)
    report = report_of(slow.write(tmp_path))
    assert report.failures == ()
    tried = int(report["fuzz"].summary.split()[0])
    assert 1 <= tried < 32
    assert report.level == "tested"


OFFICE = CASES.replace('tool = "look"', 'tool = "look"\noffice = true').replace(
    'verdict = "refuse"', 'verdict = "refuse"\noffice = true'
)


@pytest.mark.parametrize("office", [False, True])
def test_examples_for_the_office_image_are_tried_there_and_named_elsewhere(
    tmp_path: Path, office: bool
) -> None:
    report = report_of(Odd(name="", check="", says="", cases=OFFICE).write(tmp_path), office=office)
    assert report.failures == ()
    assert report.level == ("tested" if office else "loads")
    if not office:
        assert report["calls"].summary == "not tried without the office image: look"
        assert report["gates"].summary == "not tried without the office image: ODD-LOOK"


@pytest.mark.parametrize("evil", REFUSED[::4], ids=lambda evil: evil.name)
def test_a_wheel_that_is_refused_is_a_failed_check_with_its_reason(
    evil: Evil, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    report = report_of(evil.make(tmp_path / "wheels", marker))
    (failed,) = report.failures
    assert failed.id in ("package", "manifest")
    assert re.search(evil.why, failed.details[0])
    assert report.level == "none"
    assert not marker.exists()


def test_reading_alone_reaches_no_level(tmp_path: Path) -> None:
    with laid_out(SOUND.write(tmp_path), quiet) as subject:
        report = anyio.run(check_plugin, subject, None, "nowhere")
    assert report.failures == ()
    assert report.level == "none"


def test_what_is_no_plugin_says_so(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"no readable pyproject\.toml"):
        report_of(tmp_path)
    with pytest.raises(PluginError, match="cannot be read"):
        report_of(tmp_path / "nothing.whl")


def test_a_licence_that_nobody_states_fails(tmp_path: Path) -> None:
    folder = SOUND.write(tmp_path)
    (folder / "LICENSE").unlink()
    text = (folder / "pyproject.toml").read_text().replace('license = "MIT"\n', "")
    (folder / "pyproject.toml").write_text(text)
    with laid_out(folder, quiet) as subject:
        report = anyio.run(check_plugin, subject, None, "nowhere")
    assert len(report["licence"].details) == 2


def test_the_bill_of_materials_names_the_wheel_and_its_digest(tmp_path: Path) -> None:
    with laid_out(SOUND.write(tmp_path), quiet) as subject:
        bill = bill_of(subject)
    assert bill["bomFormat"] == "CycloneDX"
    component = bill["metadata"]["component"]  # type: ignore[index]
    assert component["purl"] == "pkg:pypi/deskmate-odd@1.0"
    assert component["hashes"] == [{"alg": "SHA-256", "content": subject.sha256}]
