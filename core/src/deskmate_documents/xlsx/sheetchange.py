"""Sheets that get another name or place, or go, with everything in the workbook that names or counts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from deskmate.errors import ToolInputError
from deskmate_documents.opc import OFFICE_RELS, Element, rels_name
from deskmate_documents.parts import forget, reachable
from deskmate_documents.xlsx import naming
from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.formula import split_ref, tokens
from deskmate_documents.xlsx.newsheet import check_title
from deskmate_documents.xlsx.refs import name_of, split_sheet
from deskmate_documents.xlsx.rules import X14
from deskmate_documents.xlsx.sheetnames import (
    change_cells,
    change_parts,
    check_kinds,
    texts_that_name,
    with_sheets,
)
from deskmate_documents.xlsx.sheetpart import q

if TYPE_CHECKING:
    from deskmate_documents.xlsx.edit import Editor

Op = Literal["rename", "move", "remove"]
_SHOWN = 5
_RID = f"{{{OFFICE_RELS}}}id"
_APP = "{http://schemas.openxmlformats.org/officeDocument/2006/extended-properties}"
_TYPES = "{http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetChange:
    """What becomes of a sheet. `to`: its new name, or the sheet that it stands before, "" for the end."""

    op: Op
    sheet: str
    to: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"tab": self.op, "sheet": self.sheet, "to": self.to}

    @classmethod
    def from_json(cls, data: Any) -> SheetChange | None:
        """Return it for `to_json`'s shape; None for any other."""
        if not isinstance(data, Mapping) or data.get("tab") not in get_args(Op):
            return None
        sheet, to = data.get("sheet"), data.get("to", "")
        if not isinstance(sheet, str) or not isinstance(to, str):
            return None
        return cls(op=cast("Op", data["tab"]), sheet=sheet, to=to)

    def name(self, sheet: str) -> str | None:
        """Return what a sheet is called afterwards; None if it is gone."""
        if sheet != self.sheet or self.op == "move":
            return sheet
        return self.to if self.op == "rename" else None


def apply_change(book: Workbook, step: SheetChange) -> list[str]:
    """Change a workbook in memory and return what a person should know; an error leaves it half done, to be thrown away.

    Raises:
        ToolInputError: what cannot be kept as it is meant.
    """
    check_kinds(book)
    sheet = book.sheet(step.sheet)
    notes: list[str] = []
    if step.op == "rename":
        notes = _rename(book, sheet, step.to)
    elif step.op == "move":
        _move(book, sheet, step.to)
    else:
        _remove(book, sheet)
    naming.drop_chain(book)
    book.package.write_xml(book.main, book.root)
    for cached in ("sheets", "names", "tables"):
        book.__dict__.pop(cached, None)
    return notes


def _rename(book: Workbook, sheet: Sheet, name: str) -> list[str]:
    check_title(name)
    if any(s.name.lower() == name.lower() and s != sheet for s in book.sheets):
        raise ToolInputError(f"{book.name} has a sheet {name!r} already.")
    old = sheet.name.lower()
    spoken = [
        f"{s.name}!{name_of(value.place)}"
        for s, value in book.formulas()
        if texts_that_name(value.formula, sheet.name)
    ]

    def change(text: str, where: str) -> str:
        return with_sheets(text, lambda known: name if known.lower() == old else known)

    change_parts(book, sheet.name, change)
    change_cells(book, sheet.name, change)
    for node in book.root.iterfind(f"{q('sheets')}/{q('sheet')}"):
        if node.get("name", "").lower() == old:
            node.set("name", name)
    _titles(book, sheet.name, name)
    notes = []
    if spoken:
        shown = ", ".join(spoken[:_SHOWN]) + (" and others" if len(spoken) > _SHOWN else "")
        notes.append(
            f"Texts in formulas name {sheet.name}, which stay as they are: look at {shown}."
        )
    if book.package.related(book.main, "vbaProject"):
        notes.append(f"Macros may name {sheet.name} as text, which stays as it is: look at them.")
    return notes


def _titles(book: Workbook, old: str, new: str) -> None:
    """Rename the sheet in the list of titles that file managers show."""
    for part in book.package.related("", "extended-properties"):
        root = book.package.parse(part)
        titles = root.find(f"{_APP}TitlesOfParts")
        for node in titles.iter(f"{_TYPES}lpstr") if titles is not None else ():
            text = node.text or ""
            node.text = new if text == old else with_sheets(text, lambda s: new if s == old else s)
        book.package.write_xml(part, root)


