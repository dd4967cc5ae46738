"""Screens mails and documents for signs of privilege, by rules. It sorts for a reviewer; it decides nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolError, ToolInputError
from deskmate_documents.docx.reading import open_body
from deskmate_documents.opc import Package
from deskmate_documents.text import Passage, read_text
from deskmate_legal.dates import dates_in
from deskmate_legal.listing import Listing, Table, shown
from deskmate_legal.mails import Address, Mail, read_mail
from deskmate_legal.workspace import sha256

LOG = ("No.", "File", "Date", "From or author", "To", "Cc", "Kind", "Signs", "Basis")
REASONS = ("No.", "File", "Rule", "What", "As it stands", "Place")
UNREAD = ("File", "Why it was not screened")
FILES = ("No.", "File", "SHA-256")
STRONG, SHARED, WEAK, NONE = "strong signs", "signs with an outsider", "weak signs", "no sign found"
KINDS = (".eml", ".docx", ".pdf", ".txt", ".md")
FILES_LIMIT = 2_000
_EACH = 12
LIMIT = (
    "Sorted by rules for a reviewer. Whether something is privileged, or privilege was waived, is decided by a lawyer, never by this "
    "list; “no sign found” does not say that a file may be produced. The reasons quote what may be privileged: keep them inside."
)
_ROLES = ("outside", "in-house")
_MARKS = re.compile(
    r"\b(?:attorney|solicitor|lawyer)s?[\s–-]*(?:and\s+|/\s*)?client\s+(?:privilege\w*|communication|confidential\w*)"
    r"|\b(?:legal(?:ly)?|litigation|legal\s+professional|common\s+interest)[\s-]+privileged?\b|\bprivileged\s*(?:and|&|/|,)\s*confidential\b"
    r"|\battorney[\s-]+work[\s-]+product\b|\bwork[\s-]+product\b|\b(?:in|prepared\s+in)\s+(?:anticipation|contemplation)\s+of\s+litigation\b"
    r"|\b(?:prepared\s+)?at\s+the\s+(?:request|direction)\s+of\s+(?:legal\s+)?counsel\b|^\s*privileged\b",
    re.IGNORECASE | re.MULTILINE,
)
_ADVICE = re.compile(
    r"\b(?:legal|counsel[’']s|attorney[’']s|lawyers?[’'])\s+(?:advice|opinion|analysis|view|assessment)\b"
    r"|\b(?:our|outside|external|general|in-house)\s+(?:counsel|lawyers?|attorneys?|solicitors?)\s+(?:advis|recommend|think|believ|suggest|say|said|told|conclud)\w*"
    r"|\b(?:advis|counsel)(?:e|ed|es|ing)\s+(?:us|you|the\s+company)\s+(?:on|about|that|to|against)\b.{0,60}\b(?:legal|liab|litigat|claim|court|settle)\w*",
    re.IGNORECASE,
)
_WORD = re.compile(r"\bprivileged?\b", re.IGNORECASE)
_BOILERPLATE = re.compile(
    r"intended\s+recipient|received\s+this\s+(?:e-?mail|message|communication)\s+in\s+error|may\s+(?:contain|be)\b.{0,80}privileged|unauthori[sz]ed\s+(?:use|disclosure|review)",
    re.IGNORECASE | re.DOTALL,
)
_QUOTE_LIMIT = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Counsel:
    """A lawyer or firm of the list. Of `name`, `mail` and `domain` at least one is there. `role`: outside or in-house."""

    name: str = ""
    mail: str = ""
    domain: str = ""
    role: str = "outside"

    @property
    def shown(self) -> str:
        """As a reason names it."""
        return self.name or self.mail or self.domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is screened for. `own`: domains of the client; without any, outsiders cannot be told. `marks`: further markings."""

    counsel: tuple[Counsel, ...]
    own: tuple[str, ...]
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a file has a sign. `strong`: it may stand alone."""

    rule: str
    says: str
    words: str
    place: str
    strong: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """One file. `signs`: one of the four. `outsiders`: addresses that are neither the client's nor counsel's."""

    path: str
    sha256: str
    day: str
    sender: str
    to: str
    cc: str
    kind: str
    signs: str
    reasons: tuple[Reason, ...]
    outsiders: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """All files of a folder. `unread`: path → why one was not screened."""

    folder: str
    rules: Rules
    files: tuple[Screened, ...]
    unread: tuple[tuple[str, str], ...]


def rules_from(config: Mapping[str, Any], counsel: Sequence[str], own: Sequence[str]) -> Rules:
    """Return the rules of the settings and of what the user named besides: names, addresses or domains.

    Raises:
        ToolInputError: an entry cannot be read, or there is no counsel at all.
    """
    listed = [_entry(one) for one in config.get("counsel") or ()]
    listed += [_counsel(text, "outside") for text in counsel]
    domains = [_domain(str(one)) for one in (*(config.get("own_domains") or ()), *own)]
    marks = [" ".join(str(one).split()) for one in config.get("privilege_markings") or ()]
    if not listed:
        raise ToolInputError(
            "Nobody is named as counsel: name lawyers or their domains, or fill the setting counsel."
        )
    if any(len(mark) < 3 for mark in marks):
        raise ToolInputError(
            "A marking of the setting privilege_markings is shorter than 3 letters."
        )
    return Rules(
        counsel=tuple(dict.fromkeys(listed)),
        own=tuple(dict.fromkeys(domains)),
        marks=tuple(dict.fromkeys(marks)),
    )


def _entry(one: Any) -> Counsel:
    if isinstance(one, str):
        return _counsel(one, "outside")
    if isinstance(one, Mapping) and set(one) <= {"name", "mail", "domain", "role"}:
        role = str(one.get("role", "outside"))
        made = Counsel(
            name=" ".join(str(one.get("name", "")).split()),
            mail=str(one.get("mail", "")).strip().lower(),
            domain=_domain(str(one["domain"])) if one.get("domain") else "",
            role=role,
        )
        if role in _ROLES and (made.name or made.mail or made.domain):
            return made
    raise ToolInputError(
        f"The setting counsel: {str(one)[:80]!r} is no name, address or domain, nor {{name, mail, domain, role}} "
        "with the role outside or in-house."
    )


def _counsel(text: str, role: str) -> Counsel:
    text = " ".join(text.split())
    if len(text) < 4:
        raise ToolInputError(f"{text!r} is too short to be counsel's name, address or domain.")
    if re.fullmatch(r"[^\s@]+@[^\s@]+", text):
        return Counsel(mail=text.lower(), role=role)
    if re.fullmatch(r"@?[\w-]+(?:\.[\w-]+)+", text):
        return Counsel(domain=_domain(text), role=role)
    return Counsel(name=text, role=role)


def _domain(text: str) -> str:
    made = text.strip().lower().lstrip("@")
    if not re.fullmatch(r"[\w-]+(?:\.[\w-]+)+", made):
        raise ToolInputError(f"{text!r} is no domain such as example.com.")
    return made


def screen_files(folder: str, files: Mapping[str, Path], rules: Rules) -> Screen:
    """Screen files. `files`: workspace path → file, mails and documents."""
    done: list[Screened] = []
    unread: list[tuple[str, str]] = []
    for path, file in sorted(files.items()):
        try:
            one = _screen(path, file, rules)
        except ToolError as problem:
            unread.append((path, problem.message))
            continue
        done.append(one)
        unread += [(f"{path} › {name}", why) for name, why in one.unread]
    return Screen(folder=folder, rules=rules, files=tuple(done), unread=tuple(unread))


def _screen(path: str, file: Path, rules: Rules) -> Screened:
    suffix = file.suffix.lower()
    if suffix not in KINDS:
        raise ToolInputError(f"{suffix or 'a file without an ending'}: this kind is not read.")
    if suffix == ".eml":
        return _mail(path, file, read_mail(file), rules)
    passages = read_text(file).passages
    if not any(p.text.strip() for p in passages):
        raise ToolInputError("It holds no text (a scan?).")
    reasons = list(_text_reasons(passages, rules))
    author = _author(file) if suffix == ".docx" else ""
    if author and (who := _named(author, rules)):
        reasons.append(
            Reason(rule="author", says=f"The author, {author}, is on the list of counsel ({who.role}).", words=author, place="document properties", strong=True)
        )  # fmt: skip
    day = next((d.day.isoformat() for p in passages[:12] for d in dates_in(p.text)), "")
    return Screened(
        path=path,
        sha256=sha256(file),
        day=day,
        sender=author,
        to="",
        cc="",
        kind=suffix[1:].upper(),
        signs=_signs(reasons, outsiders=False),
        reasons=tuple(reasons[: _EACH * 3]),
    )


def _mail(path: str, file: Path, mail: Mail, rules: Rules) -> Screened:
    everybody = (*mail.sender, *mail.to, *mail.cc)
    reasons: list[Reason] = []
    lawyers = [(one, who) for one in everybody if (who := _of(one, rules))]
    outsiders = [one for one in everybody if _is_outside(one, rules)]
    for one, who in lawyers[:_EACH]:
        part = "from" if one in mail.sender else "to" if one in mail.to else "copied to"
        reasons.append(
            Reason(
                rule="counsel",
                says=f"It is {part} counsel ({who.role}).",
                words=one.shown,
                place="the mail's head",
                strong=one in mail.sender or one in mail.to,
            )
        )
    reasons += _text_reasons(mail.passages, rules, inside=bool(lawyers))
    for name, passages in mail.attached:
        for reason in _text_reasons(passages, rules):
            reasons.append(
                Reason(rule=reason.rule, says=reason.says, words=reason.words, place=f"{name}, {reason.place}", strong=reason.strong)
            )  # fmt: skip
    return Screened(
        path=path,
        sha256=sha256(file),
        day=mail.sent,
        sender="; ".join(one.shown for one in mail.sender),
        to="; ".join(one.shown for one in mail.to),
        cc="; ".join(one.shown for one in mail.cc),
        kind="mail" + (f", {len(mail.attachments)} attached" if mail.attachments else ""),
        signs=_signs(reasons, outsiders=bool(outsiders)),
        reasons=tuple(reasons[: _EACH * 3]),
        outsiders=tuple(one.shown for one in outsiders),
        unread=mail.unread,
    )


def _text_reasons(
    passages: Sequence[Passage], rules: Rules, *, inside: bool = False
) -> Iterator[Reason]:
    """Yield markings, words of advice and names of counsel in a text. `inside`: counsel takes part, names say nothing more."""
    count: Counter[str] = Counter()
    for passage in passages:
        for rule, says, span, strong in _found(passage.text, rules, inside=inside):
            count[rule] += 1
            if count[rule] <= _EACH:
                yield Reason(
                    rule=rule,
                    says=says,
                    words=_around(passage.text, *span),
                    place=_place(passage),
                    strong=strong,
                )


def _found(
    text: str, rules: Rules, *, inside: bool
) -> Iterator[tuple[str, str, tuple[int, int], bool]]:
    boilerplate = _BOILERPLATE.search(text) is not None
    if boilerplate and (match := _WORD.search(text)):
        yield "boilerplate", "A disclaimer speaks of privilege.", match.span(), False
    elif not boilerplate and (match := _MARKS.search(text)):
        yield "marking", "It is marked.", match.span(), True
    for mark in rules.marks:
        if match := re.search(rf"(?<!\w){re.escape(mark)}(?!\w)", text, re.IGNORECASE):
            yield "marking", f"It is marked “{mark}” (your settings).", match.span(), True
    if match := _ADVICE.search(text):
        yield "advice", "It speaks of legal advice.", match.span(), True
    if inside:
        return
    for one in rules.counsel:
        for word in filter(None, (one.name, one.mail, one.domain)):
            if match := re.search(rf"(?<![\w.@-]){re.escape(word)}(?![\w-])|(?<=@){re.escape(word)}(?![\w-])", text, re.IGNORECASE):  # fmt: skip
                yield "named", f"Counsel is named ({one.role}).", match.span(), False
                break


def _signs(reasons: Sequence[Reason], *, outsiders: bool) -> str:
    if any(reason.strong for reason in reasons):
        return SHARED if outsiders else STRONG
    return WEAK if reasons else NONE


def _of(one: Address, rules: Rules) -> Counsel | None:
    """Return who on the list an address belongs to: by address, domain or below it, or name."""
    for who in rules.counsel:
        if who.mail and one.mail == who.mail:
            return who
        if who.domain and (one.domain == who.domain or one.domain.endswith(f".{who.domain}")):
            return who
    return _named(one.name, rules) if one.name else None


def _named(name: str, rules: Rules) -> Counsel | None:
    """Return who on the list bears a name: the same words, in any order ("Roe, Ann" is Ann Roe)."""
    words = sorted(re.findall(r"\w+", name.lower()))
    for who in rules.counsel:
        if who.name and sorted(re.findall(r"\w+", who.name.lower())) == words:
            return who
    return None


def _is_outside(one: Address, rules: Rules) -> bool:
    if not rules.own or not one.domain or _of(one, rules):
        return False
    return not any(one.domain == own or one.domain.endswith(f".{own}") for own in rules.own)


def _author(file: Path) -> str:
    package = Package(file)
    open_body(package)
    for part in package.related("", "core-properties"):
        node = package.parse(part).find("{http://purl.org/dc/elements/1.1/}creator")
        if node is not None and (node.text or "").strip():
            return " ".join(str(node.text).split())[:200]
    return ""


def _around(text: str, start: int, end: int) -> str:
    room = max(_QUOTE_LIMIT - (end - start), 0) // 2
    left = text.rfind(" ", 0, max(start - room, 0)) + 1 if start > room else 0
    right = text.find(" ", end + room)
    return text[left : right if right > 0 else len(text)].strip()[: _QUOTE_LIMIT * 2]


def _place(passage: Passage) -> str:
    if passage.paragraph == 0:
        return "the subject"
    page = "" if passage.page is None else f"p. {passage.page}, "
    return f"{page}¶ {passage.paragraph}"


def listing(screen: Screen) -> Listing:
    """Return the screen as a document: log, reasons, what was not screened, digests."""
    log, reasons = [], []
    for number, one in enumerate(screen.files, 1):
        basis = ", ".join(dict.fromkeys(reason.rule for reason in one.reasons))
        log.append(
            (str(number), one.path, one.day, one.sender, one.to, one.cc, one.kind, one.signs, basis)
        )
        reasons += [
            (str(number), one.path, r.rule, r.says, shown(r.words), r.place) for r in one.reasons
        ]
        if one.outsiders:
            who = "; ".join(one.outsiders[:10])
            reasons.append((str(number), one.path, "outsider", "Somebody takes part who is neither the client's nor counsel's.", shown(who), "the mail's head"))  # fmt: skip
    digests = tuple((str(n), one.path, one.sha256) for n, one in enumerate(screen.files, 1))
    clean = [tuple(shown(cell) for cell in row) for row in log]
    none = "None."
    return Listing(
        title=f"Privilege screen: {screen.folder or 'the workspace'}",
        lines=(summary(screen), *terms(screen.rules)),
        tables=(
            Table(heading="Log", header=LOG, rows=tuple(clean), widths=(0.4, 1.6, 0.8, 1.4, 1.4, 1.0, 0.8, 1.0, 1.0), empty=none),
            Table(heading="Reasons, for the reviewer only", header=REASONS, rows=tuple(tuple(map(shown, row)) for row in reasons), widths=(0.4, 1.7, 0.9, 1.9, 3.4, 1.1), empty=none),
            Table(heading="Not screened", header=UNREAD, rows=tuple((shown(p), shown(w)) for p, w in screen.unread), widths=(3.4, 6.0), empty=none),
            Table(heading="Files", header=FILES, rows=tuple(tuple(map(shown, row)) for row in digests), widths=(0.5, 3.9, 5.0), empty=none),
        ),
        closing=(LIMIT,),
        landscape=True,
    )  # fmt: skip


def summary(screen: Screen) -> str:
    """Return one line with the counts."""
    counts = Counter(one.signs for one in screen.files)
    told = ", ".join(f"{counts[name]} {name}" for name in (STRONG, SHARED, WEAK, NONE))
    return f"{len(screen.files)} files screened: {told}; {len(screen.unread)} not screened."


def terms(rules: Rules) -> list[str]:
    """Return the lines that say by which lists was screened."""
    people = "; ".join(f"{one.shown} ({one.role})" for one in rules.counsel)
    own = ", ".join(rules.own) or "none named, so that no outsider can be told"
    made = [f"Counsel: {people}.", f"The client's domains: {own}."]
    if rules.marks:
        made.append(f"Further markings: {'; '.join(rules.marks)}.")
    return made
