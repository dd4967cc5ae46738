"""Looks a contract over before it is signed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext

if TYPE_CHECKING:
    from deskmate_legal.preflight import Preflight

ROLE = "signature_check"


def signature_preflight(
    path: str,
    context: ToolContext,
    attachments: list[str] | None = None,
    approved_by: str = "",
    target: str = "",
) -> ToolAnswer:
    """Check a final contract before it is sent for signature, and write the signature check (DOCX). The verdict is computed.

    Looked at: tracked changes, comments and hidden parts left in the file, placeholders, draft marks and watermarks, parties,
    a signature block for each, exhibits that are missing or empty, open or impossible dates, numbers, cross-references,
    defined terms, spelling of names, approval. The check is bound to the file's SHA-256.

    Args:
        path: workspace path of the DOCX, PDF or text file that is to be signed.
        context: filled in by Deskmate.
        attachments: workspace paths of exhibits that are files of their own, with "Exhibit B" in their names.
        approved_by: who approved it, as the user said; empty if nobody did. Never fill it in yourself.
        target: workspace path of the result; empty: "<name> - signature check.docx" beside the file.

    Returns:
        `verdict`: not ready, points to look at, or nothing found that stands against signing; `checks`: check → state; `items`:
        list of {check, state, what, quote, place}; `parties`; `sha256`; `path`; `summary`; `report`.
    """
    from deskmate_legal.listing import write  # noqa: PLC0415
    from deskmate_legal.preflight import listing  # noqa: PLC0415
    from deskmate_legal.workspace import beside  # noqa: PLC0415

    source = context.file(path)
    name = context.name_of(source)
    attached = [context.name_of(context.file(one)) for one in attachments or ()]
    made = preflight_from(source, name, attached, approved_by)
    result = beside(context, name, "signature check", target)
    write(context.target(result), listing(made))
    sources = {"original": name, **{f"attachment {n}": one for n, one in enumerate(attached, 1)}}
    return ToolAnswer(
        result={"path": result, **_told(made)},
        deliverables=(
            Deliverable(
                path=result,
                title=f"Signature check of {name.rpartition('/')[2]}",
                role=ROLE,
                sources=sources,
                data={"approved_by": approved_by},
            ),
        ),
    )


def _told(made: Preflight) -> dict[str, Any]:
    items = [
        {
            "check": item.check,
            "state": item.state,
            "what": item.message,
            "quote": item.words,
            "place": item.place,
        }
        for item in made.items
    ]
    failing = [check for check, state in made.states.items() if state == "fails"]
    head = f"{made.contract.name.rpartition('/')[2]}: {made.verdict}"
    head += f" ({', '.join(failing)})." if failing else "."
    told = [f"- {i['check']}: {i['what']}{_where(i)}" for i in items if i["state"] == "fails"][:30]
    told += [f"- look: {i['what']}{_where(i)}" for i in items if i["state"] == "look"][:15]
    return {
        "verdict": made.verdict,
        "checks": made.states,
        "items": items,
        "parties": [{"name": p.name, "role": p.role} for p in made.parties],
        "sha256": made.contract.sha256,
        "summary": head,
        "report": "\n".join([head, *told]),
    }


def preflight_from(source: Any, name: str, attached: Sequence[str], approved_by: str) -> Preflight:
    """Return the signature check of a file. `attached`: workspace paths of exhibits. Raises ToolInputError."""
    from deskmate_legal.contract import read_contract  # noqa: PLC0415
    from deskmate_legal.preflight import run_preflight  # noqa: PLC0415

    names = [one.rpartition("/")[2] for one in attached]
    return run_preflight(source, read_contract(source, name), names, approved_by)


def _where(item: dict[str, str]) -> str:
    return f" ({item['place']})" if item["place"] else ""
