"""The tool that holds controls against risks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.delivery import deliver_book, deliver_picture, target_of
from deskmate_documents.tables import read_table
from deskmate_ops.control_book import control_pages, control_scene
from deskmate_ops.controls import (
    BARE,
    COVERED,
    FILES_LIMIT,
    WEAK,
    Matrix,
    frequencies_of,
    gaps_of,
    proof_of,
    read_matrix,
)
from deskmate_ops.tools.picking import picked
from deskmate_ops.tools.risks import day_said

BOOK = "control-matrix.xlsx"
SETTINGS = frozenset(("order", "controls sheet", "risks sheet"))
PROOF = "evidence "


def control_matrix(
    context: ToolContext,
    controls: str = "",
    risks: str = "",
    evidence: str = "",
    output: str = "",
    as_of: str = "",
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Hold controls against risks: what is covered, which tests are overdue or failed, what evidence there is, and every gap.

    A risk is covered if at least one of its controls was tested in time and passed. Evidence is hashed file by file;
    files that no control names, and names without a file, are gaps. Writes a live workbook and the matrix as pictures.

    Args:
        context: filled in by Deskmate.
        controls: workspace path of the controls (CSV or XLSX; id, control, risks, owner, frequency, last tested, result,
            evidence as far as known). Empty: the one there.
        risks: workspace path of the risks (id, risk). Empty: the one there; may be the same workbook's sheet Risks.
        evidence: workspace folder with the evidence. Empty: a folder called evidence, if there is one.
        output: workspace path of the workbook. Empty: control-matrix.xlsx beside the controls.
        as_of: the day from which tests are overdue, such as 2026-12-01. Empty: today.
        settings: `order` (dmy or mdy), `controls sheet`, `risks sheet`.
        request: the user's words; files named there are taken if the others are empty.

    Returns:
        `coverage`: risk → covered, no working control or no control; `gaps`: list of {kind, id, gap}; `files`.

    Raises:
        ToolInputError: a column or id is missing, an id occurs twice, a date is none, or there is too much evidence.
    """
    options = dict(settings or {})
    unknown = set(options) - SETTINGS
    if unknown:
        raise ToolInputError(
            f"Setting {min(unknown)!r} is unknown; use {', '.join(sorted(SETTINGS))}."
        )
    sources = _sources(context, controls, risks, evidence, request)
    today = day_said(as_of) if as_of else datetime.now(UTC).date()
    files = {role: context.file(path) for role, path in sources.items()}
    matrix = matrix_from(files, sources, {**options, "as_of": today.isoformat()}, context.config)
    target = target_of(context, files["controls"], output, BOOK, ".xlsx")
    if target == files["risks"].resolve():
        raise ToolInputError(f"{target.name} is a source; give the result a name of its own.")
    data = {"settings": options, "as_of": today.isoformat()}
    about: dict[str, Any] = {"sources": sources, "data": data}
    named = [sources["controls"], sources["risks"]]
    scene = control_scene(matrix, PurePosixPath(sources["controls"]).name)
    results = (
        deliver_book(context, target, control_pages(matrix, named), role="control_matrix", **about),
        *deliver_picture(
            context, target.with_name(target.stem), scene, role="control_picture", **about
        ),
    )
    result = {
        "source": ", ".join(dict.fromkeys(named)),
        "files": [one.path for one in results],
        **_told(matrix),
    }
    return ToolAnswer(result=result, deliverables=results)


def matrix_from(
    files: Mapping[str, Path],
    names: Mapping[str, str],
    options: Mapping[str, str],
    config: Mapping[str, Any],
) -> Matrix:
    """Return the matrix of `controls`, `risks` and files of evidence. Raises ToolInputError."""
    same = names["controls"] == names["risks"]
    tables = {
        kind: read_table(
            files[kind],
            name=names[kind],
            sheet=options.get(f"{kind} sheet", "") or (kind.capitalize() if same else ""),
        )
        for kind in ("controls", "risks")
    }
    proofs = [proof_of(file, names[role]) for role, file in files.items() if role.startswith(PROOF)]
    proofs.sort(key=lambda proof: proof.path)
    today = date.fromisoformat(options["as_of"])
    return read_matrix(tables, proofs, frequencies_of(config), today, options.get("order", ""))


def _sources(
    context: ToolContext, controls: str, risks: str, evidence: str, request: str
) -> dict[str, str]:
    found = {}
    for kind, given, hints in (("controls", controls, ("control",)), ("risks", risks, ("risk",))):
        path = given or picked(context, what=f"list of {kind}", hints=hints, request=request)
        found[kind] = context.name_of(context.file(path))
    folder = context.target(evidence) if evidence else context.workspace / "evidence"
    if evidence and not folder.is_dir():
        raise ToolInputError(f"{evidence} is not a folder in the workspace.")
    files = [
        file
        for file in sorted(folder.rglob("*") if folder.is_dir() else ())
        if file.is_file() and not file.is_symlink() and not file.name.startswith((".", "~$"))
    ]
    if len(files) > FILES_LIMIT:
        raise ToolInputError(f"The evidence has {len(files)} files; {FILES_LIMIT} are the most.")
    for number, file in enumerate(files, start=1):
        name = context.name_of(file)
        if name not in found.values():
            found[f"{PROOF}{number}"] = name
    return found


def _told(matrix: Matrix) -> dict[str, Any]:
    coverage = {risk: matrix.coverage(risk) for risk in matrix.risks}
    counts = Counter(coverage.values())
    gaps = gaps_of(matrix)
    lines = [f"{key}: {gap}" for _, key, gap in gaps]
    more = f"\nand {len(lines) - 25} more in the sheet Gaps" if len(lines) > 25 else ""
    summary = (
        f"{len(coverage)} risks and {len(matrix.controls)} controls as of {matrix.today}: {counts[COVERED]} covered, "
        f"{counts[WEAK]} without a working control, {counts[BARE]} without any.\n"
        f"Gaps: {len(lines)}.\n" + "\n".join(lines[:25]) + more
    )
    return {
        "summary": summary.strip(),
        "coverage": coverage,
        "gaps": [{"kind": kind, "id": key, "gap": gap} for kind, key, gap in gaps[:200]],
    }
