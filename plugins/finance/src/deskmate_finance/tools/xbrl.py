"""The tool that reads the facts of an XBRL filing."""

from __future__ import annotations

import hashlib
from typing import Any

from deskmate.plugin import Deliverable, Evidence, ToolAnswer, ToolContext
from deskmate_documents.tables import pick_file
from deskmate_finance.made import book_path, write_made
from deskmate_finance.xbrl import Fact, Filing, read_filing
from deskmate_finance.xbrl_book import sheets
from deskmate_finance.xbrl_checks import Check, checks, doubled, read_calculations

OUTPUT = "xbrl facts.xlsx"
FILES = (".xml", ".xbrl", ".xhtml", ".html", ".htm")
SHOWN = 40
EVIDENCE_LIMIT = 400


def xbrl_facts(
    context: ToolContext,
    path: str = "",
    calculation: str = "",
    concept: str = "",
    output: str = "",
    request: str = "",
) -> ToolAnswer:
    """Read the facts of an XBRL instance or inline XBRL report, with context, unit, sign and scale, and check their sums.

    Checked: the sums of the calculation linkbase if one is given, the accounting equation, and facts that are
    reported twice with different figures; rounding by each fact's decimals is allowed. Nothing is fetched: labels and
    types of the taxonomy are not known.

    Args:
        context: filled in by Deskmate.
        path: workspace path of the filing (XML, XBRL, XHTML, HTML). Empty: the one in the workspace.
        calculation: workspace path of the calculation linkbase, such as acme-20250331_cal.xml.
        concept: part of a concept's name; the facts shown in the answer are those. Empty: those without dimensions.
        output: workspace path of the workbook. Empty: xbrl facts.xlsx beside the filing.
        request: the user's words; a file named there is taken.

    Returns:
        `path`; `facts`, `contexts`: counts; `shown`: list of {concept, period, dimensions, value, unit, decimals,
        id}; `checks`, `broken`: counts; `broken_list`; `doubled`: facts reported twice with different figures.

    Raises:
        ToolInputError: it is no such file, hostile or damaged, or a fact cannot be read.
    """
    path = path or pick_file(
        context.workspace,
        FILES,
        what="XBRL filing",
        hints=("xbrl", "10-q", "10-k", "report", "filing", "instance"),
        request=request,
        made=OUTPUT,
    )
    filing = read_filing(context.file(path), path)
    sums = read_calculations(context.file(calculation), calculation) if calculation else {}
    found = checks(filing, sums)
    target = context.target(book_path(output, path, OUTPUT, path, calculation))
    write_made(target, sheets(filing, found))
    sources = {"filing": path, **({"calculation": calculation} if calculation else {})}
    deliverable = Deliverable(
        path=context.name_of(target), title=f"Facts of {path}", role="xbrl_facts", sources=sources
    )
    shown = _shown(filing, concept)
    digest: Any = hashlib.sha256(context.file(path).read_bytes()).hexdigest()
    evidence = tuple(
        Evidence(
            id=f"fin-{hashlib.sha256(f'{digest}{fact.place}'.encode()).hexdigest()[:12]}",
            source=digest,
            path=path,
            locator={"fact": fact.place},
            value=f"{fact.value:f}",
        )
        for fact in shown[:EVIDENCE_LIMIT]
        if fact.value is not None
    )
    result = _report(filing, found, shown, deliverable.path)
    return ToolAnswer(result=result, evidence=evidence, deliverables=(deliverable,))


def _shown(filing: Filing, concept: str) -> list[Fact]:
    def wanted(fact: Fact) -> bool:
        if concept:
            return concept.lower() in fact.concept.lower()
        return fact.value is not None and not filing.contexts[fact.context].dimensions

    return [fact for fact in filing.facts if wanted(fact)][:SHOWN]


def _report(filing: Filing, found: list[Check], shown: list[Fact], path: str) -> dict[str, Any]:
    broken = [check for check in found if not check.holds]
    twice = list(doubled(filing))
    facts = [
        {
            "concept": f.concept, "period": filing.contexts[f.context].period,
            "dimensions": [f"{a} = {m}" for a, m in filing.contexts[f.context].dimensions],
            "value": f.text[:200] if f.value is None else f"{f.value:f}", "unit": filing.units.get(f.unit, ""),
            "decimals": f.decimals, "id": f.place,
        }
        for f in shown
    ]  # fmt: skip
    return {
        "path": path,
        "filing": filing.name,
        "kind": filing.kind,
        "facts": len(filing.facts),
        "figures": sum(f.value is not None for f in filing.facts),
        "contexts": len(filing.contexts),
        "shown": facts,
        "fact_list": "\n".join(
            f"{f['concept']}, {f['period']}: {f['value']} {f['unit']}" for f in facts[:15]
        ),
        "checks": len(found),
        "broken": len(broken),
        "broken_list": "\n".join(map(_line, broken[:SHOWN])) or "Every sum holds.",
        "doubled": len(twice),
    }


def _line(check: Check) -> str:
    return (
        f"{check.total.concept}, {check.period}: {check.total.value:f} is reported, the parts are {check.sum:f} "
        f"(rounding allows {check.allowed.normalize():f})"
    )
