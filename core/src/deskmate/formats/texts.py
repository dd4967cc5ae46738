"""Texts of strangers as Python values: UTF-8 whatever the editor, YAML and JSON with bounds. No exception leaves but Unreadable."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deskmate.formats.tree import Tree, Unreadable

TEXT_LIMIT_BYTES = 256 << 10
JSON_LIMIT_BYTES = 1 << 20
JSON_DEPTH_LIMIT = 32
_HEAD_LIMIT = 64 << 10
_YAML_EVENTS_LIMIT = 10_000
_YAML_DEPTH_LIMIT = 16
_YAML_ALIASES_LIMIT = 20
_HEAD = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"([A-Za-z][\w.-]{0,63})[ \t]*:(?:[ \t]+(.*)|[ \t]*)\Z")
_COMMENT = re.compile(r"\A(?:\s|<!--.*?-->)*", re.DOTALL)


class _Bounds(Exception):
    """It is YAML that takes too much."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """A scalar that stood in quotes: text, whatever it looks like."""

    text: str


@dataclass(slots=True)
class Document:
    """A Markdown file: its front matter as plain values, and the text below it."""

    head: dict[str, Any] = field(default_factory=dict)
    body: str = ""
    has_head: bool = False


def read_text(tree: Tree, path: str) -> str:
    """Return a text with LF line ends, noting what was odd. Raises Unreadable where it is too long or gone."""
    content = tree.read(path, TEXT_LIMIT_BYTES)
    if content.startswith(b"\xef\xbb\xbf"):
        tree.note("text-bom", path)
        content = content[3:]
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            tree.note("text-not-utf8", path, "UTF-16")
            text = content.decode("utf-16")
        else:
            text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        tree.note("text-not-utf8", path, f"byte {error.start}")
        text = content.decode("utf-8", "replace")
    if "\0" in text:
        tree.note("text-nul", path)
        text = text.replace("\0", "\ufffd")
    if "\r" in text:
        tree.note("text-line-ends", path)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def read_body(tree: Tree, path: str) -> str:
    """Return a Markdown file's text below its front matter, which is not looked at. Raises Unreadable."""
    return _split(read_text(tree, path))[1]


def _split(text: str) -> tuple[str | None, str]:
    """Return front matter, None if there is none, and the text below it."""
    start = text.lstrip("\n \t") if text[:1] in "\n \t" else text
    found = _HEAD.match(start) if start.startswith("---") else None
    return (found[1], start[found.end() :]) if found else (None, text)


def read_document(tree: Tree, path: str) -> Document:
    """Return a Markdown file with its front matter, read line by line where it is no YAML. Raises Unreadable."""
    head, body = _split(read_text(tree, path))
    if head is None:
        if body.lstrip().startswith("---\n"):
            tree.note("frontmatter-open", path)
        return Document(body=body)
    try:
        if len(head) > _HEAD_LIMIT:
            raise _Bounds
        value = _read_yaml(tree, path, head)
    except _Bounds:
        tree.note("frontmatter-bounds", path)
        return Document(head=_by_line(head), body=body, has_head=True)
    except _NotYaml as error:
        tree.note("frontmatter-yaml", path, str(error))
        return Document(head=_by_line(head), body=body, has_head=True)
    if value is None:
        return Document(body=body, has_head=True)
    if not isinstance(value, dict):
        tree.note("frontmatter-shape", path)
        return Document(body=body, has_head=True)
    return Document(head=value, body=body, has_head=True)


class _NotYaml(Exception):
    """It cannot be read as YAML; the message says where."""


