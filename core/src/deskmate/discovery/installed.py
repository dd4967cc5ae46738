"""Finds the plugins of this environment: entry points and manifests, read as data, never imported."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from deskmate.discovery.foreign import foreign_plugin
from deskmate.discovery.manifest import MANIFEST_LIMIT_BYTES, MANIFEST_NAME
from deskmate.discovery.manifest_cache import ManifestCache
from deskmate.discovery.metadata import (
    GROUP,
    OWN_DISTRIBUTION,
    Installed,
    headers,
    installed_with_plugins,
    normalise,
    read_bounded,
)
from deskmate.discovery.plugin_store import PluginStore, StoreIndex
from deskmate.discovery.record import RESERVED, RecordedFiles, TreeFiles, editable_root
from deskmate.discovery.revocation import Revocations
from deskmate.errors import DeskmateError, PluginError
from deskmate.types.registry import InstalledPlugin, Manifest, Origin

BUILT_IN = {"workspace": "deskmate_guest.workspace", "office": "deskmate_documents"}
"""Plugins that come with Deskmate: name → package. Every layer holds them; nobody else may have them."""

_PLUGIN_NAME = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")
_PLUGIN_NAME_LIMIT = 32
_PACKAGE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_WIRE_NAME_LIMIT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A plugin that cannot be used. `distributions`: each as `name version`; what to do in `hint`."""

    plugin: str
    distributions: tuple[str, ...]
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All plugins of an environment, ordered by (order, name), and what is wrong with the others."""

    plugins: tuple[InstalledPlugin, ...]
    problems: tuple[Problem, ...] = field(default=())

    def get(self, name: str) -> InstalledPlugin:
        """Return the usable plugin of this name.

        Raises:
            PluginError: there is none, or it has a problem; the message says which.
        """
        for plugin in self.plugins:
            if plugin.name == name:
                return plugin
        for problem in self.problems:
            if problem.plugin == name:
                raise PluginError(problem.message, hint=problem.hint)
        known = ", ".join(plugin.name for plugin in self.plugins) or "none"
        raise PluginError(
            f"There is no plugin {name!r} here.",
            hint=f"Installed: {known}. Another: deskmate plugin install, or pip install beside Deskmate.",
        )


def find_plugins(
    path: Sequence[str] | None = None, *, cache: Path | None = None, store: Path | None = None
) -> Catalogue:
    """Return the plugins that are installed in the folders of `path` and in the plugin store.

    Args:
        path: folders as in `sys.path`, which is the default.
        cache: a file that keeps checked manifests between calls; it is optional and may be removed.
        store: the plugin store's folder, None for none.

    One broken plugin is a `Problem`; the others are found all the same.
    """
    folders = [str(Path(folder)) for folder in (sys.path if path is None else path) if folder]
    kept = ManifestCache(cache)
    found: list[InstalledPlugin] = []
    problems: list[Problem] = []
    stored = PluginStore(store) if store is not None else None
    everything = [*installed_with_plugins(folders), *_stored(stored, problems)]
    claims = _claims(everything, problems)
    for name, claimants in claims.items():
        distributions = tuple(installed.label for installed, _ in claimants)
        if len(claimants) > 1:
            problems.append(_clash(name, distributions))
            continue
        installed, package = claimants[0]
        try:
            plugin = read_plugin(installed, name, package, folders, kept)
            found.append(_with_wheels(plugin, stored))
        except DeskmateError as error:
            message = f"Plugin {name} of {installed.label}: {error.message}"
            problems.append(_problem(name, distributions, message, error.hint))
        except OSError as error:
            message = f"Plugin {name} of {installed.label}: {error.filename}: {error.strerror}."
            problems.append(_problem(name, distributions, message))
    kept.save()
    if stored is not None:
        found = _without_revoked(found, stored, problems)
        found.extend(_brought(stored, claims, problems))
    found.sort(key=lambda plugin: (plugin.manifest.order, plugin.name))
    problems.sort(key=lambda problem: (problem.plugin, problem.distributions))
    return Catalogue(plugins=tuple(found), problems=tuple(problems))


def _stored(store: PluginStore | None, problems: list[Problem]) -> Iterator[Installed]:
    if store is None:
        return
    try:
        plugins = store.index().plugins
    except PluginError as error:
        problems.append(_problem("plugin store", (), error.message, error.hint))
        return
    for stored in plugins:
        try:
            yield store.installed(stored)
        except PluginError as error:
            label = (f"{stored.name} {stored.version}",)
            for name in stored.plugins:
                problems.append(_problem(name, label, error.message, error.hint))


def _without_revoked(
    found: Iterable[InstalledPlugin], store: PluginStore, problems: list[Problem]
) -> list[InstalledPlugin]:
    """Return what is not on the list of revoked versions; a list that cannot be read revokes all but Deskmate's own."""
    kept = []
    revoked, index = Revocations(store.folder), _index(store)
    for plugin in found:
        stored = index.get(plugin.name) if plugin.origin == "store" else None
        try:
            if not is_built_in(plugin):
                revoked.check(plugin.distribution, plugin.version, stored.sha256 if stored else "")
            kept.append(plugin)
        except PluginError as error:
            label = (f"{plugin.distribution} {plugin.version}",)
            problems.append(_problem(plugin.name, label, error.message, error.hint))
    return kept


