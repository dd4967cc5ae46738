"""Edits of conditional formats and data validations, as an editor makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deskmate_documents.xlsx import rulechange, rules
from deskmate_documents.xlsx.book import Sheet

if TYPE_CHECKING:
    from deskmate_documents.xlsx.edit import Editor


def add_rule(editor: Editor, edit: Mapping[str, Any]) -> None:
    """Add a conditional format to `cells`."""
    sheet, area = editor.target(edit, limit=1 << 40)
    frame = editor.on(sheet).open_frame()
    rules.add_rule(frame, area, dict(edit.get("rule", {})), editor.book.styles)
    _declare(editor, sheet)


def _numbered(editor: Editor, edit: Mapping[str, Any]) -> tuple[Sheet, rules.Rule]:
    sheet = editor.book.sheet(str(edit.get("sheet", "")))
    return sheet, rules.numbered(editor.on(sheet).open_frame(), edit.get("number"))


def change_rule(editor: Editor, edit: Mapping[str, Any]) -> None:
    """Change the conditional format `number` of `sheet`."""
    sheet, rule = _numbered(editor, edit)
    frame = editor.on(sheet).open_frame()
    rulechange.change_rule(frame, rule, dict(edit.get("rule", {})), editor.book.styles)
    _declare(editor, sheet)


def remove_rule(editor: Editor, edit: Mapping[str, Any]) -> None:
    """Take out the conditional format `number` of `sheet`."""
    sheet, rule = _numbered(editor, edit)
    rules.remove_rule(editor.on(sheet).open_frame(), rule)
    _declare(editor, sheet)


def _declare(editor: Editor, sheet: Sheet) -> None:
    editor.declared.add_rules(sheet.name)
    editor.declared.styles = True


def add_validation(editor: Editor, edit: Mapping[str, Any]) -> None:
    """Add a data validation to `cells`."""
    sheet, area = editor.target(edit, limit=1 << 40)
    frame = editor.on(sheet).open_frame()
    rules.add_validation(frame, area, dict(edit.get("validation", {})))
    editor.declared.add_validations(sheet.name)


def remove_validation(editor: Editor, edit: Mapping[str, Any]) -> None:
    """Take out the data validations of `cells`."""
    sheet, area = editor.target(edit, limit=1 << 40)
    rules.remove_validations(editor.on(sheet).open_frame(), area)
    editor.declared.add_validations(sheet.name)
