"""Pictures of boxes, lines and texts: the same scene as SVG, and as PNG by Pillow."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from deskmate.errors import ToolInputError

FONT = "DejaVu Sans, Liberation Sans, Arial, sans-serif"
_FILES = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf",
)
PIXELS_LIMIT = 24_000_000
INK = "#1F2937"
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle. `title`: what a reader of the SVG is told when pointing at it."""

    x: float
    y: float
    width: float
    height: float
    fill: str = "#FFFFFF"
    stroke: str = "#4B5563"
    radius: float = 0
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line through points; `arrow`: a head at its end."""

    points: tuple[Point, ...]
    stroke: str = "#4B5563"
    width: float = 1.5
    arrow: bool = True
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A line of text. `anchor`: start, middle or end at `x`; `y`: its middle."""

    x: float
    y: float
    text: str
    size: float = 13
    anchor: str = "middle"
    color: str = INK
    bold: bool = False


Item = Box | Line | Text


def legend(entries: Sequence[tuple[str, str]], y: float, step: float) -> Iterator[Item]:
    """Yield what colours mean, from left to right. `entries`: (words, six hex digits)."""
    for number, (words, colour) in enumerate(entries):
        x = 40 + number * step
        yield Box(x=x, y=y, width=16, height=16, fill=f"#{colour}", stroke="#FFFFFF")
        yield Text(x=x + 24, y=y + 8, text=words, size=12, anchor="start")


def headings(title: str, under: str) -> Iterator[Item]:
    """Yield the title of a picture and a line of words below it."""
    yield Text(x=40, y=32, text=title, size=20, anchor="start", bold=True)
    yield Text(x=40, y=58, text=under, size=13, anchor="start")


