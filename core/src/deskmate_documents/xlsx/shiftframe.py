"""What a worksheet holds besides its rows, when rows or columns come in or go: views, rules, validations, links."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import OFFICE_RELS, Element
from deskmate_documents.xlsx.refs import Area, name_of, parse_areas
from deskmate_documents.xlsx.rules import X14, XM
from deskmate_documents.xlsx.sheetpart import q
from deskmate_documents.xlsx.shift import Formulas, Shift

_AREAS = {
    "dimension": ("ref",), "protectedRange": ("sqref",), "inputCells": ("r",), "scenarios": ("sqref",),
    "autoFilter": ("ref",), "sortState": ("ref",), "sortCondition": ("ref",), "mergeCell": ("ref",),
    "hyperlink": ("ref",), "cellWatch": ("r",), "ignoredError": ("sqref",), "cellSmartTags": ("r",),
}  # fmt: skip
"""Element → attributes that say which cells it is for; an element whose cells are all gone goes too."""
_GROUPS = ("conditionalFormatting", "dataValidation")
_TEXTS = frozenset({"formula", "formula1", "formula2"})
_RID = f"{{{OFFICE_RELS}}}id"
_COUNTED = ("mergeCells", "dataValidations")


class FrameShift:
    """Shifts the frame of one worksheet; `notes` collects what a person should look at."""

    def __init__(self, frame: Element, sheet: str, formulas: Formulas) -> None:
        """`frame`: the worksheet without its rows, to be changed."""
        self._frame = frame
        self._sheet = sheet
        self._formulas = formulas
        self._shift: Shift = formulas.shift
        self._moves = sheet == formulas.shift.sheet
        self.notes: list[str] = []

    def apply(self) -> None:
        """Shift all of it.

        Raises:
            ToolInputError: something cannot be kept as it is meant.
        """
        for node in list(self._frame.iter()):
            if isinstance(node.tag, str) and etree.QName(node).localname in _GROUPS:
                self._group(node)
        for node in self._frame.iter(f"{{{XM}}}f"):
            if not _is_grouped(node):
                node.text = self._formulas.shifted(node.text or "", self._sheet).text
        self._links()
        if not self._moves:
            return
        self._plain_areas()
        self._listed()
        self._views()
        self._breaks()
        if self._shift.axis == "columns":
            self._columns()
        self._tidy()

    def _group(self, group: Element) -> None:
        """Shift a rule's or validation's formulas, which are written for its first cell, and its cells."""
        listed = group.find(f"{{{XM}}}sqref")
        text = group.get("sqref") if listed is None else listed.text
        areas = parse_areas(text or "")
        for holder, name in _formulas_of(group):
            formula = (holder.text if name is None else holder.get(name)) or ""
            found = self._formulas.anchored(formula, self._sheet, areas)
            if not found.even:
                self.notes.append(
                    f"The rule or validation of {self._sheet}!{text} reads cells beside its own across the rows or "
                    "columns that came or went; look whether it still says what you mean."
                )
            if name is None:
                holder.text = found.text
            else:
                holder.set(name, found.text)
        if not self._moves:
            return
        now = self._shift.areas(text or "")
        if not now:
            _drop(self._frame, group)
        elif listed is None:
            group.set("sqref", now)
        else:
            listed.text = now

    def _links(self) -> None:
        for node in self._frame.iterfind(f"{q('hyperlinks')}/{q('hyperlink')}"):
            place = node.get("location", "")
            if place and not node.get(_RID):  # with one it is a place in another file
                node.set("location", self._formulas.shifted(place, self._sheet).text)
        for node in self._frame.iter(q("dataRef")):
            own = node.get("sheet", "").lower() == self._shift.sheet.lower() and not node.get(_RID)
            if own and node.get("ref"):
                node.set("ref", self._shift.areas(node.get("ref")) or node.get("ref"))

    def _plain_areas(self) -> None:
        for node in list(self._frame.iter()):
            if not isinstance(node.tag, str):
                continue
            local = etree.QName(node).localname
            for name in _AREAS.get(local, ()):
                if not node.get(name):
                    continue
                if local == "autoFilter":
                    shift_filter(node, self._shift, f"The filter of {self._sheet}")
                now = self._shift.areas(node.get(name))
                single = local == "mergeCell" and ":" not in now
                if now and not single:
                    node.set(name, now)
                elif local != "dimension":
                    _drop(self._frame, node)

    def _listed(self) -> None:
        """Shift the cells that newer features list as text: sparklines, ignored errors."""
        for node in list(self._frame.iter(f"{{{XM}}}sqref")):
            if _is_grouped(node):
                continue
            now = self._shift.areas(node.text or "")
            if now:
                node.text = now
            else:
                _drop(self._frame, node.getparent())

    def _views(self) -> None:
        for node in self._frame.iter(q("pane")):
            _freeze(node, self._shift)
        for node in self._frame.iter(
            q("sheetView"), q("pane"), q("selection"), q("customSheetView")
        ):
            for name in ("topLeftCell", "activeCell", "sqref"):
                if node.get(name):
                    node.set(name, self._nearest(node.get(name)))
            if node.tag == q("selection"):
                _select(node)

    def _nearest(self, text: str) -> str:
        """Return cells of a view afterwards; where they are gone, the first that took their place."""
        kept = []
        for area in parse_areas(text):
            now = self._shift.area(area)
            place = (
                (self._shift.at, area.left)
                if self._shift.axis == "rows"
                else (area.top, self._shift.at)
            )
            kept.append(str(now) if now is not None else name_of(place))
        return " ".join(dict.fromkeys(kept)) or text

    def _breaks(self) -> None:
        name = "rowBreaks" if self._shift.axis == "rows" else "colBreaks"
        for group in list(self._frame.iter(q(name))):
            for node in list(group):
                number = node.get("id", "")
                if not number.isdigit():
                    continue
                now = self._shift.line(int(number))
                if now is None:
                    _drop(self._frame, node)
                else:
                    node.set("id", str(now))
            for key in ("count", "manualBreakCount"):
                if group.get(key) and len(group):
                    manual = [n for n in group if n.get("man", "0") in ("1", "true")]
                    group.set(key, str(len(group if key == "count" else manual)))

    def _columns(self) -> None:
        """Shift the formats of columns; new ones look as the one before them."""
        group = self._frame.find(q("cols"))
        if group is None:
            return
        shift = self._shift
        for node in list(group):
            first, last = int(node.get("min", "0")), min(int(node.get("max", "0")), shift.limit)
            now = shift.span(first, last)
            hidden = node.get("hidden", "0") in ("1", "true")
            if not shift.gone and last == shift.at - 1 and not hidden:
                now = (first, last + shift.count)
            if now is not None and last == shift.limit:
                now = (now[0], last)
            if now is None:
                group.remove(node)
            else:
                node.set("min", str(now[0]))
                node.set("max", str(now[1]))
        if not len(group):
            self._frame.remove(group)

    def _tidy(self) -> None:
        for name in _COUNTED:
            for node in self._frame.iter(q(name), f"{{{X14}}}{name}"):
                if node.get("count"):
                    node.set("count", str(len(node)))


def _formulas_of(group: Element) -> Iterator[tuple[Element, str | None]]:
    """Yield (element, attribute or None for its text) of each formula of a rule or validation."""
    for node in group.iter():
        if not isinstance(node.tag, str):
            continue
        name = etree.QName(node)
        if (name.namespace == XM and name.localname == "f") or (
            name.localname in _TEXTS and name.namespace != X14 and node.text
        ):
            yield node, None
        elif name.localname == "cfvo" and node.get("val") and not _is_number(node.get("val")):
            yield node, "val"


def texts_of(frame: Element) -> Iterator[str]:
    """Yield the text of each formula of rules and validations."""
    for group in frame.iter():
        if isinstance(group.tag, str) and etree.QName(group).localname in _GROUPS:
            for holder, name in _formulas_of(group):
                yield (holder.text if name is None else holder.get(name)) or ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_grouped(node: Element) -> bool:
    return any(
        isinstance(above.tag, str) and etree.QName(above).localname in _GROUPS
        for above in node.iterancestors()
    )


def _drop(frame: Element, node: Element) -> None:
    """Take a node out, and whatever held nothing else."""
    holder = node.getparent()
    holder.remove(node)
    if holder is not frame and len(holder) == 0:
        _drop(frame, holder)


def _freeze(pane: Element, shift: Shift) -> None:
    """Keep the same cells frozen: lines that come in between them are frozen too."""
    if not pane.get("state", "").startswith("frozen"):
        return
    key = "ySplit" if shift.axis == "rows" else "xSplit"
    count = pane.get(key, "0")
    view = parse_areas(pane.getparent().get("topLeftCell", "") or "A1")
    if not count.isdigit() or count == "0" or not view:
        return
    start = shift.lines(view[0])[0]
    now = shift.span(start, start + int(count) - 1)
    if not shift.gone and shift.at == start:
        now = (start, start + int(count) - 1 + shift.count)
    pane.set(key, str(max(now[1] - now[0] + 1, 1) if now else 1))


def _select(node: Element) -> None:
    """Have the active cell lie within the selection, as the format wants."""
    areas = parse_areas(node.get("sqref", ""))
    active = parse_areas(node.get("activeCell", ""))
    if areas and active and not any((active[0].top, active[0].left) in a for a in areas):
        node.set("activeCell", name_of((areas[0].top, areas[0].left)))
    if node.get("activeCellId", "0") not in {str(n) for n in range(len(areas))}:
        node.attrib.pop("activeCellId", None)


def shift_filter(node: Element, shift: Shift, label: str) -> None:
    """Have a filter's conditions stay with their columns; `node`: autoFilter, its ref as it was before.

    Raises:
        ToolInputError: the column of a condition would go, or the row with the buttons.
    """
    areas = parse_areas(node.get("ref", ""))
    if not areas:
        return
    area: Area = areas[0]
    if shift.axis == "rows":
        if shift.gone and shift.line(area.top) is None and not shift.takes(area):
            raise ToolInputError(f"{label} would lose its row of headers.")
        return
    now = shift.area(area)
    for column in node.iterfind(q("filterColumn")):
        number = shift.line(area.left + int(column.get("colId", "0")))
        if number is None or now is None:
            raise ToolInputError(f"{label} has a condition on a column that would go.")
        column.set("colId", str(number - now.left))
