"""Forms of PDFs (AcroForm): their fields, whether they are filled rightly, filling them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.errors import ToolInputError
from deskmate_documents.pdf.opening import Box, Frame, guarded, parsed
from deskmate_documents.pdf.writing import Revision, revised

FIELDS_LIMIT = 5_000
_DEPTH = 32
_READ_ONLY, _REQUIRED = 1 << 0, 1 << 1
_RADIO, _PUSH, _COMBO, _EDIT, _MULTILINE = 1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 12
_INHERITED = ("/FT", "/Ff", "/V", "/MaxLen", "/Opt", "/DA")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field. `kind`: text, checkbox, radio, choice, button or signature. `places`: page and box of each widget.

    `options`: what may be chosen; for a checkbox and radio the names of its states other than Off.
    """

    name: str
    kind: str
    value: str
    label: str = ""
    options: tuple[str, ...] = ()
    required: bool = False
    read_only: bool = False
    multiline: bool = False
    editable: bool = False
    max_length: int = 0
    font_size: float = 0.0
    places: tuple[tuple[int, Box], ...] = ()


def read_form(path: Path, password: str = "") -> tuple[Field, ...]:
    """Return the fields in the order of the form; empty if there is none.

    Raises:
        ToolInputError: encrypted, damaged, an XFA form without ordinary fields, or over 5,000 fields.
    """
    with parsed(path, password) as reader, guarded(path):
        return _fields(reader, path)


def _fields(reader: Any, path: Path) -> tuple[Field, ...]:
    form = _get(reader.trailer["/Root"], "/AcroForm")
    if form is None:
        return ()
    places = _places(reader)
    found = tuple(
        _field(name, node, inherited, places)
        for name, node, inherited in _terminals(_get(form, "/Fields") or [], "", {}, 0)
    )
    if not found and "/XFA" in form:
        raise ToolInputError(
            f"{path.name} is an XFA form without ordinary fields; it can be filled in Adobe's programs only."
        )
    if len(found) > FIELDS_LIMIT:
        raise ToolInputError(f"{path.name} has more than {FIELDS_LIMIT} fields; refused.")
    return found


def _get(node: Any, key: str) -> Any:
    value = node.get(key) if node is not None else None
    return value.get_object() if value is not None else None