def _move(book: Workbook, sheet: Sheet, before: str) -> None:
    group = book.root.find(q("sheets"))
    order = list(group)
    runs = [_run(run, order) for run in _runs(book)]
    node = order[sheet.number]
    target = order[book.sheet(before).number] if before else None
    if target is node:
        return
    group.remove(node)
    group.insert(list(group).index(target) if target is not None else len(group), node)
    now = list(group)
    for run, (text, known) in zip(_runs(book), runs, strict=True):
        if _run(run, now)[1] != known:
            raise ToolInputError(
                f"A formula reads {text}, which would mean other sheets then. Choose another place."
            )
    _recount(book, [now.index(one) for one in order])
    _drop_titles(book)


def _runs(book: Workbook) -> list[tuple[str, str, str]]:
    """Return (text, first, last) of every reference to the same cells of several sheets."""
    found = []

    def note(text: str, where: str) -> str:
        for token in tokens(text) if ":" in text and "!" in text else ():
            prefix = split_ref(token.text)[0] if token.kind == "ref" else ""
            first, colon, last = split_sheet(f"{prefix}A1")[0].lower().partition(":")
            if colon:
                found.append((token.text, first, last))
        return text

    for _, value in book.formulas():
        note(value.formula, "")
    change_parts(book, ":", note)
    return sorted(set(found))


def _run(run: tuple[str, str, str], order: Sequence[Element]) -> tuple[str, frozenset[str]]:
    """Return the reference and the sheets that it reads in this order."""
    text, first, last = run
    names = [node.get("name", "").lower() for node in order]
    if first not in names or last not in names:
        return text, frozenset()
    ends = sorted((names.index(first), names.index(last)))
    return text, frozenset(names[ends[0] : ends[1] + 1])


def _recount(book: Workbook, now: Sequence[int | None]) -> None:
    """Have what counts sheets mean the same ones: `now` is each sheet's place, None for the one that is gone."""
    names = book.root.find(q("definedNames"))
    for node in list(names) if names is not None else ():
        local = node.get("localSheetId", "")
        if local.isdigit() and int(local) < len(now):
            place = now[int(local)]
            if place is None:
                names.remove(node)
            else:
                node.set("localSheetId", str(place))
    if names is not None and not len(names):
        book.root.remove(names)
    states = [n.get("state", "visible") for n in book.root.iterfind(f"{q('sheets')}/{q('sheet')}")]
    for node in book.root.iterfind(f"{q('bookViews')}/{q('workbookView')}"):
        for name in ("activeTab", "firstSheet"):
            given = node.get(name, "")
            if given.isdigit() and int(given) < len(now):
                place = now[int(given)]
                node.set(name, str(states.index("visible") if place is None else place))


def _drop_titles(book: Workbook) -> None:
    """Take out the titles that file managers show: they stand in the order of the sheets, and programs write them anew."""
    for part in book.package.related("", "extended-properties"):
        root = book.package.parse(part)
        gone = [n for name in ("HeadingPairs", "TitlesOfParts") for n in root.iter(_APP + name)]
        for node in gone:
            node.getparent().remove(node)
        if gone:
            book.package.write_xml(part, root)


def _remove(book: Workbook, sheet: Sheet) -> None:
    _check_removal(book, sheet)
    tables = [table.name.lower() for table in book.tables if table.sheet == sheet.name]
    before = reachable(book.package)
    group = book.root.find(q("sheets"))
    order = list(group)
    node = order[sheet.number]
    group.remove(node)
    rels = {node.get(_RID, "")} | _caches(book, sheet)
    _unlink(book, rels)
    kept = list(group)
    _recount(book, [kept.index(one) if one is not node else None for one in order])
    for cached in ("sheets", "names", "tables"):
        book.__dict__.pop(cached, None)
    forget(book.package, before - reachable(book.package))
    _check_left(book, sheet, tables)
    _drop_titles(book)