def shortened(text: str, limit: int) -> str:
    """Return a text that has at most so many characters, cut with an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


@dataclass(slots=True, kw_only=True)
class Scene:
    """A picture. Items are painted in order. `detail`: pixels of the PNG for each unit of the picture."""

    width: float
    height: float
    title: str
    detail: float = 2.0
    items: list[Item] = field(default_factory=list)

    def svg(self) -> str:
        """Return the picture as SVG, without scripts or links."""
        size = f'width="{self.width:g}" height="{self.height:g}" viewBox="0 0 {self.width:g} {self.height:g}"'
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(self.title)}</title>",
            f'<rect width="{self.width:g}" height="{self.height:g}" fill="#FFFFFF"/>',
            *(_svg(item) for item in self.items),
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def png(self) -> bytes:
        """Return the picture as PNG, with its detail in pixels where that is not too many."""
        import io  # noqa: PLC0415

        from PIL import Image, ImageDraw  # noqa: PLC0415 - heavy

        scale = min(self.detail, math.sqrt(PIXELS_LIMIT / (self.width * self.height)))
        size = (round(self.width * scale * 2), round(self.height * scale * 2))
        while size[0] * size[1] > PIXELS_LIMIT * 4:
            size = (size[0] // 2, size[1] // 2)
        image = Image.new("RGB", size, "#FFFFFF")
        painter = _Painter(ImageDraw.Draw(image), size[0] / self.width)
        for item in self.items:
            painter.paint(item)
        small = image.reduce(2)  # the mean of four pixels; other filters take twice the memory
        out = io.BytesIO()
        small.save(out, "PNG", optimize=False)
        return out.getvalue()


def _svg(item: Item) -> str:
    if isinstance(item, Text):
        weight = ' font-weight="bold"' if item.bold else ""
        look = f'font-family="{FONT}" font-size="{item.size:g}" fill="{item.color}"{weight}'
        place = f'x="{item.x:.1f}" y="{item.y:.1f}" text-anchor="{item.anchor}" dominant-baseline="central"'
        return f"<text {place} {look}>{escape(_safe(item.text))}</text>"
    title = f"<title>{escape(_safe(item.title))}</title>" if item.title else ""
    if isinstance(item, Box):
        place = f'x="{item.x:.1f}" y="{item.y:.1f}" width="{item.width:.1f}" height="{item.height:.1f}" rx="{item.radius:g}"'
        return f'<rect {place} fill="{item.fill}" stroke="{item.stroke}">{title}</rect>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in item.points)
    line = f'<polyline points={quoteattr(path)} fill="none" stroke="{item.stroke}" stroke-width="{item.width:g}"/>'
    head = ""
    if item.arrow:
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in _head(item.points, item.width))
        head = f'<polygon points="{corners}" fill="{item.stroke}"/>'
    return f"<g>{title}{line}{head}</g>"


def _head(points: Sequence[Point], width: float) -> tuple[Point, Point, Point]:
    (x1, y1), (x2, y2) = points[-2], points[-1]
    angle = math.atan2(y2 - y1, x2 - x1)
    size = 7 + width
    left, right = angle + 2.7, angle - 2.7
    return (
        (x2, y2),
        (x2 + size * math.cos(left), y2 + size * math.sin(left)),
        (x2 + size * math.cos(right), y2 + size * math.sin(right)),
    )


def _safe(text: str) -> str:
    """Return a text that XML can hold."""
    return "".join(c for c in text if c >= " " and not 0xD800 <= ord(c) <= 0xDFFF and c not in "￾￿")


def picture_problems(file: Path, drawn: bytes) -> Iterator[tuple[str, str]]:
    """Yield a message if a picture is not the one that its source gives. `drawn`: the picture made again."""
    if file.suffix.lower() == ".svg":
        if file.read_bytes() != drawn:
            yield "The picture is not the one that its source gives.", ""
        return
    import io  # noqa: PLC0415

    from PIL import Image, ImageChops, UnidentifiedImageError  # noqa: PLC0415 - heavy

    try:
        with Image.open(file) as shown, Image.open(io.BytesIO(drawn)) as right:
            alike = (
                shown.size == right.size
                and not ImageChops.difference(shown.convert("RGB"), right.convert("RGB")).getbbox()
            )
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as problem:
        raise ToolInputError("The picture is not a readable PNG.") from problem
    if not alike:
        yield "The picture is not the one that its source gives.", ""


class _Painter:
    """Paints items on an image."""

    def __init__(self, draw: Any, scale: float) -> None:
        self._draw, self._scale = draw, scale
        self._fonts: dict[tuple[float, bool], Any] = {}

    def paint(self, item: Item) -> None:
        s = self._scale
        if isinstance(item, Box):
            area = (item.x * s, item.y * s, (item.x + item.width) * s, (item.y + item.height) * s)
            self._draw.rounded_rectangle(
                area, item.radius * s, fill=item.fill, outline=item.stroke, width=max(1, round(s))
            )
        elif isinstance(item, Line):
            points = [(x * s, y * s) for x, y in item.points]
            self._draw.line(
                points, fill=item.stroke, width=max(1, round(item.width * s)), joint="curve"
            )
            if item.arrow:
                head = _head(item.points, item.width)
                self._draw.polygon([(x * s, y * s) for x, y in head], fill=item.stroke)
        else:
            font = self._font(item.size, item.bold)
            anchor = {"start": "lm", "middle": "mm", "end": "rm"}[item.anchor]
            text = item.text if Path(_FILES[0]).is_file() else _ascii(item.text)
            self._draw.text((item.x * s, item.y * s), text, item.color, font, anchor=anchor)

    def _font(self, size: float, bold: bool) -> Any:
        from PIL import ImageFont  # noqa: PLC0415 - heavy

        if (size, bold) not in self._fonts:
            file = Path(_FILES[bold])
            pixels = size * self._scale
            self._fonts[size, bold] = (
                ImageFont.truetype(str(file), pixels)
                if file.is_file()
                else ImageFont.load_default(pixels)
            )
        return self._fonts[size, bold]


def _ascii(text: str) -> str:
    """Return a text in the signs that the font within Pillow has; others become a question mark."""
    plain = unicodedata.normalize(
        "NFKD", text.replace("→", "->").replace("×", "x").replace("–", "-")
    )
    kept = (c for c in plain if not unicodedata.combining(c))
    return "".join(c if " " <= c <= "~" else "?" for c in kept)
