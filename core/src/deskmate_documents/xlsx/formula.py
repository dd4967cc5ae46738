"""Formulas as text: tokens, references, moving, the relative form, and the prefixes of newer functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from deskmate.errors import ToolInputError
from deskmate_documents.xlsx.refs import (
    COLUMNS,
    ROWS,
    Area,
    Place,
    column_name,
    column_number,
    parse_area,
    words,
)

FORMULA_LIMIT = 8_192
_SHEET = r"(?:'(?:[^']|'')+'|(?:\[[^\[\]]+\])?[^\W\d][\w.]*+(?::[^\W\d][\w.]*+)?|\[\d+\])!"
_ONE = r"\$?[A-Za-z]{1,3}\$?[1-9]\d{0,6}"
_AREA = (
    rf"(?:{_ONE}(?:\s*:\s*{_ONE})?|\$?[A-Za-z]{{1,3}}:\$?[A-Za-z]{{1,3}}|\$?\d{{1,7}}:\$?\d{{1,7}})"
)
_INNER = r"(?:[^\[\]']|'.)*"
_TOKEN = re.compile(
    rf"""(?P<sign>[-()+*/^&=<>,;{{}}%@])
    |(?P<string>"(?:[^"]|"")*")
    |(?P<error>\#(?:REF!|DIV/0!|N/A|NAME\?|NULL!|NUM!|VALUE!|SPILL!|CALC!|FIELD!|GETTING_DATA))
    |(?P<ref>(?:{_SHEET})?{_AREA}(?![\w(.!\[?]))
    |(?P<function>[^\W\d][\w.]*+(?=\())
    |(?P<broken>(?:{_SHEET})\#REF!)
    |(?P<table>(?:[^\W\d][\w.]*)?\[(?:[^\[\]']|'.|\[{_INNER}\])*\])
    |(?P<name>(?:{_SHEET})?(?:[^\W\d]|\\)[\w.\\?]*)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<space>\s+)
    |(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_PART = re.compile(r"(\$?)([A-Za-z]{1,3})(\$?)(\d+)|(\$?)([A-Za-z]{1,3})|(\$?)(\d+)")

FUTURE = words("""ACOT ACOTH AGGREGATE ARABIC ARRAYTOTEXT BASE BETA.DIST BETA.INV BINOM.DIST BINOM.DIST.RANGE BINOM.INV
    BITAND BITLSHIFT BITOR BITRSHIFT BITXOR BYCOL BYROW CEILING.MATH CEILING.PRECISE CHISQ.DIST CHISQ.DIST.RT
    CHISQ.INV CHISQ.INV.RT CHISQ.TEST CHOOSECOLS CHOOSEROWS COMBINA CONCAT CONFIDENCE.NORM CONFIDENCE.T COT COTH
    COVARIANCE.P COVARIANCE.S CSC CSCH DAYS DECIMAL DROP ERF.PRECISE ERFC.PRECISE EXPAND EXPON.DIST F.DIST
    F.DIST.RT F.INV F.INV.RT F.TEST FIELDVALUE FILTERXML FLOOR.MATH FLOOR.PRECISE FORECAST.ETS
    FORECAST.ETS.CONFINT FORECAST.ETS.SEASONALITY FORECAST.ETS.STAT FORECAST.LINEAR FORMULATEXT GAMMA GAMMA.DIST
    GAMMA.INV GAMMALN.PRECISE GAUSS HSTACK HYPGEOM.DIST IFNA IFS IMCOSH IMCOT IMCSC IMCSCH IMSEC IMSECH IMSINH
    IMTAN ISFORMULA ISOMITTED ISOWEEKNUM LAMBDA LET LOGNORM.DIST LOGNORM.INV MAKEARRAY MAP MAXIFS MINIFS
    MODE.MULT MODE.SNGL MUNIT NEGBINOM.DIST NORM.DIST NORM.INV NORM.S.DIST NORM.S.INV NUMBERVALUE PDURATION
    PERCENTILE.EXC PERCENTILE.INC PERCENTRANK.EXC PERCENTRANK.INC PERMUTATIONA PHI POISSON.DIST QUARTILE.EXC
    QUARTILE.INC QUERYSTRING RANDARRAY RANK.AVG RANK.EQ REDUCE RRI SCAN SEC SECH SEQUENCE SHEET SHEETS SKEW.P
    SORTBY STDEV.P STDEV.S SWITCH T.DIST T.DIST.2T T.DIST.RT T.INV T.INV.2T T.TEST TAKE TEXTAFTER TEXTBEFORE
    TEXTJOIN TEXTSPLIT TOCOL TOROW UNICHAR UNICODE UNIQUE VALUETOTEXT VAR.P VAR.S VSTACK WEBSERVICE WEIBULL.DIST
    WRAPCOLS WRAPROWS XLOOKUP XMATCH XOR Z.TEST""")
"""Functions that files store with `_xlfn.`; without it Excel shows #NAME?."""
SHEET_FUTURE = frozenset({"FILTER", "SORT"})
SPILLING = words(
    "FILTER SORT SORTBY UNIQUE SEQUENCE RANDARRAY HSTACK VSTACK TOCOL TOROW WRAPROWS WRAPCOLS TAKE DROP EXPAND "
    "CHOOSECOLS CHOOSEROWS TEXTSPLIT BYROW BYCOL MAP SCAN MAKEARRAY"
)
VOLATILE = words("NOW TODAY RAND RANDBETWEEN RANDARRAY OFFSET INDIRECT CELL INFO")


_PREFIXED = FUTURE | SHEET_FUTURE


class Token(NamedTuple):
    """A piece of a formula. `kind`: string, error, ref, broken, function, table, name, number, space, mark."""

    kind: str
    text: str


_SIGNS = {sign: Token("mark", sign) for sign in "-()+*/^&=<>,;{}%@"}


@lru_cache(1024)  # one formula is looked at for one thing after another
def tokens(formula: str) -> tuple[Token, ...]:
    """Return the tokens of a formula without its `=`; together they are the text again."""
    return tuple(
        _SIGNS.get(text := found.group()) or Token(found.lastgroup or "", text)
        for found in _TOKEN.finditer(formula)
    )


def functions(formula: str) -> frozenset[str]:
    """Return the names of the functions it calls, in capitals, without prefixes."""
    return frozenset(bare(token.text) for token in tokens(formula) if token.kind == "function")


def bare(function: str) -> str:
    """Return a function's name as a person writes it."""
    return function.upper().removeprefix("_XLFN.").removeprefix("_XLWS.")


def unprefixed(formula: str) -> tuple[str, ...]:
    """Return the newer functions that lack the prefix they are stored with."""
    return tuple(
        token.text
        for token in tokens(formula)
        if token.kind == "function" and token.text.upper() in _PREFIXED
    )


def stored(formula: str) -> str:
    """Return a formula as files store it: without `=`, newer functions with their prefix.

    Raises:
        ToolInputError: it is empty, too long, or its brackets or quotes do not match.
    """
    text = formula.strip().removeprefix("=").strip()
    if not text or len(text) > FORMULA_LIMIT:
        raise ToolInputError(f"A formula must have 1 to {FORMULA_LIMIT} characters.")
    parts = tokens(text)
    depth = 0
    for token in parts:
        depth += (token.text in ("(", "{")) - (token.text in (")", "}"))
        if depth < 0 or (token.kind == "mark" and token.text in "\"'[]"):
            raise ToolInputError(
                f"The formula ={text[:120]} has brackets or quotes that do not match."
            )
    if depth:
        raise ToolInputError(f"The formula ={text[:120]} has brackets that do not match.")
    called = {token.text.upper() for token in parts if token.kind == "function"}
    if called & {"LET", "LAMBDA"}:
        raise ToolInputError("Write LET and LAMBDA as files store them: _xlfn.LET(_xlpm.x, …).")
    return "".join(_prefixed(token) for token in parts)


def _prefixed(token: Token) -> str:
    name = token.text.upper()
    if token.kind == "function" and name in SHEET_FUTURE:
        return f"_xlfn._xlws.{name}"
    return f"_xlfn.{name}" if token.kind == "function" and name in FUTURE else token.text


def split_ref(text: str) -> tuple[str, str]:
    """Return (sheet part as written with `!`, area) of a reference token."""
    sheet, mark, area = text.rpartition("!")
    return sheet + mark, area


def moved(formula: str, down: int, right: int, *, around: bool = False) -> str:
    """Return the formula as copying it `down` rows and `right` columns would; outside the sheet #REF!.

    `around`: what leaves the sheet comes in at its other edge, as in conditional formats.
    """
    return _mapped(formula, lambda part: _shifted(part, down, right, around=around))


def relative(formula: str, place: Place) -> str:
    """Return the formula with references relative to its cell; equal for copies of one another."""
    return _mapped(formula, lambda part: _as_relative(part, place))


def _mapped(formula: str, change: Callable[[re.Match[str]], str]) -> str:
    out = []
    for token in tokens(formula):
        if token.kind != "ref":
            out.append(token.text)
            continue
        sheet, area = split_ref(token.text)
        changed = _PART.sub(change, area)
        out.append(sheet + ("#REF!" if "#REF!" in changed else changed))
    return "".join(out)


def _shifted(part: re.Match[str], down: int, right: int, *, around: bool) -> str:
    letters, digits = part[2] or part[6], part[4] or part[8]
    fixed_column, fixed_row = part[1] or part[5] or "", part[3] or part[7] or ""
    column = column_number(letters) + (0 if fixed_column else right) if letters else 0
    row = int(digits) + (0 if fixed_row else down) if digits else 0
    if around:
        column, row = (column - 1) % COLUMNS + 1, (row - 1) % ROWS + 1
    if (letters and not 1 <= column <= COLUMNS) or (digits and not 1 <= row <= ROWS):
        return "#REF!"
    text = f"{fixed_column}{column_name(column)}" if letters else ""
    return text + (f"{fixed_row}{row}" if digits else "")


def _as_relative(part: re.Match[str], place: Place) -> str:
    letters, digits = part[2] or part[6], part[4] or part[8]
    text = ""
    if digits:
        fixed = part[3] or part[7]
        text += f"R{digits}" if fixed else f"R[{int(digits) - place[0]}]"
    if letters:
        number = column_number(letters)
        text += f"C{number}" if part[1] or part[5] else f"C[{number - place[1]}]"
    return text


def areas(formula: str) -> Iterator[tuple[str, Area]]:
    """Yield (sheet as written without quotes, "" for its own; area) of each plain reference."""
    for token in tokens(formula):
        if token.kind != "ref":
            continue
        sheet, text = split_ref(token.text)
        try:
            area = parse_area(re.sub(r"\s", "", text))
        except ToolInputError:
            continue
        yield sheet.rstrip("!").strip("'").replace("''", "'"), area
