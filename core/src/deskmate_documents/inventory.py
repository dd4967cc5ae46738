"""What a package has besides plain text and cells: pivots, rules, charts, comments, macros, notes, fields.

Two inventories show what an edit lost, gained or changed; the list of kinds is a table, per format.
"""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from deskmate.errors import ToolInputError
from deskmate_documents.opc import OFFICE_RELS, TYPES_PART, Element, Package, canonical

FEATURES_LIMIT = 100_000
X_NS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RID = f"{{{OFFICE_RELS}}}id"

PARTS = {
    "pivotTable": "pivot table", "pivotCacheDefinition": "pivot cache", "slicer": "slicer",
    "slicerCache": "slicer cache", "timeline": "timeline", "timelineCache": "timeline cache", "table": "table",
    "chart": "chart", "chartEx": "chart", "drawing": "drawing", "vmlDrawing": "legacy drawing",
    "comments": "comments", "threadedComment": "threaded comments", "person": "comment authors",
    "vbaProject": "macros", "vbaProjectSignature": "macro signature", "externalLink": "external link",
    "connections": "data connections", "queryTable": "query table", "ctrlProp": "form control",
    "control": "ActiveX control", "oleObject": "embedded object", "package": "embedded file", "image": "picture",
    "media": "media", "video": "media", "audio": "media", "customXml": "custom XML", "sheetMetadata": "dynamic arrays",
    "theme": "theme", "printerSettings": "printer settings", "chartsheet": "chart sheet", "worksheet": "worksheet",
    "dialogsheet": "dialog sheet", "macrosheet": "macro sheet", "header": "header", "footer": "footer",
    "footnotes": "footnotes", "endnotes": "endnotes", "numbering": "lists", "glossaryDocument": "building blocks",
    "commentsExtended": "comment threads", "slide": "slide", "slideMaster": "slide master",
    "slideLayout": "slide layout", "notesSlide": "notes", "notesMaster": "notes master",
    "handoutMaster": "handout master", "tags": "tags", "diagramData": "diagram", "customXmlProps": "custom XML",
    "custom-properties": "document properties", "origin": "digital signature", "rdRichValue": "rich values",
    "labelInfo": "sensitivity label", "customProperty": "custom property", "xmlMaps": "XML maps",
    "wsSortMap": "sort map", "attachedTemplate": "template", "keyMapCustomizations": "key map",
}  # fmt: skip
"""Kind of relationship → feature."""

ELEMENTS: Mapping[str, Mapping[str, str]] = {
    "xl": {
        "definedName": "defined name", "cfRule": "conditional format", "dataValidation": "data validation",
        "sparklineGroup": "sparklines", "mergeCell": "merged cells", "hyperlink": "hyperlink",
        "autoFilter": "filter", "sheetProtection": "sheet protection", "workbookProtection": "workbook protection",
        "protectedRange": "protected range", "pane": "frozen panes", "headerFooter": "page header or footer",
        "pageSetup": "page setup", "pageMargins": "page margins", "printOptions": "print options",
        "rowBreaks": "page breaks", "colBreaks": "page breaks", "customSheetView": "custom view",
        "scenario": "scenario", "ignoredError": "ignored errors", "sheetView": "sheet view",
        "outlinePr": "outline", "tabColor": "tab colour", "sortState": "sort order", "comment": "comment",
        "sheetFormatPr": "sheet format", "col": "column format", "calcPr": "calculation settings",
        "cellStyle": "named style", "tableStyle": "table style", "workbookView": "workbook view",
        "fileSharing": "write protection", "dataConsolidate": "consolidation", "picture": "background picture",
    },
    "word": {
        "ins": "tracked insertion", "del": "tracked deletion", "moveFrom": "tracked move",
        "moveTo": "tracked move", "rPrChange": "tracked formatting", "pPrChange": "tracked formatting",
        "sdt": "content control", "fldSimple": "field", "instrText": "field", "footnoteReference": "footnote",
        "endnoteReference": "endnote", "commentReference": "comment", "bookmarkStart": "bookmark",
        "hyperlink": "hyperlink", "txbxContent": "text box", "tbl": "text table", "sectPr": "section",
        "drawing": "drawing", "pict": "legacy drawing", "object": "embedded object", "oMath": "formula",
        "altChunk": "imported chunk", "permStart": "editing permission", "comment": "comment",
        "documentProtection": "document protection", "writeProtection": "write protection", "style": "style",
        "trackRevisions": "tracking of changes", "headerReference": "header", "footerReference": "footer",
    },
    "ppt": {
        "sldId": "slide", "sp": "shape", "pic": "picture", "graphicFrame": "table or chart", "cxnSp": "connector",
        "grpSp": "group", "txBody": "text frame", "timing": "animation", "transition": "transition",
        "cm": "comment", "section": "section", "hlinkClick": "hyperlink", "modifyVerifier": "write protection",
        "custShow": "custom show",
    },
}  # fmt: skip
"""Top folder of the part → local name of the element → feature."""

