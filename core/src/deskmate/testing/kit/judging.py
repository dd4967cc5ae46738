"""What a probe saw of a plugin, judged by what its manifest promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deskmate.testing.kit.report import Check
from deskmate.testing.kit.statics import check
from deskmate.testing.kit.wording import suspicions
from deskmate.types.probe import CallSeen, Observed, ProbeReport, SessionSeen
from deskmate.types.registry import Manifest, Risk

LOAD_LIMIT_S = 30.0
"""In a virtual machine without hardware help, with all libraries read from a cold disk."""
_PROMPT_CHARACTERS = 8_000
_PROGRAM_PLACES = ("/usr/", "/bin/", "/opt/deskmate/")


def judge(name: str, manifest: Manifest, seen: ProbeReport) -> Iterator[Check]:
    """Yield a check for each thing that running the plugin shows.

    Args:
        name: the plugin's.
        manifest: what it promises.
        seen: what the probe told; it may lie, so nothing of it is trusted beyond its shape.
    """
    first = seen.first
    yield _loads(first)
    if first.load.error:
        return
    yield check(
        "imports", [_words(one) for one in first.load.observed], "loading it changes nothing"
    )
    registry = first.load.registry
    yield check(
        "promised", [*_promised(name, manifest, registry)], "it brings what plugin.toml names"
    )
    yield check(
        "schemas", [*_schemas(registry)], _count(registry, "tools", "tool", "say what they take")
    )
    steering = [text for where, word in _registered(registry) for text in suspicions(where, word)]
    yield check("texts", steering, "nothing that it tells the model hides or steers")
    yield from _behaviour(manifest, seen)
    yield _gates(manifest, first)


def _loads(first: SessionSeen) -> Check:
    problems = [first.load.error] if first.load.error else []
    if first.load.seconds > LOAD_LIMIT_S:
        problems.append(f"it took {first.load.seconds:.1f} s, {LOAD_LIMIT_S:g} are allowed")
    return check("loads", problems, f"it loads in {first.load.seconds:.1f} s")


def _promised(name: str, manifest: Manifest, registry: Mapping[str, Any]) -> Iterator[str]:
    risks: dict[str, Risk] = {
        str(row.get("name", "")).removeprefix(f"{name}__"): row.get("risk", "read")
        for row in _rows(registry, "tools")
    }
    for kind, promised, there in (
        ("tool", set(manifest.tools), set(risks)),
        ("rule", set(manifest.validators), {row.get("rule") for row in _rows(registry, "rules")}),
        ("skill", set(manifest.skills), {row.get("name") for row in _rows(registry, "skills")}),
    ):
        for missing in sorted(promised - there):
            yield f"plugin.toml names the {kind} {missing}, which no hook returns"
        for extra in sorted(str(one) for one in there - promised):
            yield f"a hook returns the {kind} {extra}, which plugin.toml does not name"
    for tool, risk in risks.items():
        if manifest.tools.get(tool, risk) != risk:
            yield f"the tool {tool} is registered as {risk}, plugin.toml says {manifest.tools[tool]}"
    size = sum(len(str(row.get("text", ""))) for row in _rows(registry, "prompts"))
    if size > _PROMPT_CHARACTERS:
        yield f"its prompts have {size} characters, {_PROMPT_CHARACTERS} are allowed"
    problems = registry.get("problems", ())
    yield from (str(text)[:300] for text in problems if isinstance(problems, Sequence))


def _schemas(registry: Mapping[str, Any]) -> Iterator[str]:
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415

    for row in _rows(registry, "tools"):
        name, schema = str(row.get("name", "")), row.get("input_schema", {})
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            yield f"{name}: its schema is not valid: {error.message[:200]}"
            continue
        for parameter, about in schema.get("properties", {}).items():
            if not (isinstance(about, Mapping) and about.get("description")):
                yield f"{name}: nothing says what {parameter} is; write it under Args: in the docstring"


def _registered(registry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every text that a model is given, with where it comes from."""
    for row in _rows(registry, "prompts"):
        yield f"prompt {row.get('name')}", str(row.get("text", ""))
    for row in _rows(registry, "tools"):
        yield f"tool {row.get('name')}", str(row.get("description", ""))
        for parameter, about in row.get("input_schema", {}).get("properties", {}).items():
            yield f"tool {row.get('name')}, {parameter}", str(about.get("description", ""))
    for row in _rows(registry, "skills"):
        yield f"skill {row.get('name')}", f"{row.get('description', '')}\n{row.get('body', '')}"


def _behaviour(manifest: Manifest, seen: ProbeReport) -> Iterator[Check]:
    first = seen.first
    yield _calls(manifest, seen)
    tried = bool(first.calls or first.fuzz)
    nothing = "" if tried or not manifest.tools else "no tool was tried"
    named = [*_observed(first)]
    files = [
        f"{tool} {_words(one)}" for tool, one in named if one.kind in ("read", "write", "state")
    ]
    files += [
        f"{call.tool} changed {', '.join(sorted(call.files)[:3])}, plugin.toml says that it only reads"
        for call in first.calls
        if call.files and manifest.tools.get(call.tool) == "read"
    ]
    yield check("files", _once(files), "its tools keep to the workspace", open_words=nothing)
    hosts = {rule.host for rule in manifest.hosts}
    network = [
        f"{tool} wants to reach {one.what}, which plugin.toml does not name"
        for tool, one in named
        if one.kind == "network" and one.what not in hosts
    ]
    words = (
        f"its tools reach {', '.join(sorted(hosts))} at most"
        if hosts
        else "its tools reach nothing"
    )
    yield check("network", _once(network), words, open_words=nothing)
    programs = sorted({one.what for _, one in named if one.kind == "process"})
    odd = [
        f"{tool} starts {one.what}"
        for tool, one in named
        if one.kind == "process"
        and one.what.startswith(("/", "."))
        and not one.what.startswith(_PROGRAM_PLACES)
    ]
    words = f"its tools start {', '.join(programs)}" if programs else "its tools start no programs"
    yield check("programs", _once(odd), words, open_words=nothing)
    yield _same(seen, bool(manifest.tools))
    yield _fuzz(manifest, first)


