"""The tool that takes personal data out of a Word file or PDF."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.content import read_content
from deskmate_documents.personal import roster as names_of
from deskmate_documents.redacting import KINDS, personal_in, redact_file, result_path
from deskmate_documents.tables import find_files
from deskmate_documents.withheld import check_words, pattern_of, strings_of
from deskmate_hr.marks import map_of
from deskmate_hr.sealing import RECIPIENTS_LIMIT, public_key, seal

ROLE, MAP_ROLE = "redacted", "redaction-map"
TABLES = (".csv", ".tsv", ".xlsx")
_RESULT = " - redacted."


def pii_redact(
    context: ToolContext,
    path: str = "",
    roster: str = "",
    words: list[str] | None = None,
    allow: list[str] | None = None,
    output: str = "",
    request: str = "",
    seal_for: list[str] | None = None,
) -> ToolAnswer:
    """Take personal data out of a Word file or PDF into a new file, and search the result to prove that it is gone.

    Out go e-mail addresses, telephone numbers, payment cards, IBANs and US social security numbers; the names of a roster,
    and of the people who are named in the file first and last name alone; and the words that you give. Comments, tracked
    changes (accepted), properties and metadata go as well. Names that are in no roster and no list stay: read the result.
    With public keys, from `seal_for` or the setting `map_recipients`, a map from each mark to its words is sealed beside it.

    Args:
        context: filled in by Deskmate.
        path: workspace path of a DOCX or PDF. Empty: the only one of the workspace, or the one that the request names.
        roster: workspace path of a table of people (CSV, TSV, XLSX) with a column of names. Empty: none.
        words: further names, nicknames, ids, addresses to take out.
        allow: e-mail addresses and numbers that may stay; only those that the user wrote or the setting has pass the gates.
        output: workspace path of the result. Empty: "<name> - redacted" beside the file.
        request: the user's words; files named there are taken if `path` or `roster` is empty.
        seal_for: public keys (age1…) for which a map from each mark to its words is sealed; only those that the user wrote or the
            setting has pass the gate. Empty: those of the setting.

    Returns:
        `path`; `map`: of the sealed map, "" if there is none; `places`: how many were taken out, by kind: names and words, personal data; `left`: first or last names that
        are ordinary words of the text as well and stayed where they stand alone; `notes`; `summary`.

    Raises:
        ToolInputError: no or several files, a roster without names, nothing to take out, or a key that is none.
    """
    keys = checked_keys(seal_for or context.config.get("map_recipients") or ())
    source = context.file(path or _only(context, request))
    name = context.name_of(source)
    result = result_path(context, name, output)
    roster = roster or _named(context, request)
    stays = list(allow or ())
    people = _people(context.file(roster)) if roster else frozenset()
    found = personal_in(source, stays)
    parts, left = _alone(source, people, check_words([*personal_in(source)]))
    done = redact_file(
        source,
        context.target(result),
        [*people, *parts, *(words or ()), *found],
        context.on_progress,
    )
    made = [_redacted(name, result, roster, done.words)]
    if keys:
        made.append(_sealed(context, source, result, done.words, keys))
    taken = {word: count for word, count in done.counts.items() if count}
    data = sum(count for word, count in taken.items() if word in found)
    places = {"names and words": sum(taken.values()) - data, "personal data": data}
    return ToolAnswer(
        result={
            "path": result,
            "map": made[1].path if keys else "",
            "places": places,
            "left": left,
            "notes": list(done.notes),
            "files": [item.path for item in made],
            "summary": f"{name.rpartition('/')[2]}: {_told(places, left, known=bool(roster))}",
        },
        deliverables=tuple(made),
    )


def _redacted(name: str, result: str, roster: str, words: Sequence[str]) -> Deliverable:
    return Deliverable(
        path=result,
        title=f"Redacted {name.rpartition('/')[2]}",
        role=ROLE,
        sources={"original": name, **({"roster": roster} if roster else {})},
        data={"words": list(words), "personal": True},
    )


def _sealed(
    context: ToolContext, source: Path, result: str, words: Sequence[str], keys: Sequence[str]
) -> Deliverable:
    """Write the sealed map beside the result."""
    name = context.name_of(source)
    target = context.target(f"{result.rpartition('.')[0]} - map.age")
    salt = secrets.token_bytes(32)
    text = map_of(source, name, context.target(result), words)
    target.write_bytes(seal(text, keys, salt))
    return Deliverable(
        path=context.name_of(target),
        title=f"Sealed map of {result.rpartition('/')[2]}",
        role=MAP_ROLE,
        sources={"original": name},
        data={"words": list(words), "redacted": result, "keys": list(keys), "salt": salt.hex()},
    )


def checked_keys(given: Iterable[str]) -> tuple[str, ...]:
    """Return public keys without doubles.

    Raises:
        ToolInputError: one is none, or there are too many.
    """
    keys = tuple(dict.fromkeys(str(key).strip() for key in given))
    for key in keys:
        public_key(key)
    if len(keys) > RECIPIENTS_LIMIT:
        raise ToolInputError(f"A map is sealed for 1 to {RECIPIENTS_LIMIT} keys.")
    return keys


def _told(places: dict[str, int], left: list[str], *, known: bool) -> str:
    """Return what was taken out, and what stayed, in words."""
    taken = (
        f"{places['names and words']} places of names and words and {places['personal data']} of personal data were "
        "taken out; the result was searched and holds none of them."
    )
    stayed = f" Stayed where they stand alone: {', '.join(left)}." if left else ""
    return taken + stayed + ("" if known else " No roster was given, so names stayed.")


def _only(context: ToolContext, request: str) -> str:
    there = [n for n in find_files(context.workspace, KINDS, request) if _RESULT not in n]
    named = [n for n in there if Path(n).name.lower() in request.lower()]
    chosen = named or there
    if len(chosen) != 1:
        raise ToolInputError(
            f"There are {len(chosen)} Word files and PDFs; name the one to redact as `path`."
        )
    return chosen[0]


def _named(context: ToolContext, request: str) -> str:
    said = request.lower()
    there = find_files(context.workspace, TABLES, request)
    return next((n for n in there if Path(n).name.lower() in said), "")


def _people(file: Path) -> frozenset[str]:
    names = frozenset(name for grid in read_content(file).grids for name in names_of(grid.rows))
    if not names:
        raise ToolInputError(f"{file.name} has no column of people's names.")
    return names


def _alone(
    source: Path, people: frozenset[str], data: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return first and last names of those who are named in the file, and those that are ordinary words of it, too."""
    text = "\n".join(item.text for item in strings_of(source) if item.prose)
    text = pattern_of(data).sub("", text)  # the name in an address is no ordinary word
    parts: set[str] = set()
    for person in people:
        if pattern_of([person]).search(text):
            parts |= {part.strip(".,") for part in person.split() if len(part.strip(".,")) > 2}
    ordinary = {
        part
        for part in parts
        if any(m.group().islower() for m in pattern_of(check_words([part])).finditer(text))
    }
    return sorted(parts - ordinary), sorted(ordinary)
