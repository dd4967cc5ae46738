"""As of which day a result holds: the run's, or one that the user named."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from deskmate.plugin import ToolInputError


def day_of(data: Mapping[str, Any], facts: Mapping[str, Any]) -> date:
    """Return the day of a result.

    Raises:
        ToolInputError: it names none, or one that is neither today nor the user's.
    """
    try:
        day = date.fromisoformat(str(data.get("as_of", "")))
    except ValueError as problem:
        raise ToolInputError("It does not say as of which day it holds.") from problem
    if "date" in facts:
        run = date.fromisoformat(str(facts["date"]))
        said = " ".join(map(str, facts.get("said", ())))
        if abs((day - run).days) > 1 and day.isoformat() not in said:
            raise ToolInputError(
                f"It holds as of {day}, which is neither today nor a day that the user named."
            )
    return day
