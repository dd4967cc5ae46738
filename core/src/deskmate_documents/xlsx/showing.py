"""What a cell shows: a stored number in its number format, near enough to be read as the user knows it."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from deskmate_documents.xlsx.cells import Value, as_date
from deskmate_documents.xlsx.styles import is_date

_PART = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<one>.)|\[\$(?P<currency>[^\]\-]*)(?:-[^\]]*)?\]|\[(?P<word>[^\]]*)\]|_(?P<gap>.)'
    r"|\*(?P<fill>.)|(?P<figures>[0#?][0#?,]*(?:\.[0#?]*)?,*|\.[0#?]+)|(?P<plain>.)",
    re.DOTALL,
)
_DIGITS = 15
_PLAIN_EXPONENT = 20


def shown_value(value: Value, code: str, *, date1904: bool) -> str:
    """Return what a cell shows. `code`: its number format."""
    if value.kind != "number":
        return value.text
    return shown_number(value.text, code, date1904=date1904)


def shown_number(text: str, code: str, *, date1904: bool = False) -> str:
    """Return a stored number as its format shows it; in 15 digits where the format is General or too intricate."""
    if is_date(code):
        return _moment(text, date1904=date1904)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite():
        return text
    if code in ("", "General", "@"):
        return plain(number)
    section, number = _section(code, number)
    written = _written(section, number)
    return plain(number) if written is None else written


def _moment(text: str, *, date1904: bool) -> str:
    """Return the date, or the clock alone where no day is meant."""
    shown = as_date(text, date1904=date1904)
    _, _, clock = shown.partition(" ")
    return clock if clock and text.lstrip("+").startswith(("0.", ".")) else shown or text


def plain(number: Decimal) -> str:
    """Return a number without a format, in at most 15 digits."""
    rounded = Decimal(f"{number:.{_DIGITS}g}")
    if rounded and not -_PLAIN_EXPONENT < rounded.adjusted() < _PLAIN_EXPONENT:
        return f"{rounded.normalize():E}"
    return f"{rounded:f}".rstrip("0").rstrip(".") if "." in f"{rounded:f}" else f"{rounded:f}"


def _section(code: str, number: Decimal) -> tuple[str, Decimal]:
    """Return the part of a format that holds for a number, and the number as it is shown there."""
    parts = re.findall(r'(?:"[^"]*"|\\.|\[[^\]]*\]|[^;])+|(?<=;)(?=;|$)|^(?=;)', code) or [code]
    if len(parts) > 2 and number == 0:
        return parts[2], number
    if len(parts) > 1 and number < 0:
        return parts[1], -number
    return parts[0], number


def _written(section: str, number: Decimal) -> str | None:
    """Return a number in one part of a format; None where the part is more than figures and words."""
    out: list[str] = []
    figures = ""
    percents = 0
    for found in _PART.finditer(section):
        kind = found.lastgroup or ""
        part = found[kind]
        if kind == "figures":
            if figures:
                return None  # such as telephone numbers and fractions
            figures = part
            out.append("\0")
        elif kind == "word":
            if part[:1] in "<>=":
                return None
        elif kind == "gap":
            out.append(" ")
        elif kind == "plain" and part in "E/@":
            return None
        elif kind != "fill":
            percents += kind == "plain" and part == "%"
            out.append(part)
    text = "".join(out).strip()
    if not figures:
        return text
    scaled = number * 100**percents
    sign = "-" if scaled < 0 else ""
    return sign + text.replace("\0", _figures(figures, abs(scaled)))


def _figures(form: str, number: Decimal) -> str:
    whole, _, behind = form.partition(".")
    trailing = len(form) - len(form.rstrip(","))
    number /= Decimal(1000) ** trailing
    whole, behind = whole.rstrip(","), behind.rstrip(",")
    rounded = number.quantize(Decimal(1).scaleb(-len(behind)), ROUND_HALF_UP)
    before, _, after = f"{rounded:f}".partition(".")
    before = before.rjust(whole.count("0"), "0") if whole.count("0") else before.lstrip("0")
    if "," in whole:
        before = re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", before)
    least = len(behind.rstrip("#?"))
    while len(after) > least and after.endswith("0"):
        after = after[:-1]
    return f"{before}.{after}" if after else before
