"""Charts that are there: titles, what their series read, type and look; everything else of them keeps its bytes of meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.chartadd import absolute
from deskmate_documents.xlsx.chartlook import apply_look, checked, fill_series
from deskmate_documents.xlsx.charttype import TAGS, change_type, stack
from deskmate_documents.xlsx.chartxml import WHOLE, a, c, groups, local, placed, titled
from deskmate_documents.xlsx.refs import parse_area, split_sheet

if TYPE_CHECKING:
    from deskmate_documents.xlsx.edit import Editor

TITLE_LIMIT = 255
_BEFORE_NAME = ("idx", "order")
_STACKS = (None, True, False, "percent")
_PARTS: Mapping[str, tuple[str, ...]] = {
    "name": ("tx",),
    "categories": ("cat", "xVal"),
    "values": ("val", "yVal"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartChange:
    """What becomes of a chart. `part`: its part. `title`: None as it is, "" for none.

    `series`: number of the series → `name`, `categories`, `values` → a reference with its sheet, or a text as name;
    `fill` → its colour. `kind`: its new type, "" for the one it has. `stacked`: None as it is. `look`: as in `apply_look`.
    """

    part: str
    title: str | None = None
    series: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    kind: str = ""
    stacked: bool | str | None = None
    look: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        series = {str(number): dict(given) for number, given in self.series.items()}
        found: dict[str, Any] = {"chart": self.part, "title": self.title, "series": series}
        if self.kind or self.stacked is not None or self.look:
            found |= {"type": self.kind, "stacked": self.stacked, "look": dict(self.look)}
        return found

    @classmethod
    def from_json(cls, data: Any) -> ChartChange | None:
        """Return it for `to_json`'s shape; None for any other."""
        if not isinstance(data, Mapping) or not isinstance(data.get("chart"), str):
            return None
        title, series = data.get("title"), data.get("series")
        if not isinstance(series, Mapping) or not (title is None or isinstance(title, str)):
            return None
        found: dict[int, dict[str, str]] = {}
        for number, given in series.items():
            if not str(number).isdigit() or not isinstance(given, Mapping):
                return None
            found[int(number)] = {
                str(k): str(v) for k, v in given.items() if k in _PARTS or k == "fill"
            }
        kind, stacked, look = data.get("type") or "", data.get("stacked"), data.get("look") or {}
        if kind not in ("", *TAGS) or stacked not in _STACKS or not isinstance(look, Mapping):
            return None
        return cls(
            part=data["chart"],
            title=title,
            series=found,
            kind=kind,
            stacked=stacked,
            look=dict(look),
        )


def charts(book: Workbook, sheet: Sheet) -> tuple[str, ...]:
    """Return the parts of a sheet's charts in the order in which they are drawn."""
    package = book.package
    return tuple(
        part
        for drawing in package.related(sheet.part, "drawing")
        for part in package.related(drawing, "chart")
    )


def shown(book: Workbook, sheet: Sheet) -> Iterator[dict[str, Any]]:
    """Yield what a model has to know of each chart to change it: number, type, title, what its series read."""
    for number, part in enumerate(charts(book, sheet), 1):
        root = book.package.parse(part)
        kinds = [local(group) for group in groups(root)]
        series = [
            {name: text for name in _PARTS if (text := _read(node, name))}
            for node in root.iter(c("ser"))
        ]
        title = "".join(t.text or "" for t in root.iterfind(f"{c('chart')}/{c('title')}//{a('t')}"))
        about = {"chart": number, "type": ", ".join(kinds), "title": title, "series": series[:20]}
        piled = {_val(group, "grouping") for group in groups(root)} & {"stacked", "percentStacked"}
        across = {_val(group, "barDir") for group in groups(root)} & {"bar"}
        yield (
            about
            | ({"stacked": sorted(piled)[0]} if piled else {})
            | ({"lying": True} if across else {})
        )


def _val(node: Element, name: str) -> str:
    child = node.find(c(name))
    return "" if child is None else str(child.get("val", ""))


def _read(series: Element, name: str) -> str:
    for tag in _PARTS[name]:
        for node in series.iterfind(c(tag)):
            found = node.find(f".//{c('f')}")
            if found is not None:
                return f"={found.text}"
            return "".join(v.text or "" for v in node.iterfind(c("v")))
    return ""


def apply_chart(book: Workbook, step: ChartChange) -> None:
    """Change a chart in memory. A chart that is not there is one that came in later, and nothing to be done here.

    Raises:
        ToolInputError: a series is not there, or is kept in a way that is not edited here.
    """
    if step.part not in book.package:
        return
    root = book.package.parse(step.part)
    if root.tag != c("chartSpace"):
        raise ToolInputError("This chart is of a newer kind, which is not edited here.")
    known = list(root.iter(c("ser")))
    if step.title is not None:
        _title(root, step.title)
    if step.kind:
        change_type(root, step.kind)
    if step.stacked is not None:
        stack(root, step.stacked)
    _apply_series(root, known, step.series)
    apply_look(root, step.look)
    book.package.write_xml(step.part, root)