def _index(store: PluginStore) -> StoreIndex:
    """Return the store's list, empty where it cannot be read: that was told of already."""
    try:
        return store.index()
    except PluginError:
        return StoreIndex()


def _with_wheels(plugin: InstalledPlugin, store: PluginStore | None) -> InstalledPlugin:
    stored = store.index().get(plugin.name) if store and plugin.origin == "store" else None
    return replace(plugin, wheels=store.wheels(stored)) if store and stored else plugin


def _brought(
    store: PluginStore,
    claims: Mapping[str, Sequence[tuple[Installed, str]]],
    problems: list[Problem],
) -> Iterator[InstalledPlugin]:
    """Yield the plugins in other formats, and say why one is not used."""
    try:
        entries = store.index().foreign
    except PluginError:
        return  # it was told of when the distributions were looked for
    for entry in entries:
        try:
            plugin = foreign_plugin(store, entry)
        except PluginError as error:
            problems.append(_problem(entry.name, (entry.own_name,), error.message, error.hint))
            continue
        if plugin.name in claims or plugin.name in BUILT_IN:
            problems.append(_outnamed(plugin, claims.get(plugin.name, ())))
        else:
            yield plugin


def _outnamed(plugin: InstalledPlugin, owners: Iterable[tuple[Installed, str]]) -> Problem:
    """Return why a foreign plugin is not used: a distribution that came later has its name."""
    labels = tuple(installed.label for installed, _ in owners)
    hint = f"Remove it and add it anew under another name: deskmate plugin remove {plugin.name}"
    source = plugin.foreign.source if plugin.foreign else ""
    owner = " and ".join(labels) or "Deskmate itself"
    message = f"{plugin.name}, added from {source}, is not used: the name belongs to {owner}."
    return _problem(f"{plugin.name} (added)", (plugin.distribution,), message, hint)


def is_built_in(plugin: InstalledPlugin) -> bool:
    """Say whether the plugin comes with Deskmate itself."""
    return plugin.origin == "deskmate" or (
        plugin.origin not in ("store", "brought")
        and normalise(plugin.distribution) == OWN_DISTRIBUTION
    )


def _problem(plugin: str, distributions: tuple[str, ...], message: str, hint: str = "") -> Problem:
    return Problem(plugin=plugin, distributions=distributions, message=message, hint=hint)


def _clash(name: str, distributions: tuple[str, ...]) -> Problem:
    both = " and ".join(distributions)
    return _problem(
        name, distributions, f"Plugin {name} is in {both}; none of them is used.",
        "Uninstall all but one of them.",
    )  # fmt: skip


def _claims(
    distributions: Iterable[Installed], problems: list[Problem]
) -> dict[str, list[tuple[Installed, str]]]:
    """Return plugin name → who claims it; a built-in name belongs to Deskmate alone."""
    claims: dict[str, list[tuple[Installed, str]]] = {}
    for installed in distributions:
        own = installed.own
        label = (installed.label,)
        for group in installed.misspelt:
            message = f"{installed.label} has entry points in the group {group!r}."
            problems.append(
                _problem(
                    installed.name, label, message, f"The group is {GROUP!r}: tell its author."
                )
            )
        for name, package in installed.plugins:
            if name in BUILT_IN and not own:
                message = f"{installed.label} calls its plugin {name}, a name of Deskmate itself."
                hint = f"Uninstall {installed.name}."
                problems.append(_problem(f"{installed.name}:{name}", label, message, hint))
            else:
                claims.setdefault(name, []).append((installed, package))
    return claims


