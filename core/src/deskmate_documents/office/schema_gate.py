"""G-SCHEMA: the structured twin of a deliverable is valid, and the text is what the twin says."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.errors import ToolInputError
from deskmate.plugin import Deliverable, Finding, ValidationContext
from deskmate_documents.content import WORD
from deskmate_documents.docx.structure import edge_lines, structure_problems, text_lines

RULE = "G-SCHEMA"
FINDINGS_LIMIT = 20
LIMIT_BYTES = 32 << 20
JSON = frozenset({".json", ".jsonl", ".ndjson"})


def check_schema(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Check a JSON file by itself and by its schema, and a built document against its structure."""
    for message, where in itertools.islice(_problems(deliverable, context), FINDINGS_LIMIT):
        yield Finding(
            rule=RULE,
            level="error",
            message=message,
            location=where,
            fix="Correct the structure and make the file from it anew.",
        )


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[tuple[str, str]]:
    suffix = context.file.suffix.lower()
    if suffix in JSON:
        yield from _json_problems(deliverable, context)
    twin = deliverable.data.get("structure")
    if twin is not None:
        if suffix not in WORD:
            yield "Its structure is that of a Word document, and it is none.", ""
        else:
            yield from _twin_problems(twin, deliverable, context)


def _twin_problems(
    twin: Any, deliverable: Deliverable, context: ValidationContext
) -> Iterator[tuple[str, str]]:
    found = list(structure_problems(twin))
    if found:
        yield from ((f"The structure is not valid: {message}", where) for where, message in found)
        return
    shown, edges = _shown(context.file)
    yield from _compared(text_lines(twin), shown, "text")
    base = context.sources.file(deliverable.sources.get("base", ""))
    allowed = _shown(base)[1] if base is not None else []
    wanted = edge_lines(twin)
    for line in wanted:
        if line not in edges:
            yield f"Header and footer lack: “{line[:80]}”.", "header or footer"
    for line in edges:
        if line not in wanted and line not in allowed:
            yield f"Only the file has: “{line[:80]}”.", "header, footer or note"


def _compared(wanted: list[str], shown: list[str], what: str) -> Iterator[tuple[str, str]]:
    for number, (one, two) in enumerate(zip(wanted, shown, strict=False), 1):
        if one != two:
            message = f"The file says “{two[:80]}” where its structure says “{one[:80]}”."
            yield message, f"{what} {number}"
            return
    if len(wanted) != len(shown):
        place = min(len(wanted), len(shown))
        side, lines = ("file", shown) if len(shown) > len(wanted) else ("structure", wanted)
        yield f"Only the {side} has: “{lines[place][:80]}”.", f"{what} {place + 1}"


def _shown(file: Path) -> tuple[list[str], list[str]]:
    """Return the texts of the body, and of headers, footers and notes."""
    from deskmate_documents.docx.reading import read_docx  # noqa: PLC0415

    document = read_docx(file)
    body = [" ".join(p.text.split()) for p in document.paragraphs if p.text.strip()]
    return body, [" ".join(p.text.split()) for p in document.notes if p.text.strip()]


def _json_problems(
    deliverable: Deliverable, context: ValidationContext
) -> Iterator[tuple[str, str]]:
    values = []
    try:
        for where, text in _documents(context.file):
            values.append((where, strict_json(text)))
    except ToolInputError as error:
        yield error.message, ""
        return
    schema = deliverable.data.get("schema")
    if schema is None:
        file = _schema_file(deliverable.path, context)
        if file is None:
            return
        try:
            schema = strict_json(file.read_text("utf-8"))
        except (ToolInputError, UnicodeDecodeError) as error:
            yield f"Its schema cannot be read: {error}", file.name
            return
    for where, value in values:
        for place, message in schema_problems(schema, value):
            yield message, f"{where} {place}".strip()


def _documents(file: Path) -> Iterator[tuple[str, str]]:
    if file.stat().st_size > LIMIT_BYTES:
        raise ToolInputError(f"{file.name} is larger than 32 MiB; refused as JSON.")
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ToolInputError(f"{file.name} is not UTF-8, as JSON must be.") from error
    if file.suffix.lower() == ".json":
        yield "", text
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield f"line {number}", line


def _schema_file(path: str, context: ValidationContext) -> Path | None:
    """Return `<name>.schema.json` beside the file: the user's, or another result's."""
    name = str(PurePosixPath(path).with_suffix(".schema.json"))
    return context.sources.file(name) or context.others.get(name)


def strict_json(text: str) -> Any:
    """Return what JSON text says.

    Raises:
        ToolInputError: it does not parse, names a key twice, or has NaN or an infinity.
    """

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            raise ToolInputError("The JSON names a key twice in one object.")
        return found

    def constant(name: str) -> Any:
        raise ToolInputError(f"The JSON has {name}, which is no JSON.")

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise ToolInputError(f"The JSON does not parse: {str(error)[:200]}") from error


def schema_problems(schema: Any, value: Any) -> Iterator[tuple[str, str]]:
    """Yield (place, message) of what does not fit a JSON Schema; nothing is ever fetched for it."""
    import jsonschema  # noqa: PLC0415 - heavy
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    if not isinstance(schema, Mapping | bool):
        yield "", "Its schema is no JSON Schema."
        return
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema, registry=Registry())
        for error in validator.iter_errors(value):
            yield error.json_path, error.message[:200]
    except jsonschema.SchemaError as error:
        yield "", f"Its schema is not valid: {error.message[:200]}"
    except (Unresolvable, RecursionError) as error:
        yield "", f"Its schema cannot be followed: {str(error)[:200]}"
