"""Writes a new record after MADR, and says in an older one that it is superseded; nothing else of that one changes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from deskmate.plugin import ToolInputError
from deskmate_engineering.adr.records import STATUSES, Record

TEXT_LIMIT = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A way that was considered."""

    title: str
    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be written down. `chosen`: title of one of the options, empty while it is proposed."""

    title: str
    context: str
    options: tuple[Option, ...]
    chosen: str = ""
    because: str = ""
    consequences: tuple[str, ...] = ()
    status: str = "proposed"
    date: str = ""


def decision_of(data: Mapping[str, Any], date: str) -> Decision:
    """Return a decision as it was given.

    Raises:
        ToolInputError: something is missing that a decision needs; the message says what.
    """
    known = {"title", "context", "options", "chosen", "because", "consequences", "status"}
    if odd := sorted(set(data) - known):
        raise ToolInputError(
            f"A decision has no {', '.join(map(str, odd))[:80]}; it has {', '.join(sorted(known))}."
        )
    options = tuple(
        _option(row, number) for number, row in enumerate(_rows(data, "options"), start=1)
    )
    made = Decision(
        title=_line(data, "title"), context=_text(data, "context"), options=options,
        chosen=_line(data, "chosen"), because=_text(data, "because"),
        consequences=tuple(_plain(row, "consequences") for row in _rows(data, "consequences")),
        status=_line(data, "status").lower() or "proposed", date=date,
    )  # fmt: skip
    _whole(made)
    return made


def _whole(made: Decision) -> None:
    titles = [one.title for one in made.options]
    if not made.title or len(made.context.split()) < 3:
        raise ToolInputError("A decision needs a title, and a context of some words.")
    if len(set(titles)) < 2:
        raise ToolInputError("A decision is between two different options at least.")
    if made.status not in STATUSES[:3]:
        raise ToolInputError(
            f"A new record is {', '.join(STATUSES[:3])}, not {made.status[:40]!r}."
        )
    if made.chosen and made.chosen not in titles:
        raise ToolInputError(f"{made.chosen[:80]!r} is none of its options.")
    if made.status == "accepted" and not (made.chosen and len(made.because.split()) >= 2):
        raise ToolInputError(
            "An accepted decision says which option was chosen, and because of what."
        )
    if bare := [one.title for one in made.options if not (one.good or one.bad)]:
        raise ToolInputError(f"Say what is good or bad about {', '.join(bare[:4])}.")


def _rows(data: Mapping[str, Any], name: str) -> Sequence[Any]:
    rows = data.get(name, ())
    if not isinstance(rows, list | tuple):
        raise ToolInputError(f"{name} is a list.")
    return rows


def _option(row: Any, number: int) -> Option:
    if (
        not isinstance(row, Mapping)
        or set(row) - {"title", "good", "bad"}
        or not str(row.get("title", "")).strip()
    ):
        raise ToolInputError(f"Option {number} is no {{title, good, bad}}.")
    good, bad = (tuple(_plain(one, name) for one in _rows(row, name)) for name in ("good", "bad"))
    return Option(title=_line(row, "title"), good=good, bad=bad)


def _plain(row: Any, name: str) -> str:
    if not isinstance(row, str) or not row.strip():
        raise ToolInputError(f"{name} is a list of sentences.")
    return " ".join(row.split())[:TEXT_LIMIT]


def _line(data: Mapping[str, Any], name: str) -> str:
    return " ".join(str(data.get(name, "")).split())[:200]


def _text(data: Mapping[str, Any], name: str) -> str:
    paragraphs = re.split(r"\n\s*\n", str(data.get(name, ""))[:TEXT_LIMIT])
    return "\n\n".join(" ".join(one.split()) for one in paragraphs if one.strip())


def file_name(number: int, title: str, others: Sequence[Record]) -> str:
    """Return a new record's file name, in the digits that the others have."""
    widths = [len(m[0]) for one in others if (m := re.search(r"\d+", PurePosixPath(one.path).name))]
    prefix = next(
        (
            m[0]
            for one in others[-1:]
            if (m := re.match(r"adr[-_]?", PurePosixPath(one.path).name, re.I))
        ),
        "",
    )
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80].strip("-") or "decision"
    return f"{prefix}{number:0{max(widths, default=4)}}-{slug}.md"


def as_markdown(made: Decision, number: int, supersedes: Record | None) -> str:
    """Return the record's text."""
    lines = [f"# {number}. {made.title}", "", f"- Status: {made.status}", f"- Date: {made.date}"]
    if supersedes:
        name = PurePosixPath(supersedes.path).name
        lines.append(f"- Supersedes: [{supersedes.title}]({name})")
    lines += ["", "## Context", "", made.context, "", "## Considered options", ""]
    lines += [f"- {one.title}" for one in made.options]
    lines += ["", "## Decision", ""]
    lines += [f"Chosen: {made.chosen}." if made.chosen else "Not decided yet.", ""]
    lines += [made.because, ""] if made.because else []
    if made.consequences:
        lines += ["## Consequences", "", *(f"- {one}" for one in made.consequences), ""]
    lines += ["## Pros and cons", ""]
    for one in made.options:
        lines += [
            f"### {one.title}",
            "",
            *(f"- Good: {g}" for g in one.good),
            *(f"- Bad: {b}" for b in one.bad),
            "",
        ]
    return "\n".join(lines)


def superseded(text: str, by: str, title: str) -> str:
    """Return an older record's text with its status changed, and nothing else.

    Args:
        text: as it is.
        by: file name of the newer record.
        title: of the newer record.

    Raises:
        ToolInputError: it says no status that could be changed.
    """
    new = f"superseded by [{title}]({by})"
    lines = text.split("\n")
    for number, line in enumerate(lines):
        end = "\r" if line.endswith("\r") else ""
        if match := re.match(
            r"^(\s*(?:[-*]\s*)?(?:\*\*)?status(?:\*\*)?\s*:\s*(?:\*\*)?\s*)\S.*$",
            line,
            re.IGNORECASE,
        ):
            lines[number] = f"{match[1]}{new}{end}"
            return "\n".join(lines)
        if re.fullmatch(r"##\s+status\s*", line, re.IGNORECASE):
            place = next((n for n in range(number + 1, len(lines)) if lines[n].strip()), None)
            if place is not None and not lines[place].startswith("#"):
                lines[place] = f"{new[0].upper()}{new[1:]}{end}"
                return "\n".join(lines)
    raise ToolInputError(
        "The older record says no status that could be changed; add a line `- Status: accepted` to it."
    )
