"""Checks that read a line of any language, or a few of them together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deskmate_engineering.changes import FileChange, is_code, is_test
from deskmate_engineering.inspections.classes import Hit
from deskmate_engineering.secrets import find_secrets

_SCRIPT = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".vue", ".svelte")
_PROSE = (".md", ".rst", ".txt", ".adoc")
_CONFLICT = re.compile(r"^(?:<{7} \S|>{7} \S|\|{7} \S)")
_DEBUG = {
    "script": re.compile(r"(?:^|[\s;{(])(?:debugger\s*;|console\.(?:log|debug|trace|dir|table)\s*\(|alert\s*\()"),
    ".go": re.compile(r"\b(?:spew\.Dump|fmt\.Print(?:ln|f)?\(\s*\"(?:debug|here|xxx)|log\.Print(?:ln|f)?\(\s*\"(?:debug|here|xxx))", re.IGNORECASE),
    ".rb": re.compile(r"\b(?:binding\.(?:pry|irb)|byebug)\b"),
    ".php": re.compile(r"\b(?:var_dump|print_r|dd|dump)\s*\("),
    ".rs": re.compile(r"\bdbg!\s*\("),
    ".java": re.compile(r"\bSystem\.out\.print(?:ln)?\s*\(|\.printStackTrace\s*\("),
    ".kt": re.compile(r"^\s*println\s*\("),
    ".cs": re.compile(r"\bConsole\.Write(?:Line)?\s*\(|\bDebugger\.Break\s*\("),
}  # fmt: skip
_TEXT_SQL = re.compile(
    r"[`\"'][^`\"']*\b(?:SELECT\b.{0,200}\bFROM|INSERT\s+INTO|UPDATE\b.{0,200}\bSET|DELETE\s+FROM)\b[^`]*?"
    r"(?:\$\{(?!\s*[A-Z_]+\s*\})[^}]*\}|[\"']\s*(?:\+|\.)\s*\$?[a-z_]\w*|#\{)",
    re.IGNORECASE,
)
_GO_SQL = re.compile(
    r"Sprintf\(\s*[\"`](?:SELECT|INSERT|UPDATE|DELETE)\b[^\"`]*%[svdq]", re.IGNORECASE
)
_SCRIPT_LINES = (
    ("xss", re.compile(r"\.(?:innerHTML|outerHTML)\s*\+?=\s*(?![\"'`][^$+]*[\"'`]\s*;?\s*$)|dangerouslySetInnerHTML|document\.write\s*\(|\bv-html\s*=")),
    ("dynamic-code", re.compile(r"(?:^|[^.\w])(?:eval\s*\(\s*[^\s\"'`)]|new\s+Function\s*\()")),
    ("shell-injection", re.compile(r"\b(?:exec|execSync)\s*\(\s*(?:`[^`]*\$\{|[\"'][^\"']*[\"']\s*\+)")),
    ("tls-off", re.compile(r"rejectUnauthorized\s*:\s*false|NODE_TLS_REJECT_UNAUTHORIZED\s*=\s*[\"']?0")),
    ("swallowed-exception", re.compile(r"\bcatch\s*(?:\(\s*\w*\s*\))?\s*\{\s*\}|\.catch\s*\(\s*(?:\(\s*\w*\s*\)|\w+)\s*=>\s*\{\s*\}\s*\)")),
)  # fmt: skip
TESTS_OFF = re.compile(
    r"\b(?:describe|it|test|context)\.(?:only|skip|todo)\s*\(|^\s*(?:xit|xdescribe|xtest|fit|fdescribe)\s*\(|\bt\.Skip(?:Now|f)?\s*\(|@(?:Disabled|Ignore)\b"
    r"|@?pytest\.mark\.(?:skip|skipif|xfail)\b|@?unittest\.(?:skip\w*|expectedFailure)\b|\bpytest\.(?:skip|xfail)\s*\(|\bself\.skipTest\s*\(|^\s*#\[ignore\]"
)
_CONDITION = re.compile(r"\bskipif\(|\bskip(?:If|Unless)\(|importorskip")
"""A test that is left out on some machines only is not switched off."""
_LINT_OFF = re.compile(
    r"#\s*(?:noqa(?!\s*:)|type:\s*ignore(?!\[)|nosec\b|pylint:\s*disable=all)|(?://|/\*)\s*(?:eslint-disable(?:-next-line|-line)?\s*(?:\*/|$)|@ts-(?:ignore|nocheck))|//\s*nolint\s*$"
)
_WHY = re.compile(r"(?:—|--| - |:\s.*\s-\s|\s#\s|;).{8,}$")
_TODO = re.compile(r"(?:#|//|/\*|\*|--|<!--)\s*(?:TODO|FIXME|HACK|XXX)\b(?P<rest>.*)")
_TICKET = re.compile(r"\b[A-Z][A-Z0-9]+-\d+\b|#\d+\b|https?://")
_PIPED = re.compile(r"\b(?:curl|wget)\b[^|\n]*\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b")
_CHMOD = re.compile(r"\bchmod\s+(?:-R\s+)?(?:0?777|a\+w|o\+w)\b")
_ACTION = re.compile(r"^\s*-?\s*uses:\s*(?P<name>[\w.-]+/[\w./-]+)@(?P<at>\S+)")
_TLS_CURL = re.compile(
    r"\bcurl\b.*\s(?:-k|--insecure)\b|\bgit\b.*http\.sslVerify=false", re.IGNORECASE
)
_PRINT = re.compile(r"^\s*print\s*\(")
_PRINT_DEBUG = re.compile(r"^\s*print\s*\(\s*f?[\"'](?:\W*(?:debug|here|xxx|got here|test\b|>>>|\*{3}|-{3}|={3}|#{3}))", re.IGNORECASE)  # fmt: skip
_SPEAKS = re.compile(r"(?:^|/)(?:cli|__main__|manage|setup|main|conftest|noxfile|fabfile)[\w]*\.py$|(?:^|/)(?:scripts?|tools|bin|examples?|cli|management|benchmarks?|docs)/")  # fmt: skip


def line_hits(file: FileChange) -> Iterator[Hit]:
    """Yield what stands in the new lines of a file."""
    family = "script" if file.suffix in _SCRIPT else file.suffix
    text = "\n".join(file.added.values())
    numbers = list(file.added)
    for secret in find_secrets(text):
        yield Hit(
            kind="secret", line=numbers[secret.line - 1], detail=f"{secret.kind}: {secret.masked}."
        )
    speaks = _speaks(file)
    for number, line in file.added.items():
        yield from _any_language(file, number, line)
        if (debug := _DEBUG.get(family)) and debug.search(_bare(line)) and not is_test(file.path):
            yield Hit(kind="debug-leftover", line=number)
        if family == ".py" and not is_test(file.path):
            loud = _PRINT_DEBUG.match(line) or (_PRINT.match(line) and not speaks)
            if loud:
                yield Hit(
                    kind="debug-leftover",
                    line=number,
                    detail="A print in code that prints nothing else.",
                )
        if family == "script":
            yield from (
                Hit(kind=kind, line=number)
                for kind, form in _SCRIPT_LINES
                if form.search(_bare(line))
            )
        if family in ("script", ".rb", ".php", ".java", ".kt", ".cs") and _TEXT_SQL.search(line):
            yield Hit(kind="sql-format", line=number)
        if family == ".go" and _GO_SQL.search(line):
            yield Hit(kind="sql-format", line=number)
    if family in ("script", ".java", ".kt", ".cs"):
        yield from _empty_catch(file)


def _bare(line: str) -> str:
    """Return a line without its comment."""
    return re.sub(r"(?<![:\"'])//.*$", "", line)


def _speaks(file: FileChange) -> bool:
    """Say whether printing is this Python file's business: a program, or one that printed before."""
    if _SPEAKS.search(file.path) or "__main__" in (file.after or "\n".join(file.added.values())):
        return True
    return any(_PRINT.match(line) for line in (file.before or "").splitlines())


