"""The words of documents come into the log at the end of a run, once each, and never make a run fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deskmate.agent import words
from deskmate.errors import CorruptData, ToolError
from deskmate.ports import ToolOutcome
from deskmate.testing.fake_workspace import Tree
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import ChangesStaged, RunFinished, TextTaken
from deskmate.types.registry import ToolSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio
FILES = {"docs/a.cfg": b"alpha", "docs/b.PDF": b"harbour", "docs/big.docx": b"quay" * 9}
WRITE = ("workspace__write", {"path": "docs/new.xlsx", "content": "wharf"})


@pytest.fixture(autouse=True)
def of_the_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the lab's plugin bring the tool: the fake machine has no built-in office plugin."""
    monkeypatch.setattr(words, "TOOL", "lab__words")


def make(make_lab: MakeLab, *lines: Any, answer: Any = None, **more: Any) -> Lab:
    """Return a lab whose machine has the tool that takes words out of documents."""
    from tests.unit.agent.conftest import FlakySandbox, lab_plugin

    def taken(tree: Tree, arguments: Mapping[str, Any]) -> Any:
        return {"text": f"words of {tree.read(arguments['path']).decode()}"}

    spec = ToolSpec(
        plugin="lab", name=words.TOOL, title="", description="", input_schema={}, risk="read",
        offered=(),
    )  # fmt: skip
    tools = {**lab_plugin().tools, words.TOOL: (spec, answer or taken)}
    sandbox = FlakySandbox({"lab": replace(lab_plugin(), tools=tools)})
    return make_lab(ScriptedModel(lines), files=FILES, sandbox=sandbox, **more)


def stored(lab: Lab) -> dict[str, str]:
    return {e.path: lab.blobs.read(e.words).decode() for e in lab.store.of(TextTaken)}


async def test_documents_of_the_folders_and_new_ones_are_taken_once(make_lab: MakeLab) -> None:
    lab = make(make_lab, (WRITE,), "Ok.", (WRITE,), "Ok.")
    await lab.say("Go")
    assert stored(lab) == {
        "docs/b.PDF": "words of harbour",
        "docs/new.xlsx": "words of wharf",
        "docs/big.docx": f"words of {'quay' * 9}",
    }
    assert lab.store.of(RunFinished)[-1].reason == "done"
    await lab.say("Again", run="r-2")
    assert len(lab.store.of(TextTaken)) == 3


async def test_a_run_that_opened_no_machine_opens_none_for_it(make_lab: MakeLab) -> None:
    lab = make(make_lab, "Hello.")
    await lab.say("Hi")
    assert lab.sandbox.opened == 0
    assert stored(lab) == {}


async def test_what_cannot_be_read_has_no_words_and_is_not_asked_again(make_lab: MakeLab) -> None:
    def broken(tree: Tree, arguments: Mapping[str, Any]) -> Any:
        raise ToolError("It is damaged.")

    lab = make(make_lab, (WRITE,), "Ok.", answer=broken)
    await lab.say("Go")
    assert set(stored(lab).values()) == {""}
    assert len(stored(lab)) == 3


async def test_an_answer_that_is_no_text_counts_as_none(make_lab: MakeLab) -> None:
    lab = make(make_lab, (WRITE,), "Ok.", answer=lambda tree, arguments: {"text": [1]})
    await lab.say("Go")
    assert set(stored(lab).values()) == {""}


async def test_a_machine_that_dies_costs_the_words_and_nothing_else(make_lab: MakeLab) -> None:
    lab = make(make_lab, (WRITE,), "Ok.")
    lab.sandbox.kill_after = [words.TOOL]
    await lab.say("Go")
    assert stored(lab) == {}
    assert len(lab.store.of(ChangesStaged)) == 1
    assert lab.store.of(RunFinished)[-1].reason == "done"


async def test_only_so_many_documents_a_run(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "DOCUMENTS_A_RUN", 2)
    lab = make(make_lab, (WRITE,), "Ok.", (WRITE,), "Ok.")
    await lab.say("Go")
    assert len(stored(lab)) == 2


async def test_texts_are_found_by_their_words_whatever_editor_wrote_them(make_lab: MakeLab) -> None:
    files = {
        "docs/a.txt": "naïve quay".encode(),
        "docs/b.md": b"na\xefve",
        "docs/c.CSV": "a;ü".encode("utf-16"),
        "docs/d.txt": b"\xef\xbb\xbfmark",
        "docs/noise.txt": b"\x00\x01\x02",
        "docs/empty.txt": b"",
        "docs/code.bin": b"words",
    }
    memo = ("workspace__write", {"path": "docs/memo.md", "content": "zanzibar"})
    lab = make_lab(ScriptedModel([(memo,), "Ok.", "Ok."]), files=files)
    await lab.say("Go")
    assert stored(lab) == {
        "docs/a.txt": "naïve quay",
        "docs/b.md": "naïve",
        "docs/c.CSV": "a;ü",
        "docs/d.txt": "mark",
        "docs/noise.txt": "",
        "docs/memo.md": "zanzibar",
    }
    kinds = [type(payload).__name__ for payload in lab.store.payloads]
    assert kinds[kinds.index("ChangesStaged") - 1] == "TextTaken"
    await lab.say("Again", run="r-2")
    assert len(lab.store.of(TextTaken)) == 6


async def test_of_many_texts_those_that_the_run_made_come_first(
    make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "TEXTS_A_RUN", 2)
    monkeypatch.setattr(words, "TEXT_BYTES", 9)
    memo = ("workspace__write", {"path": "docs/z.md", "content": "zanzibar"})
    files = {f"docs/{name}.txt": name.encode() * 9 for name in "abc"} | {"docs/d.txt": b"d" * 10}
    lab = make_lab(ScriptedModel([(memo,), "Ok.", (memo,), "Ok."]), files=files)
    await lab.say("Go")
    assert [*stored(lab)] == ["docs/z.md", "docs/a.txt"]
    await lab.say("Again", run="r-2")
    assert [*stored(lab)] == ["docs/z.md", "docs/a.txt", "docs/b.txt", "docs/c.txt"]


async def test_secrets_that_are_known_do_not_come_into_the_words_of_texts(
    make_lab: MakeLab,
) -> None:
    def redact(outcome: ToolOutcome) -> ToolOutcome:
        said = json.dumps(outcome.structured).replace("hunter22", "…")
        return replace(outcome, structured=json.loads(said))

    script = ScriptedModel([(WRITE,), "Ok."])
    lab = make_lab(script, files={"docs/a.txt": b"key=hunter22"}, redact=redact)
    await lab.say("Go")
    assert stored(lab) == {"docs/a.txt": "key=…"}


async def test_a_text_whose_content_is_not_here_is_left_out(make_lab: MakeLab) -> None:
    lab = make_lab(ScriptedModel([(WRITE,), "Ok."]), files={"docs/a.txt": b"alpha"})
    read = lab.blobs.read
    copied: list[Any] = []

    def lost(digest: Any) -> bytes:
        if read(digest) == b"alpha":
            if copied:
                raise CorruptData("It is gone.")
            copied.append(digest)
        return read(digest)

    lab.blobs.read = lost  # type: ignore[method-assign]
    await lab.say("Go")
    assert copied
    assert stored(lab) == {}
    assert lab.store.of(RunFinished)[-1].reason == "done"
