"""The table of authorities: what a document cites, where, in which words, and what a person must look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deskmate_legal.citation_faults import mark_faults
from deskmate_legal.citations import FULL, Citation, find_citations
from deskmate_legal.listing import Table, shown, write_listing
from deskmate_legal.readings import Reading, place

AUTHORITIES = ("Authority", "Kind", "First cited as", "Cited at", "Status")
CITATIONS = ("No.", "As it stands", "Kind", "Refers to", "Place")
PROBLEMS = ("No.", "As it stands", "Place", "What to look at")
UNVERIFIED = "UNVERIFIED: no record of it was opened"
LIMIT = (
    "Found by rules. No decision, statute or database was opened: that a citation is well formed does not say that the "
    "authority exists, is good law, or holds what it is cited for. Check each one before it is filed."
)
_NAMES = {
    "case": "case", "law": "statute or rule", "journal": "journal", "short": "short form", "id": "id.", "supra": "supra",
    "reference": "by name", "unreadable": "not readable",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What is cited. `cited`: its citations, short forms included, in order."""

    core: str
    kind: str
    cited: tuple[Citation, ...]


def checked(reading: Reading, year: int) -> list[Citation]:
    """Return the citations of a document with their problems. `year`: the current one."""
    found = find_citations(reading.passages, reading.emphasised)
    mark_faults(found, year)
    return found


def authorities(found: Sequence[Citation]) -> list[Authority]:
    """Return each authority once, cases first, then statutes and rules, then journals, each by name."""
    groups: dict[str, list[Citation]] = {}
    for one in found:
        if one.refers_to:
            groups.setdefault(one.refers_to, []).append(one)
    made = []
    for core, ones in groups.items():
        first = next((one for one in ones if one.kind in FULL), ones[0])
        made.append(Authority(core=core, kind=first.kind, cited=tuple(ones)))
    order = {"case": 0, "law": 1, "journal": 2}
    return sorted(made, key=lambda one: (order.get(one.kind, 3), one.core.lower()))


def tables(found: Sequence[Citation]) -> tuple[Table, Table, Table]:
    """Return the three tables of the document: authorities, citations in order, problems."""
    listed = tuple(
        (
            shown(one.core),
            _NAMES[one.kind],
            shown(one.cited[0].words),
            "; ".join(dict.fromkeys(place(each.passage) for each in one.cited)),
            UNVERIFIED,
        )
        for one in authorities(found)
    )
    single = tuple(
        (str(n), shown(one.words), _NAMES[one.kind], shown(one.refers_to) or "open", place(one.passage))
        for n, one in enumerate(found, 1)
    )  # fmt: skip
    problems = tuple(
        (str(number), shown(one.words), place(one.passage), shown("; ".join(one.problems)))
        for number, one in enumerate(found, 1)
        if one.problems
    )
    return (
        Table(
            heading="Authorities",
            header=AUTHORITIES,
            rows=listed,
            widths=(1.6, 0.9, 2.0, 1.2, 1.2),
            empty="None was found.",
        ),
        Table(
            heading="Malformed or open",
            header=PROBLEMS,
            rows=problems,
            widths=(0.5, 2.7, 1.0, 2.7),
            empty="None was found.",
        ),
        Table(
            heading="Every citation, in order",
            header=CITATIONS,
            rows=single,
            widths=(0.5, 2.7, 1.1, 1.6, 1.0),
            empty="None was found.",
        ),
    )


def summary(reading: Reading, found: Sequence[Citation]) -> str:
    """Return one line with the counts."""
    wrong = sum(bool(one.problems) for one in found)
    return (
        f"{reading.title}: {len(found)} citations of {len(authorities(found))} authorities; "
        f"{wrong} malformed or open. None was looked up."
    )


def write_authorities(file: Path, reading: Reading, found: Sequence[Citation]) -> None:
    """Write the table of authorities as a Word document."""
    write_listing(
        file,
        f"Table of authorities: {reading.title}",
        [summary(reading, found)],
        tables(found),
        [LIMIT],
    )
