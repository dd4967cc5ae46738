"""Reviews a contract against a playbook: each category found, compared, or absent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from deskmate_legal.clauses import run_in_heading
from deskmate_legal.contract import Contract, Sentence
from deskmate_legal.findings import Change, Deviation, Result
from deskmate_legal.labels import labels_at
from deskmate_legal.measures import measured, preferred_words
from deskmate_legal.patterns import BLANK, compiled, either
from deskmate_legal.playbook import Category, EditSpec, Playbook, Rule

_OMITTED = "Intentionally omitted."


def review(contract: Contract, playbook: Playbook, kind: str = "") -> list[Result]:
    """Return one result per category that applies to the contract's type, in the playbook's order. `kind`: another type."""
    sentences = [s for s in contract.sentences() if not _is_heading(s.text)]
    categories = playbook.for_type(kind or contract.type)
    return [_category(contract, category, sentences) for category in categories]


def _is_heading(text: str) -> bool:
    """Say whether a sentence is no more than a clause's label and heading."""
    found = labels_at(text)
    rest = text[found[0].end :] if found else text
    return len(rest.split()) < 9 and run_in_heading(rest) == " ".join(rest.rstrip(".: ").split())


def _category(contract: Contract, category: Category, sentences: Sequence[Sentence]) -> Result:
    hits = tuple(_hits(contract, category, sentences))
    if not hits:
        return _absent(category)
    values: list[str] = []
    deviations: list[Deviation] = []
    for hit in hits:
        read, out = measured(category, hit)
        values += read
        deviations += out
    for rule in category.rules:
        deviations += _apply(contract, category, rule, hits)
    blanks = [hit for hit in hits if category.measure and BLANK.search(hit.text)]
    if deviations:
        status = "deviation"
    elif blanks and not values:
        status = "blank"
        deviations.append(_blank(category, blanks[0]))
    elif category.measure and category.measure.expected and not values:
        status = "present"
    else:
        status = "ok"
    return Result(
        category=category,
        status=status,
        hits=hits,
        values=tuple(values),
        deviations=[_with_changes(contract, deviation) for deviation in deviations],
    )


def _hits(
    contract: Contract, category: Category, sentences: Sequence[Sentence]
) -> Iterator[Sentence]:
    kind = category.measure.kind if category.measure else "duration"
    wanted, unwanted = either(category.detect, kind), either(category.none, kind)
    near = compiled(category.near) if category.near else None
    for sentence in sentences:
        if wanted is None or not wanted.search(sentence.text):
            continue
        if unwanted is not None and unwanted.search(sentence.text):
            continue
        if near is not None and not near.search(sentence.text):
            offset = contract.blocks[sentence.block].start + sentence.start
            if not near.search(contract.own_text(contract.clause_at(offset))):
                continue
        yield sentence


def _absent(category: Category) -> Result:
    result = Result(category=category, status="absent")
    if category.required:
        terms = ", ".join(category.search_terms[:6])
        result.deviations.append(
            Deviation(
                category=category,
                rule="absent",
                says=f"No clause found (searched: {terms}).",
                severity=category.severity,
                sentence=None,
            )
        )
    return result


def _blank(category: Category, hit: Sentence) -> Deviation:
    match = BLANK.search(hit.text)
    at = match.span() if match else (0, 0)
    return Deviation(
        category=category,
        rule="blank",
        says="The field is not filled in.",
        severity=category.severity,
        sentence=hit,
        focus=(hit.start + at[0], hit.start + at[1]),
    )


def _apply(
    contract: Contract, category: Category, rule: Rule, hits: Sequence[Sentence]
) -> Iterator[Deviation]:
    if rule.scope == "sentence":
        for hit in hits:
            match = _fires(rule, hit.text, hit.text)
            if match is not None:
                yield _deviation(category, rule, hit, match)
        return
    text = _scope_text(contract, rule.scope, hits)
    for hit in hits if rule.scope != "contract" else hits[:1]:
        own = text if rule.scope == "contract" else hit.text
        match = _fires(rule, own, text)
        if match is not None:
            inside = None if rule.scope == "contract" else match
            yield _deviation(category, rule, hit, inside)
            return


