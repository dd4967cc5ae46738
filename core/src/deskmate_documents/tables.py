"""Tables in files: CSV, TSV and XLSX as rows of text with their row numbers, and plain workbooks written.

Figures stay text until a caller asks for Decimals or dates, column by column, because the meaning of
`1.234` or `03/04/2025` shows in a whole column only. What cannot be read raises ToolInputError.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolInputError

LIMIT_BYTES = 64 * 1024 * 1024
LIMIT_UNPACKED_BYTES = 512 * 1024 * 1024
LIMIT_ROWS = 200_000
LIMIT_COLUMNS = 500
SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm")

Cell = str | int | Decimal | date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row. `number`: as a person sees it in the file, from 1. `cells`: as many as columns."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A header and its rows. `name`: workspace path for messages. `sheet`: empty for text files."""

    name: str
    sheet: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def values(self, column: str) -> list[tuple[int, str]]:
        """Return (row number, text) of one column, in order."""
        index = self.columns.index(column)
        return [(row.number, row.cells[index]) for row in self.rows]


def read_table(file: Path, *, name: str = "", sheet: str = "") -> Table:
    """Return the table of a CSV, TSV or XLSX file; lines above its header are skipped.

    Args:
        file: the real path.
        name: what to call it in messages, by default its file name.
        sheet: of a workbook; empty takes its first sheet that has a table.

    Raises:
        ToolInputError: too large, not a table, no header row, an unknown sheet.
    """
    name = name or file.name
    if file.stat().st_size > LIMIT_BYTES:
        raise ToolInputError(f"{name} is larger than {LIMIT_BYTES // 2**20} MiB.")
    if file.suffix.lower() not in SUFFIXES:
        raise ToolInputError(
            f"{name} is not a table; give a file that ends in {', '.join(SUFFIXES)}."
        )
    if file.suffix.lower() not in (".xlsx", ".xlsm"):
        return _table(_text_rows(file, name), name, "")
    sheets = read_sheets(file, name=name)
    if sheet and sheet not in sheets:
        raise ToolInputError(f"{name} has no sheet {sheet!r}; it has {', '.join(sheets)}.")
    for title, rows in sheets.items():
        numbered = list(enumerate(rows, start=1))
        if title == sheet or (not sheet and _header(numbered) is not None):
            return _table(numbered, name, title)
    raise ToolInputError(f"{name} has no sheet with a table (a header row and rows below it).")


def read_sheets(file: Path, *, name: str = "") -> dict[str, list[list[str]]]:
    """Return all visible values of a workbook as text: sheet → rows → cells, from A1 on.

    Raises:
        ToolInputError: it is not a readable workbook or unpacks to too much.
    """
    from openpyxl import load_workbook  # noqa: PLC0415 - heavy

    name = name or file.name
    try:
        with zipfile.ZipFile(file) as package:
            if sum(part.file_size for part in package.infolist()) > LIMIT_UNPACKED_BYTES:
                raise ToolInputError(f"{name} unpacks to more than 512 MiB.")
        with warnings.catch_warnings():
            # openpyxl warns of features that saving would lose; nothing is saved here.
            warnings.simplefilter("ignore", UserWarning)
            book = load_workbook(file, read_only=True, data_only=True)
            texts = {sheet.title: _sheet_rows(sheet, name) for sheet in book.worksheets}
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, TypeError, SyntaxError) as problem:
        raise ToolInputError(f"{name} is not a readable workbook: {problem}.") from problem
    book.close()
    return texts


def _sheet_rows(sheet: Any, name: str) -> list[list[str]]:
    rows: list[list[str]] = []
    for cells in sheet.iter_rows(values_only=True, max_col=LIMIT_COLUMNS):
        if len(rows) >= LIMIT_ROWS:
            raise ToolInputError(f"{name} has more than {LIMIT_ROWS} rows in sheet {sheet.title}.")
        rows.append([cell_text(value) for value in cells])
    while rows and not any(rows[-1]):
        rows.pop()
    width = max((place for cells in rows for place, cell in enumerate(cells, 1) if cell), default=0)
    return [cells[:width] for cells in rows]