def _read_yaml(tree: Tree, path: str, text: str) -> Any:
    """Return plain values: str, bool, None, Quoted, list, dict. Numbers and dates stay the text that they are."""
    import yaml  # noqa: PLC0415

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(yaml, loader, text)
        node = yaml.compose(text, Loader=loader)
        return _Converter(tree, path).value(node, 0) if node is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 0
        raise _NotYaml(f"line {line}: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError, LookupError) as error:
        raise _NotYaml(str(error).splitlines()[0] if str(error) else "it is damaged") from error


def _check_events(yaml: Any, loader: Any, text: str) -> None:
    """Raise _Bounds before anything is built of YAML that is too much."""
    depth = aliases = 0
    for count, event in enumerate(yaml.parse(text, Loader=loader)):
        kind = type(event)
        if kind in (yaml.MappingStartEvent, yaml.SequenceStartEvent):
            depth += 1
        elif kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
            depth -= 1
        elif kind is yaml.AliasEvent:
            aliases += 1
        if depth > _YAML_DEPTH_LIMIT or count > _YAML_EVENTS_LIMIT or aliases > _YAML_ALIASES_LIMIT:
            raise _Bounds


class _Converter:
    """Nodes to plain values; what aliases repeat counts each time."""

    def __init__(self, tree: Tree, path: str) -> None:
        self._tree, self._path = tree, path
        self._count = 0

    def value(self, node: Any, depth: int) -> Any:
        import yaml  # noqa: PLC0415

        self._count += 1
        if self._count > _YAML_EVENTS_LIMIT or depth > _YAML_DEPTH_LIMIT:
            raise _Bounds
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        if node.style in ("'", '"'):
            return Quoted(clean(node.value))
        return _plain(node.tag.rpartition(":")[2], clean(node.value))

    def _mapping(self, node: Any, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = clean(key_node.value) if isinstance(key_node.value, str) else "?"
            if key in found:
                self._tree.note("frontmatter-key-twice", self._path, key)
                continue
            found[key] = self.value(value_node, depth + 1)
        return found


def _plain(kind: str, text: str) -> Any:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("true", "yes", "on", "y")
    return text


def _by_line(head: str) -> dict[str, Any]:
    """Return `key: value` lines as they stand; what follows indented, or is no such line, belongs to the last key."""
    found: dict[str, Any] = {}
    key = ""
    for line in head.split("\n"):
        match = _LINE.match(line)
        if match and match[1] not in found:
            key = match[1]
            found[key] = (match[2] or "").strip().strip("\"'")
        elif key and line.strip():
            found[key] = f"{found[key]}\n{line.strip()}".strip("\n|> ")
    return found


def text_of(value: Any) -> str | None:
    """Return a value as text, None where it is none: a list or mapping is not."""
    if isinstance(value, Quoted):
        return value.text
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return None


def unquoted(value: Any) -> Any:
    """Return plain JSON: as `value`, with quoted scalars as text."""
    if isinstance(value, Quoted):
        return value.text
    if isinstance(value, list):
        return [unquoted(item) for item in value]
    if isinstance(value, dict):
        return {key: unquoted(item) for key, item in value.items()}
    return value


def read_json(tree: Tree, path: str) -> Any:
    """Return a JSON file's value; None, and a note, where it is none."""
    try:
        content = tree.read(path, JSON_LIMIT_BYTES)
    except Unreadable as error:
        tree.note("json-bounds", path, str(error))
        return None
    if content.startswith(b"\xef\xbb\xbf"):
        tree.note("text-bom", path)
    twice: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> Mapping[str, Any]:
        value = dict(items)
        if len(value) < len(items):
            twice.extend(key for key, _ in items)
        return value

    try:
        text = content.decode("utf-8-sig")
        if _deep(text):
            tree.note("json-bounds", path)
            return None
        value = json.loads(text, object_pairs_hook=pairs, parse_int=_number, parse_constant=str)
    except (ValueError, RecursionError) as error:
        tree.note("json-broken", path, str(error))
        return None
    value = _cleaned(value)
    if twice:
        repeated = sorted({key for key in twice if twice.count(key) > 1})[:5]
        tree.note("json-key-twice", path, ", ".join(repeated))
    return value


def clean(text: str) -> str:
    """Return text that can be written anywhere: half a pair, as an escape can name it, becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): _cleaned(item) for key, item in value.items()}
    return value


def _number(digits: str) -> int | str:
    """A number of thousands of digits takes long to read and stands for nothing."""
    return int(digits) if len(digits) < 20 else digits


def _deep(text: str) -> bool:
    """Say whether brackets are nested too deep, whatever stands in strings."""
    depth = 0
    in_text = escaped = False
    for character in text:
        if in_text:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_text = False
        elif character == '"':
            in_text = True
        elif character in "[{":
            depth += 1
            if depth > JSON_DEPTH_LIMIT:
                return True
        elif character in "]}":
            depth -= 1
    return False


def first_paragraph(text: str) -> str:
    """Return the first paragraph that is no heading, in one line; a literal `description:` before it is dropped."""
    for block in re.split(r"\n[ \t]*\n", _COMMENT.sub("", text, count=1)[:8_000]):
        lines = [line.strip() for line in block.strip().split("\n")]
        while lines and (lines[0].startswith("#") or not lines[0]):
            lines.pop(0)
        joined = " ".join(" ".join(lines).split())
        if joined:
            return re.sub(r"\A\**description\**\s*:\s*\**\s*", "", joined, flags=re.IGNORECASE)
    return ""
