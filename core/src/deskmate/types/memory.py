"""What a project remembers: notes, each a plain file that the user can read, change and remove."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NAME = "[a-z0-9][a-z0-9-]{0,59}"
"""What the name of a note looks like: it is told where its text is not, and so can say little."""
NOTE_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNote:
    """One note. `confirmed`: the user wrote it, said it, or agreed to it; else it is no more than material.

    `tainted`: the agent wrote it in a thread where it had read what others wrote. `date`, `thread`: when and where the
    agent wrote it. `text`: empty where only the name is told.
    """

    name: str
    text: str = ""
    by: Literal["user", "agent"] = "user"
    confirmed: bool = True
    tainted: bool = False
    date: str = ""
    thread: str = ""