def _any_language(file: FileChange, number: int, line: str) -> Iterator[Hit]:
    prose = file.suffix in _PROSE
    if _CONFLICT.match(line) and not prose:
        yield Hit(kind="conflict-marker", line=number)
    if prose:
        return
    if is_test(file.path) and TESTS_OFF.search(line) and not _CONDITION.search(line):
        yield Hit(kind="test-disabled", line=number)
    if (
        (off := _LINT_OFF.search(line))
        and is_code(file.path)
        and not _WHY.search(line[off.end() :])
    ):
        yield Hit(kind="suppressed-check", line=number)
    todo = _TODO.search(line)
    if todo and is_code(file.path) and not _TICKET.search(todo["rest"]):
        yield Hit(kind="todo", line=number)
    if _PIPED.search(line):
        yield Hit(kind="piped-to-shell", line=number)
    if _CHMOD.search(line):
        yield Hit(kind="world-writable", line=number)
    if _TLS_CURL.search(line):
        yield Hit(kind="tls-off", line=number)
    action = _ACTION.match(line) if ".github/workflows/" in file.path else None
    if (
        action
        and not re.fullmatch(r"[0-9a-f]{40}", action["at"])
        and not action["name"].startswith("actions/")
    ):
        yield Hit(kind="unpinned-action", line=number, detail=f"{action['name']}@{action['at']}.")


def _empty_catch(file: FileChange) -> Iterator[Hit]:
    """Yield `catch (e) {` whose bracket closes on the next line that is not empty."""
    lines = (file.after or "").split("\n")
    for number in file.added:
        if number > len(lines) or not re.search(
            r"\bcatch\s*(?:\([^)]*\))?\s*\{\s*$", lines[number - 1]
        ):
            continue
        rest = next((line.strip() for line in lines[number:] if line.strip()), "")
        if rest.startswith("}"):
            yield Hit(kind="swallowed-exception", line=number)
