"""The geometry of slides: what lies off the slide, over something else, does not fit, or is too small to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deskmate_documents.pptx.deck import Deck, Slide, a
from deskmate_documents.pptx.measure import line_height, wrapped
from deskmate_documents.pptx.shapes import Box, Shape, shapes_of

MINIMUM_PT = 10.0
_SLACK = 2.0
_SHARE = 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """What is doubtful. `rule`: off-slide, overlap, overflow, small-text, empty or no-title. `level`: error or warning."""

    rule: str
    level: str
    slide: int
    shape: str
    message: str


def lint(deck: Deck, numbers: list[int] | None = None, minimum: float = MINIMUM_PT) -> list[Doubt]:
    """Return what is doubtful on these slides, hidden ones too; `minimum`: the smallest size in points that is fine."""
    found: list[Doubt] = []
    for slide in deck.slides:
        if numbers is None or slide.number in numbers:
            found += _of_slide(deck, slide, minimum)
    return found


def _of_slide(deck: Deck, slide: Slide, minimum: float) -> Iterator[Doubt]:
    shapes = [shape for shape in shapes_of(deck, slide.part) if not shape.hidden]
    for shape in shapes:
        for rule, level, message in _of_shape(deck, shape, minimum):
            yield Doubt(
                rule=rule, level=level, slide=slide.number, shape=shape.name or str(shape.id), message=message
            )  # fmt: skip
    full = [s for s in shapes if not s.is_furniture and _is_content(s)]
    for index, one in enumerate(full):
        for other in full[index + 1 :]:
            if _collide(one, other):
                yield Doubt(
                    rule="overlap", level="warning", slide=slide.number, shape=other.name,
                    message=f"{other.name} lies over {one.name}.",
                )  # fmt: skip
    if not any(s.kind == "title" and s.text.strip() for s in shapes):
        yield Doubt(
            rule="no-title", level="warning", slide=slide.number, shape="",
            message="The slide has no title; readers and screen readers find it by its title.",
        )  # fmt: skip


def _of_shape(deck: Deck, shape: Shape, minimum: float) -> Iterator[tuple[str, str, str]]:
    if shape.holder and shape.kind in ("title", "text") and not shape.text.strip():
        yield "empty", "warning", "The placeholder is empty; take it off or fill it."
        return
    if (
        shape.box is not None
        and not shape.rotated
        and (_is_content(shape) or shape.kind == "media")
    ):
        side = _outside(deck, shape.box)
        if side:
            yield (
                "off-slide",
                "error",
                f"It goes {side[1]:.0f} pt beyond the {side[0]} of the slide.",
            )
    sizes = [
        size for paragraph in shape.paragraphs if paragraph.text.strip() for size in paragraph.sizes
    ]
    sizes += _table_sizes(shape)
    if sizes and min(sizes) < minimum - 0.05 and not shape.is_furniture:
        yield "small-text", "warning", f"Text of {min(sizes):.1f} pt; {minimum:g} pt is the least."
    over = _overflow(deck, shape)
    if over > _SLACK:
        yield "overflow", "error", f"Its text needs about {over:.0f} pt more height than it has."


def _is_content(shape: Shape) -> bool:
    drawn = shape.kind in ("picture", "table", "chart", "diagram", "object")
    return drawn or bool(shape.text.strip())


def _outside(deck: Deck, box: Box) -> tuple[str, float] | None:
    beyond = {
        "left edge": -box[0], "top": -box[1], "right edge": box[2] - deck.width, "bottom": box[3] - deck.height,
    }  # fmt: skip
    side = max(beyond, key=lambda name: beyond[name])
    return (side, beyond[side]) if beyond[side] > _SLACK else None


def _collide(one: Shape, other: Shape) -> bool:
    if one.box is None or other.box is None or one.rotated or other.rotated:
        return False
    first, second = _inked(one), _inked(other)
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    if across <= _SLACK or down <= _SLACK:
        return False
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (first, second)]
    if across * down < _SHARE * min(areas):
        return False
    # words on a picture or on a filled shape are meant to be there
    within = across * down > 0.95 * areas[1]
    carrier = one.kind == "picture" or (one.kind == "text" and not one.text.strip())
    return not (within and carrier)


def _inked(shape: Shape) -> Box:
    """Return where a shape has something: for text, its lines and not all of its box."""
    box = shape.box or (0, 0, 0, 0)
    if not shape.paragraphs or _filled(shape):
        return box
    height = _text_height(shape)
    if shape.fit != "grow":
        height = min(height, box[3] - box[1])
    settings = shape.node.find(f".//{a('bodyPr')}")
    anchor = settings.get("anchor", "") if settings is not None else ""
    free = max(box[3] - box[1] - height, 0.0)
    top = box[1] + {"ctr": free / 2, "b": free}.get(anchor, 0.0)
    return box[0], top, box[2], top + height


def _filled(shape: Shape) -> bool:
    own = shape.node.find(f"{{*}}spPr/{a('solidFill')}")
    return own is not None


def _text_height(shape: Shape) -> float:
    box = shape.box or (0, 0, 0, 0)
    left, top, right, bottom = shape.insets
    width = box[2] - box[0] - left - right
    height = top + bottom
    for paragraph in shape.paragraphs:
        size = max(paragraph.sizes, default=12.0)
        inner = width - (paragraph.level - 1) * 18 - (18 if shape.holder in ("obj", "body") else 0)
        for line in paragraph.text.split("\n"):
            count = wrapped(line, size, inner, bold=paragraph.bold) if shape.wraps else 1
            height += count * line_height(size)
    return height


def _overflow(deck: Deck, shape: Shape) -> float:
    """Return by how many points text is higher than its room; of growing shapes and tables, than the slide."""
    if shape.box is None:
        return 0.0
    if shape.rows:
        return max(shape.box[1] + _table_height(shape) - deck.height, 0.0)
    if not shape.text.strip() or shape.rotated:
        return 0.0
    height = _text_height(shape)
    if shape.fit == "grow":
        return max(shape.box[1] + height - deck.height, 0.0)
    if shape.fit == "shrink":
        return 0.0  # the program that shows it makes it fit
    return height * 0.97 - (shape.box[3] - shape.box[1])


def _table_sizes(shape: Shape) -> list[float]:
    return [
        int(run.get("sz")) / 100
        for run in (shape.node.iter(a("rPr")) if shape.rows else ())
        if (run.get("sz") or "").isdigit()
    ]


def _table_height(shape: Shape) -> float:
    widths = [int(n.get("w", "0")) / 12_700 for n in shape.node.iter(a("gridCol"))]
    size = max(_table_sizes(shape), default=18.0)
    height = 0.0
    for row, node in zip(shape.rows, shape.node.iter(a("tr")), strict=False):
        given = int(node.get("h", "0")) / 12_700
        lines = [
            sum(wrapped(line, size, width - 14.4) for line in text.split("\n"))
            for text, width in zip(row, widths, strict=False)
        ]
        height += max(given, max(lines, default=1) * line_height(size) + 7.2)
    return height
