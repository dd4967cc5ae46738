"""Tools of tables over many documents: the program calls them, in a machine of its own for each document."""

from __future__ import annotations

from typing import Any

from deskmate.plugin import ToolContext, ToolInputError

WINDOW_CHARACTERS = 150_000


def cells_find(path: str, columns: list[dict[str, Any]], context: ToolContext) -> dict[str, Any]:
    """Answer a table's columns for one document by their rules: regular expressions over its text.

    Args:
        path: workspace path of a Word, Excel, PowerPoint, PDF, CSV, mail or text file.
        columns: list of columns as the table's order has them.
        context: filled in by Deskmate.

    Returns:
        `cells`: one for each column: {column, status, value, unit, quote, page, paragraph, why, by}.
    """
    from deskmate.types.codec import to_json  # noqa: PLC0415
    from deskmate_documents.cells import CellReader, columns_of  # noqa: PLC0415
    from deskmate_documents.passages import read_passages  # noqa: PLC0415

    source = read_passages(context.file(path))
    _check_words(path, source.passages)
    return {"cells": to_json(CellReader(source).find(columns_of(columns)))}


def cells_check(
    path: str, columns: list[dict[str, Any]], answers: list[dict[str, Any]], context: ToolContext
) -> dict[str, Any]:
    """Check a model's answers against the document: quote in the text, value in the quote, type of the value.

    Args:
        path: workspace path of a Word, Excel, PowerPoint, PDF, CSV, mail or text file.
        columns: list of columns as the table's order has them.
        answers: list of {column, found, value, quote}.
        context: filled in by Deskmate.

    Returns:
        `cells`: one for each column, as of cells_find.
    """
    from deskmate.errors import CorruptData  # noqa: PLC0415
    from deskmate.types.codec import from_json, to_json  # noqa: PLC0415
    from deskmate.types.tables import Answer  # noqa: PLC0415
    from deskmate_documents.cells import CellReader, columns_of  # noqa: PLC0415
    from deskmate_documents.passages import read_passages  # noqa: PLC0415

    try:
        given = [from_json(Answer, answer) for answer in answers]
    except CorruptData as error:
        raise ToolInputError(f"An answer is malformed: {error}.") from error
    source = read_passages(context.file(path))
    return {"cells": to_json(CellReader(source).check(columns_of(columns), given))}


def cells_text(path: str, context: ToolContext, start: int = 0) -> dict[str, Any]:
    """Return a document's text for a model that answers a table's columns, a window at a time.

    Args:
        path: workspace path of a Word, Excel, PowerPoint, PDF, CSV, mail or text file.
        context: filled in by Deskmate.
        start: characters to skip.

    Returns:
        `text`: at most 150,000 characters; `characters`: of the whole text; `next`: where to go on, missing at the end.
    """
    from deskmate_documents.cells import marked_text  # noqa: PLC0415
    from deskmate_documents.passages import read_passages  # noqa: PLC0415

    if start < 0:
        raise ToolInputError("start must be 0 or more.")
    source = read_passages(context.file(path))
    _check_words(path, source.passages)
    text = marked_text(source)
    end = start + WINDOW_CHARACTERS
    answer: dict[str, Any] = {"text": text[start:end], "characters": len(text)}
    return answer | ({"next": end} if end < len(text) else {})


def _check_words(path: str, passages: tuple[object, ...]) -> None:
    if not passages:
        raise ToolInputError(
            f"{path.rpartition('/')[2]} holds no words: a scan has to be recognized first."
        )
