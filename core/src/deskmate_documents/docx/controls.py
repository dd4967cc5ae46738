"""Content controls of Word documents: their names and kinds, and how a value is put into each kind."""

from __future__ import annotations

import re
from copy import deepcopy

from deskmate.errors import ToolInputError
from deskmate_documents.docx.wml import (
    RPR,
    W14_NS,
    XML_SPACE,
    P,
    R,
    T,
    child,
    val,
    w,
)
from deskmate_documents.opc import Element

_CHECK = f"{{{W14_NS}}}checkbox"
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_SHELLS = (w("hyperlink"), w("smartTag"), w("ins"))


def control_name(node: Element) -> tuple[str, ...]:
    """Return the names that a control answers to: its tag, then its title."""
    properties = child(node, "sdtPr")
    names = (val(child(properties, "tag")).strip(), val(child(properties, "alias")).strip())
    return tuple(dict.fromkeys(name for name in names if name))


def fill_control(node: Element, name: str, value: str | bool) -> str:
    """Put a value into a control and return the text that it shows.

    Raises:
        ToolInputError: its content is locked, it holds a picture or other controls, or the value is none of its
            choices, no date, or no yes or no.
    """
    properties = child(node, "sdtPr")
    content = child(node, "sdtContent")
    if properties is None or content is None:
        raise ToolInputError(f"The control {name} has no content to fill.")
    if val(child(properties, "lock")) in ("contentLocked", "sdtContentLocked"):
        raise ToolInputError(f"The control {name} is locked against changes.")
    kinds = {str(n.tag).rpartition("}")[2] for n in properties}
    if {"picture", "group", "repeatingSection", "docPartList"} & kinds:
        raise ToolInputError(f"The control {name} does not hold a text.")
    if content.find(f".//{w('sdt')}") is not None:
        raise ToolInputError(f"The control {name} holds other controls; fill those.")
    box = properties.find(_CHECK)
    text = _checked(box, name, value) if box is not None else _text_for(properties, name, value)
    placeholder = child(properties, "showingPlcHdr")
    if placeholder is not None:
        properties.remove(placeholder)
    _put(content, text, like_placeholder=placeholder is not None, properties=properties)
    return text


def _text_for(properties: Element, name: str, value: str | bool) -> str:
    if isinstance(value, bool):
        raise ToolInputError(f"The control {name} is no check box; it takes a text.")
    for kind in ("dropDownList", "comboBox"):
        choices = child(properties, kind)
        if choices is not None:
            return _chosen(choices, name, value, strict=kind == "dropDownList")
    date = child(properties, "date")
    if date is not None:
        if _ISO.fullmatch(value):
            date.set(w("fullDate"), f"{value}T00:00:00Z")
        else:
            date.attrib.pop(w("fullDate"), None)
    plain = child(properties, "text")
    one_line = plain is not None and plain.get(w("multiLine"), "0") not in ("1", "true")
    if one_line and "\n" in value:
        raise ToolInputError(f"The control {name} takes one line.")
    return value


def _chosen(choices: Element, name: str, value: str, *, strict: bool) -> str:
    items: dict[str, str] = {
        (n.get(w("displayText")) or n.get(w("value"), "")): n.get(w("value"), "")
        for n in choices.iterfind(w("listItem"))
    }
    for shown, stored in items.items():
        if value.strip().lower() in (shown.lower(), stored.lower()):
            choices.set(w("lastValue"), stored)
            return shown
    if strict:
        known = ", ".join(shown for shown in items if shown)
        raise ToolInputError(f"{value!r} is no choice of the control {name}; there are {known}.")
    return value


def _checked(box: Element, name: str, value: str | bool) -> str:
    if not isinstance(value, bool):
        raise ToolInputError(f"The control {name} is a check box; it takes true or false.")
    state = box.find(f"{{{W14_NS}}}checked")
    if state is None:
        state = box.makeelement(f"{{{W14_NS}}}checked")
        box.insert(0, state)
    state.set(f"{{{W14_NS}}}val", "1" if value else "0")
    look = box.find(f"{{{W14_NS}}}{'checkedState' if value else 'uncheckedState'}")
    code = look.get(f"{{{W14_NS}}}val", "") if look is not None else ""
    return chr(int(code, 16)) if re.fullmatch(r"[0-9A-Fa-f]{4}", code) else "☒" if value else "☐"


def _put(content: Element, text: str, *, like_placeholder: bool, properties: Element) -> None:
    """Leave one run with the text in the control's first paragraph, looking as the first one looked."""
    first = next(content.iter(R), None)
    look = None
    if first is not None and not like_placeholder:
        look = deepcopy(child(first, "rPr"))
    elif child(properties, "rPr") is not None:
        look = deepcopy(child(properties, "rPr"))
    paragraphs = [node for node in content if node.tag == P]
    cell = next(content.iter(w("tc")), None)
    holder = paragraphs[0] if paragraphs else next(cell.iter(P)) if cell is not None else content
    for extra in paragraphs[1:]:
        content.remove(extra)
    for node in [n for n in holder if n.tag == R or n.tag in _SHELLS or n.tag == w("fldSimple")]:
        holder.remove(node)
    holder.append(_run(holder, text, look))


def _run(near: Element, text: str, look: Element | None) -> Element:
    run = near.makeelement(R)
    if look is not None:
        look.tag = RPR
        run.append(look)
    for number, line in enumerate(text.split("\n")):
        if number:
            run.append(run.makeelement(w("br")))
        node = run.makeelement(T)
        try:
            node.text = line
        except ValueError as error:
            message = "A value holds a character that a Word file cannot hold."
            raise ToolInputError(message) from error
        if line != line.strip():
            node.set(XML_SPACE, "preserve")
        run.append(node)
    return run
