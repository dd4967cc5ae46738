"""Takes out of a page's drawing instructions what lies in some rectangles: glyphs, pictures, outlines.

Everything else keeps its place: a glyph that goes leaves a gap of its width. What cannot be judged surely is
said in `doubts`; whoever asked then turns the page into a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from deskmate_documents.pdf.fonts import Fonts, codes_of

Matrix = tuple[float, float, float, float, float, float]
Rect = tuple[float, float, float, float]
Operation = tuple[Any, bytes]
IDENTITY: Matrix = (1, 0, 0, 1, 0, 0)
DEPTH_LIMIT = 12
OPERATIONS_LIMIT = 2_000_000
_SHARE = 0.2
_PAINTS = frozenset({b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"S", b"s"})
_CURVES = {b"m": 1, b"l": 1, b"c": 3, b"v": 2, b"y": 2}
_SPOKEN = ("/ActualText", "/Alt", "/E")


def times(inner: Matrix, outer: Matrix) -> Matrix:
    """Return the matrix that applies `inner` first."""
    a, b, c, d, e, f = inner
    g, h, i, j, k, m = outer
    return (
        a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m,
    )  # fmt: skip


def bounds(matrix: Matrix, rect: Rect) -> Rect:
    """Return the upright rectangle around a transformed one."""
    a, b, c, d, e, f = matrix
    corners = [(x, y) for x in (rect[0], rect[2]) for y in (rect[1], rect[3])]
    xs = [a * x + c * y + e for x, y in corners]
    ys = [b * x + d * y + f for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def _overlap(one: Rect, other: Rect) -> tuple[float, float]:
    return (
        min(one[2], other[2]) - max(one[0], other[0]),
        min(one[3], other[3]) - max(one[1], other[1]),
    )


@dataclass(frozen=True, slots=True)
class _State:
    """What `q` and `Q` keep."""

    matrix: Matrix
    font: str = ""
    size: float = 0.0
    character: float = 0.0
    word: float = 0.0
    stretch: float = 1.0
    leading: float = 0.0
    rise: float = 0.0


@dataclass(slots=True)
class Cleared:
    """New instructions. `changed`: something went. `doubts`: why the page should become a picture."""

    operations: list[Operation] = field(default_factory=list)
    changed: bool = False
    glyphs: int = 0
    pictures: int = 0
    doubts: list[str] = field(default_factory=list)


class Clearer:
    """Walks over the instructions of one page or form. `rects`: in the page's own coordinates.

    `drawn(name, matrix)`: called for `Do`; returns the name to draw instead, the same one, or "" for nothing.
    """

    def __init__(
        self,
        rects: list[Rect],
        fonts: Fonts,
        drawn: Callable[[str, Matrix], str],
        matrix: Matrix = IDENTITY,
    ) -> None:
        """Get ready; `matrix` is the one that holds where the instructions are drawn."""
        self._rects = rects
        self._fonts = fonts
        self._drawn = drawn
        self._state = _State(matrix)
        self._stack: list[_State] = []
        self._text: Matrix = IDENTITY
        self._line: Matrix = IDENTITY
        self._path: list[tuple[list[Operation], Rect | None]] = []
        self._clips = False
        self.out = Cleared()

    def run(self, operations: list[Operation]) -> Cleared:
        """Return the instructions without what lies in the rectangles."""
        if len(operations) > OPERATIONS_LIMIT:
            self.out.doubts.append("too many instructions")
            return self.out
        for operands, operator in operations:
            handler = _HANDLERS.get(operator)
            if handler is not None:
                handler(self, operands, operator)
            else:
                self._keep(operands, operator)
        self.out.operations += [([], b"Q")] * len(self._stack)
        return self.out

    def _keep(self, operands: Any, operator: bytes) -> None:
        self.out.operations.append((operands, operator))

    def _hit(self, box: Rect) -> bool:
        """Say whether a glyph of this box lies in a rectangle, by more than it touches its neighbours."""
        width, height = max(box[2] - box[0], 0.01), max(box[3] - box[1], 0.01)
        for rect in self._rects:
            across, down = _overlap(box, rect)
            if (
                across > min(width, rect[2] - rect[0]) * _SHARE
                and down > min(height, rect[3] - rect[1]) * _SHARE * 1.5
            ):
                return True
        return False

    # --- graphics state

    def _push(self, operands: Any, operator: bytes) -> None:
        self._stack.append(self._state)
        self._keep(operands, operator)

    def _pop(self, operands: Any, operator: bytes) -> None:
        if self._stack:  # a Q too many would undo what is set around the whole page
            self._state = self._stack.pop()
            self._keep(operands, operator)

    def _concatenate(self, operands: Any, operator: bytes) -> None:
        matrix = times(_matrix(operands), self._state.matrix)
        self._state = replace(self._state, matrix=matrix)
        self._keep(operands, operator)

    def _set(self, operands: Any, operator: bytes) -> None:
        changed: dict[str, Any] = {}
        value = float(operands[0]) / (100 if operator == b"Tz" else 1)
        changed[_SETTINGS[operator]] = value
        self._state = replace(self._state, **changed)
        self._keep(operands, operator)

    def _font(self, operands: Any, operator: bytes) -> None:
        self._state = replace(self._state, font=str(operands[0]), size=float(operands[1]))
        self._keep(operands, operator)

    def _look(self, operands: Any, operator: bytes) -> None:
        found = self._fonts.of_state(str(operands[0]))
        if found is not None:
            self._state = replace(self._state, font=found[0], size=found[1])
        self._keep(operands, operator)

    def _spoken(self, operands: Any, operator: bytes) -> None:
        """Keep a mark without the words that it says for what is drawn."""
        tag, properties = operands[0], operands[1]
        if hasattr(properties, "items") and any(key in properties for key in _SPOKEN):
            kept = type(properties)({k: v for k, v in properties.items() if k not in _SPOKEN})
            self.out.changed = True
            operands = [tag, kept]
        self._keep(operands, operator)

    # --- text

    def _begin(self, operands: Any, operator: bytes) -> None:
        self._text = self._line = IDENTITY
        self._keep(operands, operator)

    def _move(self, operands: Any, operator: bytes) -> None:
        x, y = float(operands[0]), float(operands[1])
        if operator == b"TD":
            self._state = replace(self._state, leading=-y)
        self._line = self._text = times((1, 0, 0, 1, x, y), self._line)
        self._keep(operands, operator)

    def _place(self, operands: Any, operator: bytes) -> None:
        self._line = self._text = _matrix(operands)
        self._keep(operands, operator)

    def _next(self, operands: Any, operator: bytes) -> None:
        self._line = self._text = times((1, 0, 0, 1, 0, -self._state.leading), self._line)
        self._keep(operands, operator)

    def _show(self, operands: Any, operator: bytes) -> None:
        items = list(operands[0]) if operator == b"TJ" else [operands[0]]
        self._write(items, operands, operator)

    def _show_next(self, operands: Any, operator: bytes) -> None:
        """Take `'` and `"` apart into what they stand for."""
        if operator == b'"':
            self._set([operands[0]], b"Tw")
            self._set([operands[1]], b"Tc")
        self._next([], b"T*")
        self._write([operands[-1]], [operands[-1]], b"Tj")

    def _write(self, items: list[Any], operands: Any, operator: bytes) -> None:
        from pypdf.generic import ArrayObject  # noqa: PLC0415

        font = self._fonts.get(self._state.font)
        if font is None:
            self.out.doubts.append(f"the font {self._state.font} cannot be read")
            self._keep(operands, operator)
            return
        before = self.out.glyphs
        line: list[Any] = []
        for item in items:
            if isinstance(item, int | float):
                self._advance(-float(item) / 1000 * self._state.size, font.vertical)
                line.append(item)
            else:
                line += self._string(item, font)
        if self.out.glyphs == before:
            self._keep(operands, operator)
            return
        self.out.changed = True
        self._keep([ArrayObject(line)], b"TJ")

    def _string(self, item: Any, font: Any) -> list[Any]:
        """Return the string in pieces, with the widths of what went between them."""
        from pypdf.generic import ByteStringObject, FloatObject  # noqa: PLC0415

        pieces = codes_of(item, font)
        if pieces is None:
            self.out.doubts.append("a text's codes cannot be told apart")
            return [item]
        kept, out = b"", []
        for code, width in pieces:
            state = self._state
            spacing = state.character + (state.word if code == b" " else 0.0)
            if self._hit(self._box_of(width, font)):
                if kept:
                    out.append(ByteStringObject(kept))
                    kept = b""
                gap = width * 1000 + (spacing * 1000 / state.size if state.size else 0.0)
                out.append(FloatObject(round(-gap, 3)))
                self.out.glyphs += 1
            else:
                kept += code
            self._advance(width * state.size + spacing, font.vertical)
        if kept:
            out.append(ByteStringObject(kept))
        return out

    def _box_of(self, width: float, font: Any) -> Rect:
        state = self._state
        scale = (state.size * state.stretch, 0.0, 0.0, state.size, 0.0, state.rise)
        matrix = times(times(scale, self._text), state.matrix)
        if font.vertical:
            return bounds(matrix, (-0.5, width, 0.5, 0.0))
        return bounds(matrix, (0.0, font.descent, width, font.ascent))

    def _advance(self, distance: float, vertical: bool) -> None:
        step = (0.0, distance) if vertical else (distance * self._state.stretch, 0.0)
        self._text = times((1, 0, 0, 1, *step), self._text)

    # --- pictures and outlines

    def _draw(self, operands: Any, operator: bytes) -> None:
        from pypdf.generic import NameObject  # noqa: PLC0415

        name = str(operands[0])
        now = self._drawn(name, self._state.matrix)
        if now == name:
            self._keep(operands, operator)
            return
        self.out.changed = True
        if now:
            self._keep([NameObject(now)], operator)

    def _inline(self, operands: Any, operator: bytes) -> None:
        box = bounds(self._state.matrix, (0, 0, 1, 1))
        if any(min(_overlap(box, rect)) > 0 for rect in self._rects):
            self.out.changed = True
            self.out.pictures += 1
        else:
            self._keep(operands, operator)

    def _outline(self, operands: Any, operator: bytes) -> None:
        """Gather the outline's pieces: each begins with `m` or `re`."""
        numbers = [float(n) for n in operands]
        if operator == b"re":
            x, y, width, height = numbers
            points = [(x, y), (x + width, y), (x, y + height), (x + width, y + height)]
        else:
            points = list(zip(numbers[::2], numbers[1::2], strict=False))
        if operator in (b"m", b"re") or not self._path:
            self._path.append(([], None))
        pieces, box = self._path[-1]
        pieces.append((operands, operator))
        for x, y in points:
            spot = bounds(self._state.matrix, (x, y, x, y))
            box = spot if box is None else _around(box, spot)
        self._path[-1] = (pieces, box)

    def _clip(self, operands: Any, operator: bytes) -> None:
        self._clips = True
        self._flush(lambda box: False)
        self._keep(operands, operator)

    def _paint(self, operands: Any, operator: bytes) -> None:
        def inside(box: Rect | None) -> bool:
            return box is not None and any(_within(box, rect) for rect in self._rects)

        if operator == b"n" or self._clips:
            self._flush(lambda box: False)
            self._keep(operands, operator)
        elif self._flush(inside):
            self._keep(operands, operator)
        self._clips = False

    def _flush(self, drop: Callable[[Rect | None], bool]) -> bool:
        """Write the outline without the pieces to drop; say whether any is left."""
        pieces, self._path = self._path, []
        left = [operations for operations, box in pieces if not drop(box)]
        self.out.changed |= len(left) < len(pieces)
        for operations in left:
            self.out.operations += operations
        return bool(left)


