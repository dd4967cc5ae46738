"""What the measured tables of a plugin's README share: shares in words, the place in the file, and the command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LEGAL = Path(__file__).parents[1] / "plugins" / "legal" / "README.md"


def share(part: int, whole: int) -> str:
    """Return a share in whole per cent, a dash of nothing."""
    return f"{part / whole:.0%}".replace("%", " %") if whole else "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a table stands: between two comments that have its name."""

    name: str
    file: Path = LEGAL

    def read(self) -> str:
        """Return the table that stands there."""
        return self._parts()[1].strip()

    def write(self, table: str) -> None:
        """Put another one in its place."""
        before, _, after = self._parts()
        text = f"{before}<!-- {self.name} -->\n{table}\n<!-- /{self.name} -->{after}"
        self.file.write_text(text, "utf-8")

    def _parts(self) -> tuple[str, str, str]:
        text = self.file.read_text("utf-8")
        before, _, rest = text.partition(f"<!-- {self.name} -->")
        table, _, after = rest.partition(f"<!-- /{self.name} -->")
        return before, table, after


def main(place: Place, measure: Callable[[Path], str]) -> None:
    """Measure what lies at the first argument, print the table, and with --write put it into its place."""
    table = measure(Path(sys.argv[1]))
    print(table)
    if "--write" in sys.argv:
        place.write(table)
