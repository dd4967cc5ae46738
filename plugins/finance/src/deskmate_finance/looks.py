"""How the workbooks look: inputs blue, totals under a line, the two-line end under a double one."""

from __future__ import annotations

from typing import Any

DRAFT = "Draft for professional review"
INK, SHADE = "1F3864", "E7ECF5"


def styled(value: Any, look: str) -> dict[str, Any]:
    """Return a cell with a look."""
    return {"value": value, "look": look}


def looks(places: int = 2) -> dict[str, dict[str, Any]]:
    """Return the looks by name; figures have so many decimals, negative ones stand in brackets."""
    zeros = "0" * places
    code = f"#,##0.{zeros};(#,##0.{zeros});0.{zeros}"
    figure = {"number_format": code}
    total = {"bold": True, "top": True, "fill": SHADE}
    grand = {"bold": True, "top": True, "bottom": "double", "fill": SHADE}
    return {
        "title": {"bold": True, "color": INK},
        "draft": {"italic": True, "color": "C00000"},
        "note": {"italic": True, "color": "595959"},
        "head": {"bold": True, "bottom": True, "wrap": True, "indent": 1},
        "source": {"italic": True, "color": "595959", "indent": 1},
        "head figure": {"bold": True, "bottom": True, "wrap": True, "align": "right"},
        "section": {"bold": True, "color": INK},
        "line title": {"indent": 1},
        "line figure": figure,
        "total title": total,
        "total figure": total | figure,
        "grand title": grand,
        "grand figure": grand | figure,
        "input": figure | {"color": "0000FF"},
        "text": {"wrap": True, "indent": 1},
        "word": {"align": "center"},
        "percent": {"number_format": "0.0%;(0.0%);0.0%"},
        "total percent": total | {"number_format": "0.0%;(0.0%);0.0%"},
        "count": {"number_format": "#,##0.########"},
        "total count": total | {"number_format": "#,##0.########"},
        "ratio": {"number_format": "0.0000"},
        "day": {"number_format": "yyyy-mm-dd"},
        "result": {"bold": True, "align": "center"},
    }
