"""Pictures of pages: drawn in a machine of their own, and nothing but pictures comes out of it."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from deskmate.errors import ProtocolError, SandboxMissing, ToolError, UserError
from deskmate.host.page_images import PNG, page_images
from deskmate.ports import Progress, SandboxSpec
from deskmate.store.blobs import BlobStore
from deskmate.testing.fake_sandbox import FakeMachine, FakePlugin, FakeSandbox
from deskmate.testing.fake_workspace import Tree
from deskmate.types.registry import ToolSpec

pytestmark = pytest.mark.anyio
PDF = b"%PDF-1.7 pages"


class Box(FakeSandbox):
    """A sandbox with the office plugin built in, which notes what it was asked for."""

    asked: list[SandboxSpec]
    has_office = True

    @asynccontextmanager
    async def open(self, spec: SandboxSpec, progress: Progress) -> AsyncIterator[FakeMachine]:
        self.asked = [*getattr(self, "asked", []), spec]
        if spec.flavour == "office" and not self.has_office:
            raise SandboxMissing("There is no office image.")
        async with super().open(replace(spec, plugins=("office",)), progress) as machine:
            yield machine


def box(render: Any) -> Box:
    spec = ToolSpec(
        plugin="office", name="render_pages", title="", description="", input_schema={}, risk="write"
    )  # fmt: skip
    return Box({"office": FakePlugin(tools={"office__render_pages": (spec, render)})})


def draw(tree: Tree, arguments: Mapping[str, Any]) -> Any:
    assert tree.read(arguments["path"])
    for number in (2, 1):
        tree.write(f"{arguments['folder']}/page-000{number}.png", PNG + bytes([number]))
    return {"pages": []}


def slides() -> bytes:
    held = BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("ppt/presentation.xml", "x")
    return held.getvalue()


async def drawn(tmp_path: Path, sandbox: Box, content: bytes) -> list[tuple[str, bytes]]:
    blobs = BlobStore(tmp_path / "blobs")
    found = await page_images(sandbox, blobs, blobs.put(content), progress=lambda line: None)
    return [(page.name, blobs.read(page.image)) for page in found]


async def test_pages_come_in_order_and_pdfs_need_no_office_image(tmp_path: Path) -> None:
    sandbox = box(draw)
    found = await drawn(tmp_path, sandbox, PDF)
    assert found == [("page-0001.png", PNG + b"\x01"), ("page-0002.png", PNG + b"\x02")]
    assert [spec.flavour for spec in sandbox.asked] == ["base"]
    await drawn(tmp_path, sandbox, slides())
    assert sandbox.asked[-1].flavour == "office"


async def test_without_the_office_image_the_cure_is_named(tmp_path: Path) -> None:
    sandbox = box(draw)
    sandbox.has_office = False
    with pytest.raises(UserError, match="its image is not there") as raised:
        await drawn(tmp_path, sandbox, slides())
    assert "image build office" in raised.value.hint


async def test_other_files_have_no_pages(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Word, Excel, PowerPoint or PDF"):
        await drawn(tmp_path, box(draw), PNG)


async def test_what_the_tool_cannot_draw_is_said(tmp_path: Path) -> None:
    def broken(tree: Tree, arguments: Mapping[str, Any]) -> Any:
        raise ToolError("It is encrypted.")

    with pytest.raises(UserError, match="encrypted"):
        await drawn(tmp_path, box(broken), PDF)


@pytest.mark.parametrize(
    ("path", "content"), [("out/page-0001.png", b"#!/bin/sh"), ("in/x.png", PNG)]
)
async def test_nothing_but_pictures_is_taken(tmp_path: Path, path: str, content: bytes) -> None:
    def other(tree: Tree, arguments: Mapping[str, Any]) -> Any:
        tree.write(path, content)
        return {}

    with pytest.raises(ProtocolError, match="something else"):
        await drawn(tmp_path, box(other), PDF)