def read_plugin(
    installed: Installed, name: str, package: str, folders: Sequence[str], kept: ManifestCache
) -> InstalledPlugin:
    """Return one plugin of a distribution, by its manifest and its files' names.

    Raises PluginError, ConfigError or OSError: it cannot be used.
    """
    own = installed.own
    _check_names(name, package, own)
    editable = installed.editable
    place = "/".join(package.split("."))
    root = _import_root(installed, package, folders) if editable else installed.site
    manifest_file = root / place / MANIFEST_NAME
    where = f"{place}/{MANIFEST_NAME}"
    _check_manifest_file(installed, manifest_file, where, editable)
    manifest = kept.read(read_bounded(manifest_file, MANIFEST_LIMIT_BYTES), where)
    _check_wire_names(name, manifest)
    files: Mapping[str, str] = (
        TreeFiles(root, package, installed.info / "METADATA")
        if editable or own
        else RecordedFiles(installed)
    )
    return InstalledPlugin(
        name=name,
        package=package,
        distribution=installed.name,
        version=installed.version,
        manifest=manifest,
        files=files,
        editable=editable,
        dependencies=guest_requirements(installed.info) if manifest.guest_packages else (),
        origin=_origin(installed),
    )


def _origin(installed: Installed) -> Origin:
    if installed.own:
        return "deskmate"
    return "source" if installed.editable else installed.origin


def _check_names(name: str, package: str, own: bool) -> None:
    if not _PLUGIN_NAME.fullmatch(name) or len(name) > _PLUGIN_NAME_LIMIT:
        raise PluginError(
            f"the name {name!r} cannot be used.",
            hint="Lower-case letters, digits, single - or _ between them, at most 32 characters.",
        )
    if not _PACKAGE.fullmatch(package):
        raise PluginError(
            f"the entry point {package!r} is not the plain name of a package.",
            hint=f'It reads: {name} = "your_package", without an object after a colon.',
        )
    if not own and package.partition(".")[0] in RESERVED:
        raise PluginError(f"the package {package} has a name of Deskmate itself.")


def _import_root(installed: Installed, package: str, folders: Sequence[str]) -> Path:
    root = editable_root(installed, package, folders)
    if root is None:
        raise PluginError(
            f"the source of its package {package} was not found.",
            hint=f"Install {installed.name} anew; is the entry point's package spelt right?",
        )
    return root


def _check_manifest_file(installed: Installed, file: Path, where: str, editable: bool) -> None:
    if not file.is_file():
        raise PluginError(
            f"{where} is missing.",
            hint="The file stands in the package that the entry point names; is that spelt right?",
        )
    if editable:
        if not file.resolve().is_relative_to(file.parent.resolve()):
            raise PluginError(f"{where} is a link out of its package.")
        return
    # Cheaper than reading RECORD as a table, which only the layer needs.
    if f"\n{where},".encode() not in b"\n" + read_bounded(installed.info / "RECORD"):
        raise PluginError(f"{where} does not belong to it by its RECORD.")


def _check_wire_names(name: str, manifest: Manifest) -> None:
    for tool in manifest.tools:
        if len(f"{name}__{tool}") > _WIRE_NAME_LIMIT:
            raise PluginError(f"the tool's name {name}__{tool} has more than 64 characters.")


def guest_requirements(info: Path) -> tuple[str, ...]:
    """Return the requirements of the distribution's extra `guest`, without that marker."""
    return tuple(_guest_requirements(info))


def _guest_requirements(info: Path) -> Iterator[str]:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415

    for line in headers(info).get("requires-dist", ()):
        if "extra" not in line:
            continue
        try:
            requirement = Requirement(line)
        except InvalidRequirement as error:
            raise PluginError(f"its metadata requires {line!r}, which cannot be read.") from error
        if requirement.marker is None:
            continue
        # The guest's own markers are judged by the resolver; here only the extra matters.
        if requirement.url:
            raise PluginError(
                f"{requirement.name} is required by address; only names are resolved."
            )
        if re.search(r"extra\s*==\s*['\"]guest['\"]", str(requirement.marker)):
            marker = _without_extra(str(requirement.marker))
            base = f"{requirement.name}{_extras(requirement.extras)}{requirement.specifier}"
            yield f"{base} ; {marker}" if marker else base


def _extras(extras: Iterable[str]) -> str:
    names = ",".join(sorted(extras))
    return f"[{names}]" if names else ""


def _without_extra(marker: str) -> str:
    kept = re.sub(r"\s*\band\s+extra\s*==\s*['\"]guest['\"]", "", marker)
    kept = re.sub(r"extra\s*==\s*['\"]guest['\"](\s+and\s+)?", "", kept)
    return kept.strip()
