"""The gates for citations: what a table of authorities says stands in the document, and no result cites what no source has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from deskmate.plugin import Deliverable, Finding, ToolError, ValidationContext
from deskmate_documents.text import Passage

LISTED, TRACED = "LEGAL-CITES-LISTED", "LEGAL-CITES-TRACED"
RESULTS = ("memo", "legal_memo", "opinion", "brief", "document")
FINDINGS_LIMIT = 25
_LIKELY = re.compile(
    r"§|\d [A-Z][\w.&' ]{0,30}? \d|\b(?:Regulation|Directive|Act|Const|Restatement|Case|ECLI)\b|\[\d{4}\]"
)
"""Without one of these no citation can be there, and the lists of reporters need not be read."""


def check_listed(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """The table has every citation of the document in its place, none besides, and names each malformed one."""
    from deskmate_legal.authorities import checked, tables  # noqa: PLC0415
    from deskmate_legal.listing import read_tables  # noqa: PLC0415
    from deskmate_legal.readings import read  # noqa: PLC0415

    original = context.sources.file(deliverable.sources.get("original", ""))
    if original is None:
        yield _error(
            LISTED, "UNVERIFIED: the host never held the document that this was made from."
        )
        return
    reading = read(original)
    year = str(context.facts.get("date", ""))[:4] or str(deliverable.data.get("year", ""))
    if not year.isdigit():
        yield _error(LISTED, "UNVERIFIED: nobody says in which year this was checked.")
        return
    shown = read_tables(context.file)
    yield from _places(shown, {f"{_place(p)}": p for p in reading.passages})
    for table in tables(checked(reading, int(year))):
        wanted, got = Counter(table.rows), Counter(shown.get(table.header, ()))
        for row, fault in [
            *((row, "is missing") for row in (wanted - got)),
            *((row, "is not what the document gives") for row in (got - wanted)),
        ][:FINDINGS_LIMIT]:
            yield _error(
                LISTED,
                f"{table.heading}: the row “{' | '.join(row)[:160]}” {fault}.",
                "Write the table again with authorities_write.",
            )


def _places(
    shown: dict[tuple[str, ...], list[tuple[str, ...]]], passages: dict[str, Passage]
) -> Iterator[Finding]:
    """Whatever finds citations: the words of each row stand in the paragraph that it names."""
    from deskmate_legal.listing import shown as cell  # noqa: PLC0415

    for header, rows in shown.items():
        if "As it stands" not in header or "Place" not in header:
            continue
        words_at, place_at = header.index("As it stands"), header.index("Place")
        for row in rows:
            if len(row) != len(header):
                continue
            passage = passages.get(row[place_at])
            if passage is None or row[words_at] not in cell(passage.text):
                yield _error(LISTED, f"“{row[words_at][:120]}” does not stand at {row[place_at]}.")


def _place(passage: Passage) -> str:
    from deskmate_legal.readings import place  # noqa: PLC0415

    return place(passage)


def check_traced(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Every citation in a result stands in a source, in the user's words or in the playbook; none is invented."""
    from deskmate_documents.content import KINDS, read_content  # noqa: PLC0415

    if context.file.suffix.lower() not in KINDS:
        return
    lines = [line for line in read_content(context.file).lines if _LIKELY.search(line.text)]
    if not lines:
        return
    from deskmate_legal.citations import FULL, find_citations  # noqa: PLC0415

    cited = find_citations(
        [Passage(text=line.text, page=None, paragraph=n) for n, line in enumerate(lines)]
    )
    cited = [one for one in cited if one.kind in FULL or one.kind == "unreadable"]
    known = _known(deliverable, context) if cited else ""
    reported = 0
    for one in cited:
        if _key(one.core) in known or _key(_bare(one.words)) in known:
            continue
        reported += 1
        if reported <= FINDINGS_LIMIT:
            yield Finding(
                rule=TRACED,
                level="error",
                message=f"“{one.core[:120]}” is cited, and stands in no source and no request.",
                location=lines[one.passage.paragraph].where,
                fix="Take it out, or cite from a document that has it. Never cite from memory.",
            )


def _known(deliverable: Deliverable, context: ValidationContext) -> str:
    """Return all that may be cited from, as keys in one string: sources, the user's words, the standard playbook."""
    from deskmate_documents.content import read_content  # noqa: PLC0415

    said = context.facts.get("said", ())
    texts = [str(text) for text in (said if isinstance(said, list | tuple) else ())]
    for path in context.sources:
        file = context.sources.file(path)
        if file is not None:
            try:
                texts.append(read_content(file).text)
            except ToolError:
                continue
    books = Path(__file__).parent / "playbooks"
    texts += [book.read_text("utf-8") for book in sorted(books.glob("*.yaml"))]
    return "\n".join(map(_key, texts))


def _bare(words: str) -> str:
    """Return a citation's words from its first figure on, without parties."""
    match = re.search(r"\d", words)
    return words[match.start() :] if match else words


def _key(text: str) -> str:
    """Return the words and figures of a text, each between spaces: "1 U.S. 12" is not in "21 U. S. 123"."""
    return f" {' '.join(re.findall(r'[a-z]+|[0-9]+|§', text.lower()))} "


def _error(rule: str, message: str, fix: str = "") -> Finding:
    return Finding(rule=rule, level="error", message=message, fix=fix)
