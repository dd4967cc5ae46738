"""Pages of PDFs put together anew: merged, split, reordered, turned."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import ToolInputError
from deskmate_documents.pdf.opening import guarded, page_numbers, parsed
from deskmate_documents.pdf.writing import encrypt_again, save

PAGES_LIMIT = 5_000
PARTS_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Pages of one file. `pages`: such as `1-3,8,12-`. `turn`: degrees clockwise, 0, 90, 180 or 270."""

    path: Path
    pages: str = "1-"
    turn: int = 0
    password: str = ""


def assemble(
    parts: list[Part], target: Path, on_progress: Callable[[str], None] = lambda line: None
) -> tuple[int, list[str]]:
    """Write these pages, in this order, into a new file; return their number and what to tell the user.

    Raises:
        ToolInputError: a file cannot be opened, or lacks a page.
    """
    import pypdf  # noqa: PLC0415

    if not 1 <= len(parts) <= PARTS_LIMIT:
        raise ToolInputError(f"Give 1 to {PARTS_LIMIT} parts.")
    writer = pypdf.PdfWriter()
    notes: list[str] = []
    names: set[str] = set()
    passwords: list[str] = []
    with ExitStack() as stack:
        for part in parts:
            if part.turn % 90:
                raise ToolInputError("Pages are turned by 0, 90, 180 or 270 degrees.")
            reader = stack.enter_context(parsed(part.path, part.password))
            numbers = page_numbers(part.pages, len(reader.pages), PAGES_LIMIT)
            with guarded(part.path):
                fields = set(reader.get_fields() or {})
                if fields & names:
                    notes.append(
                        f"{part.path.name} has form fields of the same names as a part before it; they now share values."
                    )
                names |= fields
                before = len(writer.pages)
                writer.append(reader, pages=[number - 1 for number in numbers])
                for page in writer.pages[before:]:
                    page.rotate(part.turn)
            if reader.is_encrypted:
                passwords.append(part.password)
            on_progress(f"{part.path.name}: {len(numbers)} pages")
        kept = ""
        if passwords:
            same = set(passwords) if len(parts) == len(passwords) else set()
            kept = passwords[0] if len(same) == 1 else ""
            notes.append(
                encrypt_again(writer, kept)
                if same and kept
                else "A source was encrypted; the result is not."
            )
        with guarded(parts[0].path):
            save(writer, target, pages=len(writer.pages), password=kept)
    return len(writer.pages), notes


def split(
    path: Path,
    folder: Path,
    ranges: list[str],
    password: str = "",
    on_progress: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Write one file for each range, `name-1.pdf`, `name-2.pdf`, …, and return them.

    Raises:
        ToolInputError: the file cannot be opened, lacks a page, or a result is already there.
    """
    digits = len(str(len(ranges)))
    results = [folder / f"{path.stem}-{n:0{digits}d}.pdf" for n in range(1, len(ranges) + 1)]
    taken = [result.name for result in results if result.exists()]
    if taken:
        raise ToolInputError(f"{taken[0]} is already there; choose another folder.")
    for result, pages in zip(results, ranges, strict=True):
        assemble([Part(path=path, pages=pages, password=password)], result, on_progress)
    return results
