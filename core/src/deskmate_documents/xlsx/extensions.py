"""The lists at the end of a worksheet or workbook in which newer features are kept."""

from __future__ import annotations

from lxml import etree

from deskmate_documents.opc import OFFICE_RELS, Element
from deskmate_documents.xlsx.sheetpart import q

X14 = "http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"
X15 = "http://schemas.microsoft.com/office/spreadsheetml/2010/11/main"


def extension(holder: Element, uri: str, tag: str) -> Element:
    """Return the element `tag` of an extension of a worksheet, workbook or rule, made if it is not there."""
    group = holder.find(q("extLst"))
    if group is None:
        # It is the last child of whatever has one.
        group = etree.SubElement(holder, q("extLst"))
    known = next((n for n in group if n.get("uri", "").upper() == uri.upper()), None)
    if known is None:
        known = etree.SubElement(group, q("ext"), uri=uri, nsmap={"x14": X14, "x15": X15})
    inner = known.find(tag)
    if inner is None:
        inner = etree.SubElement(known, tag, nsmap={"x14": X14, "r": OFFICE_RELS})
    return inner
