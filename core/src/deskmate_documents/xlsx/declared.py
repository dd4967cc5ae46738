"""What an edit says it changes, as the gate compares it with what did change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deskmate_documents.xlsx.chartedit import ChartChange
from deskmate_documents.xlsx.newsheet import NewSheet
from deskmate_documents.xlsx.refs import Area, Place, parse_areas
from deskmate_documents.xlsx.sheetchange import SheetChange
from deskmate_documents.xlsx.shift import Shift

AREAS_LIMIT = 50_000
STEPS_LIMIT = 2_000
_LISTS = ("rules", "validations", "names", "tables", "parts", "frames")
Step = Shift | NewSheet | SheetChange | ChartChange


@dataclass(slots=True, kw_only=True)
class Declared:
    """Declared changes. `cells`: sheet → areas. `rules`, `validations`: sheets. `tables`: their names.

    `names`: defined names. `styles`: whether styles may have been appended. `results`: whether results that the
    original lacked, or itself called old, were computed. `parts`: package parts that were added or written anew.
    `steps`: rows and columns that came or went, sheets that came, went or got another name or place, in order; all cells here are named as they are
    after the last one. `old`: sheet → cells whose results a shift made old. `frames`: sheets that got their first
    chart or a slicer. `caches`: whether slicers were added to the workbook.
    """

    cells: dict[str, list[Area]] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)
    validations: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    styles: bool = False
    results: bool = False
    caches: bool = False
    steps: list[Step] = field(default_factory=list)
    old: dict[str, list[Area]] = field(default_factory=dict)
    frames: list[str] = field(default_factory=list)

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

    def add_frame(self, sheet: str) -> None:
        """Say that a sheet gets something beside its cells."""
        if sheet not in self.frames:
            self.frames.append(sheet)

    def add_step(self, step: Step) -> None:
        """Say that rows or columns came or went, or a sheet came; cells named so far move with them."""
        self.steps.append(step)
        if isinstance(step, NewSheet | ChartChange):
            return
        if isinstance(step, SheetChange):
            self._rename(step)
            return
        shift = step
        for named in (self.cells, self.old):
            areas = named.get(shift.sheet)
            if areas is not None:
                named[shift.sheet] = [a for a in map(shift.area, areas) if a is not None]

    def _rename(self, step: SheetChange) -> None:
        """Call what was said of a sheet by its new name; what was said of one that is gone goes."""
        for known in (self.cells, self.old):
            now = {step.name(sheet): areas for sheet, areas in known.items()}
            known.clear()
            known.update({sheet: areas for sheet, areas in now.items() if sheet is not None})
        for listed in (self.rules, self.validations, self.frames):
            listed[:] = [name for sheet in listed if (name := step.name(sheet)) is not None]

    @property
    def is_empty(self) -> bool:
        """Say whether nothing was declared."""
        return self == Declared()

    def changed(self) -> dict[str, list[Area]]:
        """Return sheet → all areas from which results may be old."""
        return {
            sheet: [*self.cells.get(sheet, ()), *self.old.get(sheet, ())]
            for sheet in (*self.cells, *self.old)
        }

    def allows(self, sheet: str, place: Place) -> bool:
        """Say whether a cell may change."""
        return any(place in area for area in self.cells.get(sheet, ()))

    def merged(self, other: Declared) -> Declared:
        """Return both together."""
        both = Declared(
            styles=self.styles or other.styles,
            results=self.results or other.results,
            caches=self.caches or other.caches,
        )
        for one in (self, other):
            for step in one.steps:
                both.add_step(step)
            for sheet, areas in one.cells.items():
                for area in areas:
                    both.add_cells(sheet, area)
            for sheet, areas in one.old.items():
                both.old.setdefault(sheet, []).extend(areas)
            for name in _LISTS:
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
            "caches": self.caches,
            "steps": [step.to_json() for step in self.steps],
            "old": {sheet: [str(a) for a in areas] for sheet, areas in self.old.items()},
            "frames": list(self.frames),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Declared:
        """Return it for `to_json`'s shape; what has another shape counts as not declared."""
        found = cls()
        for name in ("styles", "results", "caches"):
            setattr(found, name, data.get(name) is True)
        for key, areas in (("cells", found.cells), ("old", found.old)):
            cells = data.get(key)
            for sheet, texts in cells.items() if isinstance(cells, dict) else ():
                if isinstance(sheet, str) and isinstance(texts, list):
                    areas[sheet] = [
                        a for t in texts[:AREAS_LIMIT] if isinstance(t, str) for a in parse_areas(t)
                    ]
        steps = data.get("steps")
        for step in steps[:STEPS_LIMIT] if isinstance(steps, list) else ():
            read = (
                NewSheet.from_json(step)
                or SheetChange.from_json(step)
                or ChartChange.from_json(step)
                or Shift.from_json(step)
            )
            found.steps += [read] if read is not None else []
        for name in _LISTS:
            listed = data.get(name)
            if isinstance(listed, list):
                getattr(found, name).extend(x for x in listed if isinstance(x, str))
        return found
