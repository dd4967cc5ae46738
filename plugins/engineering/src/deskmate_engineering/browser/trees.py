"""The accessibility tree as lines, and the controls in it that have no name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Node = Mapping[str, Any]
_QUIET = frozenset(("none", "generic", "InlineTextBox", "RootWebArea", "LineBreak", "ListMarker"))
_NAMED = frozenset(
    ("button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "switch", "slider",
     "spinbutton", "menuitem", "tab", "listbox")
)  # fmt: skip
"""Roles that people use by their name (WAI-ARIA 1.2, names required or from author)."""
_STATES = (
    "disabled",
    "checked",
    "expanded",
    "selected",
    "pressed",
    "required",
    "invalid",
    "focused",
)
_DEPTH_LIMIT = 60


def accessible_lines(nodes: Sequence[Node], limit: int) -> tuple[list[str], bool]:
    """Return the tree as indented lines of role, name and state; and whether more was left out."""
    by_id = {node["nodeId"]: node for node in nodes}
    lines: list[str] = []
    roots = [node for node in nodes if node.get("parentId") not in by_id]
    stack = [(node, 0, "") for node in reversed(roots)]
    while stack:
        node, depth, above = stack.pop()
        if len(lines) >= limit:
            return lines, True
        line, name = _line(node), _name(node)
        shown = line and not (_role(node) == "StaticText" and name in above)
        if shown:
            lines.append("  " * min(depth, _DEPTH_LIMIT) + line)
        children = [by_id[one] for one in node.get("childIds", ()) if one in by_id]
        inner = depth + 1 if shown else depth
        stack += [(child, inner, name or above) for child in reversed(children)]
    return lines, False


def nameless(nodes: Sequence[Node]) -> list[Node]:
    """Return the controls without a name."""
    return [
        node
        for node in nodes
        if not node.get("ignored")
        and _role(node) in _NAMED
        and not _name(node)
        and "backendDOMNodeId" in node
    ]


def _role(node: Node) -> str:
    return str(node.get("role", {}).get("value", ""))


def _name(node: Node) -> str:
    return " ".join(str(node.get("name", {}).get("value", "")).split())


def _line(node: Node) -> str:
    role, name = _role(node), _name(node)
    if node.get("ignored") or role in _QUIET or (role == "StaticText" and not name):
        return ""
    states = []
    for one in node.get("properties", ()):
        value = one.get("value", {}).get("value")
        if one["name"] in _STATES and value not in (False, "false", None):
            states.append(one["name"] if value in (True, "true") else f"{one['name']}={value}")
    said = str(node.get("value", {}).get("value", ""))
    words = [role, f'"{name[:120]}"' if name else "", f"= {said[:80]!r}" if said else ""]
    words += [f"[{', '.join(states)}]"] if states else []
    return " ".join(word for word in words if word)
