"""G-ACTION: each action item has an owner whom somebody knows, a real date that is not past, and a status."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from deskmate.errors import ToolError
from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.content import KINDS, Content, Grid, read_content
from deskmate_documents.tables import parse_times

RULE = "G-ACTION"
FINDINGS_LIMIT = 25
STRICT_ROLES = frozenset({"minutes", "action_list", "status_report", "postmortem"})
"""Roles whose action items must all be whole; elsewhere a list in which no item has an owner is a list of advice."""
_ACTION = re.compile(
    r"^(?:action(?: items?| points?)?s?|tasks?|to[- ]?dos?|next steps?|follow[- ]?ups?)$",
    re.IGNORECASE,
)
_OWNER = re.compile(
    r"^(?:owner|assignee|assigned to|responsible|who|accountable)s?$", re.IGNORECASE
)
_DUE = re.compile(
    r"^(?:due|due (?:date|by|on)|deadline|by when|by|when|target date)$", re.IGNORECASE
)
_STATUS = re.compile(r"^(?:status|state)$", re.IGNORECASE)
_SECTION = re.compile(r"^(?:[\d.]+\s+)?action (?:items?|list|points?)\s*:?$", re.IGNORECASE)
_DONE = re.compile(r"^(?:done|closed|completed?|finished|cancell?ed|dropped)$", re.IGNORECASE)
_OPEN = re.compile(
    r"^(?:open|new|to ?do|not started|planned|in progress|started|ongoing|doing|blocked|on hold|waiting|overdue|at risk|on track|pending)$",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"^(?:\W*|tb[acd]|n/?a|none|nobody|someone|somebody|anyone|everyone|all|team|unknown|unassigned|us|we|them|they)$",
    re.IGNORECASE,
)
_LABELLED = re.compile(
    r"\b(?P<key>owner|due|deadline|status)\s*:\s*(?P<value>[^;|()\n]+?)\s*(?=[;|()\n]|,\s*(?:owner|due|deadline|status)\b|$)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-*•–]|\(?\d+[.)])\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    text: str
    owner: str
    due: str
    status: str
    where: str


def check_actions(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Report action items that nobody can be held to."""
    if context.file.suffix.lower() not in KINDS:
        return
    items = list(_items(read_content(context.file), strict=deliverable.role in STRICT_ROLES))
    if not items:
        return
    original = context.sources.file(deliverable.path)
    known = set(_texts(original)) if original is not None else set()
    items = [item for item in items if (item.text, item.owner, item.due, item.status) not in known]
    people = _people(context) if items else ""
    today = date.fromisoformat(str(context.facts["date"])) if "date" in context.facts else None
    count = 0
    for item in items:
        for message, fix in _problems(item, people, today):
            count += 1
            if count <= FINDINGS_LIMIT:
                yield Finding(
                    rule=RULE,
                    level="error",
                    message=f"{message}: “{item.text[:80]}”",
                    location=item.where,
                    fix=fix,
                )


def _texts(original: object) -> Iterator[tuple[str, str, str, str]]:
    try:
        content = read_content(original)  # type: ignore[arg-type]
    except ToolError:
        return
    for item in _items(content, strict=True):
        yield item.text, item.owner, item.due, item.status


def _items(content: Content, *, strict: bool) -> Iterator[_Item]:
    for grid in content.grids:
        yield from _rows(grid)
    listed = list(_listed(content))
    if strict or any(labelled for _, labelled in listed):
        yield from (item for item, _ in listed)


def _listed(content: Content) -> Iterator[tuple[_Item, bool]]:
    """Yield what stands under a heading "Action items", and whether it has an owner, a date or a status at all."""
    inside = 0
    for line in content.lines:
        if _SECTION.match(line.text.strip()):
            inside = line.heading or 9
        elif line.heading and line.heading <= inside:
            inside = 0
        elif inside and not line.in_table and len(line.text.split()) > 2:
            yield _line_item(line.text, line.where), bool(_LABELLED.search(line.text))


def _line_item(text: str, where: str) -> _Item:
    found = {match["key"].lower(): match["value"].strip() for match in _LABELLED.finditer(text)}
    bare = _BULLET.sub("", _LABELLED.sub("", text)).strip(" ;,|()")
    return _Item(
        text=bare,
        owner=found.get("owner", ""),
        due=found.get("due", found.get("deadline", "")),
        status=found.get("status", ""),
        where=where,
    )


def _rows(grid: Grid) -> Iterator[_Item]:
    """Yield the rows of a table whose header has an action, an owner, and a due date or a status."""
    for start, row in enumerate(grid.rows[:5]):
        heads = [cell.strip().rstrip(":") for cell in row]
        action, owner, due, status = (
            next((n for n, head in enumerate(heads) if pattern.match(head)), None)
            for pattern in (_ACTION, _OWNER, _DUE, _STATUS)
        )
        if action is None or owner is None or (due is None and status is None):
            continue
        for number, cells in enumerate(grid.rows[start + 1 :], start + 2):
            texts = [
                cells[place].strip() if place is not None and place < len(cells) else ""
                for place in (action, owner, due, status)
            ]
            if texts[0]:
                yield _Item(
                    text=texts[0],
                    owner=texts[1],
                    due=texts[2],
                    status=texts[3],
                    where=f"{grid.where}, row {number}",
                )
        return


def _problems(item: _Item, people: str, today: date | None) -> Iterator[tuple[str, str]]:
    if _NOBODY.match(item.owner):
        yield "The action has no owner", "Name one person."
    elif people and not _is_known(item.owner, people):
        yield f"No source knows the owner {item.owner}", "Name somebody from the sources."
    if not item.status:
        yield "The action has no status", "Say open, in progress, blocked or done."
    elif not (_OPEN.match(item.status) or _DONE.match(item.status)):
        yield f"{item.status!r} is no status", "Say open, in progress, blocked or done."
    yield from _due_problems(item, today)


def _due_problems(item: _Item, today: date | None) -> Iterator[tuple[str, str]]:
    fix = "Give a day as 2026-12-31."
    if not item.due:
        yield "The action has no due date", fix
        return
    try:
        (moment,) = parse_times([(1, item.due)], "the due date")
    except ToolError:
        yield f"{item.due!r} is no date of the calendar, or may be two", fix
        return
    if moment is not None and today and moment.date() < today and not _DONE.match(item.status):
        yield f"The due date {item.due} is past", "Give a day to come, or say that it is done."


def _people(context: ValidationContext) -> str:
    """Return all that the sources and the user say, in which owners are looked for; nothing without sources."""
    if not list(context.sources):
        return ""
    said = context.facts.get("said", ())
    texts = [str(text) for text in said] if isinstance(said, list | tuple) else []
    for path in context.sources:
        file = context.sources.file(path)
        try:
            texts.append(read_content(file).text if file is not None else "")
        except ToolError:
            continue
    return " ".join("\n".join(texts).lower().split())


def _is_known(owner: str, people: str) -> bool:
    names = [name.strip().lower() for name in re.split(r",|/|&|;|\band\b", owner) if name.strip()]
    return all(
        re.search(rf"(?<!\w){re.escape(' '.join(name.lstrip('@').split()))}(?!\w)", people)
        or _scattered(name, people)
        for name in names
    )


def _scattered(name: str, people: str) -> bool:
    """Say whether a name of several words stands in the sources as cells beside one another."""
    parts = name.split()
    turned = r"\W+".join(re.escape(part) for part in reversed(parts))
    return len(parts) > 1 and re.search(rf"(?<!\w){turned}(?!\w)", people) is not None
