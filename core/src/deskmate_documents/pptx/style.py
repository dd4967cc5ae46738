"""The house style: a plain 16:9 deck whose master, layouts, colours and fonts are set here, for decks without a template."""

from __future__ import annotations

from typing import Any

from deskmate_documents.graphics import A_NS
from deskmate_documents.pptx.deck import EMU

WIDTH, HEIGHT = 960.0, 540.0
FONT = "Calibri"
COLOURS = {
    "dk1": "1F2933", "lt1": "FFFFFF", "dk2": "12355B", "lt2": "EEF2F6", "accent1": "1D5C96", "accent2": "D9822B",
    "accent3": "3A8F6B", "accent4": "8A4F9E", "accent5": "B83A4B", "accent6": "6B7785", "hlink": "1D5C96", "folHlink": "6B7785",
}  # fmt: skip
_PLACES = {
    # type of layout: type of placeholder: left, top, right, bottom, size, anchor
    "Title Slide": {"title": (60, 170, 900, 290, 40, "b"), "sub": (60, 300, 900, 380, 20, "t")},
    "Title and Content": {"title": (48, 16, 912, 88, 26, "b"), "body": (48, 104, 912, 464, 20, "t")},
    "Section Header": {"title": (60, 190, 900, 290, 36, "b"), "sub": (60, 300, 900, 360, 18, "t")},
    "Title Only": {"title": (48, 16, 912, 88, 26, "b")},
}  # fmt: skip
_FOOT = {"dt": (48, 500, 240, 524), "ftr": (300, 500, 660, 524), "sldNum": (812, 500, 912, 524)}


def house_style() -> Any:
    """Return an empty presentation in the house style."""
    import pptx  # noqa: PLC0415
    from pptx.util import Pt  # noqa: PLC0415

    deck = pptx.Presentation()
    deck.slide_width, deck.slide_height = Pt(WIDTH), Pt(HEIGHT)
    master = deck.slide_masters[0]
    for layout in list(deck.slide_layouts):
        if layout.name not in _PLACES:
            deck.slide_layouts.remove(layout)
    _theme(master)
    _place_all(master.placeholders, _PLACES["Title and Content"])
    _title_style(master)
    for layout in deck.slide_layouts:
        _place_all(layout.placeholders, _PLACES[layout.name])
    _bar(master, Pt)
    return deck


def _theme(master: Any) -> None:
    from lxml import etree  # noqa: PLC0415
    from pptx.opc.constants import RELATIONSHIP_TYPE  # noqa: PLC0415

    part = master.part.part_related_by(RELATIONSHIP_TYPE.THEME)
    root = etree.fromstring(part.blob)
    names = {"a": A_NS}
    scheme = root.find(".//a:clrScheme", names)
    scheme.set("name", "House")
    for key, value in COLOURS.items():
        node = scheme.find(f"a:{key}", names)
        for child in list(node):
            node.remove(child)
        etree.SubElement(node, f"{{{A_NS}}}srgbClr").set("val", value)
    for kind in ("majorFont", "minorFont"):
        root.find(f".//a:{kind}/a:latin", names).set("typeface", FONT)
    part._blob = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


def _place_all(placeholders: Any, places: dict[str, tuple[Any, ...]]) -> None:
    from pptx.util import Pt  # noqa: PLC0415

    for shape in placeholders:
        kind = shape.element.ph.get("type", "obj")
        name = {"ctrTitle": "title", "title": "title", "subTitle": "sub", "dt": "dt", "ftr": "ftr", "sldNum": "sldNum"}.get(
            kind, "body" if "body" in places else "sub"
        )  # fmt: skip
        place = places.get(name) or _FOOT.get(name)
        if place is None:
            continue
        shape.left, shape.top = Pt(place[0]), Pt(place[1])
        shape.width, shape.height = Pt(place[2] - place[0]), Pt(place[3] - place[1])
        if len(place) > 4:
            _look(shape, place[4], place[5], name)


def _look(shape: Any, size: int, anchor: str, name: str) -> None:
    from lxml import etree  # noqa: PLC0415

    body, title = shape.text_frame._txBody, name == "title"
    settings = body.find(f"{{{A_NS}}}bodyPr")
    settings.set("anchor", anchor)
    for child in list(settings):
        settings.remove(child)
    etree.SubElement(settings, f"{{{A_NS}}}noAutofit")
    styles = body.find(f"{{{A_NS}}}lstStyle")
    for child in list(styles):
        styles.remove(child)
    for level in range(1, 2 if title else 4):
        entry = etree.SubElement(styles, f"{{{A_NS}}}lvl{level}pPr")
        entry.set("algn", "l")
        if name != "body":
            entry.set("marL", "0")
            entry.set("indent", "0")
            etree.SubElement(entry, f"{{{A_NS}}}buNone")
        look = etree.SubElement(entry, f"{{{A_NS}}}defRPr")
        look.set("sz", str((size - 2 * (level - 1)) * 100))
        look.set("b", "1" if title else "0")
        colour = etree.SubElement(
            etree.SubElement(look, f"{{{A_NS}}}solidFill"), f"{{{A_NS}}}schemeClr"
        )
        colour.set("val", "tx2" if title else "tx1")


def _title_style(master: Any) -> None:
    """Align all titles left, also those of slides whose layout says nothing."""
    styles = master.element.find(".//{*}titleStyle/{*}lvl1pPr")
    if styles is not None:
        styles.set("algn", "l")


def _bar(master: Any, points: Any) -> None:
    """Draw the line of colour at the left edge, behind everything."""
    from lxml import etree  # noqa: PLC0415

    tree = master.shapes._spTree
    text = (
        f'<p:sp xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:a="{A_NS}"><p:nvSpPr>'
        '<p:cNvPr id="900" name="Edge"/><p:cNvSpPr/><p:nvPr userDrawn="1"/></p:nvSpPr><p:spPr><a:xfrm><a:off x="0" y="0"/>'
        f'<a:ext cx="{12 * EMU}" cy="{int(HEIGHT * EMU)}"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom>'
        '<a:solidFill><a:schemeClr val="accent1"/></a:solidFill><a:ln><a:noFill/></a:ln></p:spPr></p:sp>'
    )
    tree.insert(2, etree.fromstring(text))
