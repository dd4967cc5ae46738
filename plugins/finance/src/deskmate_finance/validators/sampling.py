"""FIN-SAMPLE-REDRAWS: the population is the host's file, the size is by the table, and the same items are drawn again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from deskmate.plugin import Deliverable, Finding, ToolInputError, ValidationContext
from deskmate_documents.xlsx.book import Workbook
from deskmate_finance.made import other_cells
from deskmate_finance.sampling import read_outcomes, read_population
from deskmate_finance.sampling_book import HEAD, ITEMS, PLAN, sheets
from deskmate_finance.tools.sampling import sample
from deskmate_finance.validators.findings import Problem, errors
from deskmate_finance.validators.journal import texts
from deskmate_finance.validators.statements import original
from deskmate_finance.workbook import cells_of, text_at, titled

FIX = "Run sox_sample again; the sample and its population are not edited."


def sample_redraws(deliverable: Deliverable, context: ValidationContext) -> Iterable[Finding]:
    """Digest, count and total are the population's, no item stands twice, the draw and the tests' results are the same.

    Source: house; sizes as in SOURCES.md.
    """
    return errors("FIN-SAMPLE-REDRAWS", _problems(deliverable, context), FIX)


def _problems(deliverable: Deliverable, context: ValidationContext) -> Iterator[Problem]:
    path, results = (deliverable.sources.get(role, "") for role in ("population", "results"))
    file = original(context, path, "population")
    book = Workbook(context.file)
    front, drawn = cells_of(book, PLAN), cells_of(book, ITEMS)
    row = titled(front).get("SHA-256 of the population", 0)
    if text_at(front, row, 2) != hashlib.sha256(file.read_bytes()).hexdigest():
        yield f"{PLAN}!B{row}", f"The digest is not that of {path}."
    names = [text_at(drawn, at, 3) for at, column in sorted(drawn) if column == 3 and at > HEAD]
    yield from ((ITEMS, f"{name} stands twice.") for name in sorted(set(names)) if names.count(name) > 1)  # fmt: skip
    asked = deliverable.data.get("attributes")
    if not isinstance(asked, list | tuple):
        raise ToolInputError("the sample names no attributes")
    options = texts(deliverable.data.get("options"))
    frequency, seed = (str(deliverable.data.get(key, "")) for key in ("frequency", "seed"))
    attributes = tuple(map(str, asked))
    made = sample(read_population(file, path, options), frequency, seed, options, attributes)
    if results:
        table = original(context, results, "table of results")
        made = replace(made, outcomes=read_outcomes(table, results, made.items, attributes))
    yield from other_cells(context.file, sheets(made))
