"""What an edit says it changes, as the gate compares it with what did change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deskmate_documents.xlsx.refs import Area, Place, parse_areas

AREAS_LIMIT = 50_000


@dataclass(slots=True, kw_only=True)
class Declared:
    """Declared changes. `cells`: sheet → areas. `rules`, `validations`: sheets. `tables`: their names.

    `names`: defined names. `styles`: whether styles may have been appended. `results`: whether results that the
    original lacked, or itself called old, were computed. `parts`: package parts that were added or written anew.
    """

    cells: dict[str, list[Area]] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)
    validations: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    styles: bool = False
    results: bool = False

    def add_cells(self, sheet: str, area: Area) -> None:
        """Add an area; one that goes on below or beside the last one grows it."""
        known = self.cells.setdefault(sheet, [])
        if known:
            last = known[-1]
            beside = (last.top, last.bottom) == (
                area.top,
                area.bottom,
            ) and last.right + 1 == area.left
            below = (last.left, last.right) == (
                area.left,
                area.right,
            ) and last.bottom + 1 == area.top
            if beside or below:
                known[-1] = Area(last.top, last.left, area.bottom, area.right)
                return
        if area not in known[-4:]:
            known.append(area)

    def add_rules(self, sheet: str) -> None:
        """Say that a sheet's conditional formats change."""
        if sheet not in self.rules:
            self.rules.append(sheet)

    def add_validations(self, sheet: str) -> None:
        """Say that a sheet's data validations change."""
        if sheet not in self.validations:
            self.validations.append(sheet)

    def allows(self, sheet: str, place: Place) -> bool:
        """Say whether a cell may change."""
        return any(place in area for area in self.cells.get(sheet, ()))

    def merged(self, other: Declared) -> Declared:
        """Return both together."""
        both = Declared(styles=self.styles or other.styles, results=self.results or other.results)
        for one in (self, other):
            for sheet, areas in one.cells.items():
                for area in areas:
                    both.add_cells(sheet, area)
            for name in ("rules", "validations", "names", "tables", "parts"):
                getattr(both, name).extend(
                    x for x in getattr(one, name) if x not in getattr(both, name)
                )
        return both

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; areas in A1 notation."""
        return {
            "cells": {sheet: [str(a) for a in areas] for sheet, areas in self.cells.items()},
            "rules": list(self.rules),
            "validations": list(self.validations),
            "names": list(self.names),
            "tables": list(self.tables),
            "parts": list(dict.fromkeys(self.parts)),
            "styles": self.styles,
            "results": self.results,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Declared:
        """Return it for `to_json`'s shape; what has another shape counts as not declared."""
        found = cls(styles=data.get("styles") is True, results=data.get("results") is True)
        cells = data.get("cells")
        for sheet, texts in cells.items() if isinstance(cells, dict) else ():
            if isinstance(sheet, str) and isinstance(texts, list):
                found.cells[sheet] = [
                    a for t in texts[:AREAS_LIMIT] if isinstance(t, str) for a in parse_areas(t)
                ]
        for name in ("rules", "validations", "names", "tables", "parts"):
            listed = data.get(name)
            if isinstance(listed, list):
                getattr(found, name).extend(x for x in listed if isinstance(x, str))
        return found
