"""Puts new wording into the words of a contract: its defined terms, spelling and quotation marks."""

from __future__ import annotations

import re

from deskmate_legal.contract import Contract

_AMERICAN = (
    ("licence", "license"),
    ("Licence", "License"),
    ("wilful", "willful"),
    ("trade mark", "trademark"),
    ("defence", "defense"),
)
_ITSELF = re.compile(
    r"\b[Tt]his\s+((?:[A-Z][A-Za-z]*\s)?(?:M?NDA|OMA|DPA|MSA|Agreement|Contract|Addendum|Deed|Lease))\b"
)
_BRITISH = re.compile(
    r"\b(?:organis|favour|licence\b|wilful\b|recognis|authoris|labour\b|defence\b)", re.IGNORECASE
)


def in_the_words_of(contract: Contract, text: str) -> str:
    """Return `text` as this contract would write it.

    "receiving party" becomes "Receiving Party" or "Recipient", "this Agreement" becomes "this MNDA", British
    spelling becomes American where the contract is, apostrophes are curly where its are.
    """
    for ours, theirs in _terms(contract.text):
        text = re.sub(rf"\b{ours}\b", theirs, text)
    if not _BRITISH.search(contract.text):
        for british, american in _AMERICAN:
            text = text.replace(british, american)
    curly = contract.text.count("’") > contract.text.count("'")
    return text.replace("'", "’") if curly else text


def _terms(text: str) -> list[tuple[str, str]]:
    found = []
    for ours, names in (
        ("receiving party", ("Receiving Party", "Recipient", "Receiver")),
        ("disclosing party", ("Disclosing Party", "Discloser")),
    ):
        best = max(names, key=text.count)
        if text.count(best) > 1:
            found.append((ours, best))
    if len(re.findall(r"\b(?:each|either|neither|other) Party\b", text)) > len(
        re.findall(r"\b(?:each|either|neither|other) party\b", text)
    ):
        found.append(
            (
                "(?<=[Ee]ach )party|(?<=[Ee]ither )party|(?<=[Nn]either )party|(?<=other )party",
                "Party",
            )
        )
        found.append(("(?<=both )parties|(?<=the )parties", "Parties"))
    names_of_itself = [" ".join(name.split()) for name in _ITSELF.findall(text)]
    if names_of_itself:
        usual = max(set(names_of_itself), key=names_of_itself.count)
        if usual != "Agreement":
            found.append(("(?<=this )Agreement", usual))
    if "Confidential Information" not in text and "confidential information" in text:
        found.append(("Confidential Information", "confidential information"))
    return found