def _fires(rule: Rule, own: str, wide: str) -> re.Match[str] | None:
    """Return the match that makes a rule fire; `wide` is where `unless` and `missing` look."""
    match = compiled(rule.when or r"^\s*\S").search(own)
    if match is None or (rule.unless and compiled(rule.unless).search(wide)):
        return None
    if rule.missing and compiled(rule.missing).search(wide):
        return None
    if rule.twice:
        names = {name.lower() for name in compiled(rule.twice).findall(wide)}
        if len(names) > 1:
            return None
    return match


def _scope_text(contract: Contract, scope: str, hits: Sequence[Sentence]) -> str:
    if scope == "contract":
        return contract.text
    if scope == "category":
        return "\n".join(hit.text for hit in hits)
    wanted: set[int] = set()
    for hit in hits:
        clause = contract.clause_at(contract.blocks[hit.block].start + hit.start)
        wanted.add(contract.clauses.index(clause))
    for index, clause in enumerate(contract.clauses):
        if clause.parent in wanted:
            wanted.add(index)
    return "\n".join(contract.own_text(contract.clauses[index]) for index in sorted(wanted))


def _deviation(
    category: Category, rule: Rule, hit: Sentence, match: re.Match[str] | None
) -> Deviation:
    focus = None
    if match is not None and match.group().strip():
        focus = (hit.start + match.start(), hit.start + match.end())
    return Deviation(
        category=category,
        rule=rule.id,
        says=rule.says,
        severity=rule.severity or category.severity,
        sentence=hit,
        focus=focus,
        edit_spec=rule.edits,
    )


def _with_changes(contract: Contract, deviation: Deviation) -> Deviation:
    """Work out the replacements that a deviation's edit rules ask for."""
    sentence = deviation.sentence
    if sentence is None or deviation.changes:
        return deviation
    preferred = preferred_words(deviation.category.measure)
    for spec in deviation.edit_spec:
        if spec.unless and compiled(spec.unless).search(sentence.text):
            continue
        changes = tuple(_changes(contract, sentence, spec, preferred))
        if changes:
            return replace(deviation, changes=changes)
    return deviation


def _changes(
    contract: Contract, sentence: Sentence, spec: EditSpec, preferred: str
) -> Iterator[Change]:
    block = contract.blocks[sentence.block].text
    if spec.strike:
        yield _strike(block, sentence)
    elif spec.append:
        gap = "" if block[sentence.end - 1] in '.;:!?”"' else "."
        yield Change(
            block=sentence.block,
            start=sentence.end,
            end=sentence.end,
            text=f"{gap} {spec.append}",
        )
    else:
        for match in compiled(spec.find).finditer(sentence.text):
            text = _cased(
                match.group(), match.expand(spec.replace.replace("{preferred}", preferred))
            )
            start, end = sentence.start + match.start(), sentence.start + match.end()
            if text != match.group():
                yield Change(block=sentence.block, start=start, end=end, text=text)
            if spec.first:
                return


def _cased(model: str, text: str) -> str:
    """Return new words in capitals, or with a first capital, where the old ones are so."""
    if model.isupper() and len(model) > 4:
        return text.upper()
    return text[:1].upper() + text[1:] if model[:1].isupper() else text


def _strike(block: str, sentence: Sentence) -> Change:
    start, end = sentence.start, sentence.end
    rest = re.sub(r"[\s\divxIVX.()a-zA-Z&'’-]{0,60}", "", block[:start], count=1) + block[end:]
    if not rest.strip():
        return Change(block=sentence.block, start=start, end=end, text=_OMITTED)
    while end < len(block) and block[end].isspace():
        end += 1
    return Change(block=sentence.block, start=start, end=end, text="")
