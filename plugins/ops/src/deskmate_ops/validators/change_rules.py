"""OPS-CHANGE-CHECKED: verdicts and open points of changes are those that their table and the calendar give, found again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction

from deskmate_documents.shown import sheet_problems
from deskmate_ops.change_book import (
    CHANGES,
    CHECKS,
    HEADER,
    NOT_NAMED,
    POINT_HEADER,
    POINTS,
    SCHEDULE,
    SCHEDULE_HEADER,
    TERMS,
    UNRATED,
    Checked,
    moment,
    term_lines,
)
from deskmate_ops.changes import NOT_READY, NOTHING, READY, Change, missing_of, risk_gaps

Sheets = Mapping[str, Sequence[Sequence[str]]]
Found = list[tuple[str, str, str]]


def change_problems(
    shown: Sheets, checked: Checked, sources: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield what is otherwise than the sources have it, and open points that are hidden or made up."""
    right = _points(checked)
    counts: dict[str, int] = defaultdict(int)
    for key, _, _ in right:
        counts[key] += 1
    rows = [list(HEADER)]
    for change in checked.changes:
        count = counts[change.id]
        rows.append(
            [
                change.id,
                change.title,
                _class(change) or UNRATED,
                moment(change.start),
                moment(change.end),
                change.texts.get("systems", "") or NOT_NAMED,
                change.texts.get("requester", "") or NOT_NAMED,
                ", ".join(change.approvers) or NOT_NAMED,
                str(count),
                NOT_READY if count else READY,
                str(change.row),
            ]
        )
    listed = [list(row) for row in shown.get(POINTS, ())]
    expected = {
        CHANGES: rows,
        POINTS: listed,
        SCHEDULE: _schedule(checked),
        TERMS: [["Term", "Value"], *([a, b] for a, b in term_lines(checked, sources))],
    }
    yield from sheet_problems(shown, expected)
    yield from _listed(listed, right)


def _listed(shown: Sequence[Sequence[str]], right: Found) -> Iterator[tuple[str, str]]:
    if not shown or tuple(shown[0][:3]) != POINT_HEADER:
        yield "The sheet has not the columns of open points.", f"sheet {POINTS}"
        return
    ids = {row[0] for row in shown[1:]} - {"none", ""} - {f"{check} in all" for check in CHECKS}
    named = [(row[0], row[1], row[2]) for row in shown[1:] if row[0] in ids]
    for point in right:
        if point not in named:
            yield f"{point[0]}: {point[2]}; the open points do not say so.", f"sheet {POINTS}"
    for point in named:
        if point not in right:
            yield f"The open point {point[2][:80]!r} of {point[0]} is none.", f"sheet {POINTS}"
    if len(named) != len(right):
        yield f"There are {len(named)} open points; {len(right)} are right.", f"sheet {POINTS}"
    sums = {row[0]: row[2] for row in shown[1:] if row[0].endswith(" in all")}
    for check in CHECKS:
        count = str(sum(kind == check for _, kind, _ in right))
        if sums.get(f"{check} in all") != count:
            yield (
                f"{check} in all is {sums.get(f'{check} in all')!r}; it is {count}.",
                f"sheet {POINTS}",
            )


def _class(change: Change) -> str:
    """Return the class by the sum of both levels: up to 3 low, 4 medium, from 5 on high."""
    words = {"low": 1, "minor": 1, "1": 1, "medium": 2, "moderate": 2, "2": 2}
    words |= dict.fromkeys(("high", "major", "significant", "3"), 3)
    levels = [words.get(change.texts.get(what, "").lower(), 0) for what in ("impact", "likelihood")]
    if not all(levels):
        return ""
    return "low" if sum(levels) <= 3 else "medium" if sum(levels) == 4 else "high"


def _points(checked: Checked) -> Found:
    clashes = _clashes(checked.changes)
    found: Found = []
    for change in checked.changes:
        found += [(change.id, "complete", text) for text in missing_of(change, checked.rules)]
        found += [(change.id, "risk", text) for text in risk_gaps(change)]
        found += [(change.id, "approval", text) for text in _approval(change, checked)]
        found += [(change.id, "roll-back", text) for text in _rollback(change)]
        found += [
            (change.id, "window", text) for text in (*_window(change, checked), *clashes[change.id])
        ]
    return found


