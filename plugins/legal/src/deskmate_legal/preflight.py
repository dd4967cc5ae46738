"""Looks over a contract before it is signed: what would be signed by mistake, and what is missing. The verdict is computed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deskmate_documents.office.meta_gate import carried
from deskmate_documents.office.placeholder_gate import placeholders
from deskmate_documents.opc import Package
from deskmate_legal.contract import Contract
from deskmate_legal.labels import labels_at
from deskmate_legal.listing import Listing, Table, shown
from deskmate_legal.signing import Party, parties, signatures, signs
from deskmate_legal.terms import Slip, proof_read

CHECKS_HEADER = ("Check", "State", "Found", "What is looked at")
ITEMS_HEADER = ("No.", "Check", "State", "What", "As it stands", "Place")
FAILS, LOOK, PASSES, NOT_CHECKED = "fails", "look", "passes", "not checked"
READY, DOUBTS, NOT_READY = (
    "nothing found that stands against signing",
    "points to look at",
    "not ready",
)
LIMIT = (
    "Found by rules. This says nothing about whether the terms are good, who may sign for a party, what form the law asks for, or "
    "whether a signature is valid. What is attached as a picture was not read."
)
_EACH = 25
_DRAFT = re.compile(
    r"\b(?:DRAFT|(?:first|second|third|final|working|preliminary|confidential)\s+draft|for\s+(?:discussion|negotiation)\s+purposes(?:\s+only)?|not\s+for\s+execution|subject\s+to\s+contract)\b",
)
_DRAFT_PHRASE = re.compile(
    r"\b(?:for\s+(?:discussion|negotiation)\s+purposes|not\s+for\s+execution|subject\s+to\s+contract|(?:working|preliminary|confidential)\s+draft)\b",
    re.IGNORECASE,
)
_OPEN_DAY = re.compile(
    r"\b(?:this|the)?\s*(?:_{2,}|\[[\s_●•*]*\]|(?=day\s+of))\s*day\s+of\s+(?:_{2,}|\[[\s_●•*]*\]|[A-Z][a-z]+)[\s,]*(?:_{2,}|\[[\s_●•*]*\]|\d{2}_+|\d{4})?|\b(?:19|20)_{1,2}\b",
)
_BRACKETS = re.compile(r"\[[\s_●•*]*\]|\[\*+\]|\{\$?\w+\}")
_SLIPS = {
    "exhibits": ("missing exhibit",),
    "dates": ("date",),
    "numbers": ("number",),
    "defined terms": ("defined twice", "unused term", "undefined term"),
    "cross-references": ("dead cross-reference",),
    "party names": ("party name",),
}
_WATERMARK = "{urn:schemas-microsoft-com:vml}textpath"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something found. `state`: fails or look. `words`: verbatim, "" where there are none to quote."""

    check: str
    state: str
    message: str
    words: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The result. `states`: check → state, in order. `parties`: those the opening names. `approved_by`: as the user said."""

    contract: Contract
    items: tuple[Item, ...]
    states: dict[str, str]
    parties: tuple[Party, ...]
    approved_by: str

    @property
    def verdict(self) -> str:
        """Not ready if a check fails, points to look at if one asks for a look, else nothing found."""
        states = set(self.states.values())
        return NOT_READY if FAILS in states else DOUBTS if LOOK in states else READY


CHECKS: dict[str, str] = {
    "tracked changes": "changes that nobody accepted or rejected",
    "comments": "comments in the text or on pages",
    "what travels along": "hidden text, document properties, custom XML, attached files, names of people",
    "placeholders": "fields that nobody filled in, in every paragraph, header and note",
    "draft marks": "DRAFT, for discussion purposes, subject to contract, watermarks",
    "parties": "the opening names at least two, and none is blank",
    "signature blocks": "each party is named where it is signed, with a line for each",
    "exhibits": "each exhibit that is referred to is there and has a text, or is a file that was named",
    "dates": "days that do not exist, days left open",
    "numbers": "words and figures that differ",
    "cross-references": "clauses that are referred to and not there",
    "defined terms": "defined twice, not used, not defined",
    "party names": "a name spelt in two ways",
    "approval": "the user said who approved it",
}


def run_preflight(
    file: Path, contract: Contract, attachments: Sequence[str] = (), approved_by: str = ""
) -> Preflight:
    """Look over a contract. `attachments`: names of files that go with it."""
    named = tuple(parties(contract))
    slips = proof_read(contract)
    found: dict[str, list[Item]] = {name: [] for name in CHECKS}
    unseen = _carried(file, contract, found)
    found["placeholders"] += _placeholders(contract)
    found["draft marks"] += [*_drafts(contract), *_watermarks(file, contract)]
    found["parties"] += _parties(contract, named)
    found["signature blocks"] += _blocks(contract, named)
    found["exhibits"] += _empty_exhibits(contract)
    found["dates"] += _open_days(contract)
    for check, kinds in _SLIPS.items():
        found[check] += [
            _slip(contract, check, slip)
            for slip in slips
            if slip.check in kinds and not _attached(slip, contract, attachments)
        ]
    if not approved_by:
        found["approval"].append(
            Item(check="approval", state=LOOK, message="Nobody said who approved it.")
        )
    items = [item for name in CHECKS for item in found[name][:_EACH]]
    states = {name: _state(found[name], name in unseen) for name in CHECKS}
    return Preflight(
        contract=contract,
        items=tuple(items),
        states=states,
        parties=named,
        approved_by=approved_by,
    )


def _state(items: Sequence[Item], unseen: bool) -> str:
    if unseen:
        return NOT_CHECKED
    states = {item.state for item in items}
    return FAILS if FAILS in states else LOOK if LOOK in states else PASSES


def _carried(file: Path, contract: Contract, found: dict[str, list[Item]]) -> set[str]:
    """Sort what the file carries along into its checks; return the checks that could not be made."""
    three = {"tracked changes", "comments", "what travels along"}
    if contract.kind == "text":
        return three
    suffix = ".pdf" if contract.kind == "pdf" else ".docx"
    if file.suffix.lower() != suffix:
        return three
    for kind, what in carried(file):
        check = {"tracked changes": "tracked changes", "comment": "comments"}.get(
            kind, "what travels along"
        )
        state = LOOK if kind == "name" else FAILS
        found[check].append(
            Item(check=check, state=state, message=f"{kind}: {shown(what)}", place="the file")
        )
    return {"tracked changes"} if contract.kind == "pdf" else set()


def _placeholders(contract: Contract) -> Iterator[Item]:
    region = signatures(contract)
    for block in contract.blocks:
        in_region = region.start <= block.start < region.end
        texts = (
            []
            if in_region
            else [text for line in block.text.split("\n") for text in placeholders(line)]
        )
        texts += [m.group() for m in _BRACKETS.finditer(block.text) if m.group() not in texts]
        for text in texts:
            yield Item(
                check="placeholders",
                state=FAILS,
                message="A field is not filled in.",
                words=_around(block.text, text),
                place=_place(contract, block.start),
            )


def _around(text: str, words: str) -> str:
    at = text.find(words)
    start = text.rfind(" ", 0, max(at - 50, 0)) + 1 if at > 50 else 0
    end = text.find(" ", at + len(words) + 50)
    return text[start : end if end > 0 else len(text)][:300].strip()


def _drafts(contract: Contract) -> Iterator[Item]:
    for block in contract.blocks:
        short = len(block.text.split()) <= 12
        match = _DRAFT_PHRASE.search(block.text) if not short else _DRAFT.search(block.text)
        match = match or (_DRAFT_PHRASE.search(block.text) if short else None)
        if match:
            yield Item(
                check="draft marks",
                state=FAILS if short else LOOK,
                message=f"It says “{' '.join(match.group().split())}”.",
                words=_around(block.text, match.group()),
                place=_place(contract, block.start),
            )


def _watermarks(file: Path, contract: Contract) -> Iterator[Item]:
    """Yield watermarks and marks in headers and footers, which no clause holds."""
    if contract.kind != "docx":
        return
    package = Package(file)
    main = package.main_part()
    for kind in ("header", "footer"):
        for part in package.related(main, kind):
            root = package.parse(part)
            texts = [node.get("string") or "" for node in root.iter(_WATERMARK)]
            texts.append(" ".join(node.text or "" for node in root.iter("{*}t")))
            for text in texts:
                if match := _DRAFT.search(text.upper() if len(text.split()) <= 6 else text):
                    yield Item(
                        check="draft marks",
                        state=FAILS,
                        message=f"A {kind} says “{match.group()}”.",
                        words=shown(text)[:200],
                        place=f"the {kind}",
                    )


def _parties(contract: Contract, named: Sequence[Party]) -> Iterator[Item]:
    if len(named) < 2:
        yield Item(
            check="parties",
            state=LOOK,
            message=f"The opening names {len(named)} {'party' if len(named) == 1 else 'parties'} that rules can find.",
        )
    for party in named:
        if party.blank:
            yield Item(
                check="parties",
                state=FAILS,
                message="A party's name is blank.",
                words=" ".join(contract.text[party.start : party.end].split()),
                place=_place(contract, party.start),
            )


def _blocks(contract: Contract, named: Sequence[Party]) -> Iterator[Item]:
    where = signatures(contract)
    check = "signature blocks"
    if where.end == 0:
        yield Item(check=check, state=FAILS, message="There is no place to sign.")
        return
    region = contract.text[where.start : where.end]
    for party in named:
        if not party.blank and not signs(party, region):
            yield Item(
                check=check,
                state=FAILS,
                message=f"{party.name} is a party and has no signature block.",
                words=" ".join(contract.text[party.start : party.end].split()),
                place=_place(contract, party.start),
            )
    if len(where.lines) < len(named):
        yield Item(
            check=check,
            state=FAILS if where.lines else LOOK,
            message=f"{len(named)} parties, and {len(where.lines)} lines to sign on (By:, Signature:).",
            place=_place(contract, where.start),
        )
    if where.conformed:
        yield Item(
            check=check,
            state=LOOK,
            message="It is signed already (/s/): this is a conformed copy.",
            place=_place(contract, where.start),
        )


def _empty_exhibits(contract: Contract) -> Iterator[Item]:
    """Yield headings of exhibits with nothing below."""
    blocks = contract.blocks
    for number, block in enumerate(blocks):
        text = block.text.strip()
        label = labels_at(text)
        if not label or label[0].kind != "exhibit" or len(text) > 120 or "\n" in text:
            continue
        below = [b.text for b in blocks[number + 1 : number + 3]]
        following = [labels_at(t.strip()) for t in below]
        empty = not below or (following[0] and following[0][0].kind == "exhibit")
        if empty and number > len(blocks) // 3:  # before that is a table of contents
            yield Item(
                check="exhibits",
                state=FAILS,
                message=f"{label[0].key} has a heading and nothing below it.",
                words=text,
                place=_place(contract, block.start),
            )


def _open_days(contract: Contract) -> Iterator[Item]:
    region = signatures(contract)
    for match in _OPEN_DAY.finditer(contract.text):
        words = match.group().strip()
        if not re.search(r"_{2,}|\[|(?:19|20)_", words) and not re.match(
            r"(?:this|the)?\s*day\s+of\s", words
        ):
            continue
        if region.start <= match.start() < region.end:
            continue  # filled in by who signs
        yield Item(
            check="dates",
            state=FAILS,
            message="A day is left open.",
            words=" ".join(words.split()),
            place=_place(contract, match.start()),
        )


def _slip(contract: Contract, check: str, slip: Slip) -> Item:
    return Item(
        check=check,
        state=FAILS if slip.level == "error" else LOOK,
        message=slip.message,
        words=contract.text[slip.start : slip.end],
        place=_place(contract, slip.start),
    )


def _attached(slip: Slip, contract: Contract, attachments: Sequence[str]) -> bool:
    """Say whether a missing exhibit is a file that goes with the contract."""
    if slip.check != "missing exhibit":
        return False
    name = " ".join(contract.text[slip.start : slip.end].split())
    pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
    return any(pattern.search(re.sub(r"[_-]+", " ", one)) for one in attachments)


def _place(contract: Contract, offset: int) -> str:
    block = next((b for b in reversed(contract.blocks) if b.start <= offset), None)
    if block is None:
        return ""
    page = "" if block.page is None else f"p. {block.page}, "
    return f"{page}¶ {block.paragraph}"


def tables(result: Preflight) -> tuple[Table, Table]:
    """Return the two tables: each check with its state, and what was found."""
    counts = {name: sum(item.check == name for item in result.items) for name in CHECKS}
    checks = tuple(
        (name, result.states[name], str(counts[name]), looked) for name, looked in CHECKS.items()
    )
    items = tuple(
        (str(number), item.check, item.state, shown(item.message), shown(item.words), item.place)
        for number, item in enumerate(result.items, 1)
    )
    return (
        Table(heading="Checks", header=CHECKS_HEADER, rows=checks, widths=(1.5, 0.9, 0.6, 3.9), empty=""),
        Table(heading="What was found", header=ITEMS_HEADER, rows=items, widths=(0.4, 1.1, 0.6, 2.0, 2.0, 0.8), empty="Nothing was found."),
    )  # fmt: skip


def lines(result: Preflight) -> list[str]:
    """Return the lines above the tables: the verdict, the parties, the very file, who approved it."""
    name = result.contract.name.rpartition("/")[2]
    named = "; ".join(f"{p.name} (“{p.role}”)" if p.role else p.name for p in result.parties)
    return [
        f"Verdict: {result.verdict}.",
        f"File: {name}, SHA-256 {result.contract.sha256}. Another file, even by one sign, was not checked.",
        f"Parties: {named or 'none found by rules'}.",
        f"Approved by: {result.approved_by or 'nobody said'}.",
    ]


def listing(result: Preflight) -> Listing:
    """Return the signature check as a document."""
    return Listing(
        title=f"Signature check: {result.contract.name.rpartition('/')[2]}",
        lines=tuple(lines(result)),
        tables=tables(result),
        closing=(LIMIT,),
    )
