"""Clears one page, its annotations, and what a whole document says besides its pages."""

from __future__ import annotations

import io
from typing import Any

from deskmate_documents.pdf.fonts import Fonts
from deskmate_documents.pdf.opening import BROKEN
from deskmate_documents.pdf.stream import (
    DEPTH_LIMIT,
    IDENTITY,
    Clearer,
    Matrix,
    Rect,
    bounds,
    times,
)

_PAGE_EXTRAS = ("/Thumb", "/PieceInfo", "/Metadata", "/AA", "/StructParents", "/B")
_ROOT_EXTRAS = (
    "/Metadata", "/StructTreeRoot", "/MarkInfo", "/PieceInfo", "/AA", "/OpenAction", "/AF", "/Collection", "/SpiderInfo",
)  # fmt: skip
PIXELS_LIMIT = 24_000_000


def own_resources(writer: Any) -> None:
    """Give each page the resources that it inherits, and take them from the nodes above, which would keep them alive."""
    from pypdf.generic import NameObject  # noqa: PLC0415

    above: dict[int, Any] = {}
    for page in writer.pages:
        node, found = _value(page, "/Parent"), None
        for _ in range(DEPTH_LIMIT * 4):
            if node is None:
                break
            if "/Resources" in node:
                found = found or node.raw_get("/Resources")
                above[id(node)] = node
            node = _value(node, "/Parent")
        if "/Resources" not in page and found is not None:
            page[NameObject("/Resources")] = found
    for node in above.values():
        del node["/Resources"]


def clear_page(writer: Any, index: int, rects: list[Rect], miner_resources: Any) -> Work:
    """Take what lies in the rectangles out of a page, and say what went and what is doubtful."""
    from pdfminer.pdfinterp import PDFResourceManager  # noqa: PLC0415
    from pypdf.generic import ContentStream, DictionaryObject, NameObject  # noqa: PLC0415

    page = writer.pages[index]
    work = Work(writer, rects)
    resources = DictionaryObject((_value(page, "/Resources") or {}).items())
    page[NameObject("/Resources")] = resources
    contents = _value(page, "/Contents")
    operations = ContentStream(contents, writer).operations if contents is not None else []
    fonts = Fonts(miner_resources, PDFResourceManager(caching=True))
    operations = work.clear(operations, resources, fonts, IDENTITY, 0)
    _keep_drawn(resources, operations)
    black = "".join(
        f"{left:.2f} {bottom:.2f} {right - left:.2f} {top - bottom:.2f} re f\n"
        for left, bottom, right, top in rects
    )
    data = b"q\n" + _written(operations) + b"\nQ\nq 0 0 0 rg\n" + black.encode() + b"Q\n"
    page[NameObject("/Contents")] = writer._add_object(_stream(data))
    for key in _PAGE_EXTRAS:
        page.pop(key, None)
    _mute(resources)
    return work


def _keep_drawn(resources: Any, operations: list[Any]) -> None:
    """Leave among the resources only the pictures and forms that are still drawn."""
    from pypdf.generic import DictionaryObject, NameObject  # noqa: PLC0415

    drawn = {str(operands[0]) for operands, operator in operations if operator == b"Do"}
    listed = _value(resources, "/XObject")
    if listed is not None:
        resources[NameObject("/XObject")] = DictionaryObject(
            {name: listed.raw_get(name) for name in listed if name in drawn}
        )


def forget(writer: Any, gone: set[int]) -> list[str]:
    """Take replaced pictures and forms off the lists of pages that do not draw them; say which pages do."""
    from pypdf.generic import ContentStream, DictionaryObject, NameObject  # noqa: PLC0415

    used = []
    for number, page in enumerate(writer.pages if gone else (), 1):
        resources = _value(page, "/Resources") or {}
        listed: Any = _value(resources, "/XObject") or {}
        names = {name for name in listed if _number(listed.raw_get(name)) in gone}
        contents = _value(page, "/Contents")
        if not names:
            continue
        operations = ContentStream(contents, writer).operations if contents is not None else []
        own = DictionaryObject(resources.items())
        page[NameObject("/Resources")] = own
        _keep_drawn(own, operations)
        if names & set(_value(own, "/XObject")):
            used.append(number)
    return [
        f"Page {n} draws a picture or form that was redacted on another page; redact it there too."
        for n in used[:10]
    ]


