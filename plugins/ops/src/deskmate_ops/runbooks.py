"""Reads runbook notes in Markdown: title, owner, roles and every numbered or listed step, in order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from deskmate.plugin import ToolInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step. `depth`: 1 for a step, 2 and more for what belongs to it. `numbered`: it was in the notes.

    `line`: of the notes, from 1. `details`: what labelled lines below it, or a bracket at its end, say of its owner, input,
    check, roll-back, and who is consulted and informed.
    """

    text: str
    depth: int
    numbered: bool
    line: int = 0
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Section:
    """A part of the notes. `role`: who acts, where its heading says so. `notes`: prose before the steps."""

    title: str
    role: str = ""
    notes: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Runbook:
    """The notes as a procedure. `facts`: owner, version, review date and the like, as the notes give them."""

    title: str
    facts: dict[str, str]
    sections: list[Section]

    def steps(self) -> list[Step]:
        """Return all steps in order."""
        return [step for section in self.sections for step in section.steps]


_ITEM = re.compile(r"^(\s*)(?:([*+-])|(\d+)[.)])\s+(?:\[[ xX]\]\s+)?(\S.*)$")
_FACT = re.compile(
    r"^(?:\*\*|__)?(owner|process owner|author|version|status|approver|approved by|last reviewed|next review|review date|effective date)(?:\*\*|__)?\s*:\s*(?:\*\*|__)?\s*(\S.*)$",
    re.IGNORECASE,
)
DETAILS = ("owner", "input", "check", "roll-back", "consulted", "informed")
_WORDS = {
    "owner": "owner|who|done by|responsible|actor",
    "input": "input|inputs|needs|requires|prerequisite|prerequisites|before you start",
    "check": "check|verify|verification|expected|expected result|done when|success",
    "roll-back": "roll-back|rollback|roll back|undo|back out|backout|if it fails|revert",
    "consulted": "consulted|consult|ask",
    "informed": "informed|inform|tell|notify",
}
_KEYS = {word: key for key, words in _WORDS.items() for word in words.split("|")}
_LABEL = re.compile(
    rf"^({'|'.join(sorted(_KEYS, key=len, reverse=True))})\s*:\s*(\S.*)$", re.IGNORECASE
)
_BRACKET = re.compile(
    r"[(\[]((?:owner|who|done by|responsible|actor)\s*:[^()\[\]]+)[)\]]\s*\.?$", re.IGNORECASE
)
_ROLE = re.compile(
    r"^(?:steps|tasks|duties|checklist|instructions|procedure)\s+(?:for|of)\s+(?:the\s+)?(.+)$",
    re.IGNORECASE,
)


def read_runbook(text: str, name: str) -> Runbook:
    """Return the notes as a procedure.

    Raises:
        ToolInputError: the notes hold no step (no list item).
    """
    facts, body = _front_matter(text.replace("\r\n", "\n"))
    book = Runbook(title=facts.pop("title", ""), facts=facts, sections=[Section(title="")])
    fenced = ""
    above = text.replace("\r\n", "\n").count("\n") - body.count("\n")
    for number, line in enumerate(body.split("\n"), start=above + 1):
        fence = re.match(r"^\s*(```|~~~)", line)
        if fence and (not fenced or fence[1] == fenced):
            fenced = "" if fenced else fence[1]
            continue
        if fenced:
            _attach(book.sections[-1], line.strip())
        else:
            _take(book, line, number)
    if not book.steps():
        raise ToolInputError(f"{name} holds no steps: write them as a numbered or bulleted list.")
    book.title = book.title or name.rsplit("/", 1)[-1].rsplit(".", 1)[0].replace("_", " ").strip()
    return book


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    found = re.match(r"\A---\n(.*?)\n---\n", text, re.DOTALL)
    if found is None:
        return {}, text
    pairs = re.findall(r"^([A-Za-z][\w -]*):[ \t]*(\S.*)$", found[1], re.MULTILINE)
    kept = {k.lower().replace("_", " "): v.strip("\"' ") for k, v in pairs}
    return {k: v for k, v in kept.items() if k == "title" or _FACT.match(f"{k}: {v}")}, text[
        found.end() :
    ]