_DRAWN = {
    "sp": "shape", "txBody": "text box", "pic": "picture", "graphicFrame": "drawn chart or slicer",
    "cxnSp": "connector", "grpSp": "group of shapes", "contentPart": "ink",
}  # fmt: skip
_NAMED = ("name", "displayName", "sqref", "ref", "id", "uid", "xr:uid")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Feature:
    """One feature. `where`: sheet, or part without its folder. `name`: what tells it from its likes.

    `digest`: of all that it says; two of one name with different digests were changed.
    """

    kind: str
    where: str
    name: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureChanges:
    """What one package has that another lacks, and what differs."""

    lost: tuple[Feature, ...]
    gained: tuple[Feature, ...]
    changed: tuple[Feature, ...]

    def __bool__(self) -> bool:
        """Say whether there is any difference."""
        return bool(self.lost or self.gained or self.changed)


def inventory(package: Package, skip: frozenset[str] = frozenset()) -> tuple[Feature, ...]:
    """Return the features of a package, sorted; `skip`: parts that are not looked into.

    Raises:
        ToolInputError: a part does not parse, or there are more than 100,000.
    """
    found: list[Feature] = []
    places = _sheet_names(package)
    for feature in _features(package, places, skip):
        found.append(feature)
        if len(found) > FEATURES_LIMIT:
            raise package.error(f"has more than {FEATURES_LIMIT} features; refused")
    return tuple(sorted(found))


def counts(features: tuple[Feature, ...]) -> dict[str, int]:
    """Return how many there are of each kind, sorted by kind."""
    return dict(sorted(Counter(feature.kind for feature in features).items()))


def compare(before: tuple[Feature, ...], after: tuple[Feature, ...]) -> FeatureChanges:
    """Return what `after` lost, gained and changed against `before`."""
    old, new = _grouped(before), _grouped(after)
    lost: list[Feature] = []
    gained: list[Feature] = []
    changed: list[Feature] = []
    for key in sorted(old.keys() | new.keys()):
        left, right = Counter(old.get(key, ())), Counter(new.get(key, ()))
        gone, fresh = list((left - right).elements()), list((right - left).elements())
        both = min(len(gone), len(fresh))
        changed += fresh[:both]
        lost += gone[both:]
        gained += fresh[both:]
    return FeatureChanges(lost=tuple(lost), gained=tuple(gained), changed=tuple(changed))


def _grouped(features: tuple[Feature, ...]) -> dict[tuple[str, str, str], list[Feature]]:
    groups: dict[tuple[str, str, str], list[Feature]] = defaultdict(list)
    for feature in features:
        groups[feature.kind, feature.where, feature.name].append(feature)
    return groups


def part_changes(before: Package, after: Package) -> dict[str, str]:
    """Return part → `added`, `removed` or `changed` for every part whose bytes differ."""
    found = {name: "removed" for name in before.names if name not in after}
    for name in after.names:
        if name not in before:
            found[name] = "added"
        elif before.read(name) != after.read(name):
            found[name] = "changed"
    return found


