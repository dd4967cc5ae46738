"""What the agent tells its user: its plan, a question, its results."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from deskmate.plugin import Deliverable, ToolAnswer, ToolContext, ToolInputError


class Step(TypedDict):
    """One step of a plan."""

    text: str
    state: Literal["open", "doing", "done", "dropped"]


class Presented(TypedDict):
    """A file for the user."""

    path: str
    title: str


def plan(steps: list[Step]) -> dict[str, Any]:
    """Show the user what you are going to do and how far you are. Call it again when that changes.

    Args:
        steps: all steps in order, each with its state; at most one is `doing`.
    """
    for step in steps:
        if not isinstance(step, dict) or not str(step.get("text", "")).strip():
            raise ToolInputError("Each step needs a text.")
    if sum(step.get("state") == "doing" for step in steps) > 1:
        raise ToolInputError("At most one step can be `doing`.")
    done = sum(step.get("state") == "done" for step in steps)
    return {"steps": len(steps), "done": done}


def ask(question: str, choices: list[str] | None = None) -> dict[str, Any]:
    """Ask the user something that you cannot find out and that changes what you do.

    Args:
        question: one clear question.
        choices: answers to pick from; empty for a free answer.
    """
    if not question.strip():
        raise ToolInputError("The question is empty.")
    if choices and len(set(choices)) != len(choices):
        raise ToolInputError("Two choices are the same.")
    return {"question": question.strip(), "choices": choices or []}


def present(files: list[Presented], context: ToolContext) -> ToolAnswer:
    """Present files as the result of your work; they are checked before the user sees them.

    Args:
        files: workspace path and a title that a reader understands, most important first.
        context: filled in by Deskmate.
    """
    if not files:
        raise ToolInputError("Name at least one file.")
    deliverables = []
    for item in files:
        real = context.file(str(item.get("path", "")))
        path = context.name_of(real)
        title = str(item.get("title", "")).strip() or real.name
        deliverables.append(Deliverable(path=path, title=title))
    names = [item.path for item in deliverables]
    return ToolAnswer(result={"presented": names}, deliverables=tuple(deliverables))
