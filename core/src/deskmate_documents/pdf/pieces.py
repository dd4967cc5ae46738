"""A changed PDF as people look at it: the text page by page, pages that look otherwise, the values of its form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.pdf.forms import read_form
from deskmate_documents.pdf.opening import guarded, shown
from deskmate_documents.pdf.reading import particulars

PAGES_LIMIT = 1_000
LOOKS_LIMIT = 100
"""Pages with equal text that are also compared by how they look, which takes a moment each."""
_SCALE = 0.4
PIXELS_A_SIDE = 2_000
"""A page may say that it is as large as a field; its picture is not."""
Lines = tuple[str, ...]


def pdf_changes(before: Path, after: Path) -> tuple[Lines, ...]:
    """Return what each changed page looks like, then the form's values.

    Raises:
        ToolInputError: a version is encrypted or damaged, or has more than 1,000 pages.
    """
    with shown(before) as old, shown(after) as new, guarded(after):
        for name, document in ((before.name, old), (after.name, new)):
            if len(document) > PAGES_LIMIT:
                raise ToolInputError(
                    f"{name} has more than {PAGES_LIMIT} pages; they are not compared."
                )
        found = list(_pages(old, new))
        counts = (len(old), len(new))
    if counts[0] != counts[1]:
        found.insert(0, ("the file", f"-{counts[0]} pages", f"+{counts[1]} pages"))
    if form := tuple(_form(before, after)):
        found.append(("the form", *form))
    if held := tuple(_particulars(before, after)):
        found.append(("what else it holds", *held))
    if not found and before.read_bytes() != after.read_bytes():
        found.append(
            ("the file", "~its pages are the same; links, names or the way it is stored differ")
        )
    return tuple((f"@@ {head} @@ change {n}", *lines) for n, (head, *lines) in enumerate(found, 1))


def _pages(old: Any, new: Any) -> Iterator[Lines]:
    before, after = ([_text(page) for page in document] for document in (old, new))
    match = SequenceMatcher(None, before, after, autojunk=False)
    looks = LOOKS_LIMIT
    for word, i1, i2, j1, j2 in match.get_opcodes():
        if word == "equal":
            for i, j in zip(range(i1, i2), range(j1, j2), strict=True):
                looks -= 1
                if looks >= 0 and _look(old[i]) != _look(new[j]):
                    yield f"page {j + 1}", "~the text is the same, the page looks different"
            continue
        for step in range(max(i2 - i1, j2 - j1)):
            one = before[i1 + step] if i1 + step < i2 else None
            other = after[j1 + step] if j1 + step < j2 else None
            page = (
                f"page {j1 + step + 1}" if other is not None else f"page {i1 + step + 1}, as it was"
            )
            yield page, *_page(one, other)
    if looks < 0:
        yield "the file", f"~{-looks} pages with the same text were not compared by how they look"


def _text(page: Any) -> tuple[str, ...]:
    words = page.get_textpage()
    text = words.get_text_range()
    words.close()
    page.close()
    return tuple(" ".join(line.split()) for line in text.splitlines() if line.strip())


def _look(page: Any) -> str:
    width, height = page.get_size()
    scale = min(_SCALE, PIXELS_A_SIDE / max(width, height, 1))
    picture = page.render(scale=scale).to_pil().convert("L")
    page.close()
    return hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()


def _page(old: Sequence[str] | None, new: Sequence[str] | None) -> Iterator[str]:
    if old is None or new is None:
        yield f"~the page is {'new' if old is None else 'gone'}"
    match = SequenceMatcher(None, old or (), new or (), autojunk=False)
    for word, i1, i2, j1, j2 in match.get_opcodes():
        if word != "equal":
            yield from (f"-{line}" for line in (old or ())[i1:i2])
            yield from (f"+{line}" for line in (new or ())[j1:j2])


def _particulars(before: Path, after: Path) -> Iterator[str]:
    """Yield what came or went of attachments, scripts, signatures and the like."""
    old, new = particulars(before), particulars(after)
    for name in dict.fromkeys((*old, *new)):
        if name != "fields" and old.get(name) != new.get(name):
            yield from (f"-{name}: {_counted(old[name])}",) if name in old else ()
            yield from (f"+{name}: {_counted(new[name])}",) if name in new else ()


def _counted(value: Any) -> str:
    return "yes" if value is True else str(value)


def _form(before: Path, after: Path) -> Iterator[str]:
    old, new = ({f.name: f.value for f in read_form(side)} for side in (before, after))
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) == new.get(name):
            continue
        yield from (f"-{name}: {old[name] or '(empty)'}",) if name in old else ()
        yield from (f"+{name}: {new[name] or '(empty)'}",) if name in new else ()
