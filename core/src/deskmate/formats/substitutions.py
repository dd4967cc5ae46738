"""What a loader of Claude's formats puts in for `$ARGUMENTS`, `${CLAUDE_PLUGIN_ROOT}` and their like, in one pass.

Money is no argument: `$1 million` stays, unless the caller passed arguments and the text says that it takes some.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"(?P<escaped>\\\$)"
    r"|\$\{(?P<variable>[A-Za-z_][\w.]*)\}"
    r"|\$ARGUMENTS(?:\[(?P<index>\d{1,3})\])?(?!\w)(?P<all>)"
    r"|\$(?P<position>\d{1,2})(?![\d.,]*\d|\w|[.,]\d)"
    r"|\$(?P<name>[A-Za-z_][\w-]*)"
)
_GENUINE = re.compile(r"[@`/]\$\d{1,2}(?![\d.,]*\d|\w)")
_SHELL = re.compile(r"(?:^|(?<=\s))!`([^`\n]{1,2000})`")
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})(!?)")
_NOT_RUN = "not run; run it in the shell where you need it"
_MONEY_AFTER = re.compile(r"\s?(?:million|billion|thousand|bn|mn|mm|[kKmMbB]\b)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What is put in. `variables`: name → value. `arguments`: as the user wrote them. `names`: of each, in order.

    `takes`: the text says that it takes arguments, so that `$1` is one.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    arguments: str = ""
    names: tuple[str, ...] = ()
    takes: bool = False


def fill(text: str, filling: Filling) -> str:
    """Return the text with everything put in; what nothing is known of stays as it stands."""
    words = _words(filling.arguments)
    from_zero = bool(re.search(r"(?<![\\\w])\$0(?![\d.,]*\d|\w)", text)) and filling.takes
    genuine = {match.start() + 1 for match in _GENUINE.finditer(text)}
    used = False

    def one(match: re.Match[str]) -> str:
        nonlocal used
        if match["escaped"]:
            return "$"
        if (variable := match["variable"]) is not None:
            return filling.variables.get(variable, match[0])
        if match["all"] is not None:
            used = True
            return (
                filling.arguments
                if match["index"] is None
                else _at(words, match["index"], 0, match[0])
            )
        if (position := match["position"]) is not None:
            if not _is_position(text, match, filling, genuine):
                return match[0]
            found = _at(words, position, 0 if from_zero else 1, match[0])
            used = used or found != match[0]
            return found
        if match["name"] in filling.names:
            used = True
            return _at(words, str(filling.names.index(match["name"])), 0, match[0])
        return match[0]

    filled = _TOKEN.sub(one, text)
    if filling.arguments and not used:
        filled = f"{filled.rstrip()}\n\nARGUMENTS: {filling.arguments}\n"
    return filled


def _is_position(text: str, match: re.Match[str], filling: Filling, genuine: set[int]) -> bool:
    if match.start() in genuine:
        return True
    return filling.takes and not _MONEY_AFTER.match(text, match.end())


def _at(words: list[str], number: str, first: int, otherwise: str) -> str:
    index = int(number) - first
    return words[index] if 0 <= index < len(words) else otherwise


def _words(arguments: str) -> list[str]:
    try:
        return shlex.split(arguments)
    except ValueError:  # a quote without its twin
        return arguments.split()


def has_shell(text: str) -> bool:
    """Say whether a text has commands that Claude Code would run before the model reads it."""
    return "!" in text and any(
        is_block or (not is_fenced and _SHELL.search(line))
        for line, is_fenced, is_block in _lines(text)
    )


def without_shell(text: str) -> str:
    """Return the text with such commands as what they are: not run, for the model to run in the machine."""
    if not has_shell(text):
        return text
    lines = []
    for line, is_fenced, is_block in _lines(text):
        if is_block:
            lines += [f"({_NOT_RUN}:)", line.replace("!", "", 1)]
        elif is_fenced:
            lines.append(line)
        else:
            lines.append(_SHELL.sub(lambda found: f"({_NOT_RUN}: `{found[1]}`)", line))
    return "\n".join(lines)


def _lines(text: str) -> Iterator[tuple[str, bool, bool]]:
    """Yield each line, whether it is in a fence, and whether it begins a block of commands."""
    fence = ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if fence:
            yield line, True, False
            if (
                found
                and found[1][0] == fence[0]
                and len(found[1]) >= len(fence)
                and not line.strip(" `~")
            ):
                fence = ""
        elif found:
            fence = found[1]
            yield line, True, bool(found[2]) and not line[found.end() :].strip()
        else:
            yield line, False, False
