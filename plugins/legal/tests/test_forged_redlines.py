"""What a forger may change in a redline so that its tracked changes still look honest."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deskmate_legal.tools.redline import contract_redline
from deskmate_legal.tools.review import playbook_review
from deskmate_legal.validators import check_accept_all, check_reject_all

Parts = dict[str, bytes]
DOCUMENT = "word/document.xml"
MARK = b'w:id="991" w:author="Deskmate" w:date="2026-01-01T00:00:00Z"'


@pytest.fixture
def redlined(context: Any, nda: Any) -> Any:
    edits = playbook_review(nda, context).result["edits"]
    return contract_redline(nda, edits, context).deliverables[0]


def forge(path: Path, change: Callable[[Parts], None]) -> None:
    """Rewrite a package after `change` had its way with its parts."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    before = dict(parts)
    change(parts)
    assert parts != before
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def errors(check: Any, deliverable: Any, room: Any) -> list[str]:
    """Return the messages of the errors that a check finds."""
    return [finding.message for finding in check(deliverable, room) if finding.level == "error"]


def put(name: str, old: bytes, new: bytes) -> Callable[[Parts], None]:
    """Return a change that replaces the first `old` of a part."""

    def change(parts: Parts) -> None:
        assert old in parts[name], (name, old)
        parts[name] = parts[name].replace(old, new, 1)

    return change


def add(name: str, data: bytes) -> Callable[[Parts], None]:
    """Return a change that adds a part."""

    def change(parts: Parts) -> None:
        parts[name] = data

    return change


def hide_style(parts: Parts) -> None:
    """Hide whatever has the Normal style."""
    styles = parts["word/styles.xml"]
    parts["word/styles.xml"] = re.sub(
        rb'(<w:style [^>]*w:styleId="Normal".*?)</w:style>',
        rb"\1<w:rPr><w:vanish/></w:rPr></w:style>",
        styles,
        count=1,
        flags=re.DOTALL,
    )


def comment_by_another(parts: Parts) -> None:
    """Put words into another person's mouth."""
    parts["word/comments.xml"] = parts["word/comments.xml"].replace(
        b'w:author="Deskmate"', b'w:author="Opposing Counsel"', 1
    )


def hidden_text(parts: Parts) -> None:
    """Put words behind an XML comment, where a naive reader stops."""
    parts[DOCUMENT] = re.sub(
        rb"(<w:t(?: [^>]*)?>[^<]+)</w:t>",
        rb"\1<!-- --> and nothing shall be owed</w:t>",
        parts[DOCUMENT],
        count=1,
    )


UNTRACKED = {
    "a style hides text": hide_style,
    "settings": put("word/settings.xml", b"</w:settings>", b"<w:updateFields/></w:settings>"),
    "the title": put("docProps/core.xml", b"</cp:coreProperties>", b"<!----><x/></cp:coreProperties>"),
    "a new part": add("word/evil.bin", b"MZ"),
    "an external template": put(
        "word/_rels/document.xml.rels",
        b"</Relationships>",
        b'<Relationship Id="rX" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
        b'attachedTemplate" Target="http://127.0.0.1/x.dotm" TargetMode="External"/></Relationships>',
    ),
    "a content type": put(
        "[Content_Types].xml", b"</Types>", b'<Default Extension="bin" ContentType="a/b"/></Types>'
    ),
    "someone else's comment": comment_by_another,
    "a page's background": put(
        DOCUMENT, b"<w:body>", b'<w:background w:color="000000"/><w:body>'
    ),
    "a bookmark": put(
        DOCUMENT,
        b"<w:p>",
        b'<w:p><w:bookmarkStart w:id="990" w:name="Price"/><w:bookmarkEnd w:id="990"/>',
    ),
    "words behind an XML comment": hidden_text,
}  # fmt: skip


@pytest.mark.parametrize("change", UNTRACKED.values(), ids=UNTRACKED.keys())
def test_an_untracked_change_anywhere_in_the_package_fails_reject_all(
    change: Any, context: Any, redlined: Any, nda: Any, clean_room: Any
) -> None:
    forge(context.file(redlined.path), change)
    assert errors(check_reject_all, redlined, clean_room(redlined, nda))


def hide_by_tracked_formatting(parts: Parts) -> None:
    """Hide the document's first words by a tracked change of their formatting."""
    tracked = b"<w:r><w:rPr><w:vanish/><w:rPrChange " + MARK + b"><w:rPr/></w:rPrChange></w:rPr>"
    parts[DOCUMENT] = re.sub(
        rb"<w:r>(?:<w:rPr>.*?</w:rPr>)?(?=<w:t)", tracked, parts[DOCUMENT], count=1
    )


def insert(run: bytes) -> Callable[[Parts], None]:
    """Return a change that inserts a run, tracked, at the end of the first paragraph."""
    return put(DOCUMENT, b"</w:p>", b"<w:ins " + MARK + b">" + run + b"</w:ins></w:p>")


UNDECLARED = {
    "words hidden by formatting": hide_by_tracked_formatting,
    "a field": insert(b"<w:r><w:instrText>INCLUDETEXT x</w:instrText></w:r>"),
    "a picture": insert(b"<w:r><w:pict/></w:r>"),
}


@pytest.mark.parametrize("change", UNDECLARED.values(), ids=UNDECLARED.keys())
def test_a_tracked_change_of_more_than_words_fails_accept_all(
    change: Any, context: Any, redlined: Any, nda: Any, clean_room: Any
) -> None:
    forge(context.file(redlined.path), change)
    assert errors(check_accept_all, redlined, clean_room(redlined, nda))


def test_inserted_words_that_are_hidden_fail_accept_all(
    context: Any, redlined: Any, nda: Any, clean_room: Any
) -> None:
    def hide(parts: Parts) -> None:
        parts[DOCUMENT] = re.sub(
            rb"(<w:ins [^>]*/?><w:r>)(?:<w:rPr/>|<w:rPr>.*?</w:rPr>)?(?=<w:t[ >])",
            rb"\1<w:rPr><w:vanish/></w:rPr>",
            parts[DOCUMENT],
        )

    forge(context.file(redlined.path), hide)
    assert errors(check_accept_all, redlined, clean_room(redlined, nda))
