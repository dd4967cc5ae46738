"""Reads event logs in XES (IEEE 1849): a stream of traces and events, never the whole tree at once."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import LIMIT_BYTES, LIMIT_ROWS, LIMIT_UNPACKED_BYTES, Row, Table

ENDINGS = (".xes", ".xes.gz")
COLUMNS = (
    "case:concept:name",
    "concept:name",
    "time:timestamp",
    "lifecycle:transition",
    "org:resource",
)


def read_xes(file: Path, name: str) -> Table:
    """Return the events of a log as a table; a row's number is that of the event in the file.

    Raises:
        ToolInputError: it is no XES, too large, or a trace has no name.
    """
    from defusedxml.common import DefusedXmlException  # noqa: PLC0415
    from defusedxml.ElementTree import ParseError  # noqa: PLC0415

    if file.stat().st_size > LIMIT_BYTES:
        raise ToolInputError(f"{name} is larger than {LIMIT_BYTES // 2**20} MiB.")
    try:
        with _opened(file) as stream:
            rows = tuple(_rows(_Bounded(stream, name), name))
    except (ParseError, DefusedXmlException, gzip.BadGzipFile, zlib.error, EOFError) as problem:
        raise ToolInputError(f"{name} is not a readable XES log: {problem}.") from problem
    return Table(name=name, sheet="", columns=COLUMNS, rows=rows)


def _opened(file: Path) -> IO[bytes]:
    if file.name.lower().endswith(".gz"):
        return cast("IO[bytes]", gzip.open(file, "rb"))
    return file.open("rb")


class _Bounded:
    """A stream that ends with an error where it has unpacked to too much."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name, self._left = stream, name, LIMIT_UNPACKED_BYTES

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ToolInputError(f"{self._name} unpacks to more than 512 MiB.")
        return data


def _rows(stream: _Bounded, name: str) -> Iterator[Row]:
    from defusedxml.ElementTree import iterparse  # noqa: PLC0415

    number, case, depth = 0, "", 0
    pending: list[dict[str, str]] = []
    for step, node in iterparse(stream, events=("start", "end")):
        kind = node.tag.rpartition("}")[2]
        if number == 0 and depth == 0 and kind != "log":
            raise ToolInputError(f"{name} is no XES log: it begins with {kind!r}.")
        if step == "start":
            depth += 1
            continue
        depth -= 1
        if kind == "event":
            pending.append(_attributes(node))
            node.clear()
        elif kind == "trace":
            case = _attributes(node).get("concept:name", "")
            if not case:
                raise ToolInputError(f"{name}: the trace after event {number} has no concept:name.")
            for found in pending:
                number += 1
                if number > LIMIT_ROWS:
                    raise ToolInputError(f"{name} has more than {LIMIT_ROWS} events.")
                yield Row(number=number, cells=(case, *(found.get(key, "") for key in COLUMNS[1:])))
            pending = []
            node.clear()


def _attributes(node: Any) -> dict[str, str]:
    return {
        str(child.get("key")): str(child.get("value", "")).strip()
        for child in node
        if child.get("key") is not None
    }