def _approval(change: Change, checked: Checked) -> Iterator[str]:
    if "approvers" not in checked.rules.needed:
        return
    asking = change.texts.get("requester", "").lower()
    own = sum(name.lower() == asking for name in change.approvers)
    if own:
        yield "its requester is among its approvers"
    level = _class(change)
    wanted = checked.rules.approvers[level or "high"]
    there = len(change.approvers) - own
    if there < wanted:
        what = f"a {level} risk" if level else "a risk that is not rated"
        yield f"{there} of {wanted} approvers besides the requester, as {what} needs"


def _rollback(change: Change) -> Iterator[str]:
    texts = [change.texts.get(what, "") for what in ("rollback", "tested")]
    words = ("it cannot be rolled back", "its roll-back is not tested")
    for text, word in zip(texts, words, strict=True):
        if NOTHING.fullmatch(text):
            yield f"{word}: {text or 'nothing is said'}"
            return


def _window(change: Change, checked: Checked) -> Iterator[str]:
    if change.start is None or change.end is None:
        return
    begin, finish = change.start.timestamp(), change.end.timestamp()
    if finish <= begin:
        yield "its window ends before it begins"
        return
    if begin < checked.today.timestamp():
        yield f"its window began on {change.start:%Y-%m-%d %H:%M}, which is past"
    hours = (finish - begin) / 3600
    if checked.rules.hours and hours > checked.rules.hours:
        yield f"its window is {hours:g} hours long, more than {checked.rules.hours}"
    for freeze in checked.freezes:
        shared = max(begin, freeze.start.timestamp()) < min(finish, freeze.end.timestamp())
        meant = (
            not freeze.systems
            or not change.systems
            or any(s in freeze.systems for s in change.systems)
        )
        if shared and meant:
            yield f"it lies in the freeze {freeze.name}, {moment(freeze.start)} to {moment(freeze.end)}"


def _clashes(changes: Sequence[Change]) -> dict[str, list[str]]:
    """Return the overlaps of each change, by going through all begins and ends in the order of time."""
    events = []
    for place, change in enumerate(changes):
        if change.start is not None and change.end is not None and change.start < change.end:
            events += [(change.start, 1, place), (change.end, 0, place)]
    under_way: set[int] = set()
    pairs: set[tuple[int, int]] = set()
    for _, begins, place in sorted(events):
        if begins:
            pairs |= {(min(place, other), max(place, other)) for other in under_way}
            under_way.add(place)
        else:
            under_way.discard(place)
    found: dict[str, list[str]] = defaultdict(list)
    for one, other in sorted(pairs):
        shared = ", ".join(
            sorted(s for s in set(changes[one].systems) if s in changes[other].systems)
        )
        if shared:
            found[changes[one].id].append(f"it overlaps {changes[other].id} on {shared}")
            found[changes[other].id].append(f"it overlaps {changes[one].id} on {shared}")
    return found


def _schedule(checked: Checked) -> list[list[str]]:
    rows = [list(SCHEDULE_HEADER)]
    lines = [(moment(c.start), c.row, c) for c in checked.changes if c.start is not None]
    for start, row, change in sorted(lines, key=lambda line: line[:2]):
        rows.append(
            [
                "change",
                change.id,
                change.title,
                start,
                moment(change.end),
                _hours(change.start, change.end),
                str(row),
            ]
        )
    for freeze in checked.freezes:
        rows.append(
            [
                "freeze",
                "",
                freeze.name,
                moment(freeze.start),
                moment(freeze.end),
                _hours(freeze.start, freeze.end),
                str(freeze.row),
            ]
        )
    return rows


def _hours(start: object, end: object) -> str:
    if not isinstance(start, datetime) or not isinstance(end, datetime):
        return ""
    return str(float(Fraction(int(end.timestamp() - start.timestamp()), 3600)))
