"""Screens a folder for signs of privilege."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError

if TYPE_CHECKING:
    from deskmate_legal.privilege import Screen

ROLE = "privilege_screen"
OUTPUT = "privilege screen.docx"
FILE = "file "


def privilege_screen(
    context: ToolContext,
    folder: str = "",
    counsel: list[str] | None = None,
    own_domains: list[str] | None = None,
    target: str = "",
    request: str = "",
) -> ToolAnswer:
    """Sort mails (EML) and documents (DOCX, PDF, text) for a privilege review, and write the log (DOCX). It decides nothing.

    By rules: who takes part (the list of counsel, the client's domains, outsiders), markings, words of legal advice, the author of a
    document. Each sign comes with its words and place; a disclaimer in a footer counts as weak. Files that cannot be read
    are named. Whether something is privileged is for a lawyer to decide.

    Args:
        context: filled in by Deskmate.
        folder: workspace folder; empty: all of it.
        counsel: lawyers besides those of the settings, as the user named them: names, addresses or domains.
        own_domains: the client's domains besides those of the settings, as the user named them.
        target: workspace path of the result; empty: "privilege screen.docx" in the folder.
        request: the user's words; domains and addresses after "counsel" and "own" or "client" are taken if the lists are empty.

    Returns:
        `path`; `counts`: signs → files; `files`: list of {path, date, signs, basis}, 200 at most; `not_screened`: list of {path,
        reason}; `summary`; `report`.

    Raises:
        ToolInputError: nobody is named as counsel, there are no files, or more than 2,000.
    """
    from deskmate_legal.listing import write  # noqa: PLC0415
    from deskmate_legal.privilege import listing  # noqa: PLC0415

    lawyers, domains = list(counsel or ()), list(own_domains or ())
    if request and not lawyers and not domains:
        lawyers, domains = named_in(request)
    found = _files(context, folder)
    base = folder.strip("/").removeprefix("workspace/") if folder else ""
    # nothing can be written beside the granted folders, so the log goes into the first one
    place = base or next(iter(found)).rpartition("/")[0].partition("/")[0]
    result = target or (f"{place}/{OUTPUT}" if place else OUTPUT)
    if not result.lower().endswith(".docx"):
        raise ToolInputError(f"{result}: the result is a Word document; its name ends in .docx.")
    real = context.target(result)
    if any(real == file for file in found.values()):
        raise ToolInputError(f"{result} is one of the files; give the result another name.")
    terms = {"folder": base, "counsel": lawyers, "own_domains": domains}
    screen = screen_from(found, terms, context.config)
    write(real, listing(screen))
    sources = {f"{FILE}{n}": path for n, path in enumerate(sorted(found), 1)}
    return ToolAnswer(
        result={"path": result, **_told(screen)},
        deliverables=(
            Deliverable(
                path=context.name_of(real),
                title=f"Privilege screen of {base or 'the workspace'}",
                role=ROLE,
                sources=sources,
                data=terms,
            ),
        ),
    )


def _told(screen: Screen) -> dict[str, Any]:
    from deskmate_legal.privilege import summary  # noqa: PLC0415

    listed = [
        {
            "path": one.path,
            "date": one.day,
            "signs": one.signs,
            "basis": list(dict.fromkeys(reason.rule for reason in one.reasons)),
        }
        for one in screen.files
    ]
    lines = [
        f"- {one.path}: {one.signs} ({', '.join(dict.fromkeys(r.rule for r in one.reasons))})"
        for one in screen.files
        if one.reasons
    ]
    lines += [f"- not screened: {path}: {why.rstrip('.')}" for path, why in screen.unread[:20]]
    return {
        "counts": dict(Counter(one.signs for one in screen.files)),
        "files": listed[:200],
        "not_screened": [{"path": path, "reason": why} for path, why in screen.unread[:200]],
        "summary": summary(screen),
        "report": "\n".join([summary(screen), *lines[:60]]),
    }


def screen_from(files: dict[str, Path], terms: Any, config: Any) -> Screen:
    """Return the screen of files. `terms`: {folder, counsel, own_domains}. Raises ToolInputError."""
    from deskmate_legal.privilege import rules_from, screen_files  # noqa: PLC0415

    rules = rules_from(
        config,
        list(map(str, terms.get("counsel") or ())),
        list(map(str, terms.get("own_domains") or ())),
    )
    return screen_files(str(terms.get("folder", "")), files, rules)


def named_in(request: str) -> tuple[list[str], list[str]]:
    """Return counsel and own domains that a request names: "counsel: x.com, ann@y.com; our domain is z.com"."""
    lawyers: list[str] = []
    own: list[str] = []
    for piece in re.split(r"[;\n]|\.\s|\band\s+(?=our|own|client)", request):
        words = re.findall(r"[\w.+-]*@?[\w-]+(?:\.[\w-]+)+", piece)
        words = [w for w in words if not re.search(r"\.(?:docx|pdf|txt|eml|md)$", w, re.IGNORECASE)]
        ours = re.search(
            r"\b(?:own|client|company|our)\w*\s+(?:\w+\s+)?domains?\b", piece, re.IGNORECASE
        )
        if ours:
            own += [w.rpartition("@")[2] for w in words]
        elif re.search(
            r"\b(?:counsel|lawyers?|attorneys?|solicitors?|law\s+firm)\b", piece, re.IGNORECASE
        ):
            lawyers += words
    return lawyers, own


def _files(context: ToolContext, folder: str) -> dict[str, Path]:
    from deskmate_legal.privilege import FILES_LIMIT  # noqa: PLC0415

    top = context.target(folder) if folder else context.workspace
    if not top.is_dir():
        raise ToolInputError(f"{folder} is not a folder in the workspace.")
    found = {
        context.name_of(path): path.resolve()
        for path in sorted(top.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and not any(p.startswith((".", "~$")) for p in path.relative_to(top).parts)
        and not is_output(path.name)
    }
    if not found:
        raise ToolInputError(f"There are no files in {folder or 'the workspace'}.")
    if len(found) > FILES_LIMIT:
        raise ToolInputError(f"There are {len(found)} files; {FILES_LIMIT} are the most at a time.")
    return found


def is_output(name: str) -> bool:
    """Say whether a file is an earlier screen; other results of ours may be somebody's own files, so they are screened."""
    return re.fullmatch(r"privilege screen(?: \d+)?\.docx", name, re.IGNORECASE) is not None


def paths_of(sources: Any) -> Sequence[str]:
    """Return the workspace paths of the files that were screened."""
    return [path for role, path in sources.items() if role.startswith(FILE)]
