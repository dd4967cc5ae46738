"""Calculation checks of a filing: sums of a calculation linkbase, the accounting equation, and facts reported twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import LIMIT_BYTES
from deskmate_finance.camt import local, parse_xml
from deskmate_finance.xbrl import LINK, Fact, Filing

XLINK = "{http://www.w3.org/1999/xlink}"
SUMMATION = ("http://www.xbrl.org/2003/arcrole/summation-item", "https://xbrl.org/2023/arcrole/summation-item")  # fmt: skip
EQUATIONS: Sequence[tuple[str, Sequence[tuple[str, int]]]] = (
    ("us-gaap:LiabilitiesAndStockholdersEquity", (("us-gaap:Assets", 1),)),
    ("ifrs-full:EquityAndLiabilities", (("ifrs-full:Assets", 1),)),
    ("ifrs-full:Assets", (("ifrs-full:CurrentAssets", 1), ("ifrs-full:NoncurrentAssets", 1))),
    ("ifrs-full:EquityAndLiabilities", (("ifrs-full:Equity", 1), ("ifrs-full:Liabilities", 1))),
    ("us-gaap:GrossProfit", (("us-gaap:Revenues", 1), ("us-gaap:CostOfRevenue", -1))),
)  # fmt: skip
"""Total → parts with weights; only where all are reported (SOURCES.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of one context. `parts`: (fact, weight). `allowed`: what rounding may leave."""

    kind: str
    total: Fact
    parts: tuple[tuple[Fact, Decimal], ...]
    period: str

    @property
    def sum(self) -> Decimal:
        """What the parts add up to."""
        return sum((weight * (fact.value or 0) for fact, weight in self.parts), Decimal())

    @property
    def allowed(self) -> Decimal:
        """Half a unit of the last digit of each figure."""
        return self.total.unsure + sum((abs(w) * f.unsure for f, w in self.parts), Decimal())

    @property
    def holds(self) -> bool:
        """Say whether total and parts agree within their rounding."""
        return abs((self.total.value or Decimal()) - self.sum) <= self.allowed


PARTS_LIMIT = 200
Sums = Mapping[str, Sequence[tuple[str, Decimal]]]


def read_calculations(file: Path, name: str) -> dict[str, list[tuple[str, Decimal]]]:
    """Return "role|total" → (part, weight) of a calculation linkbase; concepts are prefix:name as in their ids.

    Raises:
        ToolInputError: it is none, hostile or damaged.
    """
    if file.stat().st_size > LIMIT_BYTES:
        raise ToolInputError(f"{name} is larger than {LIMIT_BYTES // 2**20} MiB.")
    root = parse_xml(file.read_bytes(), name)
    found: dict[str, list[tuple[str, Decimal]]] = defaultdict(list)
    links = list(root.iter(f"{{{LINK}}}calculationLink"))
    if not links:
        raise ToolInputError(f"{name} is no calculation linkbase.")
    for link in links:
        role = str(link.get(f"{XLINK}role", ""))
        names = {
            str(node.get(f"{XLINK}label")): _concept(node) for node in link if local(node) == "loc"
        }
        for arc in link:
            if local(arc) != "calculationArc" or arc.get(f"{XLINK}arcrole") not in SUMMATION:
                continue
            total, part = (names.get(str(arc.get(f"{XLINK}{end}"))) for end in ("from", "to"))
            weight = str(arc.get("weight", ""))
            if not total or not part or weight.strip("+-") not in ("1", "1.0"):
                raise ToolInputError(f"{name}: a sum names what is not there, or has no weight of 1 or -1.")  # fmt: skip
            found[f"{role}|{total}"].append((part, Decimal(weight).quantize(Decimal(1))))
    return dict(found)


def _concept(node: Any) -> str:
    """Return prefix:name from a link such as `us-gaap-2013.xsd#us-gaap_Assets`."""
    anchor = unquote(str(node.get(f"{XLINK}href", "")).rpartition("#")[2])
    prefix, mark, name = anchor.rpartition("_")
    return f"{prefix}:{name}" if mark else anchor


def checks(filing: Filing, sums: Sums) -> list[Check]:
    """Return all checks that the facts allow: of the linkbase's sums, and of the accounting equation."""
    wanted = [
        ("calculation linkbase", key.rpartition("|")[2], parts) for key, parts in sums.items()
    ]
    wanted += [
        ("equation", total, [(part, Decimal(weight)) for part, weight in parts])
        for total, parts in EQUATIONS
    ]
    at: dict[tuple[object, ...], dict[str, Fact]] = defaultdict(dict)
    for fact in filing.facts:
        if fact.value is not None:
            key = (filing.contexts[fact.context].key, filing.units.get(fact.unit, ""))
            at[key].setdefault(fact.concept, fact)
    found: list[Check] = []
    for kind, total, parts in wanted:
        for here in at.values():
            known = tuple((here[name], weight) for name, weight in parts if name in here)
            # a linkbase sums what is reported; an equation needs all its parts
            if (
                total in here
                and 0 < len(known) <= PARTS_LIMIT
                and (kind != "equation" or len(known) == len(parts))
            ):
                period = filing.contexts[here[total].context].period
                found.append(Check(kind=kind, total=here[total], parts=known, period=period))
    return found


def doubled(filing: Filing) -> Iterator[tuple[Fact, Fact]]:
    """Yield two facts of one meaning whose figures differ by more than their rounding."""
    known: dict[tuple[object, ...], Fact] = {}
    for fact in filing.facts:
        if fact.value is None:
            continue
        key = (fact.concept, filing.contexts[fact.context].key, filing.units.get(fact.unit, ""))
        first = known.setdefault(key, fact)
        if abs((first.value or Decimal()) - fact.value) > max(first.unsure, fact.unsure):
            yield first, fact
