"""The difference of two workbooks by meaning: cells, formulas, styles, sheets, names and what is around them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from deskmate.errors import ToolInputError
from deskmate_documents.inventory import Feature, compare, inventory, part_changes
from deskmate_documents.opc import OFFICE_RELS, TYPES_PART, Element, canonical, resolve
from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.cells import Value
from deskmate_documents.xlsx.declared import Declared
from deskmate_documents.xlsx.extensions import X15
from deskmate_documents.xlsx.graph import Graph
from deskmate_documents.xlsx.refs import COLUMNS, Area, Place, name_of
from deskmate_documents.xlsx.rules import X14
from deskmate_documents.xlsx.sheetpart import q

_RID = f"{{{OFFICE_RELS}}}id"
AREA_LIMIT = 60_000
_RULES = frozenset({"conditional format", "conditional format (2010)"})
_VALIDATIONS = frozenset({"data validation", "data validation (2010)"})
Kind = Literal["value", "formula", "result", "style", "row", "sheet", "feature", "part"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. `sheet`, `place`: of a cell. `result`: only the stored result of an equal formula.

    `was_missing`: nothing was stored there before.
    """

    kind: Kind
    message: str
    sheet: str = ""
    place: Place | None = None
    location: str = ""
    was_missing: bool = False


def changes(before: Workbook, after: Workbook) -> Iterator[Change]:
    """Yield every difference between the cells of two workbooks, sheet by sheet, and missing or new sheets."""
    old = {sheet.name: sheet for sheet in before.sheets}
    new = {sheet.name: sheet for sheet in after.sheets}
    for name in old.keys() - new.keys():
        yield Change(kind="sheet", sheet=name, message=f"The sheet {name} is gone.")
    for name in new.keys() - old.keys():
        yield Change(kind="sheet", sheet=name, message=f"The sheet {name} is new.")
    shared = [s.name for s in before.sheets if s.name in new]
    if shared != [s.name for s in after.sheets if s.name in old]:
        yield Change(kind="sheet", message="The sheets are in another order.")
    support = _same_support(before, after)
    for name in shared:
        if old[name].state != new[name].state:
            text = f"The sheet {name} was {old[name].state} and is {new[name].state}."
            yield Change(kind="sheet", sheet=name, message=text)
        if old[name].kind == new[name].kind == "worksheet":
            yield from _cells(before, after, old[name], new[name], support)


def _cells(
    before: Workbook, after: Workbook, old: Sheet, new: Sheet, support: bool
) -> Iterator[Change]:
    same = before.package.read(old.part) == after.package.read(new.part)
    if same and support:
        return
    areas = _differing_rows(before, after, old, new) if support else [None]
    for area in areas:
        left = {value.place: value for value in before.values(old, area)}
        for value in after.values(new, area):
            yield from _cell(before, after, new.name, left.pop(value.place, None), value)
        for value in left.values():
            yield from _cell(before, after, new.name, value, None)
    if not same:
        yield from _rows(before, after, old, new)
    before.forget(old)
    after.forget(new)


def _differing_rows(
    before: Workbook, after: Workbook, old: Sheet, new: Sheet
) -> Sequence[Area | None]:
    """Return the rows whose bytes differ, or [None] for all, where equal bytes may mean different formulas."""
    if any(b"shared" in book.package.read(s.part) for book, s in ((before, old), (after, new))):
        return [None]
    left, right = before.part(old).raw_rows, after.part(new).raw_rows
    numbers = sorted(n for n in left.keys() | right.keys() if left.get(n) != right.get(n))
    return [Area(number, 1, number, COLUMNS) for number in numbers]


def _same_support(before: Workbook, after: Workbook) -> bool:
    """Say whether texts and styles have the same numbers in both, so that equal bytes mean equal cells."""
    return before.strings == after.strings and all(
        before.styles.meaning(n) == after.styles.meaning(n) for n in range(before.styles.count)
    )


