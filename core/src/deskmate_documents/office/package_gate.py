"""G-OOXML: an Office file is whole; only what its original did not already suffer from counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from deskmate.errors import ToolError
from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.docx.wml import (
    DEL,
    DEL_TEXT,
    GONE,
    ID,
    R_NS,
    TBL,
    TC,
    TR,
    W_NS,
    P,
    T,
    child,
    val,
    w,
)
from deskmate_documents.opc import TYPES_NS, TYPES_PART, Element, Package
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.declared import Declared, Step
from deskmate_documents.xlsx.integrity import workbook_problems
from deskmate_documents.xlsx.sheetpart import MAIN, SheetPart
from deskmate_documents.xlsx.structure import replayed

RULE = "G-OOXML"
KINDS = frozenset({".docx", ".docm", ".dotx", ".xlsx", ".xlsm", ".pptx", ".pptm"})
FINDINGS_LIMIT = 25
_R = f"{{{R_NS}}}"


def check_package(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Report what is broken in the package and was not so in the originals."""
    if context.file.suffix.lower() not in KINDS:
        return
    known: Counter[str] = Counter()
    for path in deliverable.sources.values():
        file = context.sources.file(path)
        if file is not None and file.suffix.lower() in KINDS:
            known |= Counter(_safely(file, _steps(deliverable)))
    reported = 0
    for problem in _safely(context.file):
        if known[problem] > 0:
            known[problem] -= 1
            continue
        reported += 1
        if reported <= FINDINGS_LIMIT:
            yield Finding(rule=RULE, level="error", message=problem, fix="Write the file anew.")


def _steps(deliverable: Deliverable) -> tuple[Step, ...]:
    """Return what came or went since the original: rows, columns, sheets, as its edits say."""
    data = deliverable.data.get("declared")
    return tuple(Declared.from_json(data).steps) if isinstance(data, dict) else ()


def _safely(file: Path, steps: tuple[Step, ...] = ()) -> list[str]:
    try:
        with replayed(file, steps) as copy:
            return list(problems(copy or file))
    except ToolError as error:
        return [error.message]


def problems(file: Path) -> Iterator[str]:
    """Yield what is wrong with an Office file, one sentence each.

    Raises:
        ToolInputError: it cannot be opened at all, or one of its XML parts does not parse.
    """
    package = Package(file)
    main = package.main_part()
    types = package.parse(TYPES_PART)
    overrides = Counter(
        n.get("PartName", "").lower() for n in types.iterfind(f"{{{TYPES_NS}}}Override")
    )
    defaults = {n.get("Extension", "").lower() for n in types.iterfind(f"{{{TYPES_NS}}}Default")}
    for name, count in overrides.items():
        if count > 1:
            yield f"The content type of {name} is given {count} times."
        if name.lstrip("/") not in package:
            yield f"[Content_Types].xml names {name}, which is not there."
    for name in package.names:
        extension = name.rpartition(".")[2].lower()
        if name != TYPES_PART and f"/{name}".lower() not in overrides and extension not in defaults:
            yield f"{name} has no content type."
        if extension == "rels":
            yield from _relationships(package, name)
        elif extension == "xml" or name == main:
            yield from _references(package, name)
    tag = package.parse(main).tag
    if tag == w("document"):
        yield from _document(package, main)
    elif tag == f"{{{MAIN}}}workbook":
        yield from workbook_problems(Workbook(file))


def _relationships(package: Package, name: str) -> Iterator[str]:
    folder, _, file = name.rpartition("_rels/")
    owner = folder + file.removesuffix(".rels")
    if owner and owner not in package:
        return
    ids = Counter(node.get("Id", "") for node in package.parse(name) if isinstance(node.tag, str))
    for rel_id, count in ids.items():
        if count > 1:
            yield f"{name} gives the id {rel_id} {count} times."
    for rel in package.relationships(owner).values():
        target, fragment, _ = rel.target.partition("#")
        within = bool(fragment) and target in ("", owner.rpartition("/")[0] + "/")
        if not (rel.external or within or target in package or target == "NULL"):
            yield f"{name} points to {rel.target}, which is not there."


def _references(package: Package, name: str) -> Iterator[str]:
    known = package.relationships(name)
    for node in _tree(package, name).iter():
        for attribute, value in node.attrib.items() if isinstance(node.tag, str) else ():
            if attribute.startswith(_R) and value and value not in known:
                yield f"{name} uses the relationship {value}, which is not there."


