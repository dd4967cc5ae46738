"""The tool that holds documentation against what is really there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import PurePosixPath

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError
from deskmate_engineering.docs.review import (
    PAGES_LIMIT,
    as_markdown,
    pages_in,
    review_docs,
    verdict,
)
from deskmate_engineering.tools.deps import names_below

SHOWN = 100


def docs_check(context: ToolContext, path: str = "", output: str = "") -> ToolAnswer:
    """Check Markdown files: dead links and anchors, references without a definition, code blocks that do not parse, named files that are gone.

    Code is parsed (Python, JSON, TOML, YAML, shell), never run; links to other hosts are not followed.

    Args:
        context: filled in by Deskmate.
        path: workspace folder or Markdown file. Empty: the whole workspace.
        output: workspace path of the report, ending in .md. Empty: `docs check.md` in the folder.

    Returns:
        `output`, `pages`, `count`; `slips`: list of {file, line, kind, what}, at most 100; `summary`: the counts.

    Raises:
        ToolInputError: no such folder, no Markdown there, or more than 2,000 files of it.
    """
    folder = context.name_of(context.target(path)) if path else ""
    folder = "" if folder == "." else folder
    if not (context.workspace / folder).exists():
        raise ToolInputError(f"{path} is not in the workspace.")
    names = list(names_below(context, ""))
    pages = pages_in(names, folder)
    place = (
        PurePosixPath(folder)
        if (context.workspace / folder).is_dir()
        else PurePosixPath(folder).parent
    )
    if not folder and pages and "/" in pages[0]:
        place = PurePosixPath(pages[0]).parents[-2]
    target = context.target(output or (place / "docs check.md").as_posix())
    name = context.name_of(target)
    names = [one for one in names if one != name]  # an earlier report is no documentation
    if not pages_in(names, folder):
        raise ToolInputError(f"There is no Markdown in {path or 'the workspace'}.")
    if len(pages) > PAGES_LIMIT:
        raise ToolInputError(f"There are {len(pages)} Markdown files; name a folder inside.")
    if target.suffix.lower() != ".md":
        raise ToolInputError(f"{output} must end in .md.")
    review = review_docs(names, lambda one: context.file(one).read_bytes(), folder)
    title = folder or "the workspace"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(as_markdown(title, review), "utf-8")
    deliverable = Deliverable(
        path=name,
        title=f"Check of the documentation in {title}",
        role="docs-check",
        sources={"page": review.pages[0]},
        data={"folder": folder},
    )
    result = {
        "output": name,
        "pages": len(review.pages),
        "count": len(review.slips),
        "slips": [asdict(slip) for slip in review.slips[:SHOWN]],
        "summary": verdict(review),
        "list": "\n".join(f"- {s.file}:{s.line} {s.kind}: {s.what}" for s in review.slips[:SHOWN])
        or "Nothing is wrong that the checks know of.",
    }
    return ToolAnswer(result=result, deliverables=(deliverable,))