def _cell(
    before: Workbook, after: Workbook, sheet: str, old: Value | None, new: Value | None
) -> Iterator[Change]:
    place = (new or old).place  # type: ignore[union-attr]
    label = f"{sheet}!{name_of(place)}"

    def change(kind: Kind, was: str, now: str) -> Change:
        message = f"{label} was {was[:80] or 'empty'} and is {now[:80] or 'empty'}."
        return Change(
            kind=kind,
            sheet=sheet,
            place=place,
            location=label,
            message=message,
            was_missing=old is None or old.kind == "empty",
        )

    was, now = _shown(old), _shown(new)
    formulas = [(v.formula, v.array, v.meta) if v else ("", "", "") for v in (old, new)]
    if formulas[0] != formulas[1]:
        yield change("formula", was, now)
    elif (old.kind if old else "empty", old.text if old else "") != (
        new.kind if new else "empty",
        new.text if new else "",
    ):
        plain = not (new and new.formula)
        yield change(
            "value" if plain else "result", old.text if old else "", new.text if new else ""
        )
    looks = [book.styles.meaning(v.style) if v else "" for book, v in ((before, old), (after, new))]
    if looks[0] != looks[1] and (
        (old and new) or _is_styled(before, old) or _is_styled(after, new)
    ):
        yield change("style", "of another style" if old else "", "of a new one" if new else "")


def _is_styled(book: Workbook, value: Value | None) -> bool:
    return value is not None and value.style != 0


def _shown(value: Value | None) -> str:
    if value is None:
        return ""
    return f"={value.formula}" if value.formula else value.text


def _rows(before: Workbook, after: Workbook, old: Sheet, new: Sheet) -> Iterator[Change]:
    """Yield rows whose height, visibility or style differs; a new row without any is none."""
    looks = []
    for book, sheet in ((before, old), (after, new)):
        found = {}
        for number, row in book.part(sheet).rows():
            kept = {
                k: v
                for k, v in row.attrib.items()
                if k not in ("r", "spans") and "dyDescent" not in k
            }
            if kept:
                found[number] = kept
        looks.append(found)
    for number in sorted(looks[0].keys() | looks[1].keys()):
        if looks[0].get(number) != looks[1].get(number):
            text = f"Row {number} of {new.name} has another height, visibility or style."
            yield Change(
                kind="row", sheet=new.name, location=f"{new.name}, row {number}", message=text
            )


def undeclared(before: Workbook, after: Workbook, declared: Declared) -> Iterator[Change]:
    """Yield the differences that no edit declared: cells, rows, sheets, features and parts.

    Stored results may differ where a declared cell reaches them, or a volatile function makes them.
    """
    starts: list[tuple[str, Place]] = []
    for sheet, areas in declared.cells.items():
        for area in areas:
            if area.size > AREA_LIMIT or len(starts) > AREA_LIMIT:
                text = f"The edits declare more than {AREA_LIMIT} cells ({sheet}!{area})."
                yield Change(kind="feature", location=sheet, message=text)
                return
            starts += [(sheet, place) for place in area.cells()]
    graph = Graph(before)
    reached = graph.dependents(starts, limit=1_000_000)[0]
    for change in changes(before, after):
        spot = (change.sheet, change.place) if change.place else None
        if change.place and declared.allows(change.sheet, change.place):
            continue
        if change.kind == "result" and spot in reached:
            continue
        yield change
    yield from _features(before, after, declared)
    yield from _parts(before, after, declared)


def _features(before: Workbook, after: Workbook, declared: Declared) -> Iterator[Change]:
    equal = equal_sheets(before, after)
    found = compare(inventory(before.package, equal), inventory(after.package, equal))
    for verb, features in (("lost", found.lost), ("new", found.gained), ("changed", found.changed)):
        for feature in features:
            if feature.kind in _RULES and feature.where in declared.rules:
                continue
            if feature.kind in _VALIDATIONS and feature.where in declared.validations:
                continue
            if feature.kind == "defined name" and feature.name in declared.names:
                continue
            if (
                feature.kind == "calculation settings"
                and verb != "lost"
                and _only_calculates(before, after)
            ):
                continue
            if _is_of_table(before, feature, declared) or (
                verb != "lost" and _is_of_part(feature, declared)
            ):
                continue
            where = f" of {feature.where}" if feature.where else ""
            name = f" {feature.name}" if feature.name else ""
            yield Change(
                kind="feature",
                location=feature.where,
                message=f"{feature.kind}{name}{where}: {verb}.",
            )


