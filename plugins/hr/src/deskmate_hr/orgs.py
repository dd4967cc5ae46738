"""Reporting lines: who reports to whom, layers and spans, and what is wrong with them: cycles, orphans, two managers, several tops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import Table, find_column
from deskmate_hr.walks import IDS, UNITS

MANAGERS = (
    "manager id", "reports to id", "supervisor id", "reports to", "manager", "line manager", "supervisor", "boss",
)  # fmt: skip
NAMES = ("name", "full name", "employee name", "employee", "display name")
TITLES = ("title", "job title", "position", "role", "job")
SETTINGS = ("id", "name", "title", "unit", "manager", "root", "levels", "sheet")
PEOPLE_LIMIT = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person. `manager`: the manager's id as the table has it, empty for none."""

    row: int
    id: str
    name: str
    title: str
    unit: str
    manager: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something wrong. `kind`: cycle, orphan, own manager, two managers, stands twice, several tops or no top."""

    kind: str
    ids: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """The tree below its root, and everything that does not belong to it. `layers`: id → layer from 1, of the tree only."""

    people: Mapping[str, Person]
    root: str
    reports: Mapping[str, tuple[str, ...]]
    layers: Mapping[str, int]
    troubles: tuple[Trouble, ...]

    def everybody(self, key: str) -> int:
        """Return how many people report to somebody, directly or not."""
        found, rest = 0, list(self.reports.get(key, ()))
        while rest:
            found += 1
            rest += self.reports.get(rest.pop(), ())
        return found

    @property
    def apart(self) -> list[Person]:
        """Those who are not connected to the top, in the order of the table."""
        return [person for key, person in self.people.items() if key not in self.layers]


def read_organisation(table: Table, settings: Mapping[str, str]) -> Organisation:
    """Return the organisation of a table with a row a person.

    Managers are named by id, or by a name that occurs once.

    Raises:
        ToolInputError: a column or id is missing, nobody is the top, or there are too many people.
    """
    unknown = set(settings) - set(SETTINGS)
    if unknown:
        raise ToolInputError(f"Setting {min(unknown)!r} is unknown; use {', '.join(SETTINGS)}.")
    if not 1 <= len(table.rows) <= PEOPLE_LIMIT:
        raise ToolInputError(
            f"{table.name} has {len(table.rows)} people; give 1 to {PEOPLE_LIMIT}."
        )
    people, troubles = _people(table, settings)
    known, unclear = _resolved(people)
    troubles += unclear
    root, tops = _root(known, settings.get("root", ""), table.name)
    troubles += tops
    reports: dict[str, list[str]] = {}
    for person in known.values():
        if person.id != root and person.manager in known and person.manager != person.id:
            reports.setdefault(person.manager, []).append(person.id)
    layers = {root: 1}
    rest = [root]
    for key in rest:
        for below in reports.get(key, ()):
            if below not in layers:
                layers[below] = layers[key] + 1
                rest.append(below)
    troubles += [
        Trouble(
            kind="cycle",
            ids=ids,
            text=f"{' → '.join([*ids, ids[0]])} report to each other in a circle",
        )
        for ids in cycles(known)
    ]
    return Organisation(
        people=known,
        root=root,
        reports={key: tuple(below) for key, below in reports.items()},
        layers=layers,
        troubles=tuple(troubles),
    )


def _people(table: Table, settings: Mapping[str, str]) -> tuple[dict[str, Person], list[Trouble]]:
    """Return the people by id; who stands in several rows is one person, with a trouble."""
    columns = {
        "id": find_column(table, IDS, settings.get("id", "")),
        "name": find_column(table, NAMES, settings.get("name", "")),
        "manager": find_column(table, MANAGERS, settings.get("manager", "")),
        "title": find_column(table, TITLES, settings.get("title", "")),
        "unit": find_column(table, UNITS, settings.get("unit", "")),
    }
    key, manager = columns["id"] or columns["name"], columns["manager"]
    if key is None or manager is None or key == manager:
        raise ToolInputError(
            f"{table.name} needs columns for employee id (or name) and manager; it has {', '.join(table.columns)}."
        )
    people: dict[str, Person] = {}
    troubles = []
    for row in table.rows:
        cells = {
            what: " ".join(row.cells[table.columns.index(c)].split())
            for what, c in columns.items()
            if c
        }
        own = cells.get("id") or cells.get("name", "")
        if not own:
            raise ToolInputError(f"{table.name}, row {row.number}: the employee id is missing.")
        person = Person(
            row=row.number,
            id=own,
            name=cells.get("name") or own,
            title=cells.get("title", "") if columns["title"] not in (key, manager) else "",
            unit=cells.get("unit", ""),
            manager=cells["manager"],
        )
        first = people.get(own)
        if first is None:
            people[own] = person
            continue
        if person.manager and person.manager != first.manager:
            names = (first.manager or "nobody", person.manager)
            text = f"{own} has two managers: {names[0]} (row {first.row}) and {names[1]} (row {row.number}); drawn below {names[0]}"
            troubles.append(Trouble(kind="two managers", ids=(own,), text=text))
        else:
            text = f"{own} stands in rows {first.row} and {row.number}"
            troubles.append(Trouble(kind="stands twice", ids=(own,), text=text))
    return people, troubles


def _resolved(people: Mapping[str, Person]) -> tuple[dict[str, Person], list[Trouble]]:
    """Return everybody with the manager as an id, and whose manager is not there or is themselves."""
    names: dict[str, list[str]] = {}
    for person in people.values():
        names.setdefault(person.name.lower(), []).append(person.id)
    found, troubles = {}, []
    for key, person in people.items():
        wanted = person.manager
        if wanted and wanted not in people:
            same = names.get(wanted.lower(), [])
            wanted = same[0] if len(same) == 1 else wanted
            if wanted not in people:
                why = "is the name of several people" if same else "is not in the table"
                text = f"{key} reports to {person.manager}, who {why}"
                troubles.append(Trouble(kind="orphan", ids=(key,), text=text))
        if wanted == key:
            text = f"{key} reports to themselves"
            troubles.append(Trouble(kind="own manager", ids=(key,), text=text))
        found[key] = Person(
            row=person.row,
            id=key,
            name=person.name,
            title=person.title,
            unit=person.unit,
            manager=wanted,
        )
    return found, troubles


def _root(people: Mapping[str, Person], wanted: str, name: str) -> tuple[str, list[Trouble]]:
    tops = [key for key, person in people.items() if not person.manager or person.manager == key]
    if wanted:
        same = [key for key, person in people.items() if wanted in (key, person.name)]
        if len(same) != 1:
            raise ToolInputError(
                f"{name}: {len(same)} people are called {wanted!r}; give the root by its id."
            )
        root = same[0]
    elif not tops:
        raise ToolInputError(
            f"{name}: everybody has a manager, so nobody is the top; give the id of the top as `root`."
        )
    else:
        sizes = {key: sum(1 for _ in _below(people, key)) for key in tops}
        root = max(tops, key=lambda key: (sizes[key], -people[key].row))
    others = [key for key in tops if key != root and people[key].manager != key]
    if not others:
        return root, []
    text = f"{', '.join(others[:12])} have no manager either; {root} is taken as the top"
    return root, [Trouble(kind="several tops", ids=tuple(others), text=text)]


def _below(people: Mapping[str, Person], key: str) -> Iterator[str]:
    reports: dict[str, list[str]] = {}
    for person in people.values():
        if person.manager != person.id:
            reports.setdefault(person.manager, []).append(person.id)
    seen, rest = {key}, [key]
    for one in rest:
        for below in reports.get(one, ()):
            if below not in seen:
                seen.add(below)
                rest.append(below)
                yield below


def cycles(people: Mapping[str, Person]) -> list[tuple[str, ...]]:
    """Return the circles of more than one person, each once, beginning with who stands first in the table."""
    order = {key: place for place, key in enumerate(people)}
    found, done = [], set()
    for key in people:
        path: list[str] = []
        at = key
        while at in people and at not in done and at not in path:
            path.append(at)
            at = people[at].manager
        if at in path and len(path) > path.index(at) + 1:
            circle = path[path.index(at) :]
            first = min(range(len(circle)), key=lambda n: order[circle[n]])
            found.append((*circle[first:], *circle[:first]))
        done.update(path)
    return found


def spans_of(organisation: Organisation) -> list[tuple[int, int, int]]:
    """Return (layer, people, managers among them) of each layer of the tree."""
    found: dict[int, list[int]] = {}
    for key, layer in organisation.layers.items():
        row = found.setdefault(layer, [0, 0])
        row[0] += 1
        row[1] += bool(organisation.reports.get(key))
    return [(layer, *found[layer]) for layer in sorted(found)]  # type: ignore[misc]


def walk(organisation: Organisation) -> Sequence[str]:
    """Return the tree from the top, each manager before the reports, branch by branch."""
    found, rest = [], [organisation.root]
    while rest:
        key = rest.pop()
        found.append(key)
        rest += reversed(organisation.reports.get(key, ()))
    return found
