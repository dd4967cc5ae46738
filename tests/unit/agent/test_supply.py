"""Files of large folders: listed at once, brought when first needed, never mistaken for something else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.agent.manifests import read_base
from deskmate.agent.state import fold
from deskmate.agent.world import Taken
from deskmate.changes.review import read_difference
from deskmate.testing.fake_sandbox import FakeMachine, FakePlugin
from deskmate.testing.fake_workspace import Tree
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import ChangesStaged, ContentTaken, ToolFinished
from deskmate.types.files import Difference, Entry
from deskmate.types.registry import ToolSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio

GLOB = ("workspace__glob", {"pattern": "**/*"})
FILES = {f"docs/{number:03}.txt": f"text {number}".encode() for number in range(300)}


def read(path: str) -> tuple[str, dict[str, Any]]:
    return ("workspace__read", {"path": path})


def shell(command: str) -> tuple[str, dict[str, Any]]:
    return ("workspace__shell", {"command": command})


def write(path: str) -> tuple[str, dict[str, Any]]:
    return ("workspace__write", {"path": path, "content": "new"})


def peek(tree: Tree, arguments: Mapping[str, Any]) -> str:
    """Read a file that no argument names."""
    return tree.read(f"docs/{arguments['number']}.txt").decode()


def stamp(tree: Tree, arguments: Mapping[str, Any]) -> str:
    """Write over a file that no argument names, without a look at it."""
    tree.write("docs/001.txt", b"stamped")
    return "done"


def plugin() -> FakePlugin:
    tools = {}
    for name, risk, function in (("peek", "read", peek), ("stamp", "write", stamp)):
        schema = {"type": "object", "properties": {"number": {"type": "string"}}}
        spec = ToolSpec(
            plugin="lab",
            name=f"lab__{name}",
            title=name,
            description=name,
            input_schema=schema,
            risk=risk,  # type: ignore[arg-type]
            reads=(),
        )
        tools[spec.name] = (spec, function)
    return FakePlugin(tools=tools)


def large(make_lab: MakeLab, *lines: Any, known: bool = False) -> Lab:
    """A folder of more files than are copied in at once. `known`: their digests are, from before."""
    lab = make_lab(ScriptedModel([*lines, "Ok."]), files=dict(FILES), listed_only=not known)
    lab.sandbox = type(lab.sandbox)({"lab": plugin()})
    return lab


def meanwhile(lab: Lab, path: str, content: bytes | None) -> None:
    """Have the user change a file, or remove it, just before it is read."""
    real = lab.take_content

    def changed(wanted: Any) -> Taken:
        lab.files.pop(path, None)
        if content is not None:
            lab.files[path] = content
        return real(wanted)

    lab.take_content = changed  # type: ignore[method-assign]


def operations(lab: Lab) -> Mapping[str, str]:
    return {change.path: change.operation for change in staged(lab).changes}


def staged(lab: Lab) -> Difference:
    found = lab.store.of(ChangesStaged)
    return read_difference(found[-1].difference, lab.blobs) if found else Difference(changes=())


def outcomes(lab: Lab) -> list[str]:
    return [item.outcome for item in lab.store.of(ToolFinished)]


async def test_a_listing_answers_without_any_content(make_lab: MakeLab) -> None:
    lab = large(make_lab, (GLOB,))
    await lab.say("Go")
    assert outcomes(lab) == ["ok"]
    assert lab.taken == []
    assert lab.store.of(ContentTaken) == []
    assert lab.store.of(ChangesStaged) == []


async def test_what_a_call_names_comes_and_nothing_else(make_lab: MakeLab) -> None:
    lab = large(make_lab, (read("docs/007.txt"),), (read("docs/007.txt"),))
    await lab.say("Go")
    assert outcomes(lab) == ["ok", "ok"]
    assert lab.taken == ["docs/007.txt"]
    (taken,) = lab.store.of(ContentTaken)
    assert (taken.files, taken.size) == (1, len(FILES["docs/007.txt"]))
    assert lab.store.of(ChangesStaged) == []


async def test_what_a_tool_reaches_for_by_itself_comes_when_it_misses_it(make_lab: MakeLab) -> None:
    lab = large(make_lab, (("lab__peek", {"number": "007"}),))
    await lab.say("Go")
    assert outcomes(lab) == ["ok"]
    assert lab.taken == ["docs/007.txt"]


async def test_a_program_finds_every_file(make_lab: MakeLab) -> None:
    lab = large(make_lab, (shell("mkdir docs/empty"),))
    await lab.say("Go")
    assert sorted(lab.taken) == sorted(FILES)
    assert operations(lab) == {"docs/empty": "mkdir"}


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (
            shell("mv docs/001.txt docs/moved.txt"),
            {"docs/moved.txt": "create", "docs/001.txt": "delete"},
        ),
        (shell("rm -rf docs/001.txt"), {"docs/001.txt": "delete"}),
        (
            ("workspace__write", {"path": "docs/001.txt", "content": ""}),
            {"docs/001.txt": "modify"},
        ),
    ],
    ids=["rename", "delete", "truncate"],
)
async def test_a_file_nobody_read_is_renamed_deleted_and_truncated_as_any(
    make_lab: MakeLab, use: Any, expected: Mapping[str, str]
) -> None:
    lab = large(make_lab, (use,))
    await lab.say("Go")
    assert operations(lab) == expected
    before = {change.path: change.before for change in staged(lab).changes}["docs/001.txt"]
    assert before is not None
    assert before.sha256 is not None
    assert lab.blobs.read(before.sha256) == FILES["docs/001.txt"]


async def test_a_file_that_changed_after_it_was_listed_is_read_as_it_is_now(
    make_lab: MakeLab,
) -> None:
    lab = large(make_lab, (read("docs/001.txt"),), (write("docs/n.txt"),))
    meanwhile(lab, "docs/001.txt", b"the newer text")
    await lab.say("Go")
    assert "the newer text" in lab.store.of(ToolFinished)[0].text
    assert operations(lab) == {"docs/n.txt": "create"}


async def test_a_file_that_went_after_it_was_listed_is_told_and_is_no_deletion(
    make_lab: MakeLab,
) -> None:
    lab = large(make_lab, (read("docs/001.txt"),), (write("docs/n.txt"),))
    meanwhile(lab, "docs/001.txt", None)
    await lab.say("Go")
    assert outcomes(lab) == ["error", "ok"]
    assert operations(lab) == {"docs/n.txt": "create"}


async def test_after_a_crash_the_next_machine_has_what_was_read_and_changed(
    make_lab: MakeLab, crash: type[BaseException]
) -> None:
    lines = ((read("docs/002.txt"),), (write("docs/003.txt"),), (read("docs/002.txt"),))
    plain = large(make_lab, *lines)
    await plain.say("Go")
    first = len(large(make_lab).store.stored) + 1  # the request is stored
    for die_at in range(first, len(plain.store.stored)):
        lab = large(make_lab, *lines)
        lab.store.die_at = die_at
        with pytest.raises(crash):
            await lab.say("Go")
        lab.store.die_at = None
        await lab.resume()
        assert operations(lab) == {"docs/003.txt": "modify"}, die_at
        assert outcomes(lab) == ["ok"] * 3, die_at
        state = fold(tuple(lab.store.stored))
        assert state.base is not None
        base = read_base(lab.blobs, state.base, state.contents, state.lost)
        assert {entry.path for entry in base} == FILES.keys()


async def test_an_unread_file_that_a_tool_wrote_over_keeps_the_original_for_the_review(
    make_lab: MakeLab,
) -> None:
    lab = large(make_lab, (("lab__stamp", {}),))
    await lab.say("Go")
    assert operations(lab) == {"docs/001.txt": "modify"}
    (change,) = staged(lab).changes
    assert change.before is not None
    assert change.before.sha256 is not None
    assert lab.blobs.read(change.before.sha256) == FILES["docs/001.txt"]


async def test_what_was_written_over_a_file_that_the_user_changed_unread_is_never_taken(
    make_lab: MakeLab,
) -> None:
    """Neither at once nor at the checkpoints that follow, although its content is known then."""
    more = ((write("docs/n.txt"),), (shell("mkdir docs/empty"),))
    lab = large(make_lab, (("lab__stamp", {}),), *more)
    meanwhile(lab, "docs/001.txt", b"the user's newer and longer text")
    await lab.say("Go")
    assert operations(lab) == {"docs/n.txt": "create", "docs/empty": "mkdir"}
    assert "docs/001.txt" in staged(lab).refused


async def test_a_known_file_that_a_machine_never_had_counts_as_unread_there(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest is known from an earlier run; a tool that removes its folder did not see it."""
    lab = large(make_lab, (write("docs/001.txt"),), known=True)
    told: list[Entry] = []
    real = FakeMachine.difference

    async def difference(self: FakeMachine, base: Any, blobs: Any) -> Any:
        told.extend(base)
        return await real(self, base, blobs)

    monkeypatch.setattr(FakeMachine, "difference", difference)
    await lab.say("Go")
    assert operations(lab) == {"docs/001.txt": "modify"}
    assert {entry.path for entry in told if not entry.is_listed_only} == {"docs/001.txt"}
    assert lab.taken == []


async def test_what_does_not_fit_the_machine_is_told_before_anything_is_read(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deskmate.agent.workbench.SPACE_BYTES", 100)
    lab = large(make_lab, (shell("mkdir docs/empty"),), (read("docs/001.txt"),))
    await lab.say("Go")
    assert outcomes(lab) == ["error", "ok"]
    assert "which takes" in lab.store.of(ToolFinished)[0].text
    assert lab.taken == ["docs/001.txt"]
