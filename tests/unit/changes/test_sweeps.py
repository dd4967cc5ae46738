"""Apply and undo over generated folders: byte-exact, never partial, and never outside.

A sample runs each time, from a fixed seed; `slow` runs the whole sweep: 10,000 folders, 200,000 races.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.changes.folder_trees import FAST, Desk, contents, facts, whole

from deskmate.changes.apply import recover
from deskmate.changes.differ import sides_of
from deskmate.changes.disk import Folders, write_new
from deskmate.changes.plan import State
from deskmate.changes.planning import ApplyOptions
from deskmate.changes.review import read_difference
from deskmate.changes.undo import UndoOptions, undo_changes
from deskmate.errors import ConflictError, DeskmateError, UserError
from deskmate.types.ids import Digest

pytestmark = pytest.mark.anyio
SEED = 20261123
NAMES = ("a", "b", "Ä b", "c.txt", "d.csv", "-rf", "日本", "a.b.c", "x" * 60)
MODES = (0o644, 0o600, 0o755, 0o640, 0o444, 0o4755, 0o2644)
PART = 2_500
sample_then_all = pytest.mark.parametrize(
    "numbers",
    [
        range(150),
        *(
            pytest.param(
                range(first, first + PART), marks=[pytest.mark.slow, pytest.mark.timeout(3600)]
            )
            for first in range(0, 10_000, PART)
        ),
    ],
    ids=lambda numbers: f"{numbers[0]}-{numbers[-1]}",
)


def content(chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return chance.choice([b"", b"\0", chance.randbytes(chance.choice((3, 700, 70_000)))])
    return b"".join(b"line %d\n" % chance.randrange(9) for _ in range(chance.randrange(30)))


def tree(chance: random.Random) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    for _ in range(chance.randrange(12)):
        path = "/".join(chance.choice(NAMES) for _ in range(chance.randrange(1, 4)))
        found[path] = None if chance.random() < 0.2 else content(chance)
    return whole(found)


def changed(chance: random.Random, before: dict[str, bytes | None]) -> dict[str, bytes | None]:
    """What a run could make of a tree: edits, moves, deletions, new files, kinds that change."""
    after: dict[str, bytes | None] = {}
    for path, old in before.items():
        what = chance.random()
        if what < 0.2:
            continue
        if what < 0.3 and old is not None:
            after[f"moved {path}"] = old
        elif what < 0.6 and old:
            lines = old.split(b"\n")
            lines[chance.randrange(len(lines))] = b"edited"
            after[path] = b"\n".join(lines)
        elif what < 0.65:
            after[path] = content(chance) if old is None else None
        else:
            after[path] = old
    return whole({**tree(chance), **after} if chance.random() < 0.5 else after)


def trim(root: Path, chance: random.Random) -> None:
    """Give a folder what people's folders have: odd modes and times, attributes, links."""
    paths = [path for path in sorted(root.rglob("*")) if not path.is_symlink()]
    for path in paths:
        with suppress(OSError):
            if chance.random() < 0.3:
                os.setxattr(path, "user.matter", b"%d" % chance.randrange(99))
            if chance.random() < 0.1:
                os.setxattr(path, "user.empty", b"")
        if path.is_file():
            path.chmod(chance.choice(MODES))
        elif chance.random() < 0.2:
            path.chmod(0o750)
    for path in (*paths[::-1], root):
        os.utime(path, ns=(10**18, chance.randrange(-(10**15), 3 * 10**18)))


@sample_then_all
async def test_a_folder_is_applied_in_any_order_and_undone_to_the_last_byte_bit_and_nanosecond(
    numbers: range,
) -> None:
    written = 0
    for number in numbers:
        chance = random.Random(SEED + number)
        with tempfile.TemporaryDirectory(dir=FAST) as folder:
            before = tree(chance)
            desk = Desk.make(Path(folder), before)
            trim(desk.root, chance)
            desk.base = desk.rescan()
            original = facts(desk.root)
            after = changed(chance, before)
            digest = desk.stage(after)
            for options in choices(desk, digest, chance):
                with suppress(UserError):  # a choice of what is there no more
                    await desk.apply(digest, options)
            await desk.apply(digest)
            left = await desk.apply(digest)
            assert left.plan is None, number
            if not left.left_out:
                assert contents(desk.root) == after, number
            written += facts(desk.root) != original
            with suppress(UserError):  # nothing to undo
                await undo_changes(desk.place, random_undo(desk, chance))
            with suppress(UserError):
                await undo_changes(desk.place)
            assert facts(desk.root) == original, number
            desk.balance()
    assert written > len(numbers) / 2, "nothing was written"


def choices(desk: Desk, digest: Digest, chance: random.Random) -> list[ApplyOptions]:
    """A few partial applies: some paths, some left out, some hunks."""
    changes = read_difference(digest, desk.place.blobs).changes
    paths = [change.path for change in changes]
    found = []
    if paths and chance.random() < 0.5:
        some = tuple(chance.sample(paths, chance.randrange(1, len(paths) + 1)))
        found.append(ApplyOptions(paths=some, confirm_bulk=True))
        found.append(ApplyOptions(leave_out=some[:1], confirm_bulk=True))
    for change in changes:
        sides = sides_of(change, desk.place.blobs) if change.before and change.after else None
        ids = [piece.id for piece in sides.pieces()] if sides else []
        if ids and chance.random() < 0.7:
            some = tuple(chance.sample(ids, chance.randrange(1, len(ids) + 1)))
            hunks = {change.path: some}
            found.append(ApplyOptions(paths=(change.path,), hunks=hunks, confirm_bulk=True))
    return found


