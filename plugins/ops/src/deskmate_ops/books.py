"""Workbooks of the profession look as those of all professions do."""

from __future__ import annotations

from deskmate_documents.xlsx.pages import (
    Page,
    Value,
    column,
    figure,
    total_of,
    write_book,
)

__all__ = ["Page", "Value", "column", "figure", "total_of", "write_book"]
