"""Redaction for the professions: Word files and PDFs alike, and the gate that proves it on the result.

What is to go is words (names, terms), and personal data of the kinds that `personal` knows. A plugin's tool calls
`redact_file` and its gate `check_redacted`; neither takes the other's word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deskmate.errors import ToolError, ToolInputError
from deskmate.plugin import Deliverable, Finding, ToolContext, ValidationContext
from deskmate_documents.personal import find_personal
from deskmate_documents.text import read_text
from deskmate_documents.withheld import check_words, pattern_of, remains, strings_of

KINDS = (".docx", ".pdf")
FINDINGS_LIMIT = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What was taken out. `counts`: word → places in the text. `as_pictures`: page → why it had to become one."""

    words: tuple[str, ...]
    counts: Counter[str]
    notes: tuple[str, ...] = ()
    as_pictures: dict[int, str] = field(default_factory=dict)


def personal_in(file: Path, allowed: Iterable[str] = ()) -> dict[str, str]:
    """Return the personal data of a file as it is written → its kind. `allowed`: what may stay, in any way of writing.

    Raises:
        ToolInputError: the file cannot be read.
    """
    stays = {item.key for text in allowed for item in find_personal(text)}
    return {
        item.text: item.kind
        for string in strings_of(file)
        if string.prose
        for item in find_personal(string.text)
        if item.key not in stays
    }


def result_path(context: ToolContext, name: str, target: str) -> str:
    """Return the workspace path for the result: `target`, or "<name> - redacted" beside the file.

    Raises:
        ToolInputError: the file is of another kind, or the target is the file itself or of another kind.
    """
    stem, dot, suffix = name.rpartition(".")
    if f".{suffix.lower()}" not in KINDS or not dot:
        raise ToolInputError(f"{name}: only DOCX and PDF files are redacted.")
    target = target or f"{stem} - redacted.{suffix}"
    real = context.target(target)
    if real == context.target(name):
        raise ToolInputError(f"{target} is the original; give the result another name.")
    if real.suffix.lower() != f".{suffix.lower()}":
        raise ToolInputError(f"{target}: the result of a .{suffix} ends in .{suffix}.")
    return context.name_of(real)


def redact_file(
    source: Path,
    target: Path,
    words: Sequence[str],
    on_progress: Callable[[str], None] = lambda line: None,
) -> Removed:
    """Write a Word file or PDF without the words.

    Raises:
        ToolInputError: none of the words is in the file, or it cannot be read.
        ToolError: a word would still be in the result; nothing is written.
    """
    wanted = check_words(words)
    if not wanted:
        raise ToolInputError("There is nothing to redact: name words.")
    if not remains(source, wanted):
        raise ToolInputError(
            f"{source.name} holds none of the words; nothing was written. A scan holds no text."
        )
    if source.suffix.lower() != ".pdf":
        from deskmate_documents.docx.redaction import redact_docx  # noqa: PLC0415

        counts, notes = redact_docx(source, target, wanted)
        return Removed(words=wanted, counts=counts, notes=tuple(notes))
    from deskmate_documents.pdf.redaction import find_marks, redact  # noqa: PLC0415

    marks = find_marks(source, list(wanted), None, each=False)
    work = target.with_name(f".{target.name}.unproven.pdf")
    try:
        done = redact(source, work, marks, "", on_progress)
        if left := remains(work, wanted):
            raise ToolError(
                f"{source.name} was not redacted: a word is still at {left[0][1]}. Give its place to office__pdf_redact as a box."
            )
        work.replace(target)
    finally:
        work.unlink(missing_ok=True)
    return Removed(
        words=wanted,
        counts=Counter(mark.words for mark in marks),
        notes=tuple(done.notes),
        as_pictures=done.as_pictures,
    )


def check_redacted(
    rule: str, deliverable: Deliverable, context: ValidationContext
) -> Iterator[Finding]:
    """Prove that the words are gone from every part of the result, and that nothing else was changed or added.

    `deliverable.data`: `words`, what was to go; `personal`: true if personal data was, too. What the user wrote and the
    setting `personal_data_allowed` may stay.
    """
    original = context.sources.file(deliverable.sources.get("original", ""))
    words = [str(word) for word in deliverable.data.get("words", ())]
    if original is None or not words:
        what = "the host never held the original" if words else "it does not say what was to go"
        yield Finding(rule=rule, level="error", message=f"UNVERIFIED: {what}.")
        return
    for word, where in remains(context.file, words)[:FINDINGS_LIMIT]:
        yield Finding(
            rule=rule,
            level="error",
            message=f"“{word[:1]}…” of {len(word)} characters is still in the file.",
            location=where,
            fix="Redact the original again.",
        )
    if deliverable.data.get("personal") is True:
        for text, kind in [*personal_in(context.file, _allowed(context)).items()][:FINDINGS_LIMIT]:
            message = f"A {kind} is still in the file: {text[:2]}…"
            yield Finding(rule=rule, level="error", message=message)
    yield from _rest(rule, original, context.file, words)


def _allowed(context: ValidationContext) -> list[str]:
    found: list[str] = []
    for texts in (context.facts.get("said", ()), context.config.get("personal_data_allowed", ())):
        found += [str(text) for text in (texts if isinstance(texts, list | tuple) else ())]
    return found


def _rest(rule: str, original: Path, result: Path, words: Sequence[str]) -> Iterator[Finding]:
    """Say where the result differs from the original by more than the words."""
    if result.suffix.lower() == ".pdf":
        before, after = _page_words(original), _page_words(result)
        if len(before) != len(after):
            yield _changed(rule, "the number of pages")
        for number, (old, new) in enumerate(zip(before, after, strict=False), 1):
            if added := new - old:
                yield _changed(rule, f"page {number}, which now says “{next(iter(added))[:40]}”")
        return
    from deskmate_documents.docx.redaction import MARK  # noqa: PLC0415

    pattern = pattern_of(check_words(words))
    before_texts = [pattern.sub(MARK, p.text) for p in read_text(original).passages]
    after_texts = [p.text for p in read_text(result).passages]
    if before_texts != after_texts:
        place = next(
            (n for n, pair in enumerate(zip(before_texts, after_texts, strict=False), 1) if pair[0] != pair[1]),
            min(len(before_texts), len(after_texts)) + 1,
        )  # fmt: skip
        yield _changed(rule, f"paragraph {place}, empty ones not counted")


def _page_words(file: Path) -> list[Counter[str]]:
    """Return how often each character stands on each page: a word that is cut leaves none that was not there."""
    from deskmate_documents.pdf.opening import shown  # noqa: PLC0415

    pages = []
    with shown(file) as document:
        for number in range(len(document)):
            page = document[number]
            words = page.get_textpage()
            pages.append(Counter("".join(words.get_text_range().split())))
            words.close()
            page.close()
    return pages


def _changed(rule: str, what: str) -> Finding:
    return Finding(
        rule=rule,
        level="error",
        message=f"More was changed than the words that were to go: {what}.",
        fix="Redact the original again.",
    )
