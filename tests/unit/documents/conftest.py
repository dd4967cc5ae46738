"""Documents made by the tests, from the XML that matters."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from deskmate.plugin import ToolContext

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PR = "http://schemas.openxmlformats.org/package/2006/relationships"
CT = "http://schemas.openxmlformats.org/package/2006/content-types"
WML = "application/vnd.openxmlformats-officedocument.wordprocessingml"
MAIN = f"{WML}.document.main+xml"

MakeDocx = Callable[..., Path]


def story(tag: str, content: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><w:{tag} xmlns:w="{W}" xmlns:r="{R}">{content}</w:{tag}>'


@pytest.fixture
def cases() -> Path:
    folder = Path(__file__).parents[4] / "shared" / "cases"
    if not folder.is_dir():
        pytest.skip("the cases folder is not beside the checkout")
    return folder


@pytest.fixture
def make_docx(tmp_path: Path) -> MakeDocx:
    """Return a maker: body XML, and parts by kind (`styles`, `numbering`, `comments`, `footnotes`, `header`)."""

    def make(
        body: str, name: str = "a.docx", extra: Mapping[str, str] | None = None, **parts: str
    ) -> Path:
        tags = {
            "comments": "comments",
            "styles": "styles",
            "numbering": "numbering",
            "footnotes": "footnotes",
            "header": "hdr",
        }
        rels = overrides = ""
        files = {"word/document.xml": story("document", f"<w:body>{body}</w:body>")}
        for number, (kind, content) in enumerate(parts.items(), 1):
            files[f"word/{kind}.xml"] = story(tags[kind], content)
            rels += f'<Relationship Id="rId{number}" Type="{R}/{kind}" Target="{kind}.xml"/>'
            overrides += f'<Override PartName="/word/{kind}.xml" ContentType="{WML}.{kind}+xml"/>'
        types = (
            f'<Types xmlns="{CT}"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="{MAIN}"/>{overrides}</Types>'
        )
        root = f'<Relationships xmlns="{PR}"><Relationship Id="rId1" Type="{R}/officeDocument" Target="word/document.xml"/></Relationships>'
        everything = {
            "[Content_Types].xml": types,
            "_rels/.rels": root,
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{PR}">{rels}</Relationships>',
            **files,
            **(extra or {}),
        }
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for part, content in everything.items():
                archive.writestr(part, content)
        return path

    return make


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "w").mkdir()
    (tmp_path / "h").mkdir()
    return ToolContext(workspace=tmp_path / "w", home=tmp_path / "h", resources=tmp_path)