def _apply_series(
    root: Element, known: Sequence[Element], series: Mapping[int, Mapping[str, str]]
) -> None:
    for number, given in series.items():
        if not 1 <= number <= len(known):
            raise ToolInputError(f"The chart has {len(known)} series; there is no {number}.")
        read = {name: text for name, text in given.items() if name != "fill"}
        if read and root.find(c("pivotSource")) is not None:
            raise ToolInputError(
                "It is the chart of a pivot table; its series are those of the table."
            )
        if read:
            _series(known[number - 1], read)
        if "fill" in given:
            fill_series(known[number - 1], given["fill"])


def _title(root: Element, text: str) -> None:
    chart = root.find(c("chart"))
    titled(chart, text, WHOLE)
    placed(chart, "autoTitleDeleted", WHOLE, "0" if text else "1")


def _series(node: Element, given: Mapping[str, str]) -> None:
    """Have a series read other cells; the figures that it kept go, programs read them anew."""
    if any(True for _ in node.iter("{*}fullRef", "{*}datalabelsRange", "{*}filteredSeriesTitle")):
        raise ToolInputError(
            "The chart's series are filtered or labelled from cells; change them in Excel."
        )
    if node.find(c("bubbleSize")) is not None:
        raise ToolInputError("Series of bubble charts are not edited here.")
    for name, text in given.items():
        tag = next((t for t in _PARTS[name] if node.find(c(t)) is not None), "")
        if not tag and name != "name":
            raise ToolInputError(f"The series has no {name} that could be changed.")
        holder = node.find(c("tx")) if name == "name" else node.find(c(tag))
        if holder is None:
            holder = etree.Element(c("tx"))
            node.insert(sum(child.tag in {c(n) for n in _BEFORE_NAME} for child in node), holder)
        if holder.find(c("multiLvlStrRef")) is not None:
            raise ToolInputError(
                "The chart's categories have several levels; change them in Excel."
            )
        kind = "strRef" if name == "name" or holder.find(c("strRef")) is not None else "numRef"
        for child in list(holder):
            holder.remove(child)
        if text.startswith("="):
            etree.SubElement(etree.SubElement(holder, c(kind)), c("f")).text = text[1:]
        else:
            etree.SubElement(holder, c("v")).text = text


def change_chart(editor: Editor, edit: Mapping[str, Any]) -> None:
    """Change a chart: `sheet`, `chart` (its number in sheet_map), and what is new of it.

    `title`; `type`; `stacked` (true, false, `percent`); `look` as in `chartlook`; `series` [{number, name, categories, values, fill}].

    Raises:
        ToolInputError: there is no such chart or series, or nothing to change.
    """
    book = editor.book
    sheet = book.sheet(str(edit.get("sheet", "")))
    known = charts(book, sheet)
    number = edit.get("chart")
    if not isinstance(number, int) or not 1 <= number <= len(known):
        raise ToolInputError(
            f"{sheet.name} has {len(known)} charts; say `chart` as sheet_map counts them."
        )
    title = edit.get("title")
    if title is not None and len(str(title)) > TITLE_LIMIT:
        raise ToolInputError(f"A title has at most {TITLE_LIMIT} characters.")
    series = {
        int(each.get("number")): _wanted(book, each, sheet) for each in edit.get("series") or ()
    }
    kind, stacked = str(edit.get("type") or ""), edit.get("stacked")
    if kind and kind not in TAGS:
        raise ToolInputError(f"A chart's type is {', '.join(TAGS)}; {kind[:40]!r} is none.")
    if stacked not in _STACKS:
        raise ToolInputError("`stacked` is true, false or percent.")
    look = checked(edit.get("look") or {})
    if title is None and stacked is None and not (kind or look or any(series.values())):
        raise ToolInputError(
            "Say a title, a type, stacked, a look, or series with a name, categories, values or a fill."
        )
    if editor.on(sheet).is_protected and not editor.allow_protected:
        raise ToolInputError(
            f"{sheet.name} is protected; if the user agrees, say allow_protected: true."
        )
    editor.flush()
    step = ChartChange(
        part=known[number - 1],
        title=None if title is None else str(title),
        series=series,
        kind=kind,
        stacked=stacked,
        look=look,
    )
    apply_chart(book, step)
    editor.declared.steps.append(step)
    if any(name in _PARTS for given in series.values() for name in given):
        editor.notes.append("The chart shows the figures of its new cells when the file is opened.")


def _wanted(book: Workbook, each: Mapping[str, Any], sheet: Sheet) -> dict[str, str]:
    found: dict[str, str] = {"fill": str(each["fill"])} if each.get("fill") else {}
    sizes: set[int] = set()
    for name in _PARTS:
        text = str(each.get(name) or "")
        if not text:
            continue
        if name == "name" and not text.startswith("="):
            found[name] = text
            continue
        where, area = split_sheet(text)
        read = parse_area(area)
        if where:
            book.sheet(where)
        if name != "name":
            sizes.add(read.size)
        elif read.size != 1:
            raise ToolInputError("The name of a series is a text or one cell.")
        found[name] = absolute(text, sheet.name)
    if len(sizes) > 1:
        raise ToolInputError("Categories and values of a series have as many cells as each other.")
    return found
