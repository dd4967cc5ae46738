"""Says where two Word documents differ in what a reader or editor would see of the body.

Compared: text, run and paragraph formatting, tables, content controls, lists, links, images, notes, sections with their
headers and footers, tracked changes. Not compared: what Word itself renews or ignores (revision save ids, run
boundaries, proofing marks and languages, bookmarks, comment anchors, stored page breaks).
"""

from __future__ import annotations

import difflib
from pathlib import Path

from deskmate_documents.docx.canon import Canon
from deskmate_documents.docx.reading import open_body
from deskmate_documents.docx.wml import child
from deskmate_documents.opc import Package

REPORT_LIMIT = 40


def differences(left: Path, right: Path) -> tuple[str, ...]:
    """Return the differing lines, `-` for left and `+` for right, at most 40; empty if the same.

    Raises:
        ToolInputError: one of the files cannot be read as a DOCX.
    """
    ours, theirs = body_lines(left), body_lines(right)
    if ours == theirs:
        return ()
    changed = [
        line[:300]
        for line in difflib.unified_diff(ours, theirs, lineterm="", n=0)
        if not line.startswith(("---", "+++", "@@"))
    ]
    return tuple(changed[:REPORT_LIMIT])


def body_lines(path: Path) -> list[str]:
    """Return the body of a document in comparable lines."""
    package = Package(path)
    main, root = open_body(package)
    return Canon(package, main).blocks(child(root, "body"))
