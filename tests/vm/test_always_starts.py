"""Hosts that are not the developer's: odd folders, read-only homes, busy processors, several at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from tests.vm.desk import Desk, make_desk, tree

from deskmate.sandbox.image import find_image
from deskmate.sandbox.memory import save_sparse
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.timeout(600)]

QUESTION = "What does the handbook say about parental leave?"
LEAVE = "Parental leave is sixteen weeks at full pay."
PROGRAM = str(Path(sys.executable).with_name("deskmate"))


def handbook(folder: Path) -> Path:
    folder.mkdir(parents=True)
    text = f"# Handbook\n\nWelcome to the office.\n\n## Parental leave\n\n{LEAVE}\n"
    (folder / "handbook.md").write_text(text, "utf-8")
    return folder


def ask(desk: Desk, folder: Path) -> None:
    desk.call("plugin", "enable", "hr", "--yes")  # it names connectors, which want an agreement
    done = desk.json("run", QUESTION, "--plugin", "hr", "--folder", f"{folder}:rw")
    assert done["reason"] == "done", done
    assert LEAVE in done["answer"]


def test_doctor_finds_a_host_that_runs_machines_in_order(desk: Desk) -> None:
    report = desk.json("doctor")
    assert report["ok"], report
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["virtual machine"]["state"] == "ok"
    assert "walls around QEMU" in checks["virtual machine"]["cause"]
    assert report["fixed"] == []


def test_spaces_commas_and_other_alphabets_in_every_path_work(
    places: Places, tmp_path: Path
) -> None:
    odd = tmp_path / "Änne’s デスク, 50 % 'off' & co = \"x\""
    desk = make_desk(odd / "home", places, PROGRAM)
    folder = handbook(odd / "Verträge & Fälle, neu")
    before = tree(folder)
    ask(desk, folder)
    assert tree(folder) == before


def test_two_deskmates_at_once_share_a_home(desk: Desk, tmp_path: Path) -> None:
    folders = [handbook(tmp_path / f"office-{number}") for number in range(2)]
    desk.call("plugin", "enable", "hr", "--yes")
    environ = {**os.environ, "DESKMATE_HOME": str(desk.home)}
    started = [
        subprocess.Popen(
            [PROGRAM, "run", QUESTION, "--plugin", "hr", "--folder", f"{folder}:ro", "--json"],
            env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for folder in folders
    ]  # fmt: skip
    for process in started:
        out, err = process.communicate(timeout=280)
        assert process.returncode == 0, err.decode()
        assert LEAVE in json.loads(out)["answer"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a read-only file system")
@pytest.mark.parametrize("command", [("run", "Hello"), ("thread", "list"), ("doctor",)])
def test_a_read_only_home_is_one_line_and_no_hang(command: tuple[str, ...], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = f'mount -t tmpfs -o ro none "{home}" && exec "$0" "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, PROGRAM, *command],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "DESKMATE_HOME": str(home / "desk")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"this machine cannot mount here: {done.stderr.strip()}")
    assert "Traceback" not in done.stderr
    if command == ("thread", "list"):
        assert done.returncode == 0  # there is nothing to list, and nothing to write
        return
    assert done.returncode == 1
    said = done.stdout if command == ("doctor",) else done.stderr
    (line,) = [
        line for line in said.splitlines() if "cannot be written" in line or "Read-only" in line
    ]
    assert str(home) in line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_fills_while_a_machine_is_made_is_one_line_and_leaves_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    folder = handbook(tmp_path / "office")
    ask(desk, folder)  # what is made once is there
    machines = desk.places.machines
    machines.mkdir(exist_ok=True)
    # the copy of a scratch disk, made while QEMU starts, takes several MiB
    script = (
        f'mount -t tmpfs -o size=512k none "{machines}" || exit 77; "$0" "$@"; code=$?; '
        f'ls -A "{machines}"; exit $code'
    )
    process = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", script, PROGRAM, "run", QUESTION, "--plugin", "hr",
         "--folder", f"{folder}:ro"],
        env={**os.environ, "DESKMATE_HOME": str(desk.home)}, start_new_session=True, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = process.communicate(timeout=280)
    if process.returncode == 77 or "unshare" in err:
        pytest.skip(f"this machine cannot mount here: {err.strip()}")
    assert process.returncode == 1, err
    assert [line for line in err.splitlines() if "The disk is full" in line] == [
        f"deskmate: {machines}: The disk is full."
    ]
    assert "Traceback" not in err
    assert out == ""  # no answer, and no file in the folder of machines
    assert of_session(process.pid) == []
    (thread,) = [row for row in desk.json("thread", "list") if row["state"] == "interrupted"]
    assert desk.json("thread", "resume", thread["thread"])["reason"] == "done"


def of_session(leader: int) -> list[str]:
    """Return the processes that a program left which led a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            words = stat.read_text()
            if int(words.rpartition(")")[2].split()[3]) == leader:
                found.append(words)
    return found


@pytest.mark.slow
def test_a_damaged_template_is_made_anew_and_the_run_goes_on(
    places: Places, tmp_path: Path
) -> None:
    desk = make_desk(tmp_path / "home", places, PROGRAM)
    ours = desk.places.templates
    ours.unlink()
    ours.mkdir()
    folder = handbook(tmp_path / "office")
    ask(desk, folder)
    made = [path for path in ours.iterdir() if not path.name.startswith(".")]
    assert made
    for template in made:
        os.truncate(template / "state", 1000)
    report = desk.json("doctor", "--quick", "--fix")
    assert any(line.startswith("templates: removed") for line in report["fixed"])
    ask(desk, folder)


def _copy(image: Path, images: Path) -> Path:
    """Copy an image's folder, the holes of its disks left out."""
    target = images / image.name
    target.mkdir(parents=True)
    for path in image.iterdir():
        fd = os.open(path, os.O_RDONLY)
        save_sparse(fd, target / path.name)
        os.close(fd)
        (target / path.name).chmod(0o644)
    return target


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep all processors at work, with a few programs more than there are processors."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_machine_boots_while_every_processor_is_busy(places: Places, tmp_path: Path) -> None:
    desk = make_desk(tmp_path / "home", places, PROGRAM)
    desk.places.templates.unlink()
    desk.places.templates.mkdir()
    folder = handbook(tmp_path / "office")
    with busy(2 * (os.cpu_count() or 1)):
        ask(replace(desk, deadline_s=1000), folder)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_damaged_image_is_named_and_cured(places: Places, make_home: Callable[[], Desk]) -> None:
    desk = replace(make_home(), deadline_s=1100)
    desk.places.images.unlink()
    image = _copy(find_image(places).folder, desk.places.images)
    with (image / "base.erofs").open("r+b") as file:
        file.seek(-4096, os.SEEK_END)
        file.write(b"damage" * 600)
    report = desk.json("doctor", code=1)
    (check,) = [check for check in report["checks"] if check["name"] == "image"]
    assert (check["state"], "base.erofs" in check["cause"]) == ("fail", True)
    fixed = desk.json("doctor", "--fix")
    assert fixed["ok"], fixed
