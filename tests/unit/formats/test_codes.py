"""The page of diagnostics has every code as it is, and no other; and every code is used."""

from __future__ import annotations

import re
from pathlib import Path

from deskmate.formats import codes
from deskmate.formats.codes import CODES

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/reference/diagnostics.md"


def test_the_page_has_every_code_with_its_severity_meaning_and_cure() -> None:
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| (\w+) \| (.*?) \| (.*?) \|$", PAGE.read_text(), re.MULTILINE
    )
    plain = {
        code: (about.severity, about.meaning, about.cure.replace("|", "\\|"))
        for code, about in CODES.items()
    }
    assert {code: tuple(rest) for code, *rest in rows} == plain


def test_every_code_is_given_somewhere() -> None:
    sources = [
        *(ROOT / "core/src/deskmate/formats").glob("*.py"),
        ROOT / "core/src/deskmate/discovery/bringing.py",
    ]
    text = "".join(file.read_text() for file in sources if file != Path(codes.__file__))
    assert [code for code in CODES if f'"{code}"' not in text] == []
