"""Tools for Office files with a password: a copy without it to work on, and a copy with one to give away."""

from __future__ import annotations

from typing import Any

from deskmate.plugin import ToolAnswer, ToolContext, ToolInputError


def document_unlock(path: str, target: str, context: ToolContext, password: str = "") -> ToolAnswer:
    """Open a Word, Excel or PowerPoint file that is encrypted with a password into a copy that can be read and edited.

    The password comes from the user, never from a guess or a file. The copy is not encrypted: tell the user so, and make
    what goes back to people with document_lock.

    Args:
        path: workspace path of the encrypted file; it stays as it is.
        target: workspace path of the copy, with the same ending.
        context: filled in by Deskmate.
        password: from the user; without one the password is tried that Office itself tries.

    Returns:
        `path` of the copy, `notes`: what to tell the user.
    """
    from deskmate_documents.protection import unlock  # noqa: PLC0415
    from deskmate_documents.unlocked import evidence_of  # noqa: PLC0415

    source, result = context.file(path), context.target(target)
    _check_ending(source.suffix, result.suffix)
    if result.exists():
        raise ToolInputError(f"{target} is there already; choose another name for the copy.")
    unlock(source, result, password)
    name = context.name_of(result)
    notes = [
        f"{target} is a copy of {path} without its password: whoever gets the folder can read it.",
        "Quotes and figures from the copy are checked against the encrypted file, opened once more.",
    ]
    return ToolAnswer(
        result={"path": name, "notes": notes},
        evidence=(evidence_of(source, context.name_of(source), result, name, password),),
    )


def document_lock(path: str, target: str, password: str, context: ToolContext) -> dict[str, Any]:
    """Encrypt a Word, Excel or PowerPoint file with a password into a new file (AES), as Office does.

    Nobody checks what is inside an encrypted file: present the file itself for the checks first, then lock it.

    Args:
        path: workspace path of the file; it stays as it is.
        target: workspace path of the encrypted file, with the same ending.
        password: from the user.
        context: filled in by Deskmate.

    Returns:
        `path` of the encrypted file, `notes`: what to tell the user.
    """
    from deskmate_documents.protection import lock  # noqa: PLC0415

    source, result = context.file(path), context.target(target)
    _check_ending(source.suffix, result.suffix)
    lock(source, result, password)
    return {
        "path": context.name_of(result),
        "notes": [
            f"{target} opens with the password only; {path} without one is still there.",
            "The password stands in this thread and its record.",
        ],
    }


def _check_ending(source: str, target: str) -> None:
    if source.lower() != target.lower():
        raise ToolInputError(f"The target must end in {source or 'what the source ends in'}.")