def _calls(manifest: Manifest, seen: ProbeReport) -> Check:
    first = seen.first
    problems = [seen.cases_problem] if seen.cases_problem else []
    problems += [f"the probe: {first.problem}"] if first.problem else []
    problems += [text for call in first.calls if (text := _call_problem(call))]
    tried = {call.tool for call in first.calls if call.outcome == "answer"}
    left = sorted(set(manifest.tools) - tried)
    words = (
        f"{_number(len(first.calls), 'example')} answered as it should be"
        if manifest.tools
        else "there are no tools"
    )
    missing = _missing("no example in checks/cases.toml for", left, first)
    return check("calls", problems, words, open_words=missing)


def _call_problem(call: CallSeen) -> str:
    where = f"call {call.number + 1} ({call.tool})"
    if call.problem:
        return f"{where}: {call.problem}"
    if call.outcome in ("answer", "refused"):
        return ""
    return f"{where}: {call.outcome}: {call.text}"


def _same(seen: ProbeReport, has_tools: bool) -> Check:
    second = {call.number: call for call in seen.second.calls}
    problems = []
    compared = 0
    for call in seen.first.calls:
        other = second.get(call.number)
        if other is None or call.outcome not in ("answer", "refused"):
            continue
        compared += 1
        if call.digest != other.digest:
            problems.append(
                f"call {call.number + 1} ({call.tool}) answers otherwise the second time"
            )
        for path in sorted({*call.files, *other.files}):
            if call.files.get(path) != other.files.get(path):
                problems.append(
                    f"call {call.number + 1} ({call.tool}) writes another {path} the second time"
                )
    nothing = "no call was made twice" if has_tools and not compared else ""
    words = (
        f"{_number(compared, 'call')} made twice gave the same"
        if has_tools
        else "there are no tools"
    )
    return check("same", problems, words, open_words=nothing)


def _fuzz(manifest: Manifest, first: SessionSeen) -> Check:
    problems = [f"{row.tool}: {fault}" for row in first.fuzz for fault in row.faults]
    left = sorted(set(manifest.tools) - {row.tool for row in first.fuzz})
    tried = sum(row.tried for row in first.fuzz)
    words = (
        f"{_number(tried, 'odd call')} answered or refused"
        if manifest.tools
        else "there are no tools"
    )
    missing = f"not tried: {', '.join(left)}" if left else ""
    return check("fuzz", problems, words, open_words=missing)


def _gates(manifest: Manifest, first: SessionSeen) -> Check:
    problems = [
        f"{row.rule}, example {row.number + 1}: it must {row.wanted}, "
        + (
            f"it fails: {row.text}"
            if row.found == "crash"
            else f"it says {row.found} {row.text}".rstrip()
        )
        for row in first.gates
        if row.found != row.wanted
    ]
    proved = {(row.rule, row.wanted) for row in first.gates if row.found == row.wanted}
    gates = [rule for rule, gate in manifest.validators.items() if gate]
    left = [rule for rule in gates if not {(rule, "pass"), (rule, "refuse")} <= proved]
    words = (
        f"{_number(len(gates), 'gate')} proved by a good and a bad example"
        if gates
        else "there are no gates"
    )
    missing = _missing("no good and bad example for", left, first)
    return check("gates", problems, words, open_words=missing)


def _missing(words: str, names: Sequence[str], first: SessionSeen) -> str:
    """Return what has no example, and what has one that takes an image which is not here."""
    none = [name for name in names if name not in first.left]
    later = [name for name in names if name in first.left]
    told = [f"{words} {', '.join(none)}"] if none else []
    told += [f"not tried without the office image: {', '.join(later)}"] if later else []
    return "; ".join(told)


def _observed(first: SessionSeen) -> Iterator[tuple[str, Observed]]:
    for call in first.calls:
        yield from ((call.tool, one) for one in call.observed)
    for row in first.fuzz:
        yield from ((row.tool, one) for one in row.observed)


def _words(one: Observed) -> str:
    words = {
        "write": "writes", "read": "reads", "network": "wants to reach", "process": "starts",
        "import": "imports", "state": "changes",
    }  # fmt: skip
    return f"{words[one.kind]} {one.what}"


def _once(lines: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(lines))


def _rows(registry: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    rows = registry.get(kind, ())
    return (
        [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list | tuple) else []
    )


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _count(registry: Mapping[str, Any], kind: str, word: str, does: str) -> str:
    count = len(_rows(registry, kind))
    return (
        f"{count} {word}{'' if count == 1 else 's'} {does if count != 1 else 'says what it takes'}"
    )
