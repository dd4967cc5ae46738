"""The plugin's tool."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import PurePosixPath
from typing import TypedDict

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError

LIMIT_BYTES = 1 << 20


class Offer(TypedDict):
    """An open offer as the CRM has it. `amount`: euros, as text. `due`: ISO date."""

    number: str
    title: str
    amount: str
    due: str


def visit_brief(
    context: ToolContext, customer: str, offers: list[Offer], notes: str, points: list[str]
) -> ToolAnswer:
    """Write a one-page brief for a visit beside the notes.

    Args:
        context: filled in by Deskmate.
        customer: the customer's name as the CRM has it.
        offers: the open offers as the CRM answered, none left out.
        notes: workspace path of the user's notes about the customer (.md or .txt).
        points: what to raise, each word for word from the notes.
    """
    file = context.file(notes)
    if file.suffix.lower() not in {".md", ".txt"} or file.stat().st_size > LIMIT_BYTES:
        raise ToolInputError(f"{notes} must be a .md or .txt file of at most 1 MiB.")
    text = one_line(file.read_text("utf-8", "replace"))
    if missing := [point for point in points if one_line(point) not in text]:
        raise ToolInputError(f"Not word for word in {notes}: {missing[0]}")
    total = sum((amount_of(offer["amount"]) for offer in offers), Decimal(0))
    source = context.name_of(file)
    name = re.sub(r"[^\w .&-]", "", customer).strip()
    if not name:
        raise ToolInputError(f"{customer!r} is no name of a customer.")
    output = str(PurePosixPath(source).with_name(f"Visit {name}.md"))
    context.target(output).write_text(page(name, offers, total, points, source), "utf-8")
    made = Deliverable(
        path=output, title=f"Visit to {name}", role="visit-brief", sources={"notes": source},
    )  # fmt: skip
    return ToolAnswer(
        result={"output": output, "offers": len(offers), "total": f"{total:.2f}"},
        deliverables=(made,),
    )


def page(
    customer: str, offers: Sequence[Offer], total: Decimal, points: Sequence[str], source: str
) -> str:
    """Return the brief as Markdown."""
    rows = [
        f"| {cell(offer['number'])} | {cell(offer['title'])} | {cell(offer['due'])} |"
        f" {amount_of(offer['amount']):.2f} |"
        for offer in offers
    ]
    table = [
        "| offer | what | due | euros |",
        "|---|---|---|---:|",
        *rows,
        f"| | total | | {total:.2f} |",
    ]
    raised = [f"- “{one_line(point)}” ({source})" for point in points]
    parts = (
        f"# Visit to {customer}",
        "## Open offers",
        "\n".join(table),
        "## To raise",
        "\n".join(raised),
    )
    return "\n\n".join(parts) + "\n"


def amount_of(text: str) -> Decimal:
    """Return euros. Raises ToolInputError for what is no amount."""
    try:
        amount = Decimal(text)
    except (InvalidOperation, TypeError, ValueError):
        raise ToolInputError(f"{text!r} is no amount; write it as 1234.50.") from None
    if not amount.is_finite() or abs(amount) > Decimal("1e12"):
        raise ToolInputError(f"{text!r} is no amount; write it as 1234.50.")
    return amount


def one_line(text: str) -> str:
    """Return the text with each run of white space as one space."""
    return " ".join(text.split())


def cell(text: str) -> str:
    """Return what may stand in a table's cell."""
    return one_line(str(text)).replace("|", "/")
