"""The order of elements that the schemas of Office Open XML want, for the parts of a workbook that are written here.

Excel repairs a workbook in which a child stands before one that has to come first, or where none of its kind may be.
The sequences are those of the complex types of ECMA-376 (part 1, annex A), which says what each element may hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lxml import etree

from deskmate_documents.opc import Element
from deskmate_documents.xlsx.book import Workbook
from deskmate_documents.xlsx.rules import ORDER
from deskmate_documents.xlsx.sheetpart import MAIN
from deskmate_documents.xlsx.shiftparts import CHART, DRAWN

_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_SERIES = "idx order tx spPr"
_SHOWN = "dLbls trendline errBars"

_MAIN_TEXT = {
    "workbook": """fileVersion fileSharing workbookPr workbookProtection bookViews sheets functionGroups externalReferences
        definedNames calcPr oleSize customWorkbookViews pivotCaches smartTagPr smartTagTypes webPublishing
        fileRecoveryPr webPublishObjects extLst""",
    "worksheet": " ".join(ORDER),
    "sheetView": "pane selection pivotSelection extLst",
    "row": "c extLst",
    "c": "f v is extLst",
    "conditionalFormatting": "cfRule extLst",
    "cfRule": "formula colorScale dataBar iconSet extLst",
    "colorScale": "cfvo color",
    "dataBar": "cfvo color",
    "dataValidation": "formula1 formula2",
    "autoFilter": "filterColumn sortState extLst",
    "styleSheet": """numFmts fonts fills borders cellStyleXfs cellXfs cellStyles dxfs tableStyles colors extLst""",
    "xf": "alignment protection extLst",
    "dxf": "font numFmt fill alignment border protection extLst",
    "table": "autoFilter sortState tableColumns tableStyleInfo extLst",
    "tableColumn": "calculatedColumnFormula totalsRowFormula xmlColumnPr extLst",
    "pivotCacheDefinition": """cacheSource cacheFields cacheHierarchies kpis tupleCache calculatedItems calculatedMembers
        dimensions measureGroups maps extLst""",
    "cacheSource": "worksheetSource consolidation extLst",
    "cacheField": "sharedItems fieldGroup mpMap extLst",
    "pivotTableDefinition": """location pivotFields rowFields rowItems colFields colItems pageFields dataFields formats
        conditionalFormats chartFormats pivotHierarchies pivotTableStyleInfo filters rowHierarchiesUsage
        colHierarchiesUsage extLst""",
    "pivotField": "items autoSortScope extLst",
}
_CHART_TEXT = {
    "chartSpace": """date1904 lang roundedCorners style clrMapOvr pivotSource protection chart spPr txPr externalData
        printSettings userShapes extLst""",
    "chart": """title autoTitleDeleted pivotFmts view3D floor sideWall backWall plotArea legend plotVisOnly dispBlanksAs
        showDLblsOverMax extLst""",
    "title": "tx layout overlay spPr txPr extLst",
    "legend": "legendPos legendEntry layout overlay spPr txPr extLst",
    "barChart": "barDir grouping varyColors ser dLbls gapWidth overlap serLines axId extLst",
    "lineChart": "grouping varyColors ser dLbls dropLines hiLowLines upDownBars marker smooth axId extLst",
    "areaChart": "grouping varyColors ser dLbls dropLines axId extLst",
    "pieChart": "varyColors ser dLbls firstSliceAng extLst",
    "doughnutChart": "varyColors ser dLbls firstSliceAng holeSize extLst",
    "scatterChart": "scatterStyle varyColors ser dLbls axId extLst",
    "numRef": "f numCache extLst",
    "strRef": "f strCache extLst",
    "numCache": "formatCode ptCount pt extLst",
    "strCache": "ptCount pt extLst",
    "barChart/ser": f"{_SERIES} invertIfNegative pictureOptions dPt {_SHOWN} cat val shape extLst",
    "lineChart/ser": f"{_SERIES} marker dPt {_SHOWN} cat val smooth extLst",
    "areaChart/ser": f"{_SERIES} pictureOptions dPt {_SHOWN} cat val extLst",
    "pieChart/ser": f"{_SERIES} explosion dPt dLbls cat val extLst",
    "doughnutChart/ser": f"{_SERIES} explosion dPt dLbls cat val extLst",
    "scatterChart/ser": f"{_SERIES} marker dPt {_SHOWN} xVal yVal smooth extLst",
    "catAx": """axId scaling delete axPos majorGridlines minorGridlines title numFmt majorTickMark minorTickMark tickLblPos
        spPr txPr crossAx crosses crossesAt auto lblAlgn lblOffset tickLblSkip tickMarkSkip noMultiLvlLbl extLst""",
    "valAx": """axId scaling delete axPos majorGridlines minorGridlines title numFmt majorTickMark minorTickMark tickLblPos
        spPr txPr crossAx crosses crossesAt crossBetween majorUnit minorUnit dispUnits extLst""",
}
_DRAWN_TEXT = {
    "twoCellAnchor": "from to sp grpSp graphicFrame cxnSp pic contentPart clientData",
    "oneCellAnchor": "from ext sp grpSp graphicFrame cxnSp pic contentPart clientData",
    "graphicFrame": "nvGraphicFramePr xfrm graphic",
    "from": "col colOff row rowOff",
    "to": "col colOff row rowOff",
}


def _ranks(texts: Mapping[str, str]) -> dict[str, dict[str, int]]:
    return {
        name: {child: number for number, child in enumerate(text.split())}
        for name, text in texts.items()
    }


ORDERS = {MAIN: _ranks(_MAIN_TEXT), CHART: _ranks(_CHART_TEXT), DRAWN: _ranks(_DRAWN_TEXT)}
"""Namespace → element (or holder/element) → the rank of each child that it may have."""


def misplaced(root: Element) -> Iterator[str]:
    """Yield a sentence for each element of a part whose children the schemas do not allow as they stand."""
    for node in root.iter():
        if not isinstance(node.tag, str):
            continue
        name = etree.QName(node)
        known = ORDERS.get(name.namespace or "")
        if known is None:
            continue
        holder = node.getparent()
        within = f"{etree.QName(holder).localname}/{name.localname}" if holder is not None else ""
        ranks = known.get(within) or known.get(name.localname)
        if ranks is not None:
            yield from _children(node, name.namespace or "", name.localname, ranks)


def _children(node: Element, space: str, label: str, ranks: Mapping[str, int]) -> Iterator[str]:
    last, before = -1, ""
    for child in node:
        if not isinstance(child.tag, str) or child.tag.startswith(_MC):
            continue
        name = etree.QName(child)
        if name.namespace != space:
            continue
        rank = ranks.get(name.localname)
        if rank is None:
            yield f"The element {name.localname} may not stand within {label}."
        elif rank < last:
            yield f"The element {name.localname} stands behind {before} within {label}; it comes before it."
        else:
            last, before = rank, name.localname


def misplaced_parts(book: Workbook) -> Iterator[str]:
    """Yield what is misplaced in the parts of a workbook besides the rows of its sheets, with the part's name."""
    package = book.package
    sheets = {sheet.part: sheet for sheet in book.sheets if sheet.kind == "worksheet"}
    for part in package.names:
        if part in sheets:
            root = book.part(sheets[part]).skeleton()
            book.forget(sheets[part])
        elif part == book.main:
            root = book.root
        elif _is_written(part):
            root = package.parse(part)
        else:
            continue
        for text in misplaced(root):
            yield f"{part}: {text}"


def _is_written(part: str) -> bool:
    folders = (
        "xl/styles",
        "xl/tables/",
        "xl/pivotTables/",
        "xl/charts/chart",
        "xl/drawings/drawing",
    )
    caches = part.startswith("xl/pivotCache/") and "Records" not in part
    return part.endswith(".xml") and (part.startswith(folders) or caches)