def _check_removal(book: Workbook, sheet: Sheet) -> None:
    visible = [s for s in book.sheets if s.state == "visible" and s != sheet]
    if not visible:
        raise ToolInputError(f"{sheet.name} is the last sheet that is shown; a workbook needs one.")
    if book.package.related(book.main, "vbaProject"):
        raise ToolInputError(
            f"{book.name} has macros, which hold a part for each sheet; delete {sheet.name} in Excel."
        )
    if book.package.related(book.main, "volatileDependencies"):
        raise ToolInputError(f"{book.name} takes live data into cells; delete the sheet in Excel.")
    number = book.root.findall(f"{q('sheets')}/{q('sheet')}")[sheet.number].get("sheetId", "")
    filtered = [kind for kind in ("slicer", "timeline") if book.package.related(sheet.part, kind)]
    for part in book.package.related(book.main, "slicerCache"):
        root = book.package.parse(part)
        if any(n.get("tabId") == number for n in root.iter(f"{{{X14}}}pivotTable")):
            filtered.append("slicer")
    if filtered:
        raise ToolInputError(f"{sheet.name} belongs to a {filtered[0]}; delete it in Excel first.")


def _caches(book: Workbook, sheet: Sheet) -> set[str]:
    """Return the relationships of pivot caches that only pivot tables of this sheet use, and take their entries out."""
    used: dict[bool, set[str]] = {True: set(), False: set()}
    for other in book.sheets:
        for pivot in book.package.related(other.part, "pivotTable"):
            used[other == sheet] |= set(book.package.related(pivot, "pivotCacheDefinition"))
    own = used[True] - used[False]
    rels = book.package.relationships(book.main)
    gone = {name for name, rel in rels.items() if rel.target in own}
    group = book.root.find(q("pivotCaches"))
    for node in list(group) if group is not None else ():
        if node.get(_RID, "") in gone:
            group.remove(node)
    if group is not None and not len(group):
        book.root.remove(group)
    return gone


def _unlink(book: Workbook, rels: set[str]) -> None:
    name = rels_name(book.main)
    root = book.package.parse(name)
    for node in list(root):
        if node.get("Id") in rels:
            root.remove(node)
    book.package.write_xml(name, root)


def _check_left(book: Workbook, sheet: Sheet, tables: Sequence[str]) -> None:
    """Refuse to let go of a sheet that is named by what is left."""
    found: list[str] = []
    wanted = sheet.name.lower()

    def look(text: str, where: str) -> str:
        if _names_one(text, wanted, tables):
            found.append(where)
        return text

    for other, value in book.formulas():
        place = f"{other.name}!{name_of(value.place)}"
        look(value.formula, place)
        if texts_that_name(value.formula, sheet.name):
            found.append(place)
    for name in (sheet.name, *tables):
        change_parts(book, name, look)
    for part in book.package.related(book.main, "pivotCacheDefinition"):
        sources = book.package.parse(part).iter(q("worksheetSource"))
        found += ["a pivot table" for n in sources if n.get("name", "").lower() in tables]
    if found:
        shown = ", ".join(list(dict.fromkeys(found))[:_SHOWN])
        more = " and more" if len(set(found)) > _SHOWN else ""
        raise ToolInputError(
            f"{sheet.name} is used by {shown}{more}, which would break; change those first."
        )


def _names_one(text: str, sheet: str, tables: Sequence[str]) -> bool:
    """Say whether a formula names this sheet or one of these tables."""
    named: list[str] = []

    def note(name: str) -> str:
        named.append(name.lower())
        return name

    with_sheets(text, note)
    return sheet in named or any(
        token.kind in ("table", "name") and token.text.partition("[")[0].lower() in tables
        for token in (tokens(text) if tables else ())
    )


def change_sheet(editor: Editor, edit: Mapping[str, Any], *, op: Op) -> None:
    """Rename (`sheet`, `name`), move (`sheet`, `before`) or delete (`sheet`) a sheet.

    Raises:
        ToolInputError: as `apply_change`, or the workbook's structure is protected.
    """
    book = editor.book
    lock = book.root.find(q("workbookProtection"))
    locked = lock is not None and lock.get("lockStructure", "0") in ("1", "true")
    if locked and not editor.allow_protected:
        raise ToolInputError(
            f"The structure of {book.name} is protected; if the user agrees, say allow_protected: true."
        )
    sheet = book.sheet(str(edit.get("sheet", "")))
    to = str(edit.get("name" if op == "rename" else "before") or "")
    if op == "move" and to:
        to = book.sheet(to).name
    editor.flush()
    step = SheetChange(op=op, sheet=sheet.name, to="" if op == "remove" else to)
    editor.sheet_changed(step, apply_change(book, step))
