"""From a reviewed change set to a plan: which changes go in, and what each needs around it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from deskmate.changes.conflicts import steps_beside, why_not_over
from deskmate.changes.differ import Part
from deskmate.changes.disk import Folders
from deskmate.changes.names import fold, is_below
from deskmate.changes.plan import Plan, State, Step
from deskmate.changes.review import ChangeSet, Item
from deskmate.errors import ConflictError, UserError
from deskmate.types.files import ApplyMode, Grant
from deskmate.types.ids import Digest

BULK_FILES = 20
BULK_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """What the user, or the thread's policy, decided.

    `paths`: only these and what is below them; empty means all. `leave_out`: not these; they stay staged.
    `hunks`: path → the only pieces of it to take; files without an entry are taken whole. `mode`: `review`
    means that a person looked at the change set; `new` takes new files only, `all` takes everything but
    deletions, which are never automatic. `allow_protected`: paths that may be written in spite of their
    names. `confirm_bulk`: losing many files at once is meant; `confirm_deletes`: exactly so many.
    `base_files`: how many files the folders held. Of files that the user changed meanwhile: `overwrite`: path → digest of
    the user's version that is to give way, empty where they deleted it; `beside`: the new version is written under a name of its own.
    """

    paths: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    hunks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mode: ApplyMode = "review"
    allow_protected: tuple[str, ...] = ()
    confirm_bulk: bool = False
    confirm_deletes: int | None = None
    base_files: int = 0
    overwrite: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A plan (None: nothing to do) and what is not in it, path → why.

    `waiting`: what the user chose to leave out. `losses`: how many files the plan deletes or empties;
    `must_confirm`: so many that somebody has to say that it is meant.
    """

    plan: Plan | None
    left_out: Mapping[str, str]
    waiting: Mapping[str, str] = field(default_factory=dict)
    losses: int = 0
    must_confirm: bool = False


def select(
    changes: ChangeSet,
    folders: Folders,
    options: ApplyOptions,
    parts: Mapping[str, Part] | None = None,
) -> Selected:
    """Choose the open changes that the options allow. Raises UserError where paths name nothing."""
    chosen = _choose(changes, options)
    selected = Selected(chosen, folders, parts or {})
    for item in chosen:
        if item.standing in ("applied", "discarded"):
            continue
        if is_below(item.path, options.leave_out):
            selected.waiting[item.path] = "you left it out"
        elif why := _why(item, options):
            selected.left_out[item.path] = why
        else:
            selected.taken[item.path] = item
    selected.drop_twins()
    selected.drop_dependents()
    return selected


def plan_apply(
    changes: ChangeSet,
    grants: Sequence[Grant],
    folders: Folders,
    options: ApplyOptions,
    *,
    source: Digest,
    run: str,
    parts: Mapping[str, Part] | None = None,
) -> Selection:
    """Choose the open changes that the options allow and make a plan of them.

    `parts`: what the files of `options.hunks` are to become. Raises UserError where paths name nothing.
    """
    selected = select(changes, folders, options, parts)
    taken, waiting = selected.taken, selected.all_waiting()
    steps = [
        Step(path=item.path, before=item.found, after=_after(item, selected.parts.get(item.path)))
        for item in taken.values()
    ]
    steps += steps_beside(changes, options.beside, folders)
    if not steps:
        return Selection(plan=None, left_out=selected.left_out, waiting=waiting)
    plan = Plan(
        id=secrets.token_hex(8),
        grants=tuple(grants),
        steps=with_parents(steps, folders.look),
        source=source,
        run=run,
        parts={path: part for path, part in selected.parts.items() if path in taken},
        waiting=waiting,
        left=_open_after(changes, selected),
    )
    losses = _losses(taken, selected.parts)
    return Selection(
        plan=plan,
        left_out=selected.left_out,
        waiting=waiting,
        losses=losses,
        must_confirm=_is_bulk(losses, options),
    )


def _open_after(changes: ChangeSet, selected: Selected) -> int:
    """Return how many changes stay open when these are taken; a file of which some parts were left out is one."""
    taken = selected.taken
    whole = [
        path for path in taken if not (part := selected.parts.get(path)) or len(part.ids) >= part.of
    ]
    return changes.left() - len(whole)


def _choose(changes: ChangeSet, options: ApplyOptions) -> list[Item]:
    paths = {item.path for item in changes.items}
    named = (*options.paths, *options.leave_out, *options.allow_protected)
    for top in (*named, *options.overwrite, *options.beside):
        if top not in paths and not any(is_below(path, [top]) for path in paths):
            raise UserError(f"{top} is not in the change set.", hint="See deskmate changes show.")
    if not options.paths:
        return list(changes.items)
    chosen = {path for path in paths if is_below(path, options.paths)}
    chosen |= {item.moved_from for item in changes.items if item.path in chosen and item.moved_from}
    # a new file needs the new folders above it
    above = {folder for path in chosen for folder in folders_above(path)}
    return [
        item
        for item in changes.items
        if item.path in chosen or (item.change.operation == "mkdir" and item.path in above)
    ]


