"""Which parts of an Office package anything leads to, and taking out those that nothing leads to any more."""

from __future__ import annotations

from collections.abc import Iterable

from deskmate_documents.opc import TYPES_NS, TYPES_PART, Package, rels_name


def reachable(package: Package) -> set[str]:
    """Return the parts that relationships lead to from the package's root."""
    found: set[str] = set()
    todo = [rel.target for rel in package.relationships().values() if not rel.external]
    while todo:
        part = todo.pop().partition("#")[0]
        if part in found or part not in package:
            continue
        found.add(part)
        todo += [rel.target for rel in package.relationships(part).values() if not rel.external]
    return found


def forget(package: Package, gone: Iterable[str]) -> None:
    """Take parts out with their relationships and content types; who calls it has taken care of what points to them."""
    parts = set(gone)
    types = package.parse(TYPES_PART)
    lower = {f"/{part}".lower() for part in parts}
    for node in types.findall(f"{{{TYPES_NS}}}Override"):
        if node.get("PartName", "").lower() in lower:
            types.remove(node)
    package.write_xml(TYPES_PART, types)
    for part in parts:
        package.discard(part)
        package.discard(rels_name(part))