def _number(reference: Any) -> int:
    return int(getattr(reference, "idnum", 0))


def _value(node: Any, key: str) -> Any:
    found = node.get(key)
    return found.get_object() if found is not None else None


def _stream(data: bytes) -> Any:
    from pypdf.generic import StreamObject  # noqa: PLC0415

    stream = StreamObject()
    stream.set_data(data)
    return stream.flate_encode()


def _written(operations: list[Any]) -> bytes:
    """Return operations as bytes, in the way that pypdf writes its content streams."""
    from pypdf.generic import ContentStream  # noqa: PLC0415

    content = ContentStream(None, None)
    content.operations = operations
    return bytes(content.get_data())


def _mute(resources: Any) -> None:
    """Take the spoken text out of property lists that content refers to by name."""
    properties = _value(resources, "/Properties") or {}
    for name in list(properties):
        entry = properties[name].get_object()
        for key in ("/ActualText", "/Alt", "/E"):
            if hasattr(entry, "pop"):
                entry.pop(key, None)


class Work:
    """Clears a page and the forms that it draws. `gone`: numbers of objects that it draws no more."""

    def __init__(self, writer: Any, rects: list[Rect]) -> None:
        self._writer = writer
        self._rects = rects
        self._count = 0
        self.glyphs = 0
        self.doubts: list[str] = []
        self.gone: set[int] = set()

    def clear(
        self, operations: list[Any], resources: Any, fonts: Fonts, matrix: Matrix, depth: int
    ) -> list[Any]:
        """Return the operations without what lies in the rectangles; resources get what replaces pictures and forms."""

        def drawn(name: str, at: Matrix) -> str:
            return self._drawn(name, at, resources, fonts, depth)

        cleared = Clearer(self._rects, fonts, drawn, matrix).run(operations)
        self.glyphs += cleared.glyphs
        self.doubts += cleared.doubts
        return cleared.operations

    def _drawn(self, name: str, at: Matrix, resources: Any, fonts: Fonts, depth: int) -> str:
        """Return the name of what is drawn instead of this picture or form; empty for nothing."""
        listed: Any = _value(resources, "/XObject") or {}
        node = _value(listed, name)
        if node is None:
            return name
        now = self._instead(name, node, at, resources, fonts, depth)
        if now != name:
            self.gone.add(_number(listed.raw_get(name)))
        return now

    def _instead(
        self, name: str, node: Any, at: Matrix, resources: Any, fonts: Fonts, depth: int
    ) -> str:
        if node.get("/Subtype") == "/Form":
            matrix = tuple(float(n) for n in node.get("/Matrix", IDENTITY))
            at = times(matrix, at)  # type: ignore[arg-type]
            box = bounds(at, tuple(float(n) for n in node.get("/BBox", (0, 0, 0, 0))))  # type: ignore[arg-type]
            if not self._touched(box):
                return name
            return self._form(name, node, at, resources, fonts, depth)
        box = bounds(at, (0, 0, 1, 1))
        return self._picture(name, node, at, resources) if self._touched(box) else name

    def _touched(self, box: Rect) -> bool:
        return any(
            min(box[2], r[2]) > max(box[0], r[0]) and min(box[3], r[3]) > max(box[1], r[1])
            for r in self._rects
        )

    def _form(
        self, name: str, node: Any, at: Matrix, resources: Any, fonts: Fonts, depth: int
    ) -> str:
        from pypdf.generic import ContentStream, DictionaryObject, NameObject  # noqa: PLC0415

        if depth >= DEPTH_LIMIT:
            self.doubts.append("forms within forms without end")
            return ""
        inner = DictionaryObject((_value(node, "/Resources") or resources).items())
        content = ContentStream(node, self._writer)
        operations = self.clear(content.operations, inner, fonts.below(name), at, depth + 1)
        _keep_drawn(inner, operations)
        stream = _stream(_written(operations))
        for key in ("/Type", "/Subtype", "/BBox", "/Matrix", "/Group", "/OC"):
            if key in node:
                stream[NameObject(key)] = node.raw_get(key)
        stream[NameObject("/Resources")] = inner
        _mute(inner)
        return self._named(resources, stream)

    def _named(self, resources: Any, stream: Any) -> str:
        """Put an object among the resources, in a list that no other page shares."""
        from pypdf.generic import DictionaryObject, NameObject  # noqa: PLC0415

        self._count += 1
        name = f"/Cleared{self._count}"
        listed = DictionaryObject((_value(resources, "/XObject") or {}).items())
        listed[NameObject(name)] = self._writer._add_object(stream)
        resources[NameObject("/XObject")] = listed
        return name

    def _picture(self, name: str, node: Any, at: Matrix, resources: Any) -> str:
        box = bounds(at, (0, 0, 1, 1))
        if any(
            r[0] <= box[0] + 1 and r[1] <= box[1] + 1 and r[2] >= box[2] - 1 and r[3] >= box[3] - 1
            for r in self._rects
        ):
            return ""
        masked = any(key in node for key in ("/SMask", "/Mask", "/ImageMask"))
        size = int(node.get("/Width", 0)) * int(node.get("/Height", 0))
        determinant = at[0] * at[3] - at[1] * at[2]
        if masked or not 0 < size <= PIXELS_LIMIT or abs(determinant) < 1e-9:
            self.doubts.append("a picture under a box has a mask or a kind that cannot be redrawn")
            return name
        picture = _decoded(node)
        if picture is None:
            self.doubts.append("a picture under a box cannot be decoded")
            return name
        return self._named(resources, _blackened(picture, at, self._rects, node))


