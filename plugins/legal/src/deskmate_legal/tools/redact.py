"""Redacts Word files and PDFs."""

from __future__ import annotations

import re

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError

ROLE = "legal-redacted"
_QUOTED = re.compile(r"[“\"]([^“”\"\n]{2,120})[”\"]")


def redact(
    path: str,
    context: ToolContext,
    words: list[str] | None = None,
    personal: bool = False,
    target: str = "",
    request: str = "",
) -> ToolAnswer:
    """Redact a Word file or PDF into a new file: the words are taken out of every part, and the result is searched to prove it.

    Out of a Word file go comments, tracked changes (accepted), properties and custom XML as well; out of a PDF metadata,
    attachments and scripts. Words are found in any capitals, over line breaks and formatting, as whole words only: name each
    spelling, short form and e-mail address. Pictures and scans are not read.

    Args:
        path: workspace path of a DOCX or PDF.
        context: filled in by Deskmate.
        words: names, terms and numbers to take out, wherever they stand.
        personal: true to take out e-mail addresses, telephone numbers, payment cards, IBANs and US social security numbers, too.
        target: workspace path of the result; empty: "<name> - redacted" beside the file.
        request: the user's words; what stands there in double quotes is taken as words if `words` is empty.

    Returns:
        `path` of the result; `places`: word → how often it was taken out; `absent`: words that are not in the file;
        `as_pictures`: page → why a page of a PDF had to become a picture; `notes`; `summary`.
    """
    from deskmate_documents.redacting import personal_in, redact_file, result_path  # noqa: PLC0415
    from deskmate_documents.withheld import check_words  # noqa: PLC0415

    source = context.file(path)
    name = context.name_of(source)
    result = result_path(context, name, target)
    asked = check_words(words or _QUOTED.findall(request))
    found = personal_in(source) if personal else {}
    if not asked and not found:
        raise ToolInputError("Say what is to go: name words, in double quotes in a request.")
    done = redact_file(source, context.target(result), [*asked, *found], context.on_progress)
    places = {word: done.counts[word] for word in done.words if done.counts[word]}
    absent = [word for word in asked if word not in places]
    shown = name.rpartition("/")[2]
    counted = f"{sum(places.values())} places of {len(places)} words were taken out"
    return ToolAnswer(
        result={
            "path": result,
            "places": places,
            "absent": absent,
            "as_pictures": {str(page): why for page, why in done.as_pictures.items()},
            "notes": list(done.notes),
            "summary": f"{shown}: {counted}; the result was searched and holds none of them."
            + (f" Not in the text: {', '.join(absent)}." if absent else ""),
        },
        deliverables=(
            Deliverable(
                path=result,
                title=f"Redacted {shown}",
                role=ROLE,
                sources={"original": name},
                data={"words": list(done.words), "personal": personal},
            ),
        ),
    )