def _features(
    package: Package, places: Mapping[str, str], skip: frozenset[str]
) -> Iterator[Feature]:
    for name in package.names:
        if name.lower().endswith(".rels"):
            yield from _linked(package, name, places)
        elif name not in skip and _is_xml(package, name):
            yield from _elements(package, name, places)


def _is_xml(package: Package, name: str) -> bool:
    return (
        name.lower().endswith((".xml", ".vml")) and name != TYPES_PART and "customXml/" not in name
    )


def _linked(package: Package, rels: str, places: Mapping[str, str]) -> Iterator[Feature]:
    folder, _, file = rels.rpartition("_rels/")
    owner = folder + file.removesuffix(".rels")
    if owner and owner not in package:
        return
    for rel in package.relationships(owner).values():
        kind = PARTS.get(rel.kind)
        if kind is None:
            continue
        where = places.get(owner, posixpath.basename(owner))
        if rel.external:
            yield Feature(kind=kind, where=where, name=rel.target[:200], digest="")
        elif rel.target in package:
            label = places.get(rel.target, posixpath.basename(rel.target))
            yield Feature(
                kind=kind, where=where, name=label, digest=_digest_of(package, rel.target, kind)
            )


def _digest_of(package: Package, part: str, kind: str) -> str:
    """Return the digest of a linked part; a sheet's own changes are those of its elements."""
    if kind in ("worksheet", "slide", "header", "footer", "footnotes", "endnotes"):
        return ""
    data = package.read(part)
    if part.lower().endswith((".xml", ".vml")):
        # a part that does not parse is compared by its bytes
        with contextlib.suppress(ToolInputError):
            data = canonical(package.parse(part))
    return hashlib.sha256(data).hexdigest()[:16]


def _elements(package: Package, part: str, places: Mapping[str, str]) -> Iterator[Feature]:
    top = part.split("/", 1)[0]
    table = _DRAWN if part.startswith("xl/drawings/") else ELEMENTS.get(top)
    if table is None or part.startswith(
        ("xl/sharedStrings", "xl/calcChain", "xl/pivotCache/pivotCacheRecords")
    ):
        return
    where = places.get(part, posixpath.basename(part))
    for node in _interesting(package, part):
        kind = table.get(etree.QName(node).localname)
        if kind is not None:
            yield Feature(
                kind=_kind(kind, node), where=where, name=_name(node),
                digest=hashlib.sha256(canonical(node)).hexdigest()[:16],
            )  # fmt: skip


def _interesting(package: Package, part: str) -> Iterator[Element]:
    """Yield the elements of a part; of a worksheet without its rows, which differences are told by cell."""
    if part.startswith("xl/worksheets/"):
        from deskmate_documents.xlsx.sheetpart import SheetPart  # noqa: PLC0415

        try:
            root = SheetPart(package.xml(part), f"{package.name} ({part})").skeleton()
        except ToolInputError:
            root = package.parse(part)
    else:
        root = package.parse(part)
    yield from (node for node in root.iter() if isinstance(node.tag, str))


def _kind(kind: str, node: Element) -> str:
    newer = "/2009/9/main" in node.tag
    return f"{kind} (2010)" if newer and kind in ("conditional format", "data validation") else kind


def _name(node: Element) -> str:
    for key in _NAMED:
        if node.get(key):
            return str(node.get(key))[:120]
    holder = node.getparent()
    if holder is not None and holder.get("sqref"):
        return f"{holder.get('sqref')} {node.get('type', '')}"[:120]
    return ""


def _sheet_names(package: Package) -> dict[str, str]:
    """Return part → sheet name of a workbook, nothing for other packages."""
    main = package.main_part()
    root = package.parse(main)
    if root.tag != f"{{{X_NS}}}workbook":
        return {}
    rels = package.relationships(main)
    found = {}
    for node in root.iter(f"{{{X_NS}}}sheet"):
        rel = rels.get(node.get(_RID, ""))
        if rel is not None and not rel.external:
            found[rel.target] = node.get("name", "")
    return found
