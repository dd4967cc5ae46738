"""The office plugin's tools: which files each looks at, and which kinds of files give it a use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from deskmate.plugin import Tool
from deskmate_documents.office import (
    cell_tools,
    change_tools,
    deck_tools,
    docx_tools,
    evidence_tools,
    look_tool,
    password_tools,
    pdf_edits,
    pdf_tools,
    place_tools,
    render_tools,
    sheet_build_tool,
    sheet_calc_tool,
    sheet_tools,
    tools,
)

WORD = (".docx", ".docm", ".dotx")
SHEETS = (".xlsx", ".xlsm", ".xltx", ".xltm")
DECKS = (".pptx", ".pptm", ".potx")
OFFICE = (*WORD, *SHEETS, *DECKS)
PDF = (".pdf",)
SHOWN = (*OFFICE, *PDF)
_PATH = ("{path}",)
_BOTH = ("{before}", "{after}")


def office_tools() -> Iterator[Tool]:
    """Yield all tools."""
    yield from _any_thread()
    yield from _program()
    yield from _word()
    yield from _sheets()
    yield from _pdf()
    yield from _decks()


def _any_thread() -> Iterator[Tool]:
    """Yield what reads and quotes documents of all kinds, and what makes new ones."""
    yield Tool(function=tools.document_read, reads=())
    yield Tool(function=tools.document_outline, reads=())
    yield Tool(function=tools.document_quote, reads=())
    yield Tool(function=evidence_tools.document_figure, reads=_PATH)
    yield Tool(function=evidence_tools.document_present, reads=())
    yield _writer(password_tools.document_unlock, OFFICE)
    yield _writer(password_tools.document_lock, OFFICE)
    yield Tool(function=docx_tools.docx_build, risk="write", reads=())
    yield Tool(function=sheet_build_tool.sheet_build, risk="write", reads=())
    yield Tool(function=deck_tools.deck_build, risk="write", reads=())


def _program() -> Iterator[Tool]:
    """Yield what Deskmate itself calls, in machines of its own or at the end of a run."""
    yield Tool(function=change_tools.document_changes, reads=_BOTH, offered=())
    yield Tool(function=change_tools.document_take, risk="write", reads=_BOTH, offered=())
    yield Tool(function=change_tools.document_words, reads=_PATH, timeout_s=60, offered=())
    yield Tool(function=cell_tools.cells_find, reads=_PATH, timeout_s=300, offered=())
    yield Tool(function=cell_tools.cells_check, reads=_PATH, timeout_s=300, offered=())
    yield Tool(function=cell_tools.cells_text, reads=_PATH, timeout_s=300, offered=())
    yield Tool(function=place_tools.document_place, reads=_PATH, timeout_s=300, offered=())
    yield Tool(function=place_tools.sheet_window, reads=_PATH, timeout_s=300, offered=())
    yield Tool(
        function=place_tools.page_place,
        risk="write",
        reads=_PATH,
        timeout_s=300,
        offered=(),
        office="always",
    )


def _word() -> Iterator[Tool]:
    yield Tool(function=docx_tools.docx_fields, reads=_PATH, offered=WORD)
    yield _writer(docx_tools.docx_fill, WORD)
    yield _writer(docx_tools.docx_comment, WORD)
    yield Tool(function=tools.docx_accept, risk="write", reads=(), offered=WORD)
    yield Tool(function=tools.docx_reject, risk="write", reads=(), offered=WORD)


def _sheets() -> Iterator[Tool]:
    yield Tool(function=sheet_tools.sheet_map, reads=_PATH, offered=SHEETS)
    yield Tool(function=sheet_tools.sheet_read, reads=_PATH, offered=SHEETS)
    yield _writer(sheet_tools.sheet_edit, SHEETS)
    yield _writer(sheet_calc_tool.sheet_recalculate, SHEETS, office="always")


def _pdf() -> Iterator[Tool]:
    yield Tool(function=pdf_tools.pdf_outline, reads=_PATH, offered=PDF)
    yield Tool(function=pdf_tools.pdf_read, reads=_PATH, offered=PDF, office="ocr")
    yield Tool(function=pdf_tools.pdf_find, reads=_PATH, offered=PDF)
    yield Tool(function=pdf_tools.pdf_tables, reads=_PATH, offered=PDF)
    yield Tool(function=pdf_tools.pdf_form, reads=_PATH, offered=PDF)
    yield Tool(function=pdf_tools.pdf_annotations, reads=_PATH, offered=PDF)
    yield _writer(pdf_edits.pdf_fill, PDF)
    yield Tool(function=pdf_edits.pdf_pages, risk="write", reads=(), timeout_s=300, offered=PDF)
    yield _writer(pdf_edits.pdf_split, PDF, timeout_s=300)
    yield _writer(pdf_edits.pdf_redact, PDF, timeout_s=600)
    yield _writer(pdf_edits.pdf_annotate, PDF)


def _decks() -> Iterator[Tool]:
    yield Tool(function=deck_tools.deck_outline, reads=_PATH, offered=DECKS)
    yield Tool(function=deck_tools.deck_read, reads=_PATH, offered=DECKS)
    yield Tool(function=deck_tools.deck_lint, reads=_PATH, offered=DECKS)
    yield _writer(deck_tools.deck_edit, DECKS)
    yield _writer(deck_tools.deck_summary, SHOWN, timeout_s=300)
    kinds = (*SHOWN, *sorted(look_tool.PICTURES))
    yield Tool(function=look_tool.pages_look, reads=_PATH, timeout_s=300, offered=kinds)
    yield _writer(render_tools.render_pages, SHOWN, timeout_s=600, office="always")


def _writer(
    function: Callable[..., Any],
    offered: tuple[str, ...],
    timeout_s: int = 120,
    office: str = "",
) -> Tool:
    """Return a tool that writes and looks at the file `path` only."""
    return Tool(
        function=function,
        risk="write",
        reads=_PATH,
        timeout_s=timeout_s,
        offered=offered,
        office=office,
    )
