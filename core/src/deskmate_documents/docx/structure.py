"""The structure that a Word document is built from: its schema, and the text that it must come to.

Blocks in order: `heading` {level, text}, `paragraph` {text, style}, `list` {items, ordered}, `table` {header, rows,
caption}, `page_break`. In texts `**bold**` and `*italic*` are formatting; everything else stands as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_TEXT = {"type": "string", "minLength": 1, "maxLength": 20_000}
_CELL = {"type": "string", "maxLength": 5_000}


def _block(kind: str, required: Sequence[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"type": {"const": kind}, **properties},
        "required": ["type", *required],
        "additionalProperties": False,
    }


_BLOCKS = {
    "heading": _block(
        "heading", ("text",), text=_TEXT, level={"type": "integer", "minimum": 1, "maximum": 6}
    ),
    "paragraph": _block(
        "paragraph", ("text",), text=_TEXT, style={"type": "string", "maxLength": 80}
    ),
    "list": _block(
        "list",
        ("items",),
        items={"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 2_000},
        ordered={"type": "boolean"},
    ),
    "table": _block(
        "table",
        ("header", "rows"),
        header={"type": "array", "items": _CELL, "minItems": 1, "maxItems": 30},
        rows={
            "type": "array",
            "items": {"type": "array", "items": _CELL, "maxItems": 30},
            "maxItems": 5_000,
        },
        caption=_TEXT,
    ),
    "page_break": _block("page_break", ()),
}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "title": _TEXT,
        "header": _TEXT,
        "footer": _TEXT,
        "page_numbers": {"type": "boolean"},
        "blocks": {"type": "array", "items": {"type": "object"}, "maxItems": 20_000},
    },
    "required": ["blocks"],
    "additionalProperties": False,
}
_MARKS = re.compile(
    r"\*\*(?P<bold>\S(?:[^*]*\S)?)\*\*|(?<![\w*])\*(?P<italic>\S(?:[^*\n]*\S)?)\*(?![\w*])"
)


def structure_problems(structure: Any) -> Iterator[tuple[str, str]]:
    """Yield (place, message) of what is wrong with a structure; each block by the schema of its own type."""
    import jsonschema  # noqa: PLC0415 - heavy

    wrong = False
    for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(structure):
        wrong = True
        yield error.json_path, error.message[:200]
    if wrong:
        return
    validators = {kind: jsonschema.Draft202012Validator(s) for kind, s in _BLOCKS.items()}
    for number, block in enumerate(structure["blocks"]):
        kind = block.get("type")
        if kind not in validators:
            known = ", ".join(_BLOCKS)
            yield f"$.blocks[{number}]", f"{kind!r} is no type of block; there are {known}"
            continue
        for error in validators[kind].iter_errors(block):
            yield f"$.blocks[{number}]{error.json_path[1:]}", error.message[:200]
        wide = [row for row in block.get("rows", ()) if len(row) > len(block.get("header", ()))]
        if kind == "table" and wide:
            yield f"$.blocks[{number}].rows", "a row has more cells than the header"


def pieces_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield (text, "" or "bold" or "italic") of a text with marks, in order."""
    done = 0
    for match in _MARKS.finditer(text):
        if match.start() > done:
            yield text[done : match.start()], ""
        kind = "bold" if match["bold"] is not None else "italic"
        yield match[kind], kind
        done = match.end()
    if done < len(text):
        yield text[done:], ""


def plain(text: str) -> str:
    """Return a text without its marks, single-spaced."""
    return " ".join("".join(piece for piece, _ in pieces_of(text)).split())


def text_lines(structure: Mapping[str, Any]) -> list[str]:
    """Return the texts that the body of a document built from the structure shows, in order."""
    lines = [plain(structure["title"])] if "title" in structure else []
    for block in structure["blocks"]:
        lines += _lines(block)
    return [line for line in lines if line]


def edge_lines(structure: Mapping[str, Any]) -> list[str]:
    """Return what its header and footer say."""
    lines = [plain(structure[key]) for key in ("header", "footer") if key in structure]
    return [line for line in lines if line]


def _lines(block: Mapping[str, Any]) -> list[str]:
    match block["type"]:
        case "list":
            return [plain(item) for item in block["items"]]
        case "table":
            cells = [*block["header"], *(cell for row in block["rows"] for cell in row)]
            caption = [plain(block["caption"])] if "caption" in block else []
            return caption + [plain(line) for cell in cells for line in cell.split("\n")]
        case "page_break":
            return []
    return [plain(line) for line in block["text"].split("\n")]
