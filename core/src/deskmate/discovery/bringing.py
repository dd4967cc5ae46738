"""`plugin add` and `plugin update`: plugins in other formats into the plugin store, as they are, pinned by digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from deskmate.discovery.foreign import ABOUT, CONTENT, LISTING
from deskmate.discovery.lock import canonical
from deskmate.discovery.plugin_store import PluginStore, StoreChange, StoredForeign
from deskmate.errors import DeskmateError, PluginError
from deskmate.formats.codes import diagnose
from deskmate.formats.marketplace import FILE as MARKET
from deskmate.formats.marketplace import read_marketplace
from deskmate.formats.opening import opened_tree
from deskmate.formats.plugin import is_plugin, is_skills_folder, read_plugin
from deskmate.formats.skills import slug
from deskmate.formats.tree import Below, Tree, Unreadable, safe
from deskmate.types.codec import from_json, to_json
from deskmate.types.foreign import Diagnostic, ForeignPlugin, MarketEntry, Marketplace

NAME_LIMIT = 64
FILES_TOGETHER = 60_000
BYTES_TOGETHER = 1 << 30
_LOOKED_INTO = 50
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BringOrder:
    """What is to be added. `what`: a folder or archive. `only`: these of a marketplace, () for all that lie in it.

    `name`: what the one plugin is to be called here. `replaces`: the plugin that it is a newer version of.
    `strict`: any diagnostic refuses all. `taken`: names that plugins have which are not in this store's list.
    `dry`: look only.
    """

    what: str
    only: tuple[str, ...] = ()
    name: str = ""
    replaces: str = ""
    strict: bool = False
    taken: frozenset[str] = frozenset()
    dry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What came of one plugin. `before`: what it was, None: it is new. `is_same`: that very content was there."""

    stored: StoredForeign
    plugin: ForeignPlugin
    files: Mapping[str, str]
    before: ForeignPlugin | None = None
    files_before: Mapping[str, str] = field(default_factory=dict)
    is_same: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BringReport:
    """All of it. `to_fetch`: entries that lie elsewhere. `diagnostics`: of the marketplace itself. `refused`: strictly."""

    brought: tuple[Brought, ...]
    marketplace: str = ""
    to_fetch: tuple[MarketEntry, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    refused: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """One plugin of what the user named. `member`: its folder in there. `tree`: all of it."""

    tree: Tree
    member: str = ""
    entry: Mapping[str, object] = field(default_factory=dict)

    def own_tree(self) -> Tree:
        """Return the plugin's own files; many plugins may lie in one folder, so not all are held at once."""
        if not self.entry:
            return self.tree
        below = Below(self.tree, self.member)
        below.diagnostics = [one for one in below.diagnostics if one.path != MARKET]
        return below


def bring(order: BringOrder, store: PluginStore, progress: Progress) -> BringReport:
    """Read what the user named and put it into the store: all or nothing. Nothing of it is run. Blocks.

    Raises:
        PluginError: it cannot be read, is no plugin, or a name cannot be had.
    """
    source = str(Path(order.what).expanduser().absolute())
    with opened_tree(order.what) as tree:
        market = read_marketplace(tree)
        found = _members(order, tree, market)
        if len(found) > 1 and (order.name or order.replaces):
            raise PluginError(
                f"{safe(order.what)} holds {len(found)} plugins, so one name does not do.",
                hint="Name one of them: --plugin NAME",
            )
        with store.changing() as change:
            placed = _Placing(order, store, change, source, market.name if market else "")
            results = []
            for number, one in enumerate(found):
                results.append(placed.lay_out(number, one, progress))
            refused = order.strict and (
                any(result.plugin.diagnostics for result in results)
                or bool(market and market.diagnostics)
            )
            new = {n: result.stored for n, result in enumerate(results) if not result.is_same}
            if new and not refused and not order.dry:
                change.bring(new)
    return BringReport(
        brought=tuple(results),
        marketplace=market.name if market else "",
        to_fetch=tuple(e for e in market.entries if e.folder is None) if market else (),
        diagnostics=market.diagnostics if market else (),
        refused=refused,
    )


def _members(order: BringOrder, tree: Tree, market: Marketplace | None) -> list[_Found]:
    if market is not None:
        return _of_market(order, tree, market)
    if order.only:
        raise PluginError(
            f"{safe(order.what)} is no marketplace, so there is nothing to choose from.",
            hint="Leave --plugin out.",
        )
    if is_plugin(tree) or is_skills_folder(tree):
        return [_Found(tree)]
    tops = sorted(folder for folder in tree.folders if folder and "/" not in folder)
    nested = [top for top in tops[:_LOOKED_INTO] if is_plugin(Below(tree, top))]
    hint = (
        f"There are plugins in it: {', '.join(nested[:5])}. Add each of them."
        if nested
        else "A plugin has .claude-plugin/plugin.json, skills/, commands/ or the like; a skill has SKILL.md."
    )
    why = f": {tree.diagnostics[0].path}: {tree.diagnostics[0].message}" if tree.diagnostics else ""
    raise PluginError(f"{safe(order.what)} holds no plugin and no skill{why}.", hint=hint)


def _of_market(order: BringOrder, tree: Tree, market: Marketplace) -> list[_Found]:
    by_name = {entry.name: entry for entry in market.entries}
    wanted = [market.renames.get(name, name) for name in order.only] or [
        entry.name for entry in market.entries if entry.folder is not None
    ]
    for name in wanted:
        if name not in by_name:
            hint = f"It has: {', '.join(sorted(by_name)[:20])}." if by_name else "It is empty."
            raise PluginError(f"{market.name} has no plugin {safe(name)!r}.", hint=hint)
        if by_name[name].folder is None:
            raise PluginError(
                f"{name} of {market.name} must be fetched ({by_name[name].source}); nothing is fetched here.",
                hint="Clone or download it yourself, then: deskmate plugin add FOLDER-OR-ZIP",
            )
    chosen = [by_name[name] for name in dict.fromkeys(wanted)]
    return [_Found(tree, entry.folder or "", entry.data) for entry in chosen]


class _Placing:
    """Lays plugins out in the staging folder, under names that are free."""

    def __init__(
        self, order: BringOrder, store: PluginStore, change: StoreChange, source: str, market: str
    ) -> None:
        self._order, self._store, self._change = order, store, change
        self._source, self._market = source, market
        self._given: set[str] = set()
        self._files = self._size = 0

    def lay_out(self, number: int, found: _Found, progress: Progress) -> Brought:
        folder = self._change.folder(number)
        tree = found.own_tree()
        progress(f"Reading {safe(tree.name)}")
        self._count(tree)
        files = _copy(tree, folder / CONTENT)
        plugin = read_plugin(tree, found.entry)
        before = self._before(plugin, found)
        name = before.name if before is not None else self._free_name(plugin.name)
        self._given.add(name)
        digest = hashlib.sha256(
            canonical([[p, *row] for p, row in sorted(files.items())])
        ).hexdigest()
        stored = StoredForeign(
            name=name,
            own_name=plugin.name,
            version=plugin.version,
            kind=plugin.kind,
            title=plugin.title,
            summary=plugin.description or _summary(plugin),
            folder=f"{name}-{digest[:16]}-{_short(plugin)}",
            digest=digest,
            listing=_write(folder / LISTING, {"files": files}),
            about=_write(folder / ABOUT, to_json(plugin)),
            source=self._source,
            time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            member=found.member,
            marketplace=self._market,
            skills=len(plugin.skills),
            diagnostics=len(plugin.diagnostics),
            settings=plugin.settings,
            entry=dict(found.entry),
        )
        # how it was placed is told now and belongs to nobody's later reading
        placed = [*_overlaid(self._store, before, files)] if before is not None else []
        if before is None and name != plugin.name and not self._order.name:
            placed.append(diagnose("plugin-name-taken", ".", f"{plugin.name}, here {name}"))
        return self._result(stored, _with(plugin, *placed), files, before)

    def _count(self, tree: Tree) -> None:
        """Raise PluginError where all plugins together are too much: entries may name one folder many times."""
        self._files += len(tree.files) + 1
        self._size += sum(fact.size for fact in tree.files.values())
        if self._files > FILES_TOGETHER or self._size > BYTES_TOGETHER:
            raise PluginError(
                f"{self._market or self._source} holds more than {FILES_TOGETHER:,} files or "
                f"{BYTES_TOGETHER >> 20} MiB in all its plugins together.",
                hint="Name those that you want: --plugin NAME",
            )

    def _result(
        self,
        stored: StoredForeign,
        plugin: ForeignPlugin,
        files: Mapping[str, Sequence[object]],
        before: StoredForeign | None,
    ) -> Brought:
        hashes = {path: str(row[0]) for path, row in files.items()}
        if before is None:
            return Brought(stored=stored, plugin=plugin, files=hashes)
        old, old_files = _known(self._store, before)
        return Brought(
            stored=stored,
            plugin=plugin,
            files=hashes,
            before=old,
            files_before=old_files,
            is_same=before.digest == stored.digest and before.about == stored.about,
        )

    def _before(self, plugin: ForeignPlugin, found: _Found) -> StoredForeign | None:
        """Return the plugin in the store that this is a version of: by the user's word, else from the same place."""
        there = {stored.name: stored for stored in self._change.before.foreign}
        if self._order.replaces:
            return there[self._order.replaces]
        for stored in there.values():
            same_place = (stored.source, stored.member) == (self._source, found.member)
            if (
                same_place
                and stored.own_name == plugin.name
                and self._order.name in ("", stored.name)
            ):
                return stored
        return None

    def _free_name(self, wanted: str) -> str:
        taken = {stored.name for stored in self._change.before.foreign}
        taken |= self._order.taken | self._given | {"deskmate", "workspace", "office", "skill"}
        if name := self._order.name:
            if slug(name) != name:
                raise PluginError(
                    f"{safe(name)!r} is no name for a plugin.",
                    hint="Lower-case letters, digits, single hyphens.",
                )
            if name in taken:
                raise PluginError(
                    f"The name {name} belongs to another plugin.",
                    hint="Choose another with --name.",
                )
            return name
        prefix = slug(self._market) or "claude"
        tries = (wanted, f"{prefix}-{wanted}", *(f"{wanted}-{n}" for n in range(2, len(taken) + 3)))
        return next(name for name in tries if name not in taken and len(name) <= NAME_LIMIT)


def _copy(tree: Tree, target: Path) -> dict[str, tuple[str, bool]]:
    """Copy a tree and return path → (sha256, executable); what cannot be read is left out and noted."""
    copied: dict[str, tuple[str, bool]] = {}
    target.mkdir(parents=True)
    for path, fact in sorted(tree.files.items()):
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        try:
            with place.open("xb") as file:
                for chunk in tree.chunks(path):
                    digest.update(chunk)
                    file.write(chunk)
        except Unreadable as error:
            place.unlink()
            tree.note("file-unreadable", path, str(error))
            continue
        if fact.executable:
            place.chmod(0o755)
        copied[path] = (digest.hexdigest(), fact.executable)
    for path in tree.files.keys() - copied.keys():
        del tree.files[path]
    return copied


def _write(file: Path, value: object) -> str:
    content = json.dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")
    file.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _known(
    store: PluginStore, stored: StoredForeign
) -> tuple[ForeignPlugin | None, dict[str, str]]:
    """Return what the store knows of a plugin, nothing where that is damaged: it is about to be replaced."""
    try:
        folder = store.item(stored)
        about = from_json(ForeignPlugin, json.loads((folder / ABOUT).read_bytes()))
        rows = json.loads((folder / LISTING).read_bytes())["files"]
        return about, {path: str(row[0]) for path, row in rows.items()}
    except (OSError, ValueError, LookupError, AttributeError, TypeError, DeskmateError):
        return None, {}


def _overlaid(
    store: PluginStore, before: StoredForeign, files: Mapping[str, tuple[str, bool]]
) -> Iterator[Diagnostic]:
    """Yield the files for which the user has others, and which this version changes."""
    overlay = store.overlay(before.name)
    _, old = _known(store, before)
    for path in sorted(set(old) | set(files)):
        new = files[path][0] if path in files else ""
        if old.get(path, "") != new and (overlay / path).is_file():
            yield diagnose("overlay-base-changed", path)


def _with(plugin: ForeignPlugin, *more: Diagnostic) -> ForeignPlugin:
    return replace(plugin, diagnostics=(*plugin.diagnostics, *more))


def _summary(plugin: ForeignPlugin) -> str:
    names = ", ".join(skill.name for skill in plugin.skills[:5])
    more = f" and {len(plugin.skills) - 5} more" if len(plugin.skills) > 5 else ""
    return f"Skills: {names}{more}" if names else ""


def _short(plugin: ForeignPlugin) -> str:
    """The same files may be read otherwise, by another entry or a newer reader: another folder."""
    return hashlib.sha256(canonical(to_json(plugin))).hexdigest()[:8]


def drop(name: str, store: PluginStore) -> StoredForeign | None:
    """Take a foreign plugin out of the store and return what it was; None where there is none of that name."""
    with store.changing() as change:
        stored = next((one for one in change.before.foreign if one.name == name), None)
        if stored is not None:
            change.drop(stored)
    return stored


def differences(brought: Brought) -> Iterator[str]:
    """Yield, in words, what a newer version changes: texts for the model first, then hooks and connectors, then files."""
    before, now = brought.before, brought.plugin
    if before is None:
        yield "all of it is new"
        return
    changed = {
        path
        for path in brought.files.keys() & brought.files_before.keys()
        if brought.files[path] != brought.files_before[path]
    }
    parts = (
        ("skill", {s.name: s for s in before.skills}, {s.name: s for s in now.skills}),
        ("agent", {a.name: a for a in before.agents}, {a.name: a for a in now.agents}),
    )
    for word, old, new in parts:
        yield from (f"new {word}: {name}" for name in sorted(new.keys() - old.keys()))
        yield from (f"{word} gone: {name}" for name in sorted(old.keys() - new.keys()))
        for name in sorted(new.keys() & old.keys()):
            if new[name].path in changed:
                yield f"{word} with another text: {name}"
    for word, was, becomes in (
        ("hook", before.hooks, now.hooks),
        ("connector wanted", before.connectors, now.connectors),
    ):
        yield from (f"new {word}: {_shown(one)}" for one in becomes if one not in was)
        yield from (f"{word} gone: {_shown(one)}" for one in was if one not in becomes)
    added = len(brought.files.keys() - brought.files_before.keys())
    gone = len(brought.files_before.keys() - brought.files.keys())
    yield f"files: {added} new, {len(changed)} changed, {gone} gone"


def _shown(part: object) -> str:
    data = to_json(part)
    words = (value for value in data.values() if value and isinstance(value, str))
    return safe(" ".join(dict.fromkeys(words)))
