"""Charts that are there: their titles and what their series read; everything else of them keeps its bytes of meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Element
from deskmate_documents.xlsx.book import Sheet, Workbook
from deskmate_documents.xlsx.chartadd import absolute
from deskmate_documents.xlsx.refs import parse_area, split_sheet
from deskmate_documents.xlsx.shiftparts import CHART

if TYPE_CHECKING:
    from deskmate_documents.xlsx.edit import Editor

DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
TITLE_LIMIT = 255
_BEFORE_NAME = ("idx", "order")
_PARTS: Mapping[str, tuple[str, ...]] = {
    "name": ("tx",),
    "categories": ("cat", "xVal"),
    "values": ("val", "yVal"),
}


def c(name: str) -> str:
    """Return a chart element's name as lxml writes it."""
    return f"{{{CHART}}}{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartChange:
    """What becomes of a chart. `part`: its part. `title`: None as it is, "" for none.

    `series`: number of the series → `name`, `categories`, `values` → a reference with its sheet, or a text as name.
    """

    part: str
    title: str | None = None
    series: Mapping[int, Mapping[str, str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        series = {str(number): dict(given) for number, given in self.series.items()}
        return {"chart": self.part, "title": self.title, "series": series}

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
            found[int(number)] = {str(k): str(v) for k, v in given.items() if k in _PARTS}
        return cls(part=data["chart"], title=title, series=found)


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
        area = root.find(f"{c('chart')}/{c('plotArea')}")
        kinds = [
            etree.QName(n).localname
            for n in (area if area is not None else ())
            if str(n.tag).endswith("Chart")
        ]
        series = [
            {name: text for name in _PARTS if (text := _read(node, name))}
            for node in root.iter(c("ser"))
        ]
        title = "".join(
            t.text or "" for t in root.iterfind(f"{c('chart')}/{c('title')}//{{{DRAWING}}}t")
        )
        yield {"chart": number, "type": ", ".join(kinds), "title": title, "series": series[:20]}


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
    if step.title is not None:
        _title(root, step.title)
    known = list(root.iter(c("ser")))
    for number, given in step.series.items():
        if not 1 <= number <= len(known):
            raise ToolInputError(f"The chart has {len(known)} series; there is no {number}.")
        if root.find(c("pivotSource")) is not None:
            raise ToolInputError(
                "It is the chart of a pivot table; its series are those of the table."
            )
        _series(known[number - 1], given)
    book.package.write_xml(step.part, root)


def _title(root: Element, text: str) -> None:
    chart = root.find(c("chart"))
    old = chart.find(c("title"))
    gone = chart.find(c("autoTitleDeleted"))
    if gone is None:
        gone = etree.Element(c("autoTitleDeleted"))
        chart.insert(0 if old is None else 1, gone)
    gone.set("val", "0" if text else "1")
    if not text:
        if old is not None:
            chart.remove(old)
        return
    if old is None:
        old = etree.Element(c("title"))
        etree.SubElement(old, c("overlay"), val="0")
        chart.insert(0, old)
    holder = old.find(c("tx"))
    look = next(iter(old.iter(f"{{{DRAWING}}}rPr", f"{{{DRAWING}}}defRPr")), None)
    body = old.find(f"{c('tx')}/{c('rich')}/{{{DRAWING}}}bodyPr")
    if holder is not None:
        old.remove(holder)
    holder = etree.Element(c("tx"))
    old.insert(0, holder)
    rich = etree.SubElement(holder, c("rich"))
    rich.append(body if body is not None else etree.Element(f"{{{DRAWING}}}bodyPr"))
    etree.SubElement(rich, f"{{{DRAWING}}}lstStyle")
    run = etree.SubElement(etree.SubElement(rich, f"{{{DRAWING}}}p"), f"{{{DRAWING}}}r")
    if look is not None:
        look.tag = f"{{{DRAWING}}}rPr"
        run.append(look)
    etree.SubElement(run, f"{{{DRAWING}}}t").text = text


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
    """Change a chart: `sheet`, `chart` (its number in sheet_map), `title`, `series` [{number, name, categories, values}].

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
    if title is None and not any(series.values()):
        raise ToolInputError("Say a title, or series with a name, categories or values.")
    if editor.on(sheet).is_protected and not editor.allow_protected:
        raise ToolInputError(
            f"{sheet.name} is protected; if the user agrees, say allow_protected: true."
        )
    editor.flush()
    step = ChartChange(
        part=known[number - 1], title=None if title is None else str(title), series=series
    )
    apply_chart(book, step)
    editor.declared.steps.append(step)
    if series:
        editor.notes.append("The chart shows the figures of its new cells when the file is opened.")


def _wanted(book: Workbook, each: Mapping[str, Any], sheet: Sheet) -> dict[str, str]:
    found: dict[str, str] = {}
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
