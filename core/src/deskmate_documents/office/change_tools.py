"""Tools over two versions of a document: what changed, piece by piece, and any choice of it as a file.

The host calls them too, in a machine of its own, to show a change set and to apply parts of it.
"""

from __future__ import annotations

from typing import Any

from deskmate.plugin import ToolContext, ToolInputError

LINE_LIMIT = 400
LINES_LIMIT = 40
SHOWN_CHARACTERS = 240_000
WORDS_LIMIT = 200_000


def document_changes(before: str, after: str, context: ToolContext) -> dict[str, Any]:
    """Say what changed between two versions of a Word, Excel, PowerPoint or PDF file or a picture, change by change.

    Args:
        before: workspace path of the older version; empty: the file is new; its tracked changes or first lines are shown.
        after: workspace path of the newer version.
        context: filled in by Deskmate.

    Returns:
        `changes`: list of {id, lines, whole}; of the lines the first says where, `-` what goes, `+` what comes, a
        blank what stays around it, `~` what is formatting or else, `#` a comment on it; `whole`: the file can only be
        taken as a whole. Empty if nothing differs that a reader would see.
    """
    from deskmate_documents.differs import pieces  # noqa: PLC0415

    found = pieces(context.file(before) if before else None, context.file(after))
    left = SHOWN_CHARACTERS
    changes = []
    for piece in found:
        lines = [line[:LINE_LIMIT] for line in piece.lines[:LINES_LIMIT]]
        if len(piece.lines) > LINES_LIMIT:
            lines.append(f"~and {len(piece.lines) - LINES_LIMIT} more lines")
        size = sum(map(len, lines))
        shown = lines if size <= left else lines[:1]
        left -= size
        changes.append({"id": piece.id, "lines": shown} | ({} if piece.alone else {"whole": True}))
    return {"changes": changes}


def document_take(
    before: str, after: str, chosen: list[str], target: str, context: ToolContext
) -> dict[str, Any]:
    """Write the older version of a document with only some of the newer one's changes.

    Tracked changes that the newer version brings stay tracked; of other changes the chosen ones are simply made.

    Args:
        before: workspace path of the older version.
        after: workspace path of the newer version.
        chosen: ids as document_changes gives them.
        target: workspace path of the result, a third file.
        context: filled in by Deskmate.

    Returns:
        `path` of the result.
    """
    from deskmate_documents.differs import merge  # noqa: PLC0415

    old, new, result = context.file(before), context.file(after), context.target(target)
    if result.resolve() in (old.resolve(), new.resolve()):
        raise ToolInputError("The target must be another file than both versions.")
    if result.suffix.lower() != old.suffix.lower():
        raise ToolInputError(f"The target must end in {old.suffix}, as the older version does.")
    result.parent.mkdir(parents=True, exist_ok=True)
    merge(old, new, chosen, result)
    return {"path": context.name_of(result)}


def document_words(path: str, context: ToolContext) -> dict[str, Any]:
    """Return the words of a Word, Excel, PowerPoint or PDF file for the search, from its beginning.

    Args:
        path: workspace path of the file.
        context: filled in by Deskmate.

    Returns:
        `text`: its lines, at most 200,000 characters.
    """
    from deskmate_documents.differs import search_text  # noqa: PLC0415

    lines: list[str] = []
    left = WORDS_LIMIT
    for line in search_text(context.file(path)):
        lines.append(line[:left])
        left -= len(lines[-1]) + 1
        if left <= 0:
            break
    return {"text": "\n".join(lines)}
