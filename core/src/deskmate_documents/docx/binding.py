"""The data that content controls are bound to: Word shows the data, not the text, when it opens a file."""

from __future__ import annotations

import re

from lxml import etree

from deskmate_documents.docx.wml import child, w
from deskmate_documents.opc import Element, Package

_DS = "http://schemas.openxmlformats.org/officeDocument/2006/customXml"
_KNOWN = {
    "{6C3C8BC8-F283-45AE-878A-BAB7291924A1}": "core-properties",
    "{6668398D-A668-4E3E-A5EB-62B293D839F1}": "extended-properties",
}
_PREFIX = re.compile(r"xmlns:(?P<prefix>\w+)=(?P<quote>['\"])(?P<uri>[^'\"]+)(?P=quote)")


def write_bound(package: Package, control: Element, text: str) -> None:
    """Write the text into the data that a control is bound to; a binding that leads nowhere is taken out."""
    properties = child(control, "sdtPr")
    if properties is None:
        return
    for binding in [n for n in properties if str(n.tag).endswith("}dataBinding")]:
        part = _store(package, binding.get(w("storeItemID"), ""))
        if part is None or not _write(package, part, binding, text):
            properties.remove(binding)


def _write(package: Package, part: str, binding: Element, text: str) -> bool:
    mappings = binding.get(w("prefixMappings"), "")
    prefixes = {match["prefix"]: match["uri"] for match in _PREFIX.finditer(mappings)}
    root = package.parse(part)
    try:
        found = root.xpath(binding.get(w("xpath"), ""), namespaces=prefixes or None)
    except etree.XPathError:
        return False
    nodes = [node for node in found if isinstance(node, etree._Element)] if found else []
    if len(nodes) != 1 or len(nodes[0]):
        return False
    nodes[0].text = text
    package.write_xml(part, root)
    return True


def _store(package: Package, item: str) -> str | None:
    """Return the part of a data store by its id."""
    known = _KNOWN.get(item.upper())
    if known is not None:
        return next(iter(package.related("", known)), None)
    for part in package.related(package.main_part(), "customXml"):
        for props in package.related(part, "customXmlProps"):
            if package.parse(props).get(f"{{{_DS}}}itemID", "").upper() == item.upper():
                return part
    return None
