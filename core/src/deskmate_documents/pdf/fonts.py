"""The fonts of a page as pdfminer reads them: how wide each code of a text is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Font:
    """A font. `ascent`, `descent`: in parts of the size. `source`: pdfminer's own."""

    source: Any
    vertical: bool
    ascent: float
    descent: float


class Fonts:
    """Fonts by the names that a page's or form's resources give them (`/F1`)."""

    def __init__(self, resources: Any, resource_manager: Any) -> None:
        """`resources`: pdfminer's dictionary."""
        from pdfminer.pdftypes import dict_value  # noqa: PLC0415

        self._manager = resource_manager
        self._resources = dict_value(resources) if resources is not None else {}
        self._known: dict[str, Font | None] = {}

    def get(self, name: str) -> Font | None:
        """Return a font, or None if it is not there or cannot be read."""
        if name not in self._known:
            self._known[name] = self._load(name)
        return self._known[name]

    def _load(self, name: str) -> Font | None:
        from pdfminer.pdftypes import PDFObjRef, dict_value  # noqa: PLC0415

        listed = self._part("Font")
        spec = listed.get(name.removeprefix("/"))
        if spec is None:
            return None
        number = spec.objid if isinstance(spec, PDFObjRef) else None
        source = self._manager.get_font(number, dict_value(spec))
        ascent, descent = source.get_ascent(), source.get_descent()
        # many files give nothing or nonsense; too high a box takes a glyph too many, too low a one leaves one
        usable = 0.3 < ascent < 1.6 and -0.8 < descent <= 0
        return Font(
            source=source,
            vertical=bool(source.is_vertical()),
            ascent=ascent if usable else 0.85,
            descent=descent if usable else -0.22,
        )

    def of_state(self, name: str) -> tuple[str, float] | None:
        """Return the font that a graphics state sets, under a name of its own, and its size."""
        from pdfminer.pdftypes import PDFObjRef, dict_value, list_value, num_value  # noqa: PLC0415

        state = self._part("ExtGState").get(name.removeprefix("/"))
        entry = dict_value(state).get("Font") if state is not None else None
        if entry is None:
            return None
        spec, size = list_value(entry)[:2]
        own = f"/state {name}"
        number = spec.objid if isinstance(spec, PDFObjRef) else None
        source = self._manager.get_font(number, dict_value(spec))
        self._known[own] = Font(
            source=source, vertical=bool(source.is_vertical()), ascent=0.85, descent=-0.22
        )
        return own, float(num_value(size))

    def below(self, name: str) -> Fonts:
        """Return the fonts of a form that these resources name; without its own it uses these."""
        from pdfminer.pdftypes import stream_value  # noqa: PLC0415

        form = stream_value(self._part("XObject")[name.removeprefix("/")])
        inner = form.get("Resources")
        return Fonts(inner, self._manager) if inner is not None else self

    def _part(self, kind: str) -> dict[str, Any]:
        from pdfminer.pdftypes import dict_value  # noqa: PLC0415

        return dict_value(self._resources[kind]) if kind in self._resources else {}


def codes_of(text: Any, font: Font) -> list[tuple[bytes, float]] | None:
    """Return each code of a shown text with its width in parts of the size; None if they cannot be told apart."""
    raw = getattr(text, "original_bytes", None)
    data = bytes(raw if raw is not None else text)
    cids = list(font.source.decode(data))
    if not cids:
        return [] if not data else None
    size, rest = divmod(len(data), len(cids))
    if rest or size not in (1, 2):
        return None
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return [(piece, font.source.char_width(cid)) for piece, cid in zip(pieces, cids, strict=True)]
