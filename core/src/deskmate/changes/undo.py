"""What was applied, and taking it back: a plan like any other, with the sides swapped."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import anyio.to_thread

from deskmate.changes.apply import Outcome, Place, perform
from deskmate.changes.disk import Folders
from deskmate.changes.history import Applied, history
from deskmate.changes.names import is_below
from deskmate.changes.plan import Plan, State, Step, same
from deskmate.changes.planning import folders_above, with_parents
from deskmate.errors import ConflictError, UserError
from deskmate.types.files import Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoOptions:
    """What to take back: of `run` or `plan` if given, of `paths` and below if given; else everything.

    `force`: also where the file changed since; what was there is kept, so that can be undone too.
    """

    run: str = ""
    plan: str = ""
    paths: tuple[str, ...] = ()
    force: bool = False


async def undo_changes(place: Place, options: UndoOptions | None = None) -> Outcome:
    """Bring files back to what they were before they were applied: content, mode, time, attributes.

    Raises UserError if there is nothing to undo, ConflictError if a file changed since (nothing is
    written), DeskmateError as `apply_changes`.
    """
    events = await place.store.events()

    def choose() -> tuple[Plan, Mapping[str, str]]:
        return plan_undo(history(events, place.blobs), options or UndoOptions())

    plan, left_out = await anyio.to_thread.run_sync(choose)
    return await perform(place, plan, left_out, undo_of=plan.undoes[-1])


def plan_undo(applied: Sequence[Applied], options: UndoOptions) -> tuple[Plan, Mapping[str, str]]:
    """Return the plan that takes the chosen steps back, and what stays, path → why.

    Raises UserError, ConflictError as `undo_changes`.
    """
    _check_plan(applied, options.plan)
    chosen = [entry for entry in applied if entry.live and _is_chosen(entry, options)]
    spans = _spans(chosen, options)
    _keep_times(spans, chosen, applied)
    if not spans:
        raise UserError("There is nothing to undo.", hint="See deskmate changes history.")
    grants = _grants(chosen)
    with Folders(grants) as folders:
        steps, changed = [], []
        for path, span in spans.items():
            found = _look(folders, path)
            if found is None and span.before is None:
                continue
            if span.broken or not (same(found, span.after) or same(found, span.before)):
                changed.append(path)
            steps.append(Step(path=path, before=found, after=span.before))
        if changed and not options.force:
            raise _conflict(changed)
        kept, left_out = _keep_full_folders(steps, folders)
        if not any(step.before != step.after for step in kept):
            raise UserError("There is nothing to undo.", hint="See deskmate changes history.")
        plan = Plan(
            id=secrets.token_hex(8),
            grants=grants,
            steps=with_parents(kept, folders.look),
            undoes=tuple(entry.digest for entry in chosen),
            forced=bool(changed),
        )
    return plan, left_out


def _look(folders: Folders, path: str) -> State | None:
    try:
        return folders.look(path)
    except OSError as error:
        raise ConflictError(
            f"{path} cannot be read: {error.strerror}; nothing was undone.",
            hint="Undo other files by naming them.",
        ) from error


def _check_plan(applied: Sequence[Applied], plan: str) -> None:
    """Refuse a beginning of a digest that several entries have: the user means one."""
    found = [entry for entry in applied if plan and entry.digest.startswith(plan)]
    if len(found) > 1:
        listed = ", ".join(entry.digest[: max(12, len(plan) + 4)] for entry in found)
        raise UserError(
            f"{len(found)} entries of the history begin with {plan}: {listed}.",
            hint="Name one of them with more characters.",
        )


def _is_chosen(entry: Applied, options: UndoOptions) -> bool:
    if options.plan:
        return entry.digest.startswith(options.plan)
    return not entry.is_undo and (not options.run or entry.plan.run == options.run)


@dataclass(slots=True, kw_only=True)
class _Span:
    """A path's first `before` and last `after`; broken where something else happened between."""

    before: State | None
    after: State | None
    broken: bool = False


def _spans(chosen: Sequence[Applied], options: UndoOptions) -> dict[str, _Span]:
    spans: dict[str, _Span] = {}
    for entry in chosen:
        for step in entry.plan.steps:
            if step.path not in entry.live and not step.is_frame:
                continue
            span = spans.get(step.path)
            if span is None:
                spans[step.path] = _Span(before=step.before, after=step.after)
            else:
                span.broken |= not same(span.after, step.before)
                span.after = step.after
    wanted = {path for path, span in spans.items() if not _is_frame(span)}
    if options.paths:
        wanted = {path for path in wanted if is_below(path, options.paths)}
    # with a file come the folders above it: those that went with it, and the times of the others
    above = {folder for path in wanted for folder in folders_above(path)}
    return {
        path: span
        for path, span in spans.items()
        if path in wanted or (span.before and span.before.kind == "dir" and path in above)
    }


def _keep_times(
    spans: Mapping[str, _Span], chosen: Sequence[Applied], applied: Sequence[Applied]
) -> None:
    """Give folders the time that an undo of an older entry has brought back already, not a younger one."""
    order = {entry.digest: number for number, entry in enumerate(applied)}
    first: dict[str, int] = {}
    for entry in chosen:
        for step in entry.plan.steps:
            first.setdefault(step.path, order[entry.digest])
    for entry in applied:
        targets = [order[target] for target in entry.plan.undoes if target in order]
        for step in entry.plan.steps if targets else ():
            span = spans.get(step.path)
            if span is None or span.before is None or span.before.kind != "dir":
                continue
            older = min(targets) < first[step.path] < order[entry.digest]
            if older and step.is_frame and step.after:
                span.before = replace(span.before, mtime_ns=step.after.mtime_ns)
                first[step.path] = min(targets)


def _is_frame(span: _Span) -> bool:
    return Step(path="", before=span.before, after=span.after).is_frame


def _grants(chosen: Sequence[Applied]) -> tuple[Grant, ...]:
    return tuple({grant.name: grant for entry in chosen for grant in entry.plan.grants}.values())


def _keep_full_folders(
    steps: Sequence[Step], folders: Folders
) -> tuple[list[Step], dict[str, str]]:
    """Leave folders that Deskmate made where the user has put something of their own into them."""
    removing = {step.path: step for step in steps if step.after is None}
    going = set(removing)
    left_out: dict[str, str] = {}
    for path in sorted(removing, reverse=True):
        step = removing[path]
        if step.before is None or step.before.kind != "dir":
            continue
        rest = [name for name in folders.names(path) if f"{path}/{name}" not in going]
        if rest:
            going.discard(path)
            left_out[path] = f"it holds {', '.join(rest[:3])}"
    return [step for step in steps if step.path not in left_out], left_out


def _conflict(paths: Sequence[str]) -> ConflictError:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ConflictError(
        f"Changed since they were applied: {', '.join(sorted(paths)[:3])}{more}; nothing was undone.",
        hint="Undo other files by naming them, or add --force: what is there now is kept, too.",
    )
