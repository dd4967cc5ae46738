"""A tool call in one human sentence, from its name and arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from deskmate.shown import one_line

LIMIT = 100
_FIELD = re.compile(r"\{(\w+)\}")
_SENTENCES = {
    "memory__read": "reading the note {name}",
    "memory__remember": "remembering {name}",
    "thread__read": "reading {ref} again",
    "thread__search": "searching the thread for {words}",
    "thread__delegate": "having sub-agents read: {tasks}",
    "workspace__read": "reading {path}",
    "workspace__write": "writing {path}",
    "workspace__edit": "editing {path}",
    "workspace__glob": "looking for files {pattern}",
    "workspace__grep": "searching for {pattern}",
    "workspace__shell": "running {command}",
    "workspace__python": "running a Python program",
    "workspace__plan": "writing its plan down",
    "workspace__ask": "asking you something",
    "workspace__present": "presenting {files}",
    "office__document_read": "reading {path}",
    "office__document_outline": "looking at how {path} is built",
    "office__document_quote": "looking up a quotation in {path}",
    "office__document_figure": "looking up a figure in {path}",
    "office__document_present": "presenting {path}",
    "office__docx_fields": "looking at the fields of {path}",
    "office__docx_fill": "filling in {path}",
    "office__docx_build": "writing {target}",
    "office__docx_comment": "commenting on {path}",
    "office__docx_accept": "accepting tracked changes in {path}",
    "office__docx_reject": "rejecting tracked changes in {path}",
}
_SUBJECTS = ("path", "paths", "files", "pattern", "command", "query", "target", "output")
"""Arguments that say best what a call is about, best first."""


def sentence_of(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return what a call does: `reading contracts/nda.docx`, `legal: contract redline, work/nda.docx`."""
    known = _SENTENCES.get(tool, "")
    field = _FIELD.search(known)
    subject = _words(arguments.get(field[1])) if field else ""
    if known and (subject or not field):
        return one_line(_FIELD.sub(lambda match: subject, known), LIMIT)
    plugin, _, name = tool.rpartition("__")
    words = name.replace("_", " ")
    parts = [f"{plugin}: {words}" if plugin else words, _subject(arguments)]
    return one_line(", ".join(part for part in parts if part), LIMIT)


def _subject(arguments: Mapping[str, Any]) -> str:
    for name in _SUBJECTS:
        if words := _words(arguments.get(name)):
            return words
    # a call that names its files in its own way still names them with a slash
    paths = (value for value in arguments.values() if isinstance(value, str) and "/" in value)
    return next((path for path in paths if "\n" not in path), "")


def _words(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping):
        return _words(value.get("path") or value.get("title"))
    if isinstance(value, list) and value:
        first = _words(value[0])
        return f"{first} and {len(value) - 1} more" if first and len(value) > 1 else first
    return ""
