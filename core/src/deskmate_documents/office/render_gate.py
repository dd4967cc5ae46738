"""G-RENDER: what a reader sees on the page: it opens, no page is blank, nothing runs off the page, no `###`."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import ToolError
from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate.types.findings import Level
from deskmate_documents.content import SHEETS, SLIDES, WORD

RULE = "G-RENDER"
PAGES_LIMIT = 500
FINDINGS_LIMIT = 20
OFFICE = WORD | SLIDES | SHEETS
_HASHES = re.compile(r"(?<![\w#])#{3,}(?![\w#])")
_BEYOND_PT = 2.0
BOX = "A sign is shown as an empty box"

Renderer = Callable[[Path, Path], object]
"""Takes a document and the PDF to be written; raises ToolError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLook:
    """What one page shows. `objects`: drawn things. `outside`: the text that no reader sees, off the page."""

    text: str
    objects: int
    outside: str


class RenderGate:
    """The rule with its renderer."""

    def __init__(self, renderer: Renderer | None = None) -> None:
        """`renderer`: LibreOffice of this guest, if none is given."""
        self._renderer = renderer

    def check(self, deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
        """Look at a PDF as it is, and at an Office file where its tool asks for it.

        `data`: `render` true, or `pages` [least, most]. An Office file that asks for neither is not rendered, which
        takes seconds; one that asks and cannot be is an error.
        """
        suffix = context.file.suffix.lower()
        if suffix != ".pdf" and not (suffix in OFFICE and deliverable.asks_rendering):
            return
        try:
            with self._shown(context.file) as pdf:
                looks, more = look_at(pdf), (*boxes_of(pdf), *off_slide(context.file))
        except ToolError as error:
            yield _finding(f"It cannot be shown: {error.message}")
            return
        yield from _count(deliverable, len(looks))
        found = [*problems(looks, sheets=suffix in SHEETS), *more]
        known = Counter(message for message, _ in self._known(deliverable, context))
        count = 0
        for message, where in found:
            if known[message] > 0:
                known[message] -= 1
                continue
            count += 1
            if count <= FINDINGS_LIMIT:
                # an Office file takes the fonts of its reader's machine, which may have the sign
                soft = suffix != ".pdf" and message.startswith(BOX)
                yield _finding(message, where, level="warning" if soft else "error")

    @contextmanager
    def _shown(self, file: Path) -> Iterator[Path]:
        """Yield the file as a PDF."""
        if file.suffix.lower() == ".pdf":
            yield file
            return
        with tempfile.TemporaryDirectory() as folder:
            pdf = Path(folder) / "shown.pdf"
            (self._renderer or _libreoffice)(file, pdf)
            yield pdf

    def _known(
        self, deliverable: Deliverable, context: ValidationContext
    ) -> Iterator[tuple[str, str]]:
        """Yield what was so in the PDFs that it was made from."""
        for path in dict.fromkeys((*deliverable.sources.values(), deliverable.path)):
            file = context.sources.file(path)
            if file is not None and file.suffix.lower() in (".pdf", *SLIDES):
                try:
                    yield from off_slide(file)
                    if file.suffix.lower() == ".pdf":
                        yield from (*problems(look_at(file)), *boxes_of(file))
                except ToolError:
                    continue


def check_rendering(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Run the rule with this guest's LibreOffice."""
    return RenderGate().check(deliverable, context)


def _libreoffice(source: Path, target: Path) -> object:
    from deskmate_documents.render import PATIENT_S, convert  # noqa: PLC0415

    return convert(source, target, limit_s=PATIENT_S)


def _finding(message: str, where: str = "", level: Level = "error") -> Finding:
    return Finding(
        rule=RULE, level=level, message=message, location=where, fix="Correct the layout."
    )


def _count(deliverable: Deliverable, count: int) -> Iterator[Finding]:
    if count == 0:
        yield _finding("It has no page.")
    wanted = deliverable.data.get("pages")
    if wanted is None:
        return
    if not (
        isinstance(wanted, list | tuple)
        and len(wanted) == 2
        and all(isinstance(n, int) and not isinstance(n, bool) for n in wanted)
    ):
        yield _finding("The wanted number of pages must be given as [least, most].")
    elif not wanted[0] <= count <= wanted[1]:
        yield _finding(f"It has {count} pages; {wanted[0]} to {wanted[1]} are wanted.")


def problems(looks: Iterable[PageLook], *, sheets: bool = False) -> Iterator[tuple[str, str]]:
    """Yield (message, page) of what a reader would stumble over."""
    for number, look in enumerate(looks, 1):
        where = f"page {number}"
        if not look.text.strip() and not look.objects:
            yield "The page is blank.", where
        if look.outside.strip():
            yield f"Text stands outside the page: {look.outside.strip()[:60]}", where
        if _HASHES.search(look.text) and sheets:
            yield "A column is too narrow for its figures, which show as ###.", where


def off_slide(file: Path) -> tuple[tuple[str, str], ...]:
    """Return (message, slide) of shapes that lie off their slide, which no picture of it shows. Raises ToolError."""
    if file.suffix.lower() not in SLIDES:
        return ()
    from deskmate_documents.pptx.deck import Deck  # noqa: PLC0415
    from deskmate_documents.pptx.lint import lint  # noqa: PLC0415

    return tuple(
        (f"{doubt.shape}: {doubt.message}", f"slide {doubt.slide}")
        for doubt in lint(Deck(file))
        if doubt.rule == "off-slide"
    )


def boxes_of(pdf: Path) -> tuple[tuple[str, str], ...]:
    """Return (message, page) of pages where a font has no picture of a sign; none where its fonts cannot be read.

    Viewers show files that this reader refuses; whether such a file can be shown at all is `look_at`'s to say.
    """
    from deskmate_documents.pdf.notdef import pages_with_boxes  # noqa: PLC0415

    try:
        found = pages_with_boxes(pdf)
    except ToolError:
        return ()
    return tuple(
        (f"{BOX}: the font {fonts} lacks it.", f"page {page}") for page, fonts in found.items()
    )


def look_at(pdf: Path) -> tuple[PageLook, ...]:
    """Return what the pages of a PDF show.

    Raises:
        ToolError: it is no PDF that can be shown, or has more than 500 pages.
    """
    import pypdfium2  # noqa: PLC0415

    try:
        document = pypdfium2.PdfDocument(pdf)
    except (pypdfium2.PdfiumError, OSError) as error:
        raise ToolError(f"{pdf.name} is not a PDF that can be shown.") from error
    with document:
        if len(document) > PAGES_LIMIT:
            raise ToolError(f"{pdf.name} has {len(document)} pages, more than {PAGES_LIMIT}.")
        try:
            return tuple(_look(document[number]) for number in range(len(document)))
        except pypdfium2.PdfiumError as error:
            raise ToolError(f"{pdf.name} has a page that cannot be shown.") from error


def _look(page: object) -> PageLook:
    try:
        words = page.get_textpage()  # type: ignore[attr-defined]
        left, bottom, right, top = page.get_bbox()  # type: ignore[attr-defined]
        text = words.get_text_range()
        outside = []
        for index in range(min(words.count_chars(), 200_000)):
            x0, y0, x1, y1 = words.get_charbox(index)
            if x1 <= x0 or y1 <= y0:
                continue
            if (
                x1 < left - _BEYOND_PT
                or x0 > right + _BEYOND_PT
                or y1 < bottom - _BEYOND_PT
                or y0 > top + _BEYOND_PT
            ):
                outside.append(words.get_text_range(index, 1))
        objects = len(list(page.get_objects(max_depth=1)))  # type: ignore[attr-defined]
        words.close()
        return PageLook(text=text, objects=objects, outside="".join(outside))
    finally:
        page.close()  # type: ignore[attr-defined]
