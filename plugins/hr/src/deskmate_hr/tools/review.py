"""The tool that reads performance reviews for biased words, missing evidence and personality instead of behaviour."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.delivery import deliver_book, target_of
from deskmate_documents.tables import find_files
from deskmate_hr.review_book import review_pages
from deskmate_hr.reviews import PROSE, TABLES, lint, read_reviews

BOOK = "review-lint.xlsx"
FILES_LIMIT, SHOWN = 200, 60


def review_lint(
    context: ToolContext, path: str = "", output: str = "", request: str = ""
) -> ToolAnswer:
    """Read texts of performance reviews: biased wording, personality instead of behaviour, judgements without evidence.

    Each finding quotes the sentence with its place, and names the rule and where the rule comes from. Nothing is rewritten,
    rated or compared.

    Args:
        context: filled in by Deskmate.
        path: workspace path of a review, a folder of reviews (Word, Markdown, text, PDF), or a table with a column of
            comments and perhaps of ratings (CSV, XLSX). Empty: files of the workspace that are called review,
            appraisal or feedback.
        output: workspace path of the workbook. Empty: review-lint.xlsx beside the first file.
        request: the user's words; a file named there is taken if `path` is empty.

    Returns:
        `findings`: list of {file, place, rule, quote, why}; `count`; `by_kind`: kind → number; `files`.

    Raises:
        ToolInputError: there are no reviews, too many, or a table has no comments.
    """
    names = _names(context, path, request)
    files = {name: context.file(name) for name in names}
    passages = read_reviews(files)
    hits = lint(passages)
    target = target_of(context, next(iter(files.values())), output, BOOK, ".xlsx")
    sources = {f"review {number}": name for number, name in enumerate(names, start=1)}
    book = deliver_book(
        context, target, review_pages(passages, hits), role="review_lint", sources=sources, data={}
    )
    kinds = Counter(hit.rule.kind for hit in hits)
    rows: list[dict[str, Any]] = [
        {
            "file": h.passage.path,
            "place": h.passage.place,
            "rule": h.rule.id,
            "quote": h.quote,
            "why": h.rule.why,
        }
        for h in hits
    ]
    lines = [
        f"- {row['file']}, {row['place']}: “{row['quote']}” ({row['rule']}: {row['why']})"
        for row in rows[:25]
    ]
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"
    more = f"\nand {len(rows) - 25} more in the workbook" if len(rows) > 25 else ""
    result = {
        "summary": f"{len(passages)} passages in {len(names)} files; findings: {counted}.\n"
        + "\n".join(lines)
        + more,
        "count": len(hits),
        "by_kind": dict(kinds),
        "findings": rows[:SHOWN],
        "files": [book.path],
    }
    return ToolAnswer(result=result, deliverables=(book,))


def _names(context: ToolContext, path: str, request: str) -> list[str]:
    kinds = (*TABLES, *PROSE)
    if path and context.target(path).is_dir():
        folder = context.target(path)
        names = [
            context.name_of(f)
            for f in sorted(folder.rglob("*"))
            if f.is_file() and f.suffix.lower() in kinds
        ]
        names = [name for name in names if not Path(name).name.startswith((".", "~$"))]
    elif path:
        names = [context.name_of(context.file(path))]
    else:
        there = find_files(context.workspace, kinds, request)
        said = request.lower()
        named = [name for name in there if Path(name).name.lower() in said]
        words = ("review", "appraisal", "feedback")
        names = named or [name for name in there if any(word in name.lower() for word in words)]
    names = [name for name in names if Path(name).name != BOOK]
    if not names:
        raise ToolInputError("There are no reviews; name a file or a folder as `path`.")
    if len(names) > FILES_LIMIT:
        raise ToolInputError(f"There are {len(names)} reviews; {FILES_LIMIT} are the most.")
    return names