def cell_text(value: Any) -> str:
    """Return a workbook's value as text: 15 significant digits as spreadsheets show, ISO dates."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"{Decimal(format(value, '.15g')):f}"
    if isinstance(value, datetime):
        whole_day = (value.hour, value.minute, value.second) == (0, 0, 0)
        return value.date().isoformat() if whole_day else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value).strip()


def decode(data: bytes, name: str) -> str:
    """Return the text of a file: by its byte order mark, else UTF-8, else Windows-1252.

    Raises:
        ToolInputError: it holds NUL bytes, so it is no text.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data[:4096]:
        raise ToolInputError(f"{name} is not a text file.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _text_rows(file: Path, name: str) -> list[tuple[int, list[str]]]:
    text = decode(file.read_bytes(), name)
    candidates = [_split(text, mark, name, limit=60) for mark in ",;\t|"]
    best = max(range(4), key=lambda index: _regularity(candidates[index]))
    return _split(text, ",;\t|"[best], name, limit=LIMIT_ROWS)


def _split(text: str, mark: str, name: str, *, limit: int) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    rows: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for cells in reader:
            if len(rows) >= limit:
                if limit == LIMIT_ROWS:
                    raise ToolInputError(f"{name} has more than {LIMIT_ROWS} rows.")
                break
            rows.append((line, [cell.strip() for cell in cells[:LIMIT_COLUMNS]]))
            line = reader.line_num + 1
    except csv.Error as problem:
        raise ToolInputError(f"{name} is not a readable table: {problem}.") from problem
    return rows


def _regularity(rows: Sequence[tuple[int, list[str]]]) -> float:
    widths = Counter(len(cells) for _, cells in rows if any(cells))
    if not widths:
        return 0.0
    width, count = max(widths.items(), key=lambda item: (item[0] > 1, item[1]))
    return 0.0 if width < 2 else count / sum(widths.values()) + min(width, 50) / 1000


def _header(rows: Sequence[tuple[int, list[str]]]) -> int | None:
    """Return the index of the first row of words that fills three quarters of the usual width."""
    filled = [sum(1 for cell in cells if cell) for _, cells in rows[:200]]
    widest = Counter(count for count in filled if count).most_common(1)
    if not widest:
        return None
    needed = (widest[0][0] * 3 + 3) // 4
    for index, (_, cells) in enumerate(rows[:200]):
        named = [cell for cell in cells if cell]
        if len(named) >= needed and not any(_NUMERIC.fullmatch(cell) for cell in named):
            return index
    return None


_NUMERIC = re.compile(r"[-+(]?[\d.,'/ :\-]*\d[\d.,'/ :\-]*\)?%?")


def _table(rows: Sequence[tuple[int, list[str]]], name: str, sheet: str) -> Table:
    index = _header(rows)
    if index is None:
        raise ToolInputError(f"{name} has no header row: give the columns names in the first row.")
    columns: list[str] = []
    for place, cell in enumerate(rows[index][1], start=1):
        title = " ".join(cell.split()) or f"column {place}"
        columns.append(title if title not in columns else f"{title} ({place})")
    width = len(columns)
    below = tuple(
        Row(number=number, cells=tuple((cells + [""] * width)[:width]))
        for number, cells in rows[index + 1 :]
        if any(cells)
    )
    return Table(name=name, sheet=sheet, columns=tuple(columns), rows=below)


def find_column(table: Table, known: Sequence[str], wanted: str = "") -> str | None:
    """Return the column that is meant, or None.

    Args:
        table: the table.
        known: names in the order of preference; whole names first, then as words of a longer name.
        wanted: a name that the user gave; it must exist.

    Raises:
        ToolInputError: `wanted` is no column.
    """
    plain = {" ".join(_words(column)): column for column in reversed(table.columns)}
    if wanted:
        if " ".join(_words(wanted)) in plain:
            return plain[" ".join(_words(wanted))]
        raise ToolInputError(
            f"{table.name} has no column {wanted!r}; it has {', '.join(table.columns)}."
        )
    for name in known:
        if name in plain:
            return plain[name]
    for name in known:
        for column in table.columns:
            if f" {name} " in f" {' '.join(_words(column))} ":
                return column
    return None


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"\w+", spaced.replace("_", " ").lower())


_SIGNS = re.compile(
    r"^(?P<open>\()?(?P<sign>[-+−])?(?P<digits>[\d.,]+)(?P<after>[-−])?(?P<close>\))?$"
)


