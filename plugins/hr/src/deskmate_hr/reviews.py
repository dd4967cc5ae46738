"""Texts of performance reviews: where the words are biased, name a personality instead of a behaviour, or judge without evidence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deskmate.plugin import ToolInputError
from deskmate_documents.tables import find_column, read_table
from deskmate_documents.text import read_text

TABLES = (".csv", ".tsv", ".xlsx", ".xlsm")
PROSE = (".docx", ".md", ".txt", ".pdf")
COMMENTS = (
    "review",
    "comment",
    "comments",
    "feedback",
    "text",
    "summary",
    "narrative",
    "assessment",
)
RATINGS = ("rating", "score", "grade", "overall rating")
LEAST_WORDS = 12
TEXTS_LIMIT, QUOTE_LIMIT = 5_000, 300
SNYDER = "Snyder, The Abrasiveness Trap, Fortune 2014: such words stand in reviews of women far more often"
CORRELL = "Correll and Simard, Vague Feedback Is Holding Women Back, Harvard Business Review 2016"
SBI = "Weitzel, Feedback That Works, Center for Creative Leadership 2000: situation, behaviour, impact"
LAW = "house, after the matters that US, EU and UK equality law protect"
HOUSE = "house"
_PERSON = (
    r"(?:\b(?:[Hh]e|[Ss]he|[Tt]hey|[Yy]ou)\b|\b(?!(?:The|This|That|It|There|What|Which|Our|Your|Each|Every|All|One|His|Her|Their|And|But)\b)"
    r"[A-Z][a-z]+(?: [A-Z][a-z]+)?)"
)
_IS = (
    r"(?:\s+(?:is|was|are|were|seems?|seemed|appears?|remains?|comes? across as|came across as|can be|could be|has been|have been)|'s|'re|’s|’re)"
    r"\s+(?:(?:a|an|very|too|so|quite|rather|really|always|often|sometimes|somewhat|simply|just|not|bit|little)\s+){0,3}"
)
_EVIDENCE = re.compile(
    r"\d|%|\b(?:January|February|March|April|June|July|August|September|October|November|December)\b|\bfor (?:example|instance)\b|\bsuch as\b|"
    r"\be\.g\.|\bwhen (?:he|she|they|we|the|a|an|our)\b|\bduring\b|\bafter the\b|\bby \w+ing\b|\bresult(?:ed|ing)? in\b|\bled to\b|\bso that\b|"
    r"\bbecause\b|[\"“”]",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+(?=\s|$)|$|\n)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is looked for. `pattern`: in a sentence; `bare`: only where the whole passage shows no evidence."""

    id: str
    kind: str
    pattern: re.Pattern[str]
    why: str
    source: str
    bare: bool = False


def _rule(key: str, kind: str, pattern: str, why: str, source: str, *, bare: bool = False) -> Rule:
    flags = 0 if _PERSON in pattern else re.IGNORECASE
    return Rule(
        id=key, kind=kind, pattern=re.compile(pattern, flags), why=why, source=source, bare=bare
    )