def equal_sheets(before: Workbook, after: Workbook) -> frozenset[str]:
    """Return the worksheets' parts that have the same bytes and the same sheet name in both."""
    old = {sheet.part: sheet for sheet in before.sheets}
    return frozenset(
        sheet.part
        for sheet in after.sheets
        if sheet.part in old
        and old[sheet.part].name == sheet.name
        and before.package.read(sheet.part) == after.package.read(sheet.part)
    )


def _is_of_table(book: Workbook, feature: Feature, declared: Declared) -> bool:
    """Say whether a feature is a declared table, or the filter within it."""
    parts = {t.part.rpartition("/")[2] for t in book.tables if t.name in declared.tables}
    return (feature.kind == "table" and feature.name in parts) or (
        feature.kind in ("filter", "sort order") and feature.where in parts
    )


def _is_of_part(feature: Feature, declared: Declared) -> bool:
    """Say whether a feature is a declared part, or stands within one."""
    parts = {part.rpartition("/")[2] for part in declared.parts}
    return bool({feature.name, feature.where} & parts)


def _only_calculates(before: Workbook, after: Workbook) -> bool:
    old, new = (dict(_attributes(book.root.find(q("calcPr")))) for book in (before, after))
    new.pop("fullCalcOnLoad", None)
    old.pop("fullCalcOnLoad", None)
    return old == new


def _attributes(node: Element | None) -> dict[str, str]:
    return dict(node.attrib) if node is not None else {}


def _parts(before: Workbook, after: Workbook, declared: Declared) -> Iterator[Change]:
    """Yield parts that differ by meaning and that neither cells nor features tell of."""
    told = {s.part for s in (*before.sheets, *after.sheets) if s.kind == "worksheet"} | {after.main}
    told |= {table.part for table in before.tables if table.name in declared.tables}
    for name, verb in part_changes(before.package, after.package).items():
        if name.endswith("/calcChain.xml"):
            continue
        if verb == "changed" and (name in told or _same_meaning(before, after, name, declared)):
            continue
        grown = (
            verb == "added"
            or not name.startswith("xl/drawings/")
            or _only_grown(before, after, name)
        )
        if verb != "removed" and (
            (name in declared.parts and grown) or _links_declared(after, name, declared)
        ):
            continue
        if name == before.styles_part and declared.styles and _only_appended(before, after):
            continue
        yield Change(kind="part", location=name, message=f"The part {name} is {verb}.")
    yield from _frames(before, after, declared)


def _only_grown(before: Workbook, after: Workbook, name: str) -> bool:
    """Say whether everything that a drawing showed is still there, before what is new."""
    old, new = (book.package.parse(name) for book in (before, after))
    return len(new) >= len(old) and all(
        canonical(a) == canonical(b) for a, b in zip(old, new, strict=False)
    )


def _prune(root: Element, node: Element) -> None:
    """Take a node out, and whatever held nothing else."""
    holder = node.getparent()
    holder.remove(node)
    if holder is not root and len(holder) == 0:
        _prune(root, holder)


def _links_declared(after: Workbook, name: str, declared: Declared) -> bool:
    """Say whether a new part of relationships belongs to declared parts, or points to such ones only."""
    if not name.endswith(".rels"):
        return False
    folder, _, file = name.rpartition("_rels/")
    owner = folder + file.removesuffix(".rels")
    return owner in declared.parts or all(
        not rel.external and rel.target in declared.parts
        for rel in after.package.relationships(owner).values()
    )