def _tree(package: Package, name: str) -> Element:
    """Return a part's tree; of a worksheet without its rows, which hold no relationships and may be many."""
    if not name.startswith("xl/worksheets/"):
        return package.parse(name)
    data = package.xml(name)
    return (
        SheetPart(data, f"{package.name} ({name})").skeleton()
        if b"sheetData" in data
        else package.parse(name)
    )


def _document(package: Package, main: str) -> Iterator[str]:
    root = package.parse(main)
    yield from _comments(package, main, root)
    for kind, tag in (("footnotes", "footnote"), ("endnotes", "endnote")):
        parts = package.related(main, kind)
        known = {n.get(ID) for n in package.parse(parts[0]).iterfind(w(tag))} if parts else set()
        for node in root.iter(w(f"{tag}Reference")):
            if node.get(ID) not in known:
                yield f"The text refers to {tag} {node.get(ID)}, which is not there."
    yield from _structure(root)
    yield from _ranges(root)
    yield from _revisions(root)
    numbering = package.related(main, "numbering")
    if numbering:
        lists = {n.get(w("numId")) for n in package.parse(numbering[0]).iterfind(w("num"))}
        for used in sorted({val(n) for n in root.iter(w("numId"))} - lists - {"0", ""}, key=str):
            yield f"A paragraph belongs to list {used}, which is not defined."


def _comments(package: Package, main: str, root: Element) -> Iterator[str]:
    parts = package.related(main, "comments")
    ids = (
        Counter(n.get(ID) for n in package.parse(parts[0]).iterfind(w("comment")))
        if parts
        else Counter()
    )
    for name, count in ids.items():
        if count > 1:
            yield f"Comment {name} is there {count} times."
    marks = {
        kind: Counter(n.get(ID) for n in root.iter(w(f"comment{kind}")))
        for kind in ("RangeStart", "RangeEnd", "Reference")
    }
    for kind, found in marks.items():
        for name, count in found.items():
            if name not in ids:
                yield f"The text has a comment{kind} {name} without a comment."
            if count > 1:
                yield f"The text has comment{kind} {name} {count} times."
    for name in marks["RangeStart"].keys() ^ marks["RangeEnd"].keys():
        yield f"The range of comment {name} has only one end."
    stories = [
        package.parse(p) for k in ("footnotes", "endnotes") for p in package.related(main, k)
    ]
    elsewhere = {n.get(ID) for story in stories for n in story.iter(w("commentReference"))}
    for name in ids.keys() - marks["Reference"].keys() - elsewhere:
        yield f"Comment {name} is not anchored in the text."


def _structure(root: Element) -> Iterator[str]:
    for cell in root.iter(TC):
        blocks = [n.tag for n in cell if n.tag in (P, TBL, w("sdt"), w("customXml"))]
        if not blocks or blocks[-1] == TBL:
            yield "A table cell does not end with a paragraph."
    for table in root.iter(TBL):
        if table.find(f".//{TR}") is None:
            yield "A table has no rows."
    for row in root.iter(TR):
        if row.find(f".//{TC}") is None:
            yield "A table row has no cells."


def _ranges(root: Element) -> Iterator[str]:
    for start, end in (
        ("bookmarkStart", "bookmarkEnd"),
        ("moveFromRangeStart", "moveFromRangeEnd"),
    ):
        counted = Counter(n.get(ID) for n in root.iter(w(start)))
        for name, count in counted.items():
            if count > 1:
                yield f"The id of {start} {name} is there {count} times."
        ends = {n.get(ID) for n in root.iter(w(end))}
        for name in counted.keys() - ends:
            yield f"{start} {name} has no end."


def _revisions(root: Element) -> Iterator[str]:
    for node in root.iter(T):
        if next(node.iterancestors(*GONE), None) is not None and _struck(node):
            yield "Deleted text is stored as ordinary text."
    for node in root.iter(DEL_TEXT):
        if next(node.iterancestors(*GONE), None) is None:
            yield "Text is stored as deleted outside a deletion."
    marks = [n for n in root.iter() if isinstance(n.tag, str) and n.get(w("author")) is not None]
    for node in marks:
        if node.tag.startswith(f"{{{W_NS}}}") and node.get(ID) is None and node.tag != w("comment"):
            yield "A tracked change has no id."
    ids = Counter(n.get(ID) for n in marks if n.tag in (w("ins"), DEL))
    for name, count in ids.items():
        if count > 1 and name is not None:
            yield f"The id {name} is used by {count} tracked changes."


def _struck(node: Element) -> bool:
    """Say whether the nearest mark around a run is a deletion; moved text stays ordinary text."""
    nearest = next(node.iterancestors(DEL, w("moveFrom"), w("txbxContent")), None)
    return nearest is not None and nearest.tag == DEL and child(nearest, "r") is not None
