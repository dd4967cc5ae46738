"""The bridge as a picture: the same bridge always gives the same pixels, so that a gate can draw it again."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO
from typing import Any

from deskmate_finance.variance import Bridge

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 1200, 640, 30, 90, 120
COLORS = {"total": "#1F3864", "up": "#2E7D32", "down": "#C62828"}


def bars(bridge: Bridge) -> list[tuple[str, Decimal, Decimal, str]]:
    """Return (title, from, to, kind) of each bar from left to right."""
    found = [(bridge.start_name, Decimal(), bridge.start, "total")]
    at = bridge.start
    for title, amount in bridge.drivers:
        found.append((title, at, at + amount, "up" if amount >= 0 else "down"))
        at += amount
    return [*found, (bridge.end_name, Decimal(), bridge.end, "total")]


def draw(bridge: Bridge) -> Any:
    """Return the picture, a Pillow image."""
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - heavy

    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(picture)
    large, small = ImageFont.load_default(24), ImageFont.load_default(15)
    drawn = bars(bridge)
    ends = [end for _, one, other, _ in drawn for end in (one, other)]
    low, high = min(ends), max(ends)
    span = (high - low) or Decimal(1)
    step = (WIDTH - 2 * LEFT) // len(drawn)

    def level(figure: Decimal) -> int:
        return TOP + int((high - figure) * (HEIGHT - TOP - BOTTOM) / span)

    variance = bridge.end - bridge.start
    title = f"{bridge.start_name} to {bridge.end_name}: {variance:+,f}"
    pen.text((LEFT, 20), title, fill="#1F3864", font=large)
    pen.line([(LEFT, level(Decimal())), (WIDTH - LEFT, level(Decimal()))], fill="#808080")
    for number, (name, start, end, kind) in enumerate(drawn):
        x = LEFT + number * step + step // 8
        wide = step - step // 4
        top, bottom = level(max(start, end)), level(min(start, end))
        pen.rectangle([(x, top), (x + wide, max(bottom, top + 1))], fill=COLORS[kind])
        if number + 1 < len(drawn):
            pen.line([(x + wide, level(end)), (x + step, level(end))], fill="#808080")
        shown = f"{end:,f}" if kind == "total" else f"{end - start:+,f}"
        _centred(pen, (x + wide // 2, top - 22), shown, small)
        for place, line in enumerate(_wrapped(pen, name, small, step - 8)):
            _centred(pen, (x + wide // 2, HEIGHT - BOTTOM + 16 + 20 * place), line, small)
    return picture


def _centred(pen: Any, at: tuple[int, int], text: str, font: Any) -> None:
    pen.text(
        (at[0] - int(pen.textlength(text, font=font)) // 2, at[1]), text, fill="#202020", font=font
    )


def _wrapped(pen: Any, text: str, font: Any, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and pen.textlength(longer, font=font) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return [
        line if pen.textlength(line, font=font) <= width else line[: max(3, width // 9)] + "…"
        for line in lines[:4]
    ]


def png(bridge: Bridge) -> bytes:
    """Return the picture's file."""
    data = BytesIO()
    draw(bridge).save(data, "PNG")
    return data.getvalue()