BIASED, PERSONALITY, EVIDENCE, VAGUE = (
    "biased wording",
    "personality, not behaviour",
    "no evidence",
    "vague",
)
NO_REASONS = "R-REASONS"
RULES = (
    _rule(
        "R-STYLE", BIASED,
        r"\b(?:abrasive|bossy|shrill|strident|hysterical|feisty|catty|moody|(?:too|overly|very) (?:emotional|sensitive|aggressive|nurturing))\b",
        "a word on style that is used of some groups and not of others; say what was done", SNYDER,
    ),
    _rule(
        "R-AGE", BIASED,
        r"\bat (?:his|her|their) age\b|\b(?:too (?:old|young)|young(?:er)? and (?:energetic|hungry|dynamic)|old[- ]school|digital native|set in (?:his|her|their) ways|close to retirement)\b",
        "it speaks of age", LAW,
    ),
    _rule(
        "R-FAMILY-HEALTH", BIASED,
        r"\b(?:maternity|paternity|parental|sick|medical) leave\b(?! (?:policy|process|system|project|form|rules?|module))|\bpregnan\w+|\bsince (?:having|the birth of)\b|"
        r"\bchild ?care\b(?! (?:policy|project))|\bfamily (?:commitments|obligations|situation)\b|\b(?:his|her|their) (?:illness|disability|mental health|condition)\b",
        "it speaks of family or health", LAW,
    ),
    _rule(
        "R-ORIGIN", BIASED,
        r"\b(?:his|her|their) (?:accent|English|nationality|religion|culture)\b|\bnon-?native speaker\b|\bcultur(?:e|al) fit\b|\bsurprisingly articulate\b",
        "it speaks of origin, language or belief, or of a fit that nobody can check", LAW,
    ),
    _rule(
        "R-LOOKS", BIASED,
        r"\b(?:attractive|overweight|pretty face|(?:his|her|their) (?:looks|appearance|figure))\b|\bshould smile\b",
        "it speaks of looks", LAW,
    ),
    _rule(
        "R-PERSONALITY", PERSONALITY,
        _PERSON + _IS + r"(?:lazy|arrogant|difficult|stubborn|brilliant|genius|shy|introvert(?:ed)?|negative|immature|careless|sloppy|charismatic|"
        r"likeable|nice|friendly|quiet|toxic|rock ?star|talented|smart|clever|passionate|selfish|cold|weak|natural leader)\b",
        "it names what somebody is, not what they did; say situation, behaviour and effect", SBI,
    ),
    _rule(
        "R-ABSOLUTE", VAGUE,
        _PERSON + r"(?:'s|’s)?\s+(?:always|never|constantly)\b",
        "always and never are rarely true; say how often, and when", HOUSE,
    ),
    _rule(
        "R-HEARSAY", VAGUE,
        r"\b(?:I(?: have|'ve|’ve)? heard|people say|some say|others feel|it is said|rumou?r|reportedly|apparently|everyone (?:knows|thinks))\b",
        "it is hearsay; name what was seen, and by whom", HOUSE,
    ),
    _rule(
        "R-EVIDENCE", EVIDENCE,
        r"\b(?:exceed(?:s|ed)|outstanding|excellent|exceptional|great job|strong performer|poor|disappointing|underperform\w*|needs? (?:to improve|improvement)|"
        r"(?:below|above|not meet\w*|did not meet|meets?) expectations|fails? to|failed to|struggl\w+|not ready)\b",
        "it judges, and the passage names no case, day or figure", CORRELL, bare=True,
    ),
)  # fmt: skip
REASONS = Rule(
    id=NO_REASONS,
    kind=EVIDENCE,
    pattern=re.compile(""),
    why=f"a rating with fewer than {LEAST_WORDS} words of reasons",
    source=CORRELL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of text with its place. `rated`: it gives the reasons of a rating in a table."""

    path: str
    place: str
    text: str
    rated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A finding. `quote`: the sentence, letter for letter."""

    rule: Rule
    passage: Passage
    quote: str


def read_reviews(files: Mapping[str, Path]) -> list[Passage]:
    """Return the passages of all files: paragraphs of documents, or the comments of tables.

    Raises:
        ToolInputError: a table has no column of comments, there is no text, or too much.
    """
    found: list[Passage] = []
    for path, file in files.items():
        found += _rows(path, file) if file.suffix.lower() in TABLES else _paragraphs(path, file)
    if not found:
        raise ToolInputError("There is no text in these reviews.")
    if len(found) > TEXTS_LIMIT:
        raise ToolInputError(f"There are {len(found)} passages; {TEXTS_LIMIT} are the most.")
    return found


def _rows(path: str, file: Path) -> Iterator[Passage]:
    table = read_table(file, name=path)
    column = find_column(table, COMMENTS)
    if column is None:
        raise ToolInputError(
            f"{path} has no column of comments; it has {', '.join(table.columns)}."
        )
    rating = find_column(table, RATINGS)
    ratings = table.values(rating) if rating and rating != column else [(0, "")] * len(table.rows)
    for (number, text), (_, given) in zip(table.values(column), ratings, strict=True):
        if text or given:
            yield Passage(path=path, place=f"row {number}", text=text, rated=bool(given))


def _paragraphs(path: str, file: Path) -> Iterator[Passage]:
    for passage in read_text(file).passages:
        page = f"page {passage.page}, " if passage.page is not None else ""
        if passage.text.strip():
            yield Passage(
                path=path, place=f"{page}paragraph {passage.paragraph}", text=passage.text
            )


def lint(passages: Sequence[Passage]) -> list[Hit]:
    """Return what is found, passage by passage, each rule once a sentence."""
    return [hit for passage in passages for hit in _of(passage)]


def _of(passage: Passage) -> Iterator[Hit]:
    if passage.rated and len(passage.text.split()) < LEAST_WORDS:
        yield Hit(rule=REASONS, passage=passage, quote=passage.text[:QUOTE_LIMIT])
    evidence = bool(_EVIDENCE.search(passage.text))
    for sentence in _SENTENCE.finditer(passage.text):
        text = sentence[0].strip()
        for rule in RULES:
            if not (rule.bare and evidence) and rule.pattern.search(text):
                yield Hit(rule=rule, passage=passage, quote=text[:QUOTE_LIMIT].strip())
