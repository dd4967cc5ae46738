"""A connector's question as a form for people: what a server may put into one is bounded before it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from deskmate.shown import one_line
from deskmate.types.connectors import ConnectorAsked
from deskmate.web.contract_log import Blank, Choice, Noted, Wanted

_MESSAGE, _TITLE, _ABOUT, _LABEL = 1_000, 80, 300, 120
_CHOICES = 100
Kind = Literal["text", "number", "yes_no", "choice", "choices"]
_KINDS: Mapping[str, Kind] = {"boolean": "yes_no", "integer": "number", "number": "number"}


def wanted(asked: ConnectorAsked) -> Wanted | Noted:
    """Return the form of a question; of one without a schema that can be read, its words."""
    question = asked.question
    fields = question.schema.get("properties")
    if not isinstance(fields, Mapping):
        return Noted(text=question.text, level="attention")
    required = question.schema.get("required")
    needed = set(map(str, required)) if isinstance(required, list) else set()
    # a question that is asked again begins with what did not fit
    first, _, rest = question.text.partition("\n")
    again = rest.startswith(f"{question.connector} asks: ")
    return Wanted(
        use=asked.tool_use_id,
        connector=question.connector,
        message=one_line(question.message, _MESSAGE),
        problem=first if again else "",
        blanks=tuple(
            _blank(str(name), field if isinstance(field, Mapping) else {}, needed)
            for name, field in fields.items()
        ),
    )


def _blank(name: str, field: Mapping[str, Any], needed: set[str]) -> Blank:
    items = field.get("items")
    many = field.get("type") == "array"
    choices = tuple(_choices(items if many and isinstance(items, Mapping) else field))
    kind: Kind = "text"
    if choices:
        kind = "choices" if many else "choice"
    else:
        kind = _KINDS.get(str(field.get("type", "string")), "text")
    return Blank(
        name=name,
        title=one_line(str(field.get("title") or name), _TITLE),
        about=one_line(str(field.get("description") or ""), _ABOUT),
        kind=kind,
        choices=choices[:_CHOICES],
        required=name in needed,
        default=_text(field.get("default")),
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else one_line(str(value), _ABOUT)


def _choices(field: Mapping[str, Any]) -> Iterator[Choice]:
    values, labels = field.get("enum"), field.get("enumNames")
    if isinstance(values, list):
        named = labels if isinstance(labels, list) and len(labels) == len(values) else values
        for value, label in zip(values, named, strict=True):
            yield Choice(value=str(value), label=one_line(str(label), _LABEL))
    for key in ("oneOf", "anyOf"):
        for one in field.get(key) or ():
            if isinstance(one, Mapping) and "const" in one:
                label = one_line(str(one.get("title", one["const"])), _LABEL)
                yield Choice(value=str(one["const"]), label=label)