def _take(book: Runbook, line: str, number: int) -> None:
    section = book.sections[-1]
    heading = re.match(r"^(#{1,6})\s+(.*?)\s*#*$", line)
    item = _ITEM.match(line)
    if heading:
        _open_section(book, len(heading[1]), plain(heading[2]))
    elif item and not re.fullmatch(r"[\s*_-]+", line):
        depth = _depth(section, len(item[1].expandtabs(4)))
        if not _told(section, plain(item[4]), depth):
            _add(
                section, Step(text=plain(item[4]), depth=depth, numbered=bool(item[3]), line=number)
            )
    elif line.startswith((" ", "\t")) and _told(section, plain(line.strip()), 99):
        return
    elif fact := _FACT.match(plain(line.strip())):
        book.facts.setdefault(fact[1].lower(), fact[2].strip())
    elif line.strip() and not re.match(r"^\s*(<|!!!|\?\?\?|---+\s*$|\*\*\*+\s*$|!\[)", line):
        indented = line.startswith((" ", "\t"))
        if section.steps and indented:
            _attach(section, plain(line.strip()))
        else:
            section.notes.append(plain(line.strip()))


def _open_section(book: Runbook, level: int, title: str) -> None:
    if level == 1 and not book.title and not book.steps():
        book.title = title
        return
    role = _ROLE.match(title)
    book.sections.append(Section(title=title, role=role[1] if role else ""))


def _add(section: Section, step: Step) -> None:
    """Add a step, with what a bracket at its end says of it; its words stay."""
    found = _BRACKET.search(step.text)
    details: dict[str, str] = {}
    for part in found[1].split(";") if found else ():
        label = _LABEL.match(part.strip())
        if label:
            details[_KEYS[label[1].lower()]] = label[2].strip()
    section.steps.append(replace(step, details=details))


def _told(section: Section, text: str, depth: int) -> bool:
    """Take a labelled line as a detail of the step that it stands below; say whether it was one."""
    label = _LABEL.match(text)
    place = next(
        (n for n in range(len(section.steps) - 1, -1, -1) if section.steps[n].depth < depth), None
    )
    if label is None or place is None:
        return False
    step, key = section.steps[place], _KEYS[label[1].lower()]
    said = f"{step.details[key]}; {label[2].strip()}" if key in step.details else label[2].strip()
    section.steps[place] = replace(step, details={**step.details, key: said})
    return True


def _depth(section: Section, spaces: int) -> int:
    # Notes indent by 2, 3 or 4; anything from 2 on is one level, each further 4 another.
    if not section.steps or spaces < 2:
        return 1
    return min(2 + (spaces - 1) // 4 if spaces > 4 else 2, section.steps[-1].depth + 1)


def _attach(section: Section, text: str) -> None:
    """Add a line to the step it belongs to."""
    if not text:
        return
    if not section.steps:
        section.notes.append(text)
        return
    last = section.steps[-1]
    section.steps[-1] = replace(last, text=f"{last.text} {text}")


def plain(text: str) -> str:
    """Return Markdown text without its marks; the words stay as they are."""
    text = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)(?:\{:[^}]*\})?", r"\1", text)
    text = re.sub(r"</?(?:span|a|em|strong|b|i|code|br|kbd|abbr|sup|sub)\b[^>]*>", "", text)
    text = re.sub(r"(\*\*|__)(\S(?:.*?\S)?)\1", r"\2", text)
    text = re.sub(r"(?<![\w*])\*(\S(?:[^*]*?\S)?)\*(?![\w*])", r"\1", text)
    return re.sub(r"`([^`]+)`", r"\1", text).strip()