def parse_amounts(values: Sequence[tuple[int, str]], where: str) -> list[Decimal | None]:
    """Return a column's figures; an empty cell is None. `values`: (row number, text).

    The decimal mark is found from the whole column. Currency signs, spaces and apostrophes are dropped,
    `(1.00)` and `1.00-` are negative.

    Raises:
        ToolInputError: a cell is no figure; the message names `where` and its row.
    """
    bare = [re.sub(r"[\s\u00a0\u202f'’]|[A-Z]{3}|[$€£¥]", "", text) for _, text in values]
    comma = any(re.search(r"^[^.]*,\d{1,2}\D*$|\.\d{3},\d", text) for text in bare)
    point = any(re.search(r"\.\d{1,2}\D*$|,\d{3}\.\d", text) for text in bare)
    if comma and point:
        raise ToolInputError(f"{where} mixes decimal points and decimal commas; use one of them.")
    return [
        _amount(text, comma, f"{where}, row {number}: {raw!r} is not an amount") if text else None
        for (number, raw), text in zip(values, bare, strict=True)
    ]


def _amount(text: str, comma: bool, complaint: str) -> Decimal:
    found = _SIGNS.match(text)
    if found is None or bool(found["open"]) != bool(found["close"]):
        raise ToolInputError(complaint + ".")
    thousands, mark = (".", ",") if comma else (",", ".")
    whole, _, cents = found["digits"].partition(mark)
    groups = whole.split(thousands)
    grouped = all(len(group) == 3 for group in groups[1:]) if len(groups) > 1 else True
    if not grouped or thousands in cents or mark in cents or not (whole or cents):
        raise ToolInputError(complaint + ".")
    negative = found["open"] or found["after"] or found["sign"] in ("-", "−")
    figure = Decimal(
        f"{''.join(groups) or '0'}.{cents or '0'}" if mark in found["digits"] else "".join(groups)
    )
    return -figure if negative else figure


_DAY = re.compile(r"^(\d{1,4})[-/. ](\d{1,2})[-/. ](\d{1,4})(?:[T ,]+(.*))?$")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def parse_times(
    values: Sequence[tuple[int, str]], where: str, order: str = ""
) -> list[datetime | None]:
    """Return a column's dates or times; an empty cell is None; without a zone they count as UTC.

    Args:
        values: (row number, text).
        where: what to call the column in messages.
        order: `dmy`, `mdy` or empty. Empty: found from the column (a part above 12, a full stop, or the
            one order in which the rows are sorted).

    Raises:
        ToolInputError: a cell is no date, or the order of day and month cannot be told.
    """
    texts = [(number, text) for number, text in values if text]
    order = order or _day_order([text for _, text in texts], where)
    return [
        _moment(text, order, f"{where}, row {number}") if text else None for number, text in values
    ]


def _day_order(texts: Sequence[str], where: str) -> str:
    parts = [found for text in texts if (found := _DAY.match(text)) and len(found[1]) <= 2]
    if not parts or any("." in found[0][:6] or int(found[1]) > 12 for found in parts):
        return "dmy"
    if any(int(found[2]) > 12 for found in parts):
        return "mdy"
    orders = []
    for order in ("dmy", "mdy"):
        days = [_moment(found[0], order, where) for found in parts]
        if days in (sorted(days), sorted(days, reverse=True)) and len(set(days)) > 1:
            orders.append(order)
    if len(orders) == 1:
        return orders[0]
    raise ToolInputError(f"{where}: {parts[0][0]} may be day/month or month/day; say dmy or mdy.")


def _moment(text: str, order: str, where: str) -> datetime:
    try:
        return _zoned(datetime.fromisoformat(text))
    except ValueError:
        pass
    try:
        found = _DAY.match(text)
        if found is None:
            return _written_out(text)
        one, two, three = int(found[1]), int(found[2]), int(found[3])
        year, month, day = (one, two, three) if len(found[1]) == 4 else (three, two, one)
        if order == "mdy" and len(found[1]) <= 2:
            month, day = day, month
        stamp = (
            f"{year + 2000 if year < 100 else year:04}-{month:02}-{day:02} {_clock(found[4] or '')}"
        )
        return _zoned(datetime.fromisoformat(stamp.strip()))
    except ValueError as problem:
        raise ToolInputError(f"{where}: {text!r} is not a date.") from problem


def _clock(text: str) -> str:
    found = re.match(r"^(\d{1,2}):(\d{2})(:\d{2}(?:\.\d+)?)?\s*([AaPp][Mm])?(.*)$", text)
    if found is None:
        return text
    hour = (
        int(found[1]) % 12 + (12 if found[4].lower() == "pm" else 0) if found[4] else int(found[1])
    )
    return f"{hour:02}:{found[2]}{found[3] or ''}{found[5].strip()}"


