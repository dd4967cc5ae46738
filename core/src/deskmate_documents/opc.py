"""Open Packaging: a bounded reader and patcher of Office packages (DOCX, XLSX, PPTX).

Parts that nobody touched are written back byte for byte, in the same order. XML with a document type
or entities is refused, as are packages that unpack to far more than they weigh.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lxml import etree

from deskmate.errors import ToolInputError

PARTS_LIMIT = 5_000
FILE_LIMIT_BYTES = 256 << 20
PART_LIMIT_BYTES = 64 << 20
XML_LIMIT_BYTES = 32 << 20
"""Of a part that is parsed: its tree takes some sixteen times as much memory."""
PACKAGE_LIMIT_BYTES = 400 << 20
RATIO_LIMIT = 200
RATIO_FROM_BYTES = 4 << 20

RELS_NS = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES_NS = "http://schemas.openxmlformats.org/package/2006/content-types"
OFFICE_RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPES_PART = "[Content_Types].xml"
_RELS_TYPE = "application/vnd.openxmlformats-package.relationships+xml"

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
"""The name of the stream that holds the document; names of streams in a compound file are UTF-16."""
_STRICT = (
    (b"http://purl.oclc.org/ooxml/wordprocessingml/main",
     b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"),
    (b"http://purl.oclc.org/ooxml/officeDocument/relationships", OFFICE_RELS.encode()),
    (b"http://purl.oclc.org/ooxml/officeDocument/math",
     b"http://schemas.openxmlformats.org/officeDocument/2006/math"),
    (b"http://purl.oclc.org/ooxml/spreadsheetml/main",
     b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"),
    (b"http://purl.oclc.org/ooxml/presentationml/main",
     b"http://schemas.openxmlformats.org/presentationml/2006/main"),
    (b"http://purl.oclc.org/ooxml/drawingml/", b"http://schemas.openxmlformats.org/drawingml/2006/"),
)  # fmt: skip
_FIRST_ELEMENT = re.compile(rb"<[A-Za-z_]")
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)

Element = Any
"""An lxml element; lxml ships no types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """One relationship of a part. `target`: part name without leading slash, or the URL if external."""

    id: str
    type: str
    target: str
    external: bool

    @property
    def kind(self) -> str:
        """The last word of the type, such as `styles` or `comments`."""
        return self.type.rsplit("/", 1)[-1]


