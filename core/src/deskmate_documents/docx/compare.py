"""Compares two versions of a document: one with tracked changes, and the list of what changed by clause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from deskmate_documents.docx.blocks import BlockComparer
from deskmate_documents.docx.canon import Canon
from deskmate_documents.docx.equal import differences
from deskmate_documents.docx.importing import Importer
from deskmate_documents.docx.inline import Sides
from deskmate_documents.docx.marking import Marker
from deskmate_documents.docx.merging import tidy_halves
from deskmate_documents.docx.reading import Paragraph, open_body, read_paragraphs
from deskmate_documents.docx.revisions import accept_all, resolve_changes
from deskmate_documents.docx.wml import (
    ADDED,
    GONE,
    RPR,
    TR,
    P,
    R,
    body_paragraphs,
    child,
    w,
)
from deskmate_documents.graphics import drawn, lines_of
from deskmate_documents.opc import Element, Package


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseChange:
    """What became of one paragraph. `number`: of the clause, as printed in the version that has it.

    `before`, `after`: its text, "" where it was not. `paragraph`: index in the older version, or None;
    `paragraph_after`: in the newer one.
    """

    kind: Literal["changed", "inserted", "deleted", "formatted"]
    number: str
    before: str
    after: str
    paragraph: int | None
    paragraph_after: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareResult:
    """What a comparison wrote. `revisions`: separate changes as a reader counts them.

    `untracked`: what accepting all would not bring to the newer version, in lines of `differences`: things that
    Word has no tracked change for, such as which header a section uses. Empty nearly always.
    """

    revisions: int
    insertions: int
    deletions: int
    changes: tuple[ClauseChange, ...]
    untracked: tuple[str, ...] = ()


def compare(before: Path, after: Path, target: Path, *, author: str, date: str) -> CompareResult:
    """Write `before` with tracked changes that lead to `after`: accepting all gives `after`, rejecting `before`.

    Tracked changes that the versions hold already are taken as accepted. Styles, settings and whatever is not
    text or formatting of the body, notes, headers and footers stay those of `before`.

    Args:
        before: the older version.
        after: the newer version.
        target: where the comparison goes.
        author: name that the changes carry.
        date: ISO date.

    Raises:
        ToolInputError: a file cannot be read as a DOCX.
    """
    left, right = Package(before), Package(after)
    left_main, root = open_body(left)
    right_main, other = open_body(right)
    resolve_changes(root, accept=True)
    resolve_changes(other, accept=True)
    paragraphs = _by_node(left, left_main, root), _by_node(right, right_main, other)
    marker = Marker([root], author, date)
    importer = Importer(left, left_main, right, right_main)
    comparer = BlockComparer(
        Sides(
            left=Canon(left, left_main),
            right=Canon(right, right_main),
            marker=marker,
            importer=importer,
            parts=(left_main, right_main),
            note=lambda *_: None,
        ),
        (left, right),
    )
    comparer.container(child(root, "body"), child(other, "body"))
    revisions, insertions, deletions = count_revisions(root)
    for extra in comparer.stories:
        more = count_revisions(extra)
        revisions, insertions, deletions = (
            revisions + more[0], insertions + more[1], deletions + more[2],
        )  # fmt: skip
    if revisions:
        tidy_halves(root)
    left.write_xml(left_main, root)
    comparer.save()
    importer.save()
    left.save(target)
    return CompareResult(
        revisions=revisions,
        insertions=insertions,
        deletions=deletions,
        changes=_changes(comparer.pairs, *paragraphs),
        untracked=_untracked(target, after),
    )


def _untracked(target: Path, after: Path) -> tuple[str, ...]:
    with TemporaryDirectory() as folder:
        accepted, wanted = Path(folder, "accepted.docx"), Path(folder, "after.docx")
        accept_all(target, accepted)
        accept_all(after, wanted)
        return differences(accepted, wanted)


def _by_node(package: Package, main: str, root: Element) -> dict[Element, Paragraph]:
    """Return node → paragraph, with what its charts and diagrams say behind its own words."""
    found = {}
    paragraphs = read_paragraphs(package, main, root)
    for node, paragraph in zip(body_paragraphs(root), paragraphs, strict=True):
        said = [text for _, text, _ in lines_of(drawn(package, main, node))]
        words = f"{paragraph.text} [{'; '.join(said)}]".strip() if said else paragraph.text
        found[node] = replace(paragraph, text=words)
    return found


def _changes(
    pairs: Sequence[tuple[Element | None, Element | None]],
    left: dict[Element, Paragraph],
    right: dict[Element, Paragraph],
) -> tuple[ClauseChange, ...]:
    out = []
    for old, new in pairs:
        before = left.get(old) if old is not None else None
        after = right.get(new) if new is not None else None
        if before is None and after is None:
            continue
        kind: Literal["changed", "inserted", "deleted", "formatted"] = "changed"
        if before is None or after is None:
            kind = "inserted" if before is None else "deleted"
        elif before.text == after.text:
            kind = "formatted"
        shown = after or before
        out.append(
            ClauseChange(
                kind=kind,
                number=shown.number if shown else "",
                before=before.text if before else "",
                after=after.text if after else "",
                paragraph=before.index if before else None,
                paragraph_after=after.index if after else None,
            )
        )
    return tuple(c for c in out if c.before.strip() or c.after.strip() or c.kind == "formatted")


def count_revisions(root: Element) -> tuple[int, int, int]:
    """Return (revisions, insertions, deletions); neighbours of one kind count as one, as readers see them."""
    found: Counter[str] = Counter()
    last = ""
    for node in root.iter():
        tag = node.tag
        kind = ""
        if tag in ADDED or tag in GONE:
            kind = "ins" if tag in ADDED else "del"
            if node.getparent().tag == RPR:
                continue  # paragraph marks are counted where the paragraph ends
        elif tag in (R, P) and next(node.iterancestors(*ADDED, *GONE), None) is None:
            last = _after_plain(node, last, found)
            continue
        elif isinstance(tag, str) and tag.endswith("Change") and tag != w("tblGridChange"):
            found["other"] += 1
            continue
        else:
            continue
        if kind != last:
            found[kind] += 1
        last = kind
    return found.total(), found["ins"], found["del"]


def _after_plain(node: Element, last: str, found: Counter[str]) -> str:
    """Return the kind of change that is still open after a plain run or at a paragraph's start."""
    if node.tag == R:
        return ""
    before = node.getprevious()
    while before is not None and before.tag != P:
        before = before.getprevious()
    marks = child(before, "pPr", "rPr") if before is not None else None
    ends = [m.tag for m in marks if m.tag in ADDED or m.tag in GONE] if marks is not None else []
    if not ends:
        row = next(node.iterancestors(TR), None)
        marked = row is not None and (
            child(row, "trPr", "ins") is not None or child(row, "trPr", "del") is not None
        )
        return last if marked else ""
    kind = "ins" if ends[0] in ADDED else "del"
    if kind != last:
        found[kind] += 1
    return kind