def _written_out(text: str) -> datetime:
    words = re.findall(r"[A-Za-z]+|\d+", text)
    month = next(
        (_MONTHS.index(word[:3].lower()) + 1 for word in words if word[:3].lower() in _MONTHS), 0
    )
    numbers = [int(word) for word in words if word.isdigit()]
    if not month or len(numbers) != 2:
        raise ValueError(text)
    day, year = numbers if numbers[0] <= 31 else (numbers[1], numbers[0])
    return datetime(year + 2000 if year < 100 else year, month, day, tzinfo=UTC)


def _zoned(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def find_files(workspace: Path, suffixes: Iterable[str], request: str = "") -> list[str]:
    """Return workspace paths of files with these endings, those that the request names first.

    A file is named if its name, or its name without the ending, occurs in the request. Hidden folders
    and lock files are left out; otherwise the order is alphabetical. At most 1,000.
    """
    endings, said = tuple(suffixes), request.lower()
    found: list[tuple[bool, str]] = []
    for real in sorted(workspace.rglob("*")):
        path = real.relative_to(workspace).as_posix()
        hidden = any(part.startswith((".", "~$")) for part in path.split("/"))
        if hidden or not path.lower().endswith(endings) or not real.is_file():
            continue
        found.append((not _is_named(real, said), path))
        if len(found) >= 1000:
            break
    return [path for _, path in sorted(found)]


def _is_named(file: Path, said: str) -> bool:
    stem = re.escape(file.stem.lower())
    return file.name.lower() in said or bool(re.search(rf"\b{stem}\b", said))


def pick_file(
    workspace: Path,
    suffixes: Iterable[str],
    *,
    what: str,
    hints: Sequence[str],
    request: str = "",
    made: str = "",
) -> str:
    """Return the workspace path of the one file that is meant.

    Args:
        workspace: the folder to look in.
        suffixes: endings that fit.
        what: what is looked for, for the message.
        hints: words that such a file's name tends to contain, lower case.
        request: the user's words; a file that they name is meant.
        made: name of the file that the tool itself writes; never meant unless the request names it.

    Raises:
        ToolInputError: no file fits, or several do; the message lists them.
    """
    found = find_files(workspace, suffixes, request)
    paths = [path for path in found if Path(path).name != made or made in request]
    named = [path for path in paths if _is_named(Path(path), request.lower())]
    hinted = [
        path for path in named or paths if any(hint in Path(path).name.lower() for hint in hints)
    ]
    for choice in (hinted, named, paths):
        if len(choice) == 1:
            return choice[0]
    if not paths:
        raise ToolInputError(
            f"There is no file for {what} in the workspace ({', '.join(suffixes)})."
        )
    raise ToolInputError(
        f"Several files may be the {what}: {', '.join((hinted or named or paths)[:12])}. Name one of them."
    )


def write_tables(file: Path, sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> None:
    """Write a new workbook: sheet title → rows, the first row of each a bold, frozen header.

    Text never becomes a formula, whatever it begins with. Money is a number with two or more decimals.
    """
    from openpyxl import Workbook  # noqa: PLC0415 - heavy
    from openpyxl.styles import Font  # noqa: PLC0415

    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title[:31])
        for number, cells in enumerate(rows, start=1):
            for place, value in enumerate(cells, start=1):
                _put(sheet.cell(number, place), value, Font(bold=True) if number == 1 else None)
        sheet.freeze_panes = "A2"
        for place in range(1, max((len(cells) for cells in rows), default=0) + 1):
            widths = [len(str(cells[place - 1])) for cells in rows[:200] if len(cells) >= place]
            letter = sheet.cell(1, place).column_letter
            sheet.column_dimensions[letter].width = min(max(widths, default=8) + 2, 60)
    file.parent.mkdir(parents=True, exist_ok=True)
    book.save(file)


def _put(cell: Any, value: Cell, font: Any) -> None:
    if isinstance(value, str):
        cell.value = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", value)[:32_000]
        cell.data_type = "s"
    else:
        cell.value = value
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        decimals = max(2, -exponent if isinstance(exponent, int) else 2)
        cell.number_format = "#,##0." + "0" * decimals
    if font is not None:
        cell.font = font