def _decoded(node: Any) -> Any:
    """Return a picture's pixels, or None where they cannot be had."""
    from PIL.Image import DecompressionBombError  # noqa: PLC0415
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    try:
        picture = node.decode_as_image()
        picture.load()
    except (*BROKEN, OSError, PyPdfError, DecompressionBombError):
        return None
    return picture if picture.width * picture.height <= PIXELS_LIMIT else None


def _blackened(picture: Any, at: Matrix, rects: list[Rect], node: Any) -> Any:
    """Return the picture as a new object whose pixels under the rectangles are black."""
    from PIL import ImageDraw  # noqa: PLC0415
    from pypdf.generic import NameObject, NumberObject, StreamObject  # noqa: PLC0415

    picture = picture.convert("L" if picture.mode in ("1", "L") else "RGB")
    a, b, c, d, e, f = at
    determinant = a * d - b * c
    pen = ImageDraw.Draw(picture)
    for left, bottom, right, top in rects:
        spots = []
        for x, y in ((left, bottom), (right, bottom), (right, top), (left, top)):
            u = (d * (x - e) - c * (y - f)) / determinant
            v = (a * (y - f) - b * (x - e)) / determinant
            spots.append((u * picture.width, (1 - v) * picture.height))
        pen.polygon(spots, fill=0 if picture.mode == "L" else (0, 0, 0), width=2)
    jpeg = "DCT" in str(node.get("/Filter", "")) and picture.mode == "RGB"
    if jpeg:
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=92)
        stream: Any = StreamObject()
        stream.set_data(data.getvalue())
        stream[NameObject("/Filter")] = NameObject("/DCTDecode")
    else:
        stream = _stream(picture.tobytes())
    space = "/DeviceGray" if picture.mode == "L" else "/DeviceRGB"
    stream.update(
        {
            NameObject("/Type"): NameObject("/XObject"),
            NameObject("/Subtype"): NameObject("/Image"),
            NameObject("/Width"): NumberObject(picture.width),
            NameObject("/Height"): NumberObject(picture.height),
            NameObject("/ColorSpace"): NameObject(space),
            NameObject("/BitsPerComponent"): NumberObject(8),
        }
    )
    return stream


