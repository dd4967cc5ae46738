"""What tools share: which file is meant, where a result goes, and how it is presented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolContext, ToolInputError
from deskmate_documents.scenes import Scene
from deskmate_documents.xlsx.pages import Page, write_book

TABLES = (".csv", ".tsv", ".xlsx", ".xlsm")


def target_of(context: ToolContext, source: Path, output: str, default: str, ending: str) -> Path:
    """Return the real path of a new result: the one that is asked for, else `default` beside the source.

    Raises:
        ToolInputError: it has another ending, or it is the source itself.
    """
    name = context.name_of(source)
    wanted = output or str(PurePosixPath(name).parent / default)
    if not wanted.lower().endswith(ending):
        raise ToolInputError(
            f"{wanted} cannot be the result; give a new name that ends in {ending}."
        )
    target = context.target(wanted)
    if target == source.resolve():
        raise ToolInputError(f"{wanted} is the source; give the result a name of its own.")
    return target


def deliver_book(
    context: ToolContext,
    target: Path,
    pages: Sequence[Page],
    *,
    role: str,
    sources: Mapping[str, str],
    data: Mapping[str, Any],
) -> Deliverable:
    """Write a workbook and return it as a result."""
    write_book(target, pages)
    return presented(context, target, role=role, sources=sources, data=data)


def presented(
    context: ToolContext,
    target: Path,
    *,
    role: str,
    sources: Mapping[str, str],
    data: Mapping[str, Any],
) -> Deliverable:
    """Return a written file as a result."""
    title = role.replace("_", " ").capitalize()
    name = context.name_of(target)
    return Deliverable(path=name, title=title, role=role, sources=sources, data=data)


def deliver_picture(
    context: ToolContext,
    stem: Path,
    scene: Scene,
    *,
    role: str,
    sources: Mapping[str, str],
    data: Mapping[str, Any],
) -> list[Deliverable]:
    """Write a picture as SVG and PNG and return both as results. `stem`: their path without an ending."""
    results = []
    for ending, content in ((".svg", scene.svg().encode()), (".png", scene.png())):
        file = stem.with_name(stem.name + ending)
        file.write_bytes(content)
        results.append(presented(context, file, role=role, sources=sources, data=data))
    return results
