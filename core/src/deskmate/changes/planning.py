"""From a reviewed change set to a plan: which changes go in, and what each needs around it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from deskmate.changes.disk import Folders
from deskmate.changes.plan import Plan, State, Step
from deskmate.changes.review import ChangeSet, Item
from deskmate.errors import UserError
from deskmate.types.files import ApplyMode, Grant
from deskmate.types.ids import Digest

BULK_FILES = 20
BULK_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """What the user, or the thread's policy, decided.

    `paths`: only these and what is below them; empty means all. `mode`: `review` means that a person
    looked at the change set; `new` takes new files only, `all` takes everything but deletions, which
    are never automatic. `allow_protected`: paths that may be written in spite of their names.
    `confirm_bulk`: many deletions at once are meant. `base_files`: how many files the folders held.
    """

    paths: tuple[str, ...] = ()
    mode: ApplyMode = "review"
    allow_protected: tuple[str, ...] = ()
    confirm_bulk: bool = False
    base_files: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A plan (None: nothing to do) and what is not in it, path → why."""

    plan: Plan | None
    left_out: Mapping[str, str]


def is_below(path: str, tops: Iterable[str]) -> bool:
    """Say whether a workspace path is one of `tops` or lies below one."""
    return any(path == top or path.startswith(top.rstrip("/") + "/") for top in tops)


def plan_apply(
    changes: ChangeSet,
    grants: Sequence[Grant],
    folders: Folders,
    options: ApplyOptions,
    *,
    source: Digest,
    run: str,
) -> Selection:
    """Choose the open changes that the options allow and make a plan of them.

    Raises UserError where `paths` name nothing, or many deletions need to be confirmed.
    """
    chosen = _choose(changes, options)
    left_out = {
        item.path: why
        for item in chosen
        if item.standing != "applied" and (why := _why(item, options))
    }
    taken = {
        item.path: item
        for item in chosen
        if item.standing != "applied" and item.path not in left_out
    }
    _drop_dependents(taken, left_out, folders, chosen)
    _guard_bulk(taken, options)
    if not taken:
        return Selection(plan=None, left_out=left_out)
    steps = [Step(path=item.path, before=item.found, after=_after(item)) for item in taken.values()]
    plan = Plan(
        id=secrets.token_hex(8),
        grants=tuple(grants),
        steps=with_parents(steps, folders.look),
        source=source,
        run=run,
    )
    return Selection(plan=plan, left_out=left_out)


def _choose(changes: ChangeSet, options: ApplyOptions) -> list[Item]:
    if not options.paths:
        return list(changes.items)
    chosen = {item.path for item in changes.items if is_below(item.path, options.paths)}
    for top in options.paths:
        if not any(is_below(path, [top]) for path in chosen):
            raise UserError(f"{top} is not in the change set.", hint="See deskmate changes show.")
    for item in changes.items:
        if item.path in chosen and item.moved_from:
            chosen.add(item.moved_from)
        # a new file needs the new folders above it
        if item.change.operation == "mkdir" and any(is_below(path, [item.path]) for path in chosen):
            chosen.add(item.path)
    return [item for item in changes.items if item.path in chosen]


def _why(item: Item, options: ApplyOptions) -> str:
    if item.standing == "protected" and not is_below(item.path, options.allow_protected):
        return item.why
    if item.standing in ("refused", "conflict"):
        return item.why
    if options.mode == "new" and item.change.operation not in ("create", "mkdir"):
        return "only new files are written without review"
    if options.mode == "all" and item.removes:
        return "deletions always wait for review"
    return ""


def _drop_dependents(
    taken: dict[str, Item], left_out: dict[str, str], folders: Folders, chosen: Sequence[Item]
) -> None:
    """Leave out what cannot stand alone: halves of moves, files without folder, folders not empty."""
    standing = {item.path for item in chosen if item.standing == "applied"}
    for item in chosen:
        if (
            item.moved_from
            and item.moved_from in taken
            and item.path not in taken.keys() | standing
        ):
            taken.pop(item.moved_from)
            left_out[item.moved_from] = f"its new place {item.path} was left out"
    for path in sorted(taken):
        above = path.rpartition("/")[0]
        if taken[path].change.after is not None and not _will_be_folder(above, taken, folders):
            taken.pop(path)
            left_out[path] = f"its folder {above} is not there"
    for path in sorted(taken, reverse=True):
        item = taken[path]
        if not item.removes or item.found is None or item.found.kind != "dir":
            continue
        rest = [
            name
            for name in folders.names(path)
            if f"{path}/{name}" not in taken or not taken[f"{path}/{name}"].removes
        ]
        if rest:
            taken.pop(path)
            left_out[path] = f"it still holds {', '.join(rest[:3])}"
            _drop_replacements(path, taken, left_out)


def _drop_replacements(path: str, taken: dict[str, Item], left_out: dict[str, str]) -> None:
    for below in [other for other in taken if is_below(other, [path]) and not taken[other].removes]:
        taken.pop(below)
        left_out[below] = f"its folder {path} was left out"


def _will_be_folder(path: str, taken: Mapping[str, Item], folders: Folders) -> bool:
    if path in taken:
        after = taken[path].change.after
        return after is not None and after.kind == "dir"
    try:
        found = folders.look(path)
    except (OSError, UserError):
        return False
    return found is not None and found.kind == "dir"


def _guard_bulk(taken: Mapping[str, Item], options: ApplyOptions) -> None:
    moved = {item.moved_from for item in taken.values()}
    deleted = sum(
        item.change.before is not None
        and item.change.before.kind == "file"
        and item.removes
        and item.path not in moved
        for item in taken.values()
    )
    share = deleted / options.base_files if options.base_files else 0.0
    if options.confirm_bulk or deleted < 2 or (deleted <= BULK_FILES and share <= BULK_SHARE):
        return
    of = f" of {options.base_files}" if options.base_files else ""
    raise UserError(
        f"This would delete {deleted}{of} files.",
        hint="If that is meant, confirm it: deskmate changes apply --confirm-bulk",
    )


def _after(item: Item) -> State | None:
    before, after = item.change.before, item.change.after
    if after is None:
        return None
    mode = after.mode & 0o777 & ~_umask() | (0o700 if after.kind == "dir" else 0o600)
    found = item.found
    if found is None or found.kind != after.kind:
        return State(kind=after.kind, mode=mode, size=after.size, sha256=after.sha256)
    if item.change.operation == "mode":
        mode = after.mode & 0o777
    elif before is not None and before.mode == after.mode:
        mode = found.mode & 0o777
    return replace(
        found, mode=mode, size=after.size, sha256=after.sha256, target=after.target, mtime_ns=None
    )


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def with_parents(steps: Iterable[Step], look: Callable[[str], State | None]) -> tuple[Step, ...]:
    """Return the steps by path, with one for every folder whose time they change.

    Such a step leaves the folder as it is; undo reads the folder's earlier time from it.
    """
    found = {step.path: step for step in steps}
    for path in list(found):
        above = path.rpartition("/")[0]
        state = None if above in found else look(above)
        if state is not None and state.kind == "dir":
            found[above] = Step(path=above, before=state, after=replace(state, mtime_ns=None))
    return tuple(found[path] for path in sorted(found, key=lambda path: path.split("/")))
