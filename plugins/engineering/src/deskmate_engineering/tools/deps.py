"""The tool that lists what a project rests on, under which licences, and writes its bill of materials."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_engineering.deps.audit import Audit, audit
from deskmate_engineering.deps.bill import as_json, as_markdown, verdict
from deskmate_engineering.deps.locks import reader_of

FILES_LIMIT = 200_000
SHOWN = 60
_FILES = re.compile(r"(?<![\w./-])\w[\w./-]*\.(?:jsonl?|zip)(?![\w/-])")


def deps_audit(
    context: ToolContext, path: str = "", output: str = "", advisories: str = "", request: str = ""
) -> ToolAnswer:
    """List the packages that a project's lock files name, with their licences, judge them by the policy, and write report and SBOM.

    Reads lock files and manifests (requirements.txt, pyproject.toml, uv, Poetry, PDM, Pipenv, npm, yarn, pnpm, Cargo, Go, Bundler,
    Composer) and the metadata of installed packages that lie beside them. Nothing is asked of a network; what no file says
    is "unknown". Vulnerabilities are looked up in a file of advisories that lies in the workspace, and nowhere else.

    Args:
        context: filled in by Deskmate.
        path: workspace folder of the project. Empty: the whole workspace.
        output: workspace path of the report, ending in .md; the SBOM lies beside it with the ending .cdx.json. Empty:
            `dependency audit.md` in the folder.
        advisories: workspace path of a file of known vulnerabilities in the OSV form: a record, a list, JSON lines, or a ZIP of records
            (an ecosystem's export). Empty: the one that the request names, else none are looked up.
        request: the user's words.

    Returns:
        `output`, `sbom`, `packages`, `denied`, `waived`, `look`, `unknown`, `passes`; `denied_packages`: list of {package, version, licence,
        where}; `denied_list`: the same, one a line; `vulnerable`: how many advisories affect, None if not looked up; `vulnerable_packages`: list of
        {package, version, advisory, severity, mended_in}; `vulnerable_list`: the same, one a line; `summary`: the verdict in one line; `doubts`: what is not known.

    Raises:
        ToolInputError: no lock file there, one or a file of advisories that cannot be read, one that is named and not there, several that are named, or a policy of another shape.
    """
    folder = context.name_of(context.target(path)) if path else ""
    folder = "" if folder == "." else folder
    real = context.workspace / folder
    if not real.is_dir():
        raise ToolInputError(f"{path} is not a folder in the workspace.")
    names = list(names_below(context, folder))
    advisories = advisories or _named(context, request)
    found = audit(
        names,
        lambda name: context.file(name).read_bytes(),
        folder=folder,
        config=context.config,
        today=datetime.now(UTC).date(),
        advisories=context.name_of(context.file(advisories)) if advisories else "",
    )
    made = _written(context, found, folder, output)
    return ToolAnswer(result=_told(found, made), deliverables=made)


def _written(
    context: ToolContext, found: Audit, folder: str, output: str
) -> tuple[Deliverable, Deliverable]:
    """Write report and bill."""
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
    if found.advisories is not None:
        sources["advisories"] = found.advisories.file
    report_made, bill_made = (
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
    return report_made, bill_made


def names_below(context: ToolContext, folder: str) -> Iterator[str]:
    """Yield the workspace paths of all files below a folder."""
    top = context.workspace.resolve()
    for number, file in enumerate(sorted((top / folder).rglob("*"))):
        if number > FILES_LIMIT:
            raise ToolInputError(f"There are more than {FILES_LIMIT} files; name a folder inside.")
        if file.is_file() and not file.is_symlink():
            yield file.relative_to(top).as_posix()


def _named(context: ToolContext, request: str) -> str:
    """Return the file of advisories that a request names; empty for none."""
    found: list[str] = []
    for word in dict.fromkeys(_FILES.findall(request.lower())):
        files = [
            name for name in names_below(context, "") if f"/{name.lower()}".endswith(f"/{word}")
        ]
        exact = [name for name in files if name.lower() == word]
        if not files:
            raise ToolInputError(
                f"{word} is not in the workspace; name the file of advisories as it is called there."
            )
        found += [name for name in exact or files if not reader_of(name)]
    if len(found) > 1:
        raise ToolInputError(
            f"Advisories may be {', '.join(found[:5])}; name one, with its folder."
        )
    return "".join(found)


def _told(found: Audit, made: tuple[Deliverable, ...]) -> dict[str, Any]:
    refused = [row for row in found.rows if row.refused]
    known = found.advisories.of("affected") if found.advisories else ()
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
        "vulnerable": len(known) if found.advisories else None,
        "vulnerable_packages": [
            {"package": hit.package.name, "version": hit.package.version, "advisory": hit.advisory, "severity": hit.severity, "mended_in": list(hit.fixed)}
            for hit in known[:SHOWN]
        ],
        "vulnerable_list": "\n".join(f"- {hit.package.name} {hit.package.version}: {hit.advisory}" for hit in known[:SHOWN])
        or ("none" if found.advisories else "not looked up: no file of advisories was given"),
        "summary": verdict(found),
        "doubts": list(found.doubts),
    }  # fmt: skip
