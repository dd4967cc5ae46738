"""Speaker notes written into a deck; where it has no notes page yet, a plain one is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lxml import etree

from deskmate_documents.graphics import A_NS
from deskmate_documents.opc import Element, Package
from deskmate_documents.pptx.deck import P_NS, RID, Deck, Slide, p

_TYPE = "application/vnd.openxmlformats-officedocument.presentationml"
_THEME = "application/vnd.openxmlformats-officedocument.theme+xml"
_PAGE = f"""<p:notes xmlns:p="{P_NS}" xmlns:a="{A_NS}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">
<p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>
<p:sp><p:nvSpPr><p:cNvPr id="2" name="Slide Image Placeholder 1"/><p:cNvSpPr><a:spLocks noGrp="1" noRot="1" noChangeAspect="1"/></p:cNvSpPr>
<p:nvPr><p:ph type="sldImg"/></p:nvPr></p:nvSpPr><p:spPr/></p:sp>
<p:sp><p:nvSpPr><p:cNvPr id="3" name="Notes Placeholder 2"/><p:cNvSpPr><a:spLocks noGrp="1"/></p:cNvSpPr>
<p:nvPr><p:ph type="body" idx="1"/></p:nvPr></p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/><a:lstStyle/><a:p/></p:txBody></p:sp>
</p:spTree></p:cSld><p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr></p:notes>"""
_MASTER = f"""<p:notesMaster xmlns:p="{P_NS}" xmlns:a="{A_NS}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">
<p:cSld><p:bg><p:bgRef idx="1001"><a:schemeClr val="bg1"/></p:bgRef></p:bg><p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>
<p:sp><p:nvSpPr><p:cNvPr id="2" name="Slide Image Placeholder 1"/><p:cNvSpPr><a:spLocks noGrp="1" noRot="1" noChangeAspect="1"/></p:cNvSpPr>
<p:nvPr><p:ph type="sldImg" idx="2"/></p:nvPr></p:nvSpPr><p:spPr><a:xfrm><a:off x="685800" y="1143000"/><a:ext cx="5486400" cy="3086100"/></a:xfrm>
<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr></p:sp>
<p:sp><p:nvSpPr><p:cNvPr id="3" name="Notes Placeholder 2"/><p:cNvSpPr><a:spLocks noGrp="1"/></p:cNvSpPr><p:nvPr><p:ph type="body" sz="quarter" idx="3"/></p:nvPr></p:nvSpPr>
<p:spPr><a:xfrm><a:off x="685800" y="4400550"/><a:ext cx="5486400" cy="3600450"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr>
<p:txBody><a:bodyPr/><a:lstStyle/><a:p><a:r><a:rPr lang="en-US"/><a:t>Notes</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld>
<p:clrMap bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" accent1="accent1" accent2="accent2" accent3="accent3" accent4="accent4" accent5="accent5" accent6="accent6" hlink="hlink" folHlink="folHlink"/>
</p:notesMaster>"""


def set_notes(
    deck: Deck, slide: Slide, text: str, write_body: Callable[[Element, list[Any]], None]
) -> None:
    """Replace the speaker notes of a slide."""
    package = deck.package
    part = deck.one(slide.part, "notesSlide") or _new_page(deck, slide)
    root = package.parse(part)
    body = next(
        (
            shape.find(p("txBody"))
            for shape in root.iter(p("sp"))
            if (holder := next(shape.iter(p("ph")), None)) is not None
            and holder.get("type") == "body"
        ),
        None,
    )
    if body is None:
        raise package.error(f"has a notes page without a text for slide {slide.number}")
    write_body(body, text.split("\n"))
    package.write_xml(part, root)


def _new_page(deck: Deck, slide: Slide) -> str:
    package = deck.package
    master = deck.one(deck.main, "notesMaster") or _new_master(deck)
    part = _free(package, "ppt/notesSlides/notesSlide")
    _write(package, part, _PAGE, f"{_TYPE}.notesSlide+xml")
    package.add_relationship(part, "notesMaster", master)
    package.add_relationship(part, "slide", slide.part)
    package.add_relationship(slide.part, "notesSlide", part)
    return part


def _new_master(deck: Deck) -> str:
    """Make a notes master with a copy of the deck's own theme."""
    package = deck.package
    part = _free(package, "ppt/notesMasters/notesMaster")
    theme = _free(package, "ppt/theme/theme")
    _write(package, part, _MASTER, f"{_TYPE}.notesMaster+xml")
    first = deck.one(deck.one(deck.main, "slideMaster"), "theme")
    package.write(theme, package.read(first))
    package.set_content_type(theme, _THEME)
    package.add_relationship(part, "theme", theme)
    rel = package.add_relationship(deck.main, "notesMaster", part)
    root = package.parse(deck.main)
    listed = etree.Element(p("notesMasterIdLst"))
    etree.SubElement(listed, p("notesMasterId")).set(RID, rel)
    root.find(p("sldMasterIdLst")).addnext(listed)
    package.write_xml(deck.main, root)
    return part


def _free(package: Package, stem: str) -> str:
    number = 1
    while f"{stem}{number}.xml" in package:
        number += 1
    return f"{stem}{number}.xml"


def _write(package: Package, part: str, text: str, content_type: str) -> None:
    package.write_xml(part, etree.fromstring(text.replace("\n", "")))
    package.set_content_type(part, content_type)