def _same_meaning(before: Workbook, after: Workbook, name: str, declared: Declared) -> bool:
    if not name.lower().endswith((".xml", ".rels", ".vml")):
        return False
    try:
        roots = [book.package.parse(name) for book in (before, after)]
    except ToolInputError:
        return False
    if name == TYPES_PART or name.endswith(".rels"):
        # in any order, without the chain of calculation, which may go, and without declared parts
        folder, _, file = name.rpartition("_rels/")
        owner = folder + file.removesuffix(".rels")
        lists = [
            Counter(
                tuple(sorted(n.attrib.items()))
                for n in root
                if "calcChain" not in str(n.attrib)
                and not n.get("PartName", "").endswith(".rels")
                and resolve(owner, n.get("Target") or n.get("PartName", "")) not in declared.parts
            )
            for root in roots
        ]
        return lists[0] == lists[1]
    return canonical(roots[0]) == canonical(roots[1])


def _only_appended(before: Workbook, after: Workbook) -> bool:
    """Say whether every style, font, fill and number format is still there under its number."""
    for group in before.styles.root:
        other = after.styles.root.find(group.tag)
        if other is None or len(other) < len(group):
            return False
        if any(canonical(a) != canonical(b) for a, b in zip(group, other, strict=False)):
            return False
    return True


def _frames(before: Workbook, after: Workbook, declared: Declared) -> Iterator[Change]:
    """Yield what a worksheet or the workbook holds besides rows, rules, validations and names, if it differs."""
    new = {sheet.name: sheet for sheet in after.sheets}
    for sheet in before.sheets:
        other = new.get(sheet.name)
        if other is None or sheet.kind != "worksheet" or other.kind != "worksheet":
            continue
        if before.package.read(sheet.part) == after.package.read(other.part):
            continue
        frames = [book.part(s).skeleton() for book, s in ((before, sheet), (after, other))]
        drawn = frames[0].find(q("drawing")) is not None
        texts = [_stripped(frame, declared, sheet.name, drawn=drawn) for frame in frames]
        before.forget(sheet)
        after.forget(other)
        if texts[0] != texts[1]:
            text = (
                f"Something besides the cells of {sheet.name} differs (layout, links or settings)."
            )
            yield Change(kind="feature", location=sheet.name, message=text)
    roots = [_bare_workbook(book, declared) for book in (before, after)]
    if roots[0] != roots[1]:
        yield Change(
            kind="feature", location="workbook", message="Something of the workbook itself differs."
        )


def _stripped(frame: Element, declared: Declared, sheet: str, *, drawn: bool) -> bytes:
    """Return what a frame says besides what was declared; `drawn`: the original had a drawing, which it keeps."""
    gone = [q("dimension"), q("sheetData")]
    if sheet in declared.frames:
        gone += [f"{{{X14}}}slicerList"]
        gone += [] if drawn else [q("drawing")]
    if sheet in declared.rules:
        gone += [q("conditionalFormatting"), f"{{{X14}}}conditionalFormattings"]
    if sheet in declared.validations:
        gone += [q("dataValidations"), f"{{{X14}}}dataValidations"]
    for node in list(frame.iter(*gone)):
        holder = node.getparent()
        holder.remove(node)
        while holder is not frame and len(holder) == 0:
            holder, empty = holder.getparent(), holder
            holder.remove(empty)
    return b"".join(canonical(node) for node in frame)


def _bare_workbook(book: Workbook, declared: Declared) -> bytes:
    """Return what the workbook's part says, without names, calculation and the caches of declared pivot tables."""
    rels = book.package.relationships(book.main)
    found = []
    root = copy.deepcopy(book.root)
    for node in (
        list(root.iter(*(f"{{{s}}}slicerCaches" for s in (X14, X15)))) if declared.caches else ()
    ):
        kept = [
            n
            for n in node
            if (r := rels.get(n.get(_RID, ""))) is None or r.target not in declared.parts
        ]
        if not kept:
            _prune(root, node)
        for child in list(node):
            if child not in kept:
                node.remove(child)
    for node in root:
        if node.tag in (q("definedNames"), q("calcPr")):
            continue
        if node.tag == q("pivotCaches"):
            kept = [
                n
                for n in node
                if (r := rels.get(n.get(_RID, ""))) is None or r.target not in declared.parts
            ]
            found += [canonical(n) for n in kept]
            continue
        found.append(canonical(node))
    return b"".join(found)
