"""The examples that a plugin brings in `checks/`: calls that must answer, and results that its gates must judge."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskmate.errors import CorruptData
from deskmate.types.codec import from_json
from deskmate.types.probe import GateVerdict

FOLDER = "checks"
FILE = "cases.toml"
_LIMIT_BYTES = 256 * 1024
_CASES_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCase:
    """A call that must answer. `files`: folder below `checks` that is the workspace. `expect`: part of the answer.

    `refused`: it must be refused with a ToolError instead. `office`: it takes what the office image has (LibreOffice,
    Chromium, OCR); where the check has no such machine it is left out, and said to be.
    """

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    files: str = "files"
    expect: Mapping[str, Any] = field(default_factory=dict)
    refused: bool = False
    office: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCase:
    """A result that a rule must let pass or refuse.

    Either `file`, below `checks`, with what would be said of it; or `tool` with `arguments`, whose first deliverable
    it is - of several, the first of the `role` that is named - in which `find` was replaced by `replace`. `files`: folder
    of the workspace and of the originals. `office`: as of a call.
    """

    rule: str
    verdict: GateVerdict
    file: str = ""
    role: str = "document"
    sources: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    find: str = ""
    replace: str = ""
    files: str = "files"
    facts: Mapping[str, Any] = field(default_factory=dict)
    office: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """All examples of a plugin."""

    call: tuple[CallCase, ...] = ()
    gate: tuple[GateCase, ...] = ()


def read_cases(resources: Path) -> Cases:
    """Return the plugin's examples, none where it brings none. Raises CorruptData with the reason."""
    file = resources / FOLDER / FILE
    if not file.is_file():
        return Cases()
    where = f"{FOLDER}/{FILE}"
    try:
        if file.stat().st_size > _LIMIT_BYTES:
            raise CorruptData(f"{where} is larger than {_LIMIT_BYTES >> 10} KiB.")
        data = tomllib.loads(file.read_text("utf-8"))
        cases: Cases = from_json(Cases, data)
    except (OSError, ValueError, RecursionError, CorruptData) as error:
        raise CorruptData(f"{where}: {error}") from error
    if len(cases.call) + len(cases.gate) > _CASES_LIMIT:
        raise CorruptData(f"{where} has more than {_CASES_LIMIT} examples.")
    for case in cases.gate:
        if bool(case.file) == bool(case.tool):
            raise CorruptData(f"{where}: an example of {case.rule} needs either file or tool.")
    return cases