def folders_above(path: str) -> Iterator[str]:
    """Yield the folders that a workspace path lies in, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


def _why(item: Item, options: ApplyOptions) -> str:
    if item.standing == "protected" and not is_below(item.path, options.allow_protected):
        return item.why
    if item.standing == "conflict" and item.path in options.overwrite:
        return why_not_over(item, options.overwrite[item.path])
    if item.standing in ("refused", "conflict"):
        return item.why
    if options.mode == "new" and item.change.operation not in ("create", "mkdir"):
        return "only new files are written without review"
    if options.mode == "all" and item.removes:
        return "deletions always wait for review"
    if options.mode == "all" and item.loss:
        return f"{item.loss_text}: that always waits for review"
    return ""


class Selected:
    """The changes that are taken, and those that are not, path → why.

    `waiting`: the user's choice and what follows from it; `left_out`: everything else.
    """

    def __init__(self, chosen: Sequence[Item], folders: Folders, parts: Mapping[str, Part]) -> None:
        """`chosen`: the items in question."""
        self.taken: dict[str, Item] = {}
        self.left_out: dict[str, str] = {}
        self.waiting: dict[str, str] = {}
        self.parts = parts
        self._chosen = chosen
        self._folders = folders
        self._known: dict[str, bool] = {}

    def all_waiting(self) -> dict[str, str]:
        """Return what the user left out, pieces of files too."""
        pieces = {
            path: f"{part.of - len(part.ids)} of {part.of} parts are left out"
            for path, part in self.parts.items()
            if path in self.taken
        }
        return dict(sorted({**self.waiting, **pieces}.items()))

    def drop_twins(self) -> None:
        """Take one of several new names that some systems take for one: there the second would destroy the first."""
        first: dict[str, str] = {}
        for path in sorted(self.taken):
            if self.taken[path].change.before is not None:
                continue
            twin = first.setdefault(fold(path), path)
            if twin != path:
                del self.taken[path]
                self.left_out[path] = f"its name is too like {twin}: apply it by itself"

    def drop_dependents(self) -> None:
        """Leave out what cannot stand alone: halves of moves, files without folder, folders not empty."""
        self._drop_half_moves()
        for path in sorted(self.taken):
            above = path.rpartition("/")[0]
            if self.taken[path].change.after is not None and not self._will_be_folder(above):
                self._drop(path, f"its folder {above} is not there", above in self.waiting)
        for path in sorted(self.taken, reverse=True):
            item = self.taken.get(path)
            if item and item.removes and item.found is not None and item.found.kind == "dir":
                self._drop_full_folder(path)

    def _drop(self, path: str, why: str, chosen: bool) -> None:
        del self.taken[path]
        (self.waiting if chosen else self.left_out)[path] = why

    def _drop_half_moves(self) -> None:
        there = {item.path for item in self._chosen if item.standing == "applied"}
        for item in self._chosen:
            if item.moved_from in self.taken and item.path not in self.taken.keys() | there:
                why = f"its new place {item.path} was left out"
                self._drop(item.moved_from, why, item.path in self.waiting)

    def _drop_full_folder(self, path: str) -> None:
        rest = [
            below
            for name in self._folders.names(path)
            if (below := f"{path}/{name}") not in self.taken or not self.taken[below].removes
        ]
        if not rest:
            return
        chosen = all(below in self.waiting for below in rest)
        names = ", ".join(below.rpartition("/")[2] for below in rest[:3])
        self._drop(path, f"it still holds {names}", chosen)
        for below in [other for other in self.taken if is_below(other, [path])]:
            if not self.taken[below].removes:
                self._drop(below, f"its folder {path} was left out", chosen)

    def _will_be_folder(self, path: str) -> bool:
        if path in self.taken:
            after = self.taken[path].change.after
            return after is not None and after.kind == "dir"
        if path not in self._known:
            self._known[path] = self._is_folder(path)
        return self._known[path]

    def _is_folder(self, path: str) -> bool:
        try:
            found = self._folders.look(path)
        except (OSError, UserError):
            return False
        return found is not None and found.kind == "dir"


def _losses(taken: Mapping[str, Item], parts: Mapping[str, Part]) -> int:
    moved = {item.moved_from for item in taken.values()}
    return sum(
        item.change.before is not None
        and item.change.before.kind == "file"
        and item.path not in moved
        and (item.removes or (bool(item.loss) and item.path not in parts))
        for item in taken.values()
    )


def _is_bulk(losses: int, options: ApplyOptions) -> bool:
    share = losses / options.base_files if options.base_files else 0.0
    return losses >= 2 and (losses > BULK_FILES or share > BULK_SHARE)


def guard_bulk(selection: Selection, options: ApplyOptions) -> None:
    """Raise UserError where many files would be lost and nobody said that it is meant."""
    losses = selection.losses
    if not selection.must_confirm or options.confirm_bulk or options.confirm_deletes == losses:
        return
    of = f" of {options.base_files}" if options.base_files else ""
    raise UserError(
        f"This would delete {losses}{of} files, or empty or scramble them.",
        hint=f"If that is meant, say the number: deskmate changes apply --confirm-deletes {losses}",
    )


def _after(item: Item, part: Part | None) -> State | None:
    before, after = item.change.before, item.change.after
    if after is None:
        return None
    if part is not None and item.found is not None:
        return replace(item.found, size=part.size, sha256=part.sha256, mtime_ns=None)
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

    Such a step leaves the folder as it is; undo reads the folder's earlier time from it. Raises
    ConflictError where such a folder cannot be read.
    """
    found = {step.path: step for step in steps}
    for path in list(found):
        above = path.rpartition("/")[0]
        try:
            state = None if above in found else look(above)
        except OSError as error:
            raise ConflictError(
                f"{above} cannot be read: {error.strerror}; nothing was written.",
                hint="Look at deskmate changes show; your own version was kept.",
            ) from error
        if state is not None and state.kind == "dir":
            found[above] = Step(path=above, before=state, after=replace(state, mtime_ns=None))
    return tuple(found[path] for path in sorted(found, key=lambda path: path.split("/")))
