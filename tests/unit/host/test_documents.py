"""Documents of a change set are taken apart in a machine of their own; its answers are not believed blindly."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from deskmate.changes.differ import cut, host_differs
from deskmate.errors import ProtocolError, UserError
from deskmate.host.documents import DocumentDiffer
from deskmate.ports import Progress, SandboxSpec
from deskmate.store.blobs import BlobStore
from deskmate.testing.fake_sandbox import FakeMachine, FakePlugin, FakeSandbox
from deskmate.testing.fake_workspace import Tree
from deskmate.types.files import Change, Entry
from deskmate.types.registry import ToolSpec

pytestmark = pytest.mark.anyio
Answer = Callable[[Tree, Mapping[str, Any]], Any]


def document(text: str, part: str = "word/document.xml") -> bytes:
    held = BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(part, text)
    return held.getvalue()


OLD, NEW = document("old"), document("new")
CHANGES = {
    "changes": [
        {"id": "1", "lines": ["@@ ¶ 1 @@ change 1", "-old", "+new"]},
        {"id": "2", "lines": ["@@ ¶ 2 @@ change 2", "+more"]},
    ]
}


def spec(name: str, risk: Any) -> ToolSpec:
    return ToolSpec(
        plugin="office", name=name, title="", description="", input_schema={}, risk=risk
    )


class Box(FakeSandbox):
    """A sandbox in which the office plugin is built in, as it is in the real one."""

    @asynccontextmanager
    async def open(self, spec: SandboxSpec, progress: Progress) -> AsyncIterator[FakeMachine]:
        named = replace(spec, plugins=("office", *spec.plugins))
        async with super().open(named, progress) as machine:
            yield machine


def sandbox(changes: Answer, take: Answer | None = None) -> FakeSandbox:
    tools = {"office__document_changes": (spec("document_changes", "read"), changes)}
    if take is not None:
        tools["office__document_take"] = (spec("document_take", "write"), take)
    return Box({"office": FakePlugin(tools=tools)})


def differ(tmp_path: Path, box: FakeSandbox) -> DocumentDiffer:
    return DocumentDiffer(box, BlobStore(tmp_path / "blobs"), lambda line: None)


async def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(work, *arguments)


async def test_pieces_come_from_a_machine_that_holds_both_versions(tmp_path: Path) -> None:
    asked: list[tuple[Mapping[str, Any], bytes, bytes]] = []

    def changes(tree: Tree, arguments: Mapping[str, Any]) -> Any:
        asked.append((arguments, tree.read(arguments["before"]), tree.read(arguments["after"])))
        return CHANGES

    parts = differ(tmp_path, sandbox(changes))
    assert parts.takes(OLD, NEW)
    for _ in range(2):  # the second time it is known
        pieces = await in_thread(parts.pieces, OLD, NEW)
        assert [(piece.id, piece.lines[-1]) for piece in pieces] == [("1", "+new"), ("2", "+more")]
    names = {"before": "before/old.docx", "after": "after/new.docx"}
    assert asked == [(names, OLD, NEW)]


async def test_chosen_pieces_give_the_file_that_the_machine_made(tmp_path: Path) -> None:
    def take(tree: Tree, arguments: Mapping[str, Any]) -> Any:
        tree.write(arguments["target"], f"made of {arguments['chosen']}".encode())
        return {"path": arguments["target"]}

    parts = differ(tmp_path, sandbox(lambda tree, arguments: CHANGES, take))
    assert await in_thread(parts.merge, OLD, NEW, ("2",)) == b"made of ['2']"


async def test_a_document_is_cut_like_a_text(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    sides = [
        Entry(path="w/a.docx", kind="file", mode=0o644, size=len(side), sha256=blobs.put(side))
        for side in (OLD, NEW)
    ]
    change = Change(path="w/a.docx", operation="modify", before=sides[0], after=sides[1])

    def take(tree: Tree, arguments: Mapping[str, Any]) -> Any:
        tree.write(arguments["target"], b"half")
        return {}

    parts = differ(tmp_path, sandbox(lambda tree, arguments: CHANGES, take))
    differs = (*host_differs(), parts)

    def work(chosen: tuple[str, ...]) -> Any:
        return cut({"w/a.docx": change}, {"w/a.docx": chosen}, {}, blobs, differs)

    made = (await in_thread(work, ("1",)))["w/a.docx"]
    assert (made.ids, made.of, blobs.read(made.sha256)) == (("1",), 2, b"half")
    assert await in_thread(work, ("1", "2")) == {}  # all of it: the file as it is
    with pytest.raises(UserError, match="has no change 3; it has 2"):
        await in_thread(work, ("3",))


@pytest.mark.parametrize(
    "answer",
    [
        {"changes": [{"id": "2", "lines": ["x"]}]},
        {"changes": [{"id": "1", "lines": []}]},
        {"changes": [{"lines": ["x"]}]},
        {"changes": "no"},
        [],
        None,
    ],
)
async def test_a_malformed_answer_is_refused(tmp_path: Path, answer: Any) -> None:
    parts = differ(tmp_path, sandbox(lambda tree, arguments: answer))
    with pytest.raises(ProtocolError):
        await in_thread(parts.pieces, OLD, NEW)


async def test_what_the_machine_cannot_take_apart_is_said(tmp_path: Path) -> None:
    from deskmate.errors import ToolInputError

    def changes(tree: Tree, arguments: Mapping[str, Any]) -> Any:
        raise ToolInputError("new.docx is encrypted with a password.")

    parts = differ(tmp_path, sandbox(changes, lambda tree, arguments: {}))
    with pytest.raises(UserError, match="encrypted"):
        await in_thread(parts.pieces, OLD, NEW)
    with pytest.raises(ProtocolError, match="did not hand over"):
        await in_thread(parts.merge, OLD, NEW, ("1",))


def test_other_files_are_not_its_business(tmp_path: Path) -> None:
    parts = differ(tmp_path, sandbox(lambda tree, arguments: CHANGES))
    book = document("x", "xl/workbook.xml")
    assert parts.takes(book, book)
    assert not parts.takes(OLD, book)
    assert parts.takes(None, NEW)  # a new document: its first lines are shown
    assert not parts.takes(OLD, None)
    assert not parts.takes(None, b"\x89PNG\r\n\x1a\n")
    assert not parts.takes(b"word/document", b"word/document")
    assert not parts.takes(document("x", "a.txt"), document("y", "a.txt"))


async def test_decks_pdfs_and_pictures_are_shown_and_only_taken_whole(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    shown = {"changes": [{"id": "1", "lines": ["@@ slide 1 @@ change 1", "+more"], "whole": True}]}
    parts = differ(tmp_path, sandbox(lambda tree, arguments: shown))
    kinds = (
        document("x", "ppt/presentation.xml"),
        b"%PDF-1.7 one",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"RIFF....WEBP",
    )
    for old in kinds:
        new = old + b"more"
        assert parts.takes(old, new)
        (piece,) = await in_thread(parts.pieces, old, new)
        assert not piece.alone
        sides = [
            Entry(path="w/a", kind="file", mode=0o644, size=len(side), sha256=blobs.put(side))
            for side in (old, new)
        ]
        change = Change(path="w/a", operation="modify", before=sides[0], after=sides[1])
        with pytest.raises(UserError, match="cannot be taken in parts"):
            await in_thread(cut, {"w/a": change}, {"w/a": ("1",)}, {}, blobs, (parts,))


async def test_of_a_new_document_the_machine_shows_the_beginning(tmp_path: Path) -> None:
    asked: list[Mapping[str, Any]] = []

    def changes(tree: Tree, arguments: Mapping[str, Any]) -> Any:
        asked.append(arguments)
        return {"changes": [{"id": "1", "lines": ["@@ what it says @@", "+new"], "whole": True}]}

    parts = differ(tmp_path, sandbox(changes))
    (piece,) = await in_thread(parts.pieces, None, NEW)
    assert piece.lines[-1] == "+new"
    assert asked == [{"before": "", "after": "after/new.docx"}]
