"""Places on a worksheet for what is drawn over its cells: charts and slicers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import OFFICE_RELS, Element
from deskmate_documents.xlsx.book import Sheet
from deskmate_documents.xlsx.refs import COLUMNS, ROWS, Area
from deskmate_documents.xlsx.rules import insert
from deskmate_documents.xlsx.sheetpart import q
from deskmate_documents.xlsx.shiftparts import DRAWN

if TYPE_CHECKING:
    from deskmate_documents.xlsx.edit import Editor

DRAWING_ML = "http://schemas.openxmlformats.org/drawingml/2006/main"
_TYPE = "application/vnd.openxmlformats-officedocument.drawing+xml"
_NSMAP = {"xdr": DRAWN, "a": DRAWING_ML, "r": OFFICE_RELS}


def xdr(name: str) -> str:
    """Return the name of an element of drawings over cells."""
    return f"{{{DRAWN}}}{name}"


def free_part(editor: Editor, stem: str) -> str:
    """Return the first name `stem1.xml`, `stem2.xml`, … that no part has."""
    number = 1
    while f"{stem}{number}.xml" in editor.book.package:
        number += 1
    return f"{stem}{number}.xml"


class Drawing:
    """The drawing of a sheet, made if it has none."""

    def __init__(self, editor: Editor, sheet: Sheet) -> None:
        """Open it.

        Raises:
            ToolInputError: the sheet's objects are protected.
        """
        self._editor = editor
        package = editor.book.package
        if editor.on(sheet).is_protected and not editor.allow_protected:
            raise ToolInputError(
                f"{sheet.name} is protected; if the user agrees, say allow_protected: true."
            )
        self.part = next(iter(package.related(sheet.part, "drawing")), "")
        if self.part:
            self.root: Element = package.parse(self.part)
        else:
            self.part = free_part(editor, "xl/drawings/drawing")
            self.root = etree.Element(xdr("wsDr"), nsmap=_NSMAP)
            package.write_xml(self.part, self.root)
            package.set_content_type(self.part, _TYPE)
            node = etree.Element(q("drawing"), nsmap={"r": OFFICE_RELS})
            node.set(
                f"{{{OFFICE_RELS}}}id", package.add_relationship(sheet.part, "drawing", self.part)
            )
            insert(editor.on(sheet).open_frame(), node)
            editor.declared.add_frame(sheet.name)

    def number(self) -> int:
        """Return a number that no shape of it has."""
        used = {int(node.get("id", "0")) for node in self.root.iter(xdr("cNvPr"))}
        return max(used, default=1) + 1

    def put(self, area: Area, content: Element) -> None:
        """Place something over cells, and write the drawing."""
        anchor = etree.SubElement(self.root, xdr("twoCellAnchor"))
        for name, row, column in (
            ("from", area.top - 1, area.left - 1),
            ("to", area.bottom, area.right),
        ):
            end = etree.SubElement(anchor, xdr(name))
            for tag, value in (("col", column), ("colOff", 0), ("row", row), ("rowOff", 0)):
                etree.SubElement(end, xdr(tag)).text = str(value)
        anchor.append(content)
        etree.SubElement(anchor, xdr("clientData"))
        self._editor.book.package.write_xml(self.part, self.root)
        self._editor.declared.parts.append(self.part)


def room(area: Area, *, width: int, height: int) -> Area:
    """Return the cells that something covers: those given, or from one cell as many as it wants."""
    if area.size > 1:
        return area
    return Area(
        area.top,
        area.left,
        min(area.top + height - 1, ROWS - 1),
        min(area.left + width - 1, COLUMNS - 1),
    )


def frame(number: int, name: str, uri: str, inner: Element) -> Element:
    """Return a graphic frame that shows `inner`."""
    node = etree.Element(xdr("graphicFrame"), macro="", nsmap=_NSMAP)
    properties = etree.SubElement(node, xdr("nvGraphicFramePr"))
    etree.SubElement(properties, xdr("cNvPr"), id=str(number), name=name)
    etree.SubElement(properties, xdr("cNvGraphicFramePr"))
    place = etree.SubElement(node, xdr("xfrm"))
    etree.SubElement(place, f"{{{DRAWING_ML}}}off", x="0", y="0")
    etree.SubElement(place, f"{{{DRAWING_ML}}}ext", cx="0", cy="0")
    graphic = etree.SubElement(node, f"{{{DRAWING_ML}}}graphic")
    etree.SubElement(graphic, f"{{{DRAWING_ML}}}graphicData", uri=uri).append(inner)
    return node
