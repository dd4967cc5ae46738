"""The tool that lists what a project rests on, under which licences, and writes its bill of materials."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_engineering.deps.audit import Audit, audit
from deskmate_engineering.deps.bill import as_json, as_markdown, verdict

FILES_LIMIT = 200_000
SHOWN = 60


def deps_audit(context: ToolContext, path: str = "", output: str = "") -> ToolAnswer:
    """List the packages that a project's lock files name, with their licences, judge them by the policy, and write report and SBOM.

    Reads lock files and manifests (requirements.txt, pyproject.toml, uv, Poetry, PDM, Pipenv, npm, yarn, pnpm, Cargo, Go, Bundler,
    Composer) and the metadata of installed packages that lie beside them. Nothing is asked of a network; what no file says
    is "unknown". Vulnerabilities are not looked up.

    Args:
        context: filled in by Deskmate.
        path: workspace folder of the project. Empty: the whole workspace.
        output: workspace path of the report, ending in .md; the SBOM lies beside it with the ending .cdx.json. Empty:
            `dependency audit.md` in the folder.

    Returns:
        `output`, `sbom`, `packages`, `denied`, `waived`, `look`, `unknown`, `passes`; `denied_packages`: list of {package, version, licence,
        where}; `denied_list`: the same, one a line; `summary`: the verdict in one line; `doubts`: what is not known.

    Raises:
        ToolInputError: no lock file there, one that cannot be read, or a policy of another shape.
    """
    folder = context.name_of(context.target(path)) if path else ""
    folder = "" if folder == "." else folder
    real = context.workspace / folder
    if not real.is_dir():
        raise ToolInputError(f"{path} is not a folder in the workspace.")
    names = list(names_below(context, folder))
    found = audit(
        names,
        lambda name: context.file(name).read_bytes(),
        folder=folder,
        config=context.config,
        today=datetime.now(UTC).date(),
    )
    place = PurePosixPath(folder or PurePosixPath(found.files[0]).parts[0])
    place = place if (context.workspace / place).is_dir() else PurePosixPath()
    report = context.target(output or (place / "dependency audit.md").as_posix())
    if report.suffix.lower() != ".md":
        raise ToolInputError(f"{output} must end in .md.")
    bill = report.with_suffix(".cdx.json")
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(as_markdown(found), "utf-8")
    bill.write_text(as_json(found), "utf-8")
    sources = {f"lock {number}": file for number, file in enumerate(found.files, start=1)}
    made = tuple(
        Deliverable(
            path=context.name_of(file),
            title=f"{title} of {found.title}",
            role=role,
            sources=sources,
            data={"folder": folder},
        )
        for file, title, role in (
            (report, "Dependencies and licences", "licence-audit"),
            (bill, "Bill of materials", "sbom"),
        )
    )
    return ToolAnswer(result=_told(found, made), deliverables=made)


def names_below(context: ToolContext, folder: str) -> Iterator[str]:
    """Yield the workspace paths of all files below a folder."""
    top = context.workspace.resolve()
    for number, file in enumerate(sorted((top / folder).rglob("*"))):
        if number > FILES_LIMIT:
            raise ToolInputError(f"There are more than {FILES_LIMIT} files; name a folder inside.")
        if file.is_file() and not file.is_symlink():
            yield file.relative_to(top).as_posix()


def _told(found: Audit, made: tuple[Deliverable, ...]) -> dict[str, Any]:
    refused = [row for row in found.rows if row.refused]
    return {
        "output": made[0].path,
        "sbom": made[1].path,
        "packages": len(found.rows),
        "denied": len(refused),
        "waived": found.count("waived"),
        "look": found.count("look"),
        "unknown": found.unknown,
        "passes": found.passes,
        "denied_packages": [
            {"package": row.package.name, "version": row.package.version, "licence": row.said, "where": row.licence.where}
            for row in refused[:SHOWN]
        ],
        "denied_list": "\n".join(f"- {row.package.name} {row.package.version}: {row.said}" for row in refused[:SHOWN]) or "none",
        "summary": verdict(found),
        "doubts": list(found.doubts),
    }  # fmt: skip