def _around(one: Rect, other: Rect) -> Rect:
    return (
        min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3]),
    )  # fmt: skip


def _within(box: Rect, rect: Rect) -> bool:
    return (
        box[0] >= rect[0] - 1 and box[1] >= rect[1] - 1 and box[2] <= rect[2] + 1 and box[3] <= rect[3] + 1
    )  # fmt: skip


def _matrix(operands: Any) -> Matrix:
    a, b, c, d, e, f = (float(number) for number in operands[:6])
    return a, b, c, d, e, f


_SETTINGS = {
    b"Tc": "character", b"Tw": "word", b"Tz": "stretch", b"TL": "leading", b"Ts": "rise",
}  # fmt: skip


def _handlers() -> Iterator[tuple[bytes, Any]]:
    one = Clearer
    yield from {
        b"q": one._push, b"Q": one._pop, b"cm": one._concatenate, b"Tf": one._font, b"gs": one._look,
        b"BDC": one._spoken, b"BT": one._begin, b"Td": one._move, b"TD": one._move, b"Tm": one._place,
        b"T*": one._next, b"Tj": one._show, b"TJ": one._show, b"'": one._show_next, b'"': one._show_next,
        b"Do": one._draw, b"INLINE IMAGE": one._inline, b"W": one._clip, b"W*": one._clip, b"n": one._paint,
        b"re": one._outline, b"h": one._outline,
    }.items()  # fmt: skip
    yield from ((operator, one._set) for operator in _SETTINGS)
    yield from ((operator, one._paint) for operator in _PAINTS)
    yield from ((operator, one._outline) for operator in _CURVES)


_HANDLERS = dict(_handlers())
