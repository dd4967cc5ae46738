"""Marks whole blocks as inserted or deleted, and carries over what tables, rows and cells are set to."""

from __future__ import annotations

from deskmate_documents.docx.inline import Sides
from deskmate_documents.docx.marking import Marker, mark_content, mark_table
from deskmate_documents.docx.wml import DEL, ID, TBL, TR, P, child, w
from deskmate_documents.opc import Element

_BLOCKS = (P, TBL, w("sdt"))


def mark_block(marker: Marker, node: Element, tag: str) -> None:
    """Mark a paragraph, table or content control with all it holds; `tag`: INS or DEL."""
    if node.tag == P:
        mark_content(marker, node, tag)
        marker.mark_end(node, tag)
    elif node.tag == TBL:
        mark_table(marker, node, tag)
    else:
        _mark_control(marker, node, tag)


def _mark_control(marker: Marker, control: Element, tag: str) -> None:
    """Mark a content control itself, by the ranges around its two ends, and its blocks."""
    kind = "Del" if tag == DEL else "Ins"
    content = child(control, "sdtContent")
    if content is None:
        return
    for node in [n for n in content if n.tag in _BLOCKS]:
        mark_block(marker, node, tag)
    start = marker.make(control, w(f"customXml{kind}RangeStart"))
    end = control.makeelement(w(f"customXml{kind}RangeEnd"), {ID: start.get(ID)})
    control.addprevious(start)
    content.insert(0, end)
    second = marker.make(control, w(f"customXml{kind}RangeStart"))
    content.append(second)
    control.addnext(control.makeelement(w(f"customXml{kind}RangeEnd"), {ID: second.get(ID)}))


def mark_row(marker: Marker, row: Element, tag: str) -> None:
    """Mark a table row, the rows of tables in it, and their paragraphs."""
    marker.mark_row(row, tag)
    for inner in row.iter(TR):
        if inner is not row:
            marker.mark_row(inner, tag)
    for paragraph in row.iter(P):
        mark_content(marker, paragraph, tag)


def carry_settings(sides: Sides, old: Element, new: Element, name: str) -> None:
    """Carry over table, row or cell properties as a tracked change."""
    before, after = child(old, name), child(new, name)
    if sides.left.form(before) == sides.right.form(after):
        return
    fresh = sides.copy(after) if after is not None else old.makeelement(w(name))
    if before is not None:
        old.replace(before, fresh)
    else:
        old.insert(1 if name == "trPr" and child(old, "tblPrEx") is not None else 0, fresh)
    sides.marker.former(fresh, before)


def carry_grid(sides: Sides, before: Element, after: Element) -> None:
    """Carry a table's column widths over as a tracked change."""
    fresh = sides.copy(after)
    for node in before.findall(w("tblGridChange")):
        before.remove(node)
    before.getparent().replace(before, fresh)
    change = sides.marker.make(fresh, w("tblGridChange"))
    for name in ("author", "date"):
        del change.attrib[w(name)]
    change.append(before)
    fresh.append(change)
