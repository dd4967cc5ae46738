"""What requests bring: read once, checked against a schema, and answered in one shape."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from deskmate.errors import ConflictError, DeskmateError, ProtocolError, UserError
from deskmate.types.frames import decode_frame
from deskmate.web.contract import Failure
from deskmate.web.desk import wire

TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 200_000}
WORD: dict[str, Any] = {"type": "string", "maxLength": 4_096}
FLAG: dict[str, Any] = {"type": "boolean"}
PATHS: dict[str, Any] = {"type": "array", "items": WORD, "maxItems": 10_000}


def closed(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """Return the schema of an object with these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


@cache
def _checker(schema: int) -> Any:
    import jsonschema  # noqa: PLC0415 - it takes its time, and --help does without

    return jsonschema.Draft202012Validator(_SCHEMAS[schema])


_SCHEMAS: dict[int, Mapping[str, Any]] = {}


async def read_body(request: Request, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's body. Raises UserError if it is not what the schema says."""
    _SCHEMAS[id(schema)] = schema
    try:
        body = decode_frame(await request.body())
    except ProtocolError as error:
        raise UserError(f"The request cannot be read: {error.message}.") from error
    for problem in _checker(id(schema)).iter_errors(body):
        place = ".".join(map(str, problem.absolute_path)) or "it"
        raise UserError(f"The request does not fit: {place}: {problem.message[:200]}.")
    return body


def answer(value: object, status: int = 200) -> JSONResponse:
    """Return a thing of the contract as a response."""
    return JSONResponse(wire(value), status_code=status)


def failure(error: DeskmateError) -> JSONResponse:
    """Return what happened, and what to do, with the status that fits."""
    status = (
        409 if isinstance(error, ConflictError) else 400 if isinstance(error, UserError) else 500
    )
    return answer(Failure(error=error.message, hint=error.hint), status)