def _terminals(
    nodes: Any, prefix: str, above: dict[str, Any], depth: int
) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield each field that has widgets but no fields below it, with what it inherits."""
    for reference in nodes if depth < _DEPTH else ():
        node = reference.get_object()
        if not hasattr(node, "get"):
            continue
        title = node.get("/T")
        name = ".".join(part for part in (prefix, str(title) if title is not None else "") if part)
        inherited = above | {key: _get(node, key) for key in _INHERITED if key in node}
        kids = [k for k in (_get(node, "/Kids") or []) if "/T" in (k.get_object() or {})]
        if kids:
            yield from _terminals(kids, name, inherited, depth + 1)
        elif name:
            yield name, node, inherited


def _places(reader: Any) -> dict[int, list[tuple[int, Box]]]:
    """Return the widgets of each field, by the number of the field's object (or of the widget's own)."""
    found: dict[int, list[tuple[int, Box]]] = {}
    for number, page in enumerate(reader.pages, 1):
        frame = frame_of_stored(page)
        for reference in _get(page, "/Annots") or []:
            widget = reference.get_object()
            if not hasattr(widget, "get") or widget.get("/Subtype") != "/Widget":
                continue
            rect = _get(widget, "/Rect")
            if rect is None or len(rect) != 4:
                continue
            box = frame.shown(*(float(edge) for edge in rect))
            owner = widget if "/T" in widget else _get(widget, "/Parent") or widget
            found.setdefault(_identity(owner), []).append((number, box))
    return found


def _identity(node: Any) -> int:
    reference = getattr(node, "indirect_reference", None)
    return int(reference.idnum) if reference is not None else -id(node)


def frame_of_stored(page: Any) -> Frame:
    """Return the frame of a pypdf page, as pdfium would show it."""
    media, crop = page.mediabox, page.cropbox
    return Frame(
        left=max(float(crop.left), float(media.left)),
        bottom=max(float(crop.bottom), float(media.bottom)),
        right=min(float(crop.right), float(media.right)),
        top=min(float(crop.top), float(media.top)),
        rotation=int(page.rotation) % 360,
    )


def _field(
    name: str, node: Any, inherited: dict[str, Any], places: dict[int, list[tuple[int, Box]]]
) -> Field:
    flags = int(inherited.get("/Ff") or 0)
    kind = _kind(str(inherited.get("/FT") or ""), flags)
    options = _states(node) if kind in ("checkbox", "radio") else _options(inherited.get("/Opt"))
    value = inherited.get("/V")
    return Field(
        name=name,
        kind=kind,
        value=_text(value) if kind != "signature" else ("signed" if value else ""),
        label=str(node.get("/TU") or ""),
        options=options,
        required=bool(flags & _REQUIRED),
        read_only=bool(flags & _READ_ONLY),
        multiline=kind == "text" and bool(flags & _MULTILINE),
        editable=kind == "choice" and bool(flags & _COMBO and flags & _EDIT),
        max_length=int(inherited.get("/MaxLen") or 0),
        font_size=_font_size(str(inherited.get("/DA") or node.get("/DA") or "")),
        places=tuple(places.get(_identity(node), ())),
    )


def _kind(type_: str, flags: int) -> str:
    if type_ == "/Btn":
        return "button" if flags & _PUSH else "radio" if flags & _RADIO else "checkbox"
    return {"/Tx": "text", "/Ch": "choice", "/Sig": "signature"}.get(type_, "unknown")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_text(item.get_object()) for item in value)
    if hasattr(value, "get_data"):
        return str(value.get_data().decode("utf-8", "replace"))
    return str(value).removeprefix("/")


def _options(options: Any) -> tuple[str, ...]:
    found = []
    for item in options or []:
        item = item.get_object()
        found.append(_text(item[0].get_object() if isinstance(item, list) and item else item))
    return tuple(found)


def widgets_of(node: Any) -> list[Any]:
    """Return the widgets of a field; the field itself if it is its own."""
    kids = _get(node, "/Kids")
    return [kid.get_object() for kid in kids] if kids else [node]


def _states(node: Any) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for widget in widgets_of(node):
        normal = _get(_get(widget, "/AP"), "/N")
        for state in normal.keys() if hasattr(normal, "keys") else ():
            if state not in ("/Off", "/Length") and not hasattr(normal, "get_data"):
                found[str(state).removeprefix("/")] = None
    return tuple(found)


def _font_size(appearance: str) -> float:
    words = appearance.split()
    try:
        return float(words[words.index("Tf") - 1])
    except (ValueError, IndexError):
        return 0.0


def check_form(fields: tuple[Field, ...]) -> list[str]:
    """Return what is wrong with how a form is filled, one sentence each."""
    from deskmate_documents.pptx.measure import text_width  # noqa: PLC0415

    found = []
    for field in fields:
        off = field.value in ("", "Off")
        if field.required and off and field.kind not in ("button", "unknown"):
            found.append(f"{field.name} is required and is empty.")
        if off:
            continue
        problem = _unfit(field, field.value)
        if problem:
            found.append(problem)
        if field.kind == "text" and not field.multiline and field.font_size and field.places:
            box = field.places[0][1]
            if text_width(field.value, field.font_size) > (box[2] - box[0]) * 1.02:
                found.append(f"{field.name}: the text is wider than its box.")
    return found


def _unfit(field: Field, value: str) -> str:
    """Return why a value does not fit a field; empty if it does."""
    if field.kind in ("checkbox", "radio") and field.options and value not in field.options:
        return f"{field.name} has no state {value!r}; it has {', '.join(field.options)}."
    if field.kind == "choice" and not field.editable and value not in field.options:
        return f"{field.name} has no option {value!r}; it has {', '.join(field.options[:20])}."
    if field.max_length and len(value) > field.max_length:
        return f"{field.name} holds {field.max_length} characters, not {len(value)}."
    return ""


def fill_form(
    source: Path, target: Path, values: Mapping[str, str | bool], password: str = ""
) -> list[str]:
    """Fill fields, all or none, and return what to tell the user.

    Args:
        source: the form.
        target: the result, which may be the same file.
        values: field → text, option, name of a state, or True and False for a checkbox.
        password: of an encrypted file.

    Raises:
        ToolInputError: no such field, a value that it cannot hold, or a field that is not to be filled.
    """
    work = target.with_name(f".{target.name}.filling.pdf")
    try:
        with revised(source, work, password) as revision, guarded(source):
            fields = {field.name: field for field in _fields(revision.reader, source)}
            wanted = {name: _value(fields, name, value) for name, value in values.items()}
            _write(revision, wanted)
            if any(field.value == "signed" for field in fields.values()):
                revision.notes.append(
                    "The file is signed; signatures will say that it was changed."
                )
            notes = revision.notes
        _check_kept({name: value for name, (_, value) in wanted.items()}, work, password)
        work.replace(target)
    finally:
        work.unlink(missing_ok=True)
    return notes


def _check_kept(wanted: Mapping[str, str], work: Path, password: str) -> None:
    kept = {field.name: field.value for field in read_form(work, password)}
    for name, value in wanted.items():
        if kept.get(name, "") != value and not (value == "Off" and not kept.get(name)):
            raise ToolInputError(
                f"{name} did not keep its value; the form stores it in a way of its own. Nothing was filled."
            )


def _value(fields: Mapping[str, Field], name: str, value: str | bool) -> tuple[Field, str]:
    field = fields.get(name)
    if field is None:
        known = ", ".join(list(fields)[:30]) or "none"
        raise ToolInputError(f"There is no field {name!r}; there are: {known}.")
    if field.kind in ("button", "signature", "unknown"):
        raise ToolInputError(f"{name} is a {field.kind}; it cannot be filled.")
    if field.read_only:
        raise ToolInputError(f"{name} is read-only in this form.")
    if isinstance(value, bool):
        if field.kind != "checkbox":
            raise ToolInputError(f"{name} is a {field.kind}; give it a text, not true or false.")
        value = (field.options or ("Yes",))[0] if value else "Off"
    value = str(value)
    problem = "" if value in ("", "Off") else _unfit(field, value)
    if problem:
        raise ToolInputError(problem)
    return field, value


def _write(revision: Revision, wanted: Mapping[str, tuple[Field, str]]) -> None:
    from pypdf.generic import NameObject  # noqa: PLC0415

    writer = revision.writer
    root = writer.root_object
    nodes = {
        name: node
        for name, node, _ in _terminals(_get(_get(root, "/AcroForm"), "/Fields"), "", {}, 0)
    }
    texts = {n: v for n, (f, v) in wanted.items() if f.kind in ("text", "choice")}
    for name, (field, value) in wanted.items():
        if field.kind in ("checkbox", "radio"):
            state = NameObject(f"/{value or 'Off'}")
            nodes[name][NameObject("/V")] = state
            for widget in widgets_of(nodes[name]):
                normal = _get(_get(widget, "/AP"), "/N") or {}
                widget[NameObject("/AS")] = state if state in normal else NameObject("/Off")
    if texts:
        writer.update_page_form_field_values(None, texts, auto_regenerate=_foreign(texts))
    if _foreign(texts):
        revision.notes.append(
            "Some characters are not in the form's font; viewers draw them when they open the file."
        )


def _foreign(texts: Mapping[str, str]) -> bool:
    return any(ord(character) > 255 for text in texts.values() for character in text)
