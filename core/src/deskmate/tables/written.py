"""How a table's record writes money, calls, rows and cells."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from deskmate.types.codec import from_json
from deskmate.types.ids import Digest
from deskmate.types.tables import Cell, Row


def micro(amount_usd: float, *, up: bool = False) -> int:
    """Return dollars in millionths. `up`: rounded up, as what is held must not be too little."""
    millionths = amount_usd * 1_000_000
    return math.ceil(millionths) if up else round(millionths)


def usd(millionths: int | None) -> float:
    """Return millionths in dollars."""
    return int(millionths or 0) / 1_000_000  # a server's sums are decimals


def call_id(row: int, round_: int, number: int) -> str:
    """Return the id of a row's call: row, round, number."""
    return f"{row:06}.{round_:03}.{number:03}"


def item_key(row: int, round_: int) -> str:
    """Return the engine's key of one round of a row."""
    return f"row {row:06} round {round_}"


def row_of(found: Mapping[str, Any]) -> Row:
    """Return a row as it is stored."""
    digest = found["sha256"]
    return Row(
        number=found["number"],
        path=found["path"],
        round=found["round"],
        state=found["state"],
        sha256=Digest(digest) if digest else None,
    )


def cell_of(text: str) -> Cell:
    """Return a cell as it is stored. Raises CorruptData."""
    return from_json(Cell, json.loads(text))
