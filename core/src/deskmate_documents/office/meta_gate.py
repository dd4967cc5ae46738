"""G-META: nothing travels along unseen: changes, comments, hidden sheets and slides, people's names, private data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from deskmate.errors import ToolError
from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.content import SHEETS, SLIDES, WORD, slide_parts
from deskmate_documents.docx.revisions import authors_of
from deskmate_documents.docx.wml import R, accepted_text, child, is_on, w
from deskmate_documents.opc import Package

RULE = "G-META"
FINDINGS_LIMIT = 25
KINDS = WORD | SHEETS | SLIDES | {".pdf"}
ASKED = {
    "redline": frozenset({"tracked changes", "comment"}),
    "comparison": frozenset({"tracked changes", "comment"}),
    "commented": frozenset({"comment"}),
}
"""Role → what it is made for. G-DIFF and the rules of its profession look at what these hold."""
_PROGRAMS = (
    "python-docx", "openpyxl", "xlsxwriter", "python-pptx", "deskmate", "libreoffice", "microsoft office",
    "reportlab", "pypdf", "pdfium", "anonymous", "(anonymous)", "unspecified", "(unspecified)", "pandoc", "apache poi",
)  # fmt: skip
_DC = "{http://purl.org/dc/elements/1.1/}creator"
_BY = "{http://schemas.openxmlformats.org/package/2006/metadata/core-properties}lastModifiedBy"
_APP = "{http://schemas.openxmlformats.org/officeDocument/2006/extended-properties}"
_FIXES = {
    "tracked changes": "Accept or reject them with office__docx_accept or office__docx_reject, or present a redline.",
    "comment": "Take the comments out, or answer them and say so.",
    "hidden sheet": "Show the sheet, or take it out.",
    "hidden slide": "Show the slide, or take it out.",
    "hidden text": "Show the text, or take it out.",
    "name": "Empty the document's author and last editor.",
    "private data": "Take the part out.",
}


def check_metadata(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Report what was not asked for and no original had."""
    if context.file.suffix.lower() not in KINDS:
        return
    asked = ASKED.get(deliverable.role, frozenset())
    found = [(kind, what) for kind, what in carried(context.file) if kind not in asked]
    if not found:
        return
    known: Counter[tuple[str, str]] = Counter()
    for path in dict.fromkeys((*deliverable.sources.values(), deliverable.path)):
        file = context.sources.file(path)
        if file is not None and file.suffix.lower() in KINDS:
            known |= _safely(file)
    reported = 0
    for item in found:
        if known[item] > 0:
            known[item] -= 1
            continue
        reported += 1
        if reported <= FINDINGS_LIMIT:
            kind, what = item
            yield Finding(
                rule=RULE,
                level="error",
                message=f"The file carries along what nobody asked for, {kind}: {what}",
                fix=_FIXES[kind],
            )


def _safely(file: Path) -> Counter[tuple[str, str]]:
    try:
        return Counter(carried(file))
    except ToolError:
        return Counter()


def carried(file: Path) -> Iterator[tuple[str, str]]:
    """Yield (kind, what) of all that a file carries besides what it shows.

    Raises:
        ToolInputError: it cannot be read.
    """
    suffix = file.suffix.lower()
    if suffix == ".pdf":
        yield from _pdf(file)
        return
    package = Package(file)
    yield from _names(package)
    yield from _private(package)
    if suffix in WORD:
        yield from _word(package, file)
    elif suffix in SHEETS:
        yield from _sheets(package)
    else:
        yield from _slides(package)


def _names(package: Package) -> Iterator[tuple[str, str]]:
    for part in package.related("", "core-properties"):
        for tag in (_DC, _BY):
            node = package.parse(part).find(tag)
            if node is not None and _is_person(node.text or ""):
                yield "name", (node.text or "").strip()[:100]
    for part in package.related("", "extended-properties"):
        root = package.parse(part)
        for tag in ("Manager", "Company"):
            text = (root.findtext(f"{_APP}{tag}") or "").strip()
            if text:
                yield "name", text[:100]


def _is_person(text: str) -> bool:
    bare = text.strip().lower()
    return bool(bare) and not bare.startswith(_PROGRAMS)


def _private(package: Package) -> Iterator[tuple[str, str]]:
    for rel in package.relationships().values():
        if rel.kind == "custom-properties" and not rel.external and rel.target in package:
            for node in package.parse(rel.target):
                yield "private data", f"document property {node.get('name', '')[:100]}"
    for part in package.related(package.main_part(), "customXml"):
        root = package.parse(part)
        if not root.tag.endswith("}Sources") or len(root):  # Word's empty bibliography
            yield "private data", f"custom XML {root.tag[:100]}"


def _word(package: Package, file: Path) -> Iterator[tuple[str, str]]:
    for author in sorted(authors_of(file)):
        yield "tracked changes", f"by {author or 'nobody named'}"
    main = package.main_part()
    for part in package.related(main, "comments"):
        for node in package.parse(part).iterfind(w("comment")):
            words = " ".join(accepted_text(p) for p in node.iter(w("p")))
            yield "comment", f"{node.get(w('author'), '')}: {words[:80]}"
    for run in package.parse(main).iter(R):
        if is_on(child(run, "rPr", "vanish")) and (words := accepted_text_of(run)):
            yield "hidden text", words[:100]


def accepted_text_of(run: object) -> str:
    """Return the words of one run."""
    return "".join(node.text or "" for node in run.iter(w("t"))).strip()  # type: ignore[attr-defined]


def _sheets(package: Package) -> Iterator[tuple[str, str]]:
    main = package.main_part()
    for node in package.parse(main).iter("{*}sheet"):
        if node.get("state", "visible") != "visible":
            yield "hidden sheet", node.get("name", "")
    parts = {rel.target for rel in package.relationships(main).values() if rel.kind == "worksheet"}
    for part in sorted(part for part in parts if part in package):
        for kind in ("comments", "threadedComment"):
            for comments in package.related(part, kind):
                for node in package.parse(comments).iter("{*}comment", "{*}threadedComment"):
                    yield "comment", f"cell {node.get('ref', '')}"


def _slides(package: Package) -> Iterator[tuple[str, str]]:
    for number, (part, _) in enumerate(slide_parts(package), 1):
        if package.parse(part).get("show", "1") in ("0", "false"):
            yield "hidden slide", f"slide {number}"
        for comments in package.related(part, "comments"):
            count = sum(1 for _ in package.parse(comments).iter("{*}cm"))
            yield from [("comment", f"slide {number}")] * count


def _pdf(file: Path) -> Iterator[tuple[str, str]]:
    from pypdf import PdfReader  # noqa: PLC0415 - heavy
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    from deskmate.errors import ToolInputError  # noqa: PLC0415

    try:
        reader = PdfReader(file)
        author = str((reader.metadata or {}).get("/Author") or "")
        if _is_person(author):
            yield "name", author[:100]
        for number, page in enumerate(reader.pages, 1):
            for reference in page.get("/Annots") or ():
                kind = str(reference.get_object().get("/Subtype", ""))
                if kind in ("/Text", "/FreeText", "/Highlight", "/StrikeOut", "/FileAttachment"):
                    yield "comment", f"{kind[1:]} on page {number}"
        yield from (("private data", f"attached file {name}") for name in reader.attachments)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise ToolInputError(f"{file.name} is damaged and cannot be read as a PDF.") from error