class Package:
    """An Office package in memory. Parts are read when they are asked for."""

    def __init__(self, path: Path) -> None:
        """Open the package.

        Raises:
            ToolInputError: empty, encrypted, not a zip, damaged, or a bomb; one line with the name.
        """
        self.path = path
        self.name = path.name
        self._changed: dict[str, bytes] = {}
        self._strict: set[str] = set()
        self._gone: set[str] = set()
        raw = _read_bounded(path)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(raw))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise self.error(f"is not an Office file or is damaged ({error})") from error
        self._infos = [info for info in self._zip.infolist() if not info.is_dir()]
        self._check_bounds()
        self._by_name = {info.filename: info for info in self._infos}
        self._lower = {name.lower(): name for name in self._by_name}
        if TYPES_PART not in self._by_name:
            raise self.error("is a zip file but not an Office document (no [Content_Types].xml)")

    def error(self, cause: str) -> ToolInputError:
        """Return the error that names this file and the cause."""
        return ToolInputError(f"{self.name} {cause}.")

    def _check_bounds(self) -> None:
        if len(self._infos) > PARTS_LIMIT:
            raise self.error(f"has {len(self._infos)} parts, more than {PARTS_LIMIT}; refused")
        names = [info.filename.lower() for info in self._infos]
        if len(set(names)) != len(names):
            raise self.error("holds two parts of one name; refused")
        if sum(info.file_size for info in self._infos) > PACKAGE_LIMIT_BYTES:
            raise self.error("unpacks to more than 400 MiB; refused as a zip bomb")
        for info in self._infos:
            if info.flag_bits & 1:
                raise self.error("is encrypted with a password")
            ratio = info.file_size / max(info.compress_size, 1)
            if info.file_size > RATIO_FROM_BYTES and ratio > RATIO_LIMIT:
                raise self.error(
                    f"unpacks {info.filename} to {ratio:.0f} times its size; refused as a zip bomb"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parts, in the order of the file; added parts last."""
        added = [name for name in self._changed if name not in self._by_name]
        there = (info.filename for info in self._infos if info.filename not in self._gone)
        return tuple(there) + tuple(added)

    def __contains__(self, name: str) -> bool:
        """Say whether the package has this part."""
        real = self._lower.get(name.lower())
        return name in self._changed or (real is not None and real not in self._gone)

    def read(self, name: str) -> bytes:
        """Return a part's bytes.

        Raises:
            ToolInputError: it is missing, damaged or too large.
        """
        if name in self._changed:
            return self._changed[name]
        real = self._lower.get(name.lower())
        if real in self._changed:
            return self._changed[real]
        if real is None or real in self._gone:
            raise self.error(f"lacks its part {name}")
        if self._by_name[real].file_size > PART_LIMIT_BYTES:
            raise self.error(f"has a part of more than 64 MiB ({name}); refused")
        try:
            with self._zip.open(self._by_name[real]) as stream:
                data = stream.read(PART_LIMIT_BYTES + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,
            ValueError,
        ) as error:
            raise self.error(f"is damaged in {name} ({error})") from error
        if len(data) > PART_LIMIT_BYTES:
            raise self.error(f"has a part of more than 64 MiB ({name}); refused")
        return data

    def parse(self, name: str) -> Element:
        """Return the root element of an XML part; each call parses anew.

        Raises:
            ToolInputError: missing, not well-formed, or with a document type or entities.
        """
        data = self.xml(name)
        if len(data) > XML_LIMIT_BYTES:
            raise self.error(f"has more than 32 MiB of XML in {name}; refused")
        return parse_xml(data, f"{self.name} ({name})")

    def xml(self, name: str) -> bytes:
        """Return an XML part's bytes, unparsed; Strict Open XML with the names of the ordinary one.

        Raises:
            ToolInputError: it is missing, damaged or too large.
        """
        data = self.read(name)
        if b"purl.oclc.org/ooxml/" in data:
            self._strict.add(name)
            for strict, transitional in _STRICT:
                data = data.replace(strict, transitional)
        return data

    def remove(self, name: str) -> None:
        """Take out a part with its own relationships, its content type and what `owner`s say of it.

        Only relationships of the main part and of the package are looked at.
        """
        main = self.main_part()
        for owner in ("", main):
            rels = rels_name(owner)
            root = self.parse(rels) if rels in self else ()
            gone = [
                n
                for n in root
                if n.get("TargetMode") != "External" and resolve(owner, n.get("Target", "")) == name
            ]
            for node in gone:
                node.getparent().remove(node)
            if gone:
                self.write_xml(rels, root)
        types = self.parse(TYPES_PART)
        for node in types.findall(f"{{{TYPES_NS}}}Override"):
            if node.get("PartName", "").lstrip("/").lower() == name.lower():
                types.remove(node)
                self.write_xml(TYPES_PART, types)
        for part in (name, rels_name(name)):
            self.discard(part)

    def discard(self, name: str) -> None:
        """Take out a part alone; who calls it has taken care of what points to it."""
        self._changed.pop(name, None)
        self._gone.add(self._lower.get(name.lower(), name))

    def write(self, name: str, data: bytes) -> None:
        """Replace or add a part."""
        real = self._lower.get(name.lower(), name)
        self._gone.discard(real)
        self._changed[real] = data

    def write_xml(self, name: str, root: Element) -> None:
        """Replace or add an XML part."""
        if name in self._strict:
            raise self.error(
                "is saved as Strict Open XML; save it as an ordinary Office file first"
            )
        self.write(
            name, etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
        )

    def save(self, target: Path) -> None:
        """Write the package; unchanged parts keep their bytes, order and times."""
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for info in self._zip.infolist():
                if info.filename in self._gone:
                    continue
                archive.writestr(_copy(info), b"" if info.is_dir() else self._bytes(info))
            for name, data in self._changed.items():
                if name not in self._by_name:
                    fresh = zipfile.ZipInfo(name, _FIXED_TIME)
                    fresh.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(fresh, data)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(out.getvalue())

    def _bytes(self, info: zipfile.ZipInfo) -> bytes:
        return self._changed.get(info.filename) or self.read(info.filename)

    def relationships(self, part: str = "") -> dict[str, Relationship]:
        """Return a part's relationships by id; `part` "" is the package itself."""
        name = rels_name(part)
        if name not in self:
            return {}
        found = {}
        for node in self.parse(name).iterfind(f"{{{RELS_NS}}}Relationship"):
            external = node.get("TargetMode") == "External"
            target = node.get("Target", "")
            if not external:
                target = resolve(part, target)
            relationship = Relationship(
                id=node.get("Id", ""), type=node.get("Type", ""), target=target, external=external
            )
            found[relationship.id] = relationship
        return found

    def related(self, part: str, kind: str) -> tuple[str, ...]:
        """Return the names of existing parts that `part` points to by relationships of this kind."""
        return tuple(
            rel.target
            for rel in self.relationships(part).values()
            if rel.kind == kind and not rel.external and rel.target in self
        )

    def main_part(self) -> str:
        """Return the name of the main part.

        Raises:
            ToolInputError: the package names none, or one that is not there.
        """
        for rel in self.relationships().values():
            if rel.kind == "officeDocument":
                if rel.target not in self:
                    raise self.error(f"lacks its main part {rel.target}")
                return rel.target
        raise self.error("is not an Office document (no main part is named)")

    def content_type(self, part: str) -> str:
        """Return a part's content type, or "" if none is given."""
        extension = posixpath.splitext(part)[1].lstrip(".").lower()
        default = ""
        for node in self.parse(TYPES_PART):
            if node.get("PartName", "").lstrip("/").lower() == part.lower():
                return str(node.get("ContentType", ""))
            if extension and node.get("Extension", "").lower() == extension:
                default = str(node.get("ContentType", ""))
        return default

    def add_relationship(
        self, part: str, kind: str, target: str, *, external: bool = False, type_: str = ""
    ) -> str:
        """Point `part` to `target` (a part name, or a URL) and return the relationship's id; reuses one.

        `type_`: the whole type, of kinds that are not of the Office namespace.
        """
        for rel in self.relationships(part).values():
            if (rel.kind, rel.target, rel.external) == (kind, target, external):
                return rel.id
        name = rels_name(part)
        root = (
            self.parse(name)
            if name in self
            else etree.Element(f"{{{RELS_NS}}}Relationships", nsmap={None: RELS_NS})
        )
        used = {node.get("Id") for node in root}
        number = next(n for n in range(1, len(used) + 2) if f"rIdD{n}" not in used)
        node = etree.SubElement(root, f"{{{RELS_NS}}}Relationship")
        node.set("Id", f"rIdD{number}")
        node.set("Type", type_ or f"{OFFICE_RELS}/{kind}")
        if external:
            node.set("Target", target)
            node.set("TargetMode", "External")
        else:
            node.set("Target", posixpath.relpath(target, posixpath.dirname(part) or "."))
        self.write_xml(name, root)
        if not self.content_type(name):
            self.set_content_type(name, _RELS_TYPE)
        return f"rIdD{number}"

    def set_content_type(self, part: str, content_type: str) -> None:
        """Give a part its content type, unless it has it."""
        if self.content_type(part) == content_type:
            return
        root = self.parse(TYPES_PART)
        node = etree.SubElement(root, f"{{{TYPES_NS}}}Override")
        node.set("PartName", f"/{part}")
        node.set("ContentType", content_type)
        self.write_xml(TYPES_PART, root)


def parse_xml(data: bytes, name: str) -> Element:
    """Parse untrusted XML without document types, entities or network.

    Raises:
        ToolInputError: not well-formed, or with a document type; the message begins with `name`.
    """
    head = data[:4096]
    if b"\x00" in head[:4]:
        head = head.replace(b"\x00", b"")
    first = _FIRST_ELEMENT.search(head)
    if b"<!" in head[: first.start() if first else None].replace(b"<!--", b""):
        raise ToolInputError(f"{name} holds a document type or entities; refused.")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        # Word drops both; left in, what stands behind them in a text would be seen by nobody here.
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ToolInputError(f"{name} is damaged: its XML does not parse ({error}).") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise ToolInputError(f"{name} holds a document type or entities; refused.")
    return root


def canonical(node: Element) -> bytes:
    """Return an element in a form that is equal where it says the same: prefixes, order of attributes and
    blanks between elements do not count, nor what follows the element.
    """
    out: list[str] = []
    for event, child in etree.iterwalk(node, events=("start", "end")):
        if not isinstance(child.tag, str):
            continue
        if event == "start":
            attributes = sorted(child.attrib.items())
            text = child.text or ""
            kept = text if len(child) == 0 or text.strip() else ""
            out.append(f"<{child.tag}{attributes}>{kept}")
        else:
            tail = child.tail or "" if child is not node else ""
            out.append(f"</>{tail if tail.strip() else ''}")
    return "".join(out).encode("utf-8", "surrogatepass")


def rels_name(part: str) -> str:
    """Return the name of the part that holds a part's relationships."""
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def resolve(part: str, target: str) -> str:
    """Return the part name that a relationship's target means, seen from `part`."""
    target = unquote(target)
    if target.startswith("/"):
        return posixpath.normpath(target).lstrip("/")
    return posixpath.normpath(posixpath.join(posixpath.dirname(part), target))


def without_times(file: Path) -> None:
    """Write a package anew whose parts say no time: the same content gives the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(file) as package, zipfile.ZipFile(out, "w") as archive:
        for info in package.infolist():
            fresh = zipfile.ZipInfo(info.filename, _FIXED_TIME)
            fresh.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(fresh, package.read(info))
    file.write_bytes(out.getvalue())


def _copy(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    fresh = zipfile.ZipInfo(info.filename, info.date_time)
    known = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    fresh.compress_type = info.compress_type if known else zipfile.ZIP_DEFLATED
    fresh.external_attr = info.external_attr
    fresh.create_system = info.create_system
    return fresh


def is_encrypted(path: Path) -> bool:
    """Say whether a file is a compound file with an encrypted Office document in it."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise ToolInputError(f"{path.name} cannot be read ({error.strerror}).") from error
    return raw.startswith(_OLE) and _ENCRYPTED in raw


def _read_bounded(path: Path) -> bytes:
    """Return the file's bytes, or the error that says why it cannot be an open package."""
    try:
        size = path.stat().st_size
        if size == 0:
            raise ToolInputError(f"{path.name} is empty (0 bytes).")
        if size > FILE_LIMIT_BYTES:
            raise ToolInputError(f"{path.name} is larger than 256 MiB; refused.")
        raw = path.read_bytes()
    except OSError as error:
        raise ToolInputError(f"{path.name} cannot be read ({error.strerror}).") from error
    if raw.startswith(_OLE):
        if _ENCRYPTED in raw:
            raise ToolInputError(
                f"{path.name} is encrypted with a password; document_unlock opens a copy with the one the user gives."
            )
        raise ToolInputError(
            f"{path.name} is an old binary Office file (.doc, .xls or .ppt); save it as .docx, .xlsx or .pptx first."
        )
    return raw