def random_undo(desk: Desk, chance: random.Random) -> UndoOptions:
    paths = [f"docs/{path.relative_to(desk.root)}" for path in sorted(desk.root.rglob("*"))]
    if paths and chance.random() < 0.7:
        return UndoOptions(paths=(chance.choice(paths),))
    return UndoOptions(run="r-1")


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize(
    "count", [6, pytest.param(400, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
async def test_an_undo_that_dies_at_any_point_is_whole_or_not_begun(count: int) -> None:
    for number in range(count):
        for last in range(1, 400):
            chance = random.Random(SEED + number)
            with tempfile.TemporaryDirectory(dir=FAST) as folder:
                before = tree(chance)
                desk = Desk.make(Path(folder), before)
                trim(desk.root, chance)
                desk.base = desk.rescan()
                original = facts(desk.root)
                if (await desk.apply(desk.stage(changed(chance, before)))).plan is None:
                    break
                applied = contents(desk.root)
                seen: list[str] = []
                if not await _dies(desk, seen, last):
                    assert facts(desk.root) == original
                    break
                await recover(desk.place)
                desk.balance()
                now = contents(desk.root)
                assert now in (applied, _plain(original)), (number, seen)
                if now != applied:
                    assert facts(desk.root) == original, (number, seen)
        else:
            pytest.fail("there is no end to the failpoints")


async def _dies(desk: Desk, seen: list[str], last: int) -> bool:
    def failpoint(name: str) -> None:
        seen.append(name)
        if len(seen) == last:
            raise Crash

    try:
        await undo_changes(replace(desk.place, failpoint=failpoint))
    except Crash:
        return True
    return False


def _plain(found: dict[str, tuple[object, ...]]) -> dict[str, object]:
    return {path: fact[2] for path, fact in found.items() if path != "."}


def exchange(left: Path, right: Path) -> None:
    """Let two names change places in one step, as only Linux can."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, bytes(left), -100, bytes(right), 2):
        raise OSError(ctypes.get_errno(), "renameat2")


@contextmanager
def racer(left: Path, right: Path) -> Iterator[None]:
    """Another process that lets a folder and a link change places as fast as it can."""
    pid = os.fork()
    if not pid:
        try:
            while os.getppid() != 1:
                exchange(left, right)
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.fixture
def race(tmp_path: Path) -> Iterator[Desk]:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux lets two names change places in one step")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "f.txt").write_bytes(b"secret\n")
    desk = Desk.make(tmp_path, {"sub": None, "sub/f.txt": b"inside\n"})
    (desk.root / "other").symlink_to(tmp_path / "outside")
    try:
        exchange(desk.root / "sub", desk.root / "other")
        exchange(desk.root / "sub", desk.root / "other")
    except (OSError, AttributeError):
        pytest.skip("this file system cannot let two names change places")
    with racer(desk.root / "sub", desk.root / "other"):
        yield desk


@pytest.mark.parametrize(
    "tries", [5_000, pytest.param(200_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_a_folder_that_is_swapped_for_a_link_lets_nothing_in_or_out(race: Desk, tries: int) -> None:
    outside = race.root.parent / "outside"
    secret = _look_plainly(outside / "f.txt")
    inside = missed = naive = 0
    state = State(kind="file", mode=0o644)
    with Folders(race.grants) as folders:
        for number in range(tries):
            found = folders.look("docs/sub/f.txt")
            assert found is None or found.sha256 != secret
            inside += found is not None
            missed += found is None
            assert "f.txt" not in folders.names("docs/sub/..")
            if number % 10 == 0:
                with suppress(OSError), folders.parent("docs/sub/new.txt") as (folder, name):
                    write_new(folder, name, [b"x"], state, durable=False)
                    os.unlink(name, dir_fd=folder)
                naive += _naive(race.root / "sub" / "f.txt")
    assert contents(outside) == {"f.txt": b"secret\n"}
    print(f"{tries} tries, {inside} inside, {missed} missed, {naive} by a check and an open")
    assert inside > tries / 100, "the folder was never there: nothing was tried"
    assert missed > tries / 100, "the link was never there: nothing was tried"


def _look_plainly(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def _naive(path: Path) -> bool:
    """Check the path, then open it: what a program without descriptors does."""
    with suppress(OSError):
        if not path.parent.is_symlink():
            return path.read_bytes() == b"secret\n"
    return False


@pytest.mark.parametrize(
    "tries", [40, pytest.param(2_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
async def test_an_apply_under_a_race_writes_inside_or_not_at_all(race: Desk, tries: int) -> None:
    outside = race.root.parent / "outside"
    outcomes: dict[str, int] = {}
    for number in range(tries):
        digest = race.stage({"sub": None, "sub/f.txt": b"inside %d\n" % number})
        try:
            outcome = await race.apply(digest)
            result = "written" if outcome.plan else "left out"
            if outcome.plan:
                await undo_changes(race.place, UndoOptions(plan=outcome.plan))
        except ConflictError:
            result = "conflict"
        except DeskmateError:
            result = "error"
        outcomes[result] = outcomes.get(result, 0) + 1
        for _ in range(200):
            with suppress(DeskmateError):
                await recover(race.place)
                break
            time.sleep(0.001)
        assert contents(outside) == {"f.txt": b"secret\n"}
    assert len(outcomes) > 1, outcomes
