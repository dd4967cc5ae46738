"""ENG-PAGE-TRUE: the page is opened again, from the originals, and shows what the report and the picture say."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.tables import decode
from deskmate_engineering.browser.page import look
from deskmate_engineering.browser.reports import as_markdown
from deskmate_engineering.browser.serving import below
from deskmate_engineering.browser.visits import Seen, Visit, size_of, steps_of
from deskmate_engineering.tools.page import visit_of, visit_served
from deskmate_engineering.validators.originals import Problem, judged, line_problems, original_file

RULE = "ENG-PAGE-TRUE"
ROLES = ("page-check", "page-picture")
DIFFERENT_LIMIT = 0.002
"""Share of a picture's pixels that may differ: a caret that blinks is less."""
_VISIBLE = 32


def page_true(deliverable: Deliverable, context: ValidationContext) -> list[Finding]:
    """Open the page again, do the same steps, and compare line by line, or pixel by pixel.

    Files that the run presents beside the report are taken as they are presented, all others as the host holds them.

    Source: house (SOURCES.md).
    """
    fix = "Check it again with page_check; do not edit its report. A page that shows something else each time cannot be checked."
    return judged(RULE, fix, deliverable, context, _problems)


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    data = deliverable.data
    page = str(data["page"])
    size = size_of(f"{int(data['width'])}x{int(data['height'])}")
    steps, root = steps_of(data["steps"]), str(data["root"])
    if data.get("serve"):
        visit = visit_served(page, root, steps, size, str(data["serve"]))
    else:
        if deliverable.sources.get("page") != page:
            raise ValueError("page")
        if page not in context.others:
            original_file(deliverable, context, "page")
        visit = visit_of(page, root, steps, size)

    seen = _seen(visit, _site(context))
    if deliverable.role == "page-picture":
        yield from _pictures(context.file, seen.picture)
        return
    said = decode(context.file.read_bytes(), deliverable.path).split("\n")
    true = as_markdown(page, visit, seen).split("\n")
    # what the console and the network say at the same time may come in either order
    yield from line_problems(said, true, ordered=False)


Site = tuple[tuple[str, str, int, int], ...]
"""What a page may ask for: workspace path, real path, size and time of each file."""


def _site(context: ValidationContext) -> Site:
    """Return the originals, and in their place what the run presents."""
    files = {path: file for path in context.sources if (file := context.sources.file(path))}
    ours = {path for path, item in context.presented.items() if item.role in ROLES}
    files |= {path: file for path, file in context.others.items() if path not in ours}
    about = ((path, file, file.stat()) for path, file in sorted(files.items()))
    return tuple((path, str(file), stat.st_size, stat.st_mtime_ns) for path, file, stat in about)


@lru_cache(maxsize=1)
def _seen(visit: Visit, site: Site) -> Seen:
    """Look once for report and picture of the same visit."""
    files = {path: Path(real) for path, real, _, _ in site}
    tree = below(files, visit.root) if visit.serve else None
    return look(visit, files.get, online=False, tree=tree)


def _pictures(file: Path, true: bytes) -> Iterator[Problem]:
    import io  # noqa: PLC0415

    from PIL import Image, ImageChops  # noqa: PLC0415

    try:
        with Image.open(file, formats=["PNG"]) as said, Image.open(io.BytesIO(true)) as shown:
            if said.size != shown.size:
                yield (
                    f"The picture is {said.size[0]} × {said.size[1]}; the page shows {shown.size[0]} × {shown.size[1]}.",
                    "",
                )
                return
            gap = ImageChops.difference(said.convert("RGB"), shown.convert("RGB")).convert("L")
            different = sum(gap.histogram()[_VISIBLE:])
    except (OSError, ValueError, Image.DecompressionBombError) as problem:
        raise ToolInputError(f"the picture cannot be read ({type(problem).__name__}).") from problem
    if different > DIFFERENT_LIMIT * said.size[0] * said.size[1]:
        yield f"{different} pixels of the picture are not what the page shows.", ""