def clear_annotations(writer: Any, page: Any, rects: list[Rect]) -> int:
    """Take out the annotations, links and form fields that touch a rectangle; return how many."""
    from pypdf.generic import ArrayObject, NameObject  # noqa: PLC0415

    listed = _value(page, "/Annots")
    if listed is None:
        return 0
    gone: list[Any] = []
    for reference in listed:
        node = reference.get_object()
        box = [float(edge) for edge in node.get("/Rect", ())] if hasattr(node, "get") else []
        if len(box) == 4 and any(
            min(max(box[0], box[2]), r[2]) > max(min(box[0], box[2]), r[0])
            and min(max(box[1], box[3]), r[3]) > max(min(box[1], box[3]), r[1])
            for r in rects
        ):
            gone.append(node)
    doomed = {id(node) for node in gone}
    kept = [
        reference
        for reference in listed
        if id(reference.get_object()) not in doomed and not _belongs(reference.get_object(), doomed)
    ]
    page[NameObject("/Annots")] = ArrayObject(kept)
    form = _value(writer.root_object, "/AcroForm")
    if form is not None:
        _drop_fields(form, "/Fields", doomed, 0)
    return len(gone)


def _belongs(node: Any, doomed: set[int]) -> bool:
    """Say whether this is the window or the answer of one that goes."""
    if not hasattr(node, "get"):
        return False
    above = [_value(node, key) for key in ("/Parent", "/IRT")]
    return any(id(other) in doomed for other in above if other is not None)


def _drop_fields(node: Any, key: str, doomed: set[int], depth: int) -> bool:
    """Take fields whose widget goes out of the form; say whether any is left below the node."""
    from pypdf.generic import ArrayObject, NameObject  # noqa: PLC0415

    listed = _value(node, key)
    if listed is None or depth > 32:
        return True
    kept = []
    for reference in listed:
        field = reference.get_object()
        if id(field) in doomed or (
            "/Kids" in field and not _drop_fields(field, "/Kids", doomed, depth + 1)
        ):
            continue
        kept.append(reference)
    if len(kept) < len(listed) and key == "/Kids":
        node.pop("/V", None)
        node.pop("/DV", None)
    node[NameObject(key)] = ArrayObject(kept)
    return bool(kept)


def clean_document(writer: Any, words: set[str]) -> list[str]:
    """Take out what a file says besides its pages, and return what to tell the user."""
    notes = ["Metadata, tags, attachments and scripts were taken out too."]
    root = writer.root_object
    for key in _ROOT_EXTRAS:
        root.pop(key, None)
    names = _value(root, "/Names")
    for key in ("/EmbeddedFiles", "/JavaScript") if names is not None else ():
        names.pop(key, None)
    form = _value(root, "/AcroForm")
    if form is not None:
        form.pop("/XFA", None)
    writer.metadata = None
    for page in writer.pages:
        for key in _PAGE_EXTRAS:
            page.pop(key, None)
    changed = _clean_outline(_value(root, "/Outlines"), {word.lower() for word in words}, 0)
    if changed:
        notes.append(
            f"{changed} bookmarks named what was redacted; they are called [redacted] now."
        )
    return notes


def _clean_outline(node: Any, words: set[str], depth: int) -> int:
    from pypdf.generic import NameObject, TextStringObject  # noqa: PLC0415

    changed, seen = 0, 0
    item = _value(node, "/First") if node is not None and depth < 32 else None
    while item is not None and seen < 20_000:
        title = str(item.get("/Title", "")).lower()
        if any(word in title for word in words):
            item[NameObject("/Title")] = TextStringObject("[redacted]")
            changed += 1
        changed += _clean_outline(item, words, depth + 1)
        item, seen = _value(item, "/Next"), seen + 1
    return changed
