"""Properties of shifts, for any: nothing is read that was not, and what comes and goes again leaves no trace."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from deskmate_documents.xlsx.declared import Declared
from deskmate_documents.xlsx.newsheet import NewSheet
from deskmate_documents.xlsx.refs import Area, Place, column_name
from deskmate_documents.xlsx.shift import Formulas, Shift

small = st.integers(1, 12)
shifts = st.builds(
    Shift,
    sheet=st.just("S"),
    axis=st.sampled_from(["rows", "columns"]),
    at=small,
    count=st.integers(1, 4),
    gone=st.booleans(),
)
areas = st.tuples(small, small, small, small).map(
    lambda n: Area(min(n[0], n[1]), min(n[2], n[3]), max(n[0], n[1]), max(n[2], n[3]))
)


def there(shift: Shift, area: Area) -> set[Place]:
    """Return where the cells of an area are afterwards, one by one."""
    return {place for place in map(shift.place, area.cells()) if place is not None}


def fresh(shift: Shift, place: Place) -> bool:
    return not shift.gone and shift.at <= shift.along(place) < shift.at + shift.count


@given(shift=shifts, area=areas)
@settings(max_examples=300, deadline=None)
def test_an_area_holds_the_cells_it_held_and_what_came_between_them(
    shift: Shift, area: Area
) -> None:
    now = shift.area(area)
    expected = there(shift, area)
    assert (now is None) == (not expected)
    if now is not None:
        assert {place for place in now.cells() if not fresh(shift, place)} == expected
        assert shift.cuts(area) == (now.size != area.size)
    assert shift.takes(area) == (now is None)


@given(shift=shifts, area=areas, marks=st.tuples(*[st.sampled_from(["", "$"])] * 4))
@settings(max_examples=300, deadline=None)
def test_a_formula_reads_what_the_area_is_afterwards(
    shift: Shift, area: Area, marks: tuple[str, str, str, str]
) -> None:
    text = (
        f"{marks[0]}{column_name(area.left)}{marks[1]}{area.top}"
        f":{marks[2]}{column_name(area.right)}{marks[3]}{area.bottom}"
    )
    found = Formulas(shift, ["S"]).shifted(f"SUM({text})", "S")
    now = shift.area(area)
    bare = found.text.replace("$", "").removeprefix("SUM(").removesuffix(")")
    if now is None:
        assert bare == "#REF!"
    else:
        assert bare == f"{column_name(now.left)}{now.top}:{column_name(now.right)}{now.bottom}"
        assert found.text.count("$") == text.count("$")
    assert found.resized == (now is None or now.size != area.size)


@given(shift=shifts, area=areas)
@settings(max_examples=200, deadline=None)
def test_lines_that_come_and_go_again_leave_every_formula_as_it_was(
    shift: Shift, area: Area
) -> None:
    come = Shift(sheet="S", axis=shift.axis, at=shift.at, count=shift.count, gone=False)
    go = Shift(sheet="S", axis=shift.axis, at=shift.at, count=shift.count, gone=True)
    text = f"SUM({area})+S!{area}"
    there = Formulas(come, ["S"]).shifted(text, "S").text
    assert Formulas(go, ["S"]).shifted(there, "S").text == text


@given(shift=shifts, areas=st.lists(areas, max_size=4))
@settings(max_examples=100, deadline=None)
def test_what_was_declared_moves_and_survives_its_json(shift: Shift, areas: list[Area]) -> None:
    declared = Declared()
    for area in areas:
        declared.add_cells("S", area)
    before = {place for area in declared.cells.get("S", ()) for place in area.cells()}
    declared.add_step(NewSheet(name="New", widths=(3.0,)))
    declared.add_step(shift)
    for place in before:
        now = shift.place(place)
        assert now is None or declared.allows("S", now)
    assert Declared.from_json(declared.to_json()) == declared


def test_what_has_another_shape_is_no_step() -> None:
    wrong: list[object] = [
        None,
        1,
        {},
        {"axis": "rows"},
        {"axis": "x", "sheet": "S", "at": 1, "count": 1},
    ]
    wrong += [
        {"axis": "rows", "sheet": "S", "at": 0, "count": 1},
        {"add": 5},
        {"axis": "rows", "sheet": 1},
    ]
    assert Declared.from_json({"steps": wrong, "old": 3, "cells": []}).steps == []
    assert Declared.from_json({"steps": "x"}).steps == []
