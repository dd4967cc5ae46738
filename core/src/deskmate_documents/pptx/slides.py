"""Slides copied and taken out, with the parts that are theirs alone."""

from __future__ import annotations

import posixpath
import re

from lxml import etree

from deskmate_documents.opc import Element, Package, rels_name, resolve
from deskmate_documents.parts import forget, reachable
from deskmate_documents.pptx.deck import P14_NS, RID, Slide, p

_SHARED = frozenset(
    {"slideLayout", "slideMaster", "notesMaster", "theme", "image", "media", "video", "audio", "slide", "presProps",
     "commentAuthors", "font", "tableStyles"}
)  # fmt: skip
_LEFT_OUT = frozenset({"comments", "comment", "modernComment"})
_PARTS_LIMIT = 500


def copy_slide(package: Package, main: str, slide: Slide) -> str:
    """Put a copy of a slide behind it and return its part; charts, notes and drawings are copied, pictures shared.

    Comments stay with the original.
    """
    copies: dict[str, str] = {}
    part = _copy_part(package, slide.part, copies)
    rel = package.add_relationship(main, "slide", part)
    root = package.parse(main)
    listed = root.find(p("sldIdLst"))
    number = max([255, *(int(n.get("id", "0")) for n in listed)]) + 1
    node = etree.Element(p("sldId"))
    node.set("id", str(number))
    node.set(RID, rel)
    original = next(n for n in listed if n.get(RID) == slide.rel)
    original.addnext(node)
    for entry in root.iter(f"{{{P14_NS}}}sldId"):
        if entry.get("id") == slide.id:
            fresh = etree.Element(entry.tag)
            fresh.set("id", str(number))
            entry.addnext(fresh)
            break
    package.write_xml(main, root)
    return part


def _copy_part(package: Package, part: str, copies: dict[str, str]) -> str:
    """Copy a part and what belongs to it alone; a part that was copied already is copied once."""
    if part in copies:
        return copies[part]
    if len(copies) > _PARTS_LIMIT:
        raise package.error(f"has a slide of more than {_PARTS_LIMIT} parts; it was not copied")
    name = _free_name(package, part, set(copies.values()))
    copies[part] = name
    content_type = package.content_type(part)
    package.write(name, package.read(part))
    rels = rels_name(part)
    if rels in package:
        root = package.parse(rels)
        for node in list(root):
            kind = node.get("Type", "").rpartition("/")[2]
            if kind in _LEFT_OUT:
                root.remove(node)
            elif node.get("TargetMode") != "External":
                target = resolve(part, node.get("Target", ""))
                if target in copies or (kind not in _SHARED and target in package):
                    target = _copy_part(package, target, copies)
                node.set("Target", posixpath.relpath(target, posixpath.dirname(name)))
        package.write_xml(rels_name(name), root)
    _type_of(package, name, content_type)
    return name


def _free_name(package: Package, part: str, taken: set[str]) -> str:
    folder, file = posixpath.split(part)
    stem, suffix = posixpath.splitext(file)
    stem = re.sub(r"\d+$", "", stem)
    number = 1
    while (name := f"{folder}/{stem}{number}{suffix}") in package or name in taken:
        number += 1
    return name


def _type_of(package: Package, part: str, content_type: str) -> None:
    """Name the content type of a copy, unless its extension says it already."""
    if content_type:
        package.set_content_type(part, content_type)


def drop_slide(package: Package, main: str, slide: Slide) -> int:
    """Take out a slide with what only it leads to, and every mention of it; return how many parts went."""
    before = reachable(package)
    root = package.parse(main)
    listed = root.find(p("sldIdLst"))
    for node in [n for n in listed if n.get(RID) == slide.rel]:
        listed.remove(node)
    for entry in [n for n in root.iter(f"{{{P14_NS}}}sldId") if n.get("id") == slide.id]:
        entry.getparent().remove(entry)
    for entry in [n for n in root.iter(p("sld")) if n.get(RID) == slide.rel]:
        entry.getparent().remove(entry)  # of a show of its own
    package.write_xml(main, root)
    for owner in before - {slide.part}:
        _unlink(package, owner, slide.part, elements=owner != main)
    gone = before - reachable(package)
    forget(package, gone)
    return len(gone)


def _unlink(package: Package, owner: str, target: str, *, elements: bool) -> None:
    """Take the relationships of `owner` to a part out, and the links that use them."""
    name = rels_name(owner)
    if name not in package or posixpath.basename(target).encode() not in package.read(name):
        return
    root = package.parse(name)
    gone = [
        n
        for n in root
        if n.get("TargetMode") != "External" and resolve(owner, n.get("Target", "")) == target
    ]
    for node in gone:
        root.remove(node)
    if not gone:
        return
    package.write_xml(name, root)
    ids = {node.get("Id") for node in gone}
    if elements and owner.lower().endswith(".xml"):
        tree: Element = package.parse(owner)
        links = [n for n in tree.iter() if isinstance(n.tag, str) and n.get(RID) in ids]
        for link in links:
            link.getparent().remove(link)
        if links:
            package.write_xml(owner, tree)
