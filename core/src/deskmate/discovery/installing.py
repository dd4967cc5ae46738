"""`plugin install` and `plugin remove`: wheels become plugins of the store, all of them or none.

Nothing of a wheel is imported, compiled or run; pip and uv only fetch, and only wheels.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deskmate.discovery.guest_wheels import GuestWheels, Source, download, plan_wheels, resolve
from deskmate.discovery.inspection import WHEEL_LIMIT_BYTES, PluginWheel, inspect_wheel
from deskmate.discovery.installed import BUILT_IN, Catalogue, find_plugins, read_plugin
from deskmate.discovery.manifest_cache import ManifestCache
from deskmate.discovery.metadata import Installed, normalise, read_installed
from deskmate.discovery.plugin_store import (
    PluginStore,
    StoreChange,
    StoredPlugin,
    StoreIndex,
    record_digest,
)
from deskmate.discovery.revocation import Revocations
from deskmate.discovery.wheel import shown, unpack_wheel
from deskmate.errors import ConfigError, PluginError
from deskmate.types.registry import InstalledPlugin

COOLDOWN_DAYS = 7
_HASH = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_DAYS_LIMIT = 3650
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallOrder:
    """What is to be installed. `what`: names with an optional version, or files of wheels.

    `wheelhouse`: take names from this folder. `hashes`: if there are any, every plugin's wheel must have
    one of them. `guest`: exactly what must come along for the virtual machine, file → sha256; None: what is needed.
    `cooldown_days`: leave out what an index has had for less.
    """

    what: tuple[str, ...]
    wheelhouse: Path | None = None
    hashes: tuple[str, ...] = ()
    guest: Mapping[str, str] | None = None
    cooldown_days: int = COOLDOWN_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallResult:
    """What came of one wheel. `new`: False where the very same was there already."""

    stored: StoredPlugin
    plugins: tuple[InstalledPlugin, ...]
    left_out: tuple[str, ...] = ()
    new: bool = True


def install(
    order: InstallOrder,
    store: PluginStore,
    progress: Progress,
    *,
    path: Sequence[str] | None = None,
) -> tuple[InstallResult, ...]:
    """Install plugins into the store and return what came of each, in order. Blocks.

    Args:
        order: what, from where.
        store: the plugin store.
        progress: told what is being done.
        path: where pip's plugins are looked for, `sys.path` by default.

    Raises:
        PluginError: one cannot be had or is refused; then none of them is installed.
    """
    for text in order.hashes:
        _hash(text)
    with store.changing() as change:
        work = change.staging / "fetched"
        work.mkdir()
        results = []
        for number, what in enumerate(order.what):
            wheel, origin = _wheel_file(what, order, work / str(number), progress)
            results.append(_lay_out(store, change, number, (wheel, origin), order, progress))
        _check_claims(results, find_plugins(path, store=store.folder))
        if new := {n: result.stored for n, result in enumerate(results) if result.new}:
            change.install(new)
    return tuple(results)


def remove(name: str, store: PluginStore) -> StoredPlugin:
    """Take a plugin, named by itself or by its distribution, out of the store; return what it was.

    Raises:
        PluginError: it is not in the store.
    """
    with store.changing() as change:
        stored = change.before.get(name)
        if stored is None:
            raise PluginError(
                f"There is no {name!r} in the plugin store.",
                hint="deskmate plugin list shows where each comes from; pip uninstalls what pip installed.",
            )
        change.remove(stored)
    return stored


def cooldown_days(settings: Mapping[str, object]) -> int:
    """Return `[install] cooldown_days` of the user's settings. Raises ConfigError if it is no number of days."""
    table = settings.get("install", {})
    days = table.get("cooldown_days", COOLDOWN_DAYS) if isinstance(table, Mapping) else None
    if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= _DAYS_LIMIT:
        raise ConfigError(
            f"The setting install.cooldown_days is {days!r}, expected a whole number of days.",
            hint="Write: [install] and below it cooldown_days = 7",
        )
    return days


def _hash(text: str) -> str:
    found = _HASH.fullmatch(text.strip().lower())
    if found is None:
        raise PluginError(
            f"{shown(text)!r} is not a hash.", hint="It reads sha256: and then 64 hex digits."
        )
    return found[1]


def _wheel_file(
    what: str, order: InstallOrder, folder: Path, progress: Progress
) -> tuple[Path, str]:
    """Return a copy of the wheel that nobody else writes to, and where it came from."""
    folder.mkdir()
    if what.endswith((".whl", ".tar.gz", ".zip", ".tgz", ".egg")) or "/" in what:
        return _copy(Path(what).expanduser(), folder), "file"
    requirement = _requirement(what)
    name = requirement.partition("=")[0]
    source = Source(wheelhouse=order.wheelhouse, before=uploaded_before(order.cooldown_days))
    progress(f"Looking for {requirement}")
    try:
        pinned = resolve((requirement,), folder, source, f"the plugin {requirement}", "--no-deps")
        if order.wheelhouse is not None:
            pinned = {one: _with_hashes(one, order.wheelhouse) for one in pinned}
        (wheel,) = download(pinned, folder, source, f"the plugin {requirement}")
    except PluginError as error:
        hint = f"A wheel from elsewhere: deskmate plugin install FILE.whl, or {name} --wheelhouse FOLDER."
        if source.cooldown():
            days = order.cooldown_days
            hint = (
                f"Versions younger than {days} days are left out; --cooldown 0 takes them. {hint}"
            )
        raise PluginError(error.message, hint=hint) from error
    return _copy(wheel, folder), "index" if order.wheelhouse is None else "wheelhouse"


def _with_hashes(pinned: str, wheelhouse: Path) -> str:
    """Return `name==version` with the hashes of the folder's wheels: uv gives none of those it does not read."""
    name, _, version = pinned.partition("==")
    hashes = []
    for file in sorted(wheelhouse.glob("*.whl")):
        parts = file.name.split("-")
        if normalise(parts[0]) == normalise(name) and parts[1:2] == [version]:
            with file.open("rb") as stream:
                hashes.append(f"--hash=sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}")
    return " ".join((pinned, *hashes))


def _requirement(what: str) -> str:
    """Return a name with an optional version, as the resolver reads it. Raises PluginError for more."""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415

    try:
        requirement = Requirement(what)
    except InvalidRequirement as error:
        raise PluginError(
            f"{shown(what)!r} is neither a name nor the file of a wheel.",
            hint="deskmate plugin install deskmate-acme, deskmate-acme==1.2, or ./deskmate_acme-1.2-py3-none-any.whl",
        ) from error
    if requirement.url or requirement.extras or requirement.marker:
        raise PluginError(
            f"{shown(what)!r} is more than a name and a version.",
            hint="Download the wheel and install the file, or name what an index has.",
        )
    return f"{requirement.name}{requirement.specifier}"


def uploaded_before(days: int) -> str:
    """Return the time after which nothing is taken from an index, "" for no days."""
    if days == 0:
        return ""
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _copy(wheel: Path, folder: Path) -> Path:
    """Return a copy: what is inspected must be what is unpacked."""
    copy = folder / wheel.name
    try:
        with wheel.open("rb") as read, copy.open("xb") as write:
            left = WHEEL_LIMIT_BYTES
            while chunk := read.read(1 << 20):
                left -= len(chunk)
                if left < 0:
                    raise PluginError(
                        f"{shown(wheel.name)} is larger than {WHEEL_LIMIT_BYTES >> 20} MiB."
                    )
                write.write(chunk)
    except OSError as error:
        raise PluginError(
            f"{shown(str(wheel))} cannot be read: {error.strerror}.",
            hint="Name the file of a wheel, or a plugin's distribution.",
        ) from error
    return copy


def _lay_out(
    store: PluginStore,
    change: StoreChange,
    number: int,
    came: tuple[Path, str],
    order: InstallOrder,
    progress: Progress,
) -> InstallResult:
    """Inspect a wheel, unpack it into the staging folder and read its plugins from there."""
    file, origin = came
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    hashes = [_hash(text) for text in order.hashes]
    if hashes and sha256 not in hashes:
        raise PluginError(
            f"{shown(file.name)} has the hash sha256:{sha256}, which is not the one asked for.",
            hint="It is another file than the one that you trust: do not install it.",
        )
    wheel = inspect_wheel(file)
    Revocations(store.folder).check(wheel.name, wheel.version, wheel.sha256)
    same = _known(wheel, change.before)
    if same is not None:
        store.installed(same)  # says so if it is damaged
    site = change.site(number)
    unpack_wheel(file, site, whole=True)
    installed = _installed(wheel, site)
    plugins = tuple(
        read_plugin(installed, name, package, (), ManifestCache(None))
        for name, package in installed.plugins
    )
    for plugin in plugins:
        len(plugin.files)  # its RECORD is within bounds, and it brings nothing of Deskmate's
    if same is not None:
        return InstallResult(stored=same, plugins=plugins, left_out=wheel.left_out, new=False)
    guest = _fetch_guest(plugins, change, number, order, progress)
    if order.guest is not None and dict(guest) != dict(order.guest):
        raise PluginError(
            f"{wheel.label} would bring other packages for the virtual machine than were pinned.",
            hint="Ask whoever publishes it to build its index anew.",
        )
    stored = StoredPlugin(
        name=wheel.name,
        version=wheel.version,
        folder=f"{wheel.name}-{wheel.version}-{sha256[:16]}",
        wheel=file.name,
        sha256=sha256,
        record=record_digest(installed.info),
        plugins=tuple(plugin.name for plugin in plugins),
        source=origin,
        time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        guest=guest,
    )
    return InstallResult(stored=stored, plugins=plugins, left_out=wheel.left_out)


def _known(wheel: PluginWheel, index: StoreIndex) -> StoredPlugin | None:
    """Return the same wheel if it is installed. Raises PluginError for other bytes, or an older version."""
    from packaging.version import Version  # noqa: PLC0415

    seen = index.seen.get(f"{normalise(wheel.name)}=={wheel.version}")
    if seen not in (None, wheel.sha256):
        raise PluginError(
            f"{wheel.label} is not what it was: sha256:{wheel.sha256}, before sha256:{seen}.",
            hint="A version never changes: ask its author, and do not install it.",
        )
    now = next((p for p in index.plugins if normalise(p.name) == normalise(wheel.name)), None)
    if now is None:
        return None
    if now.sha256 == wheel.sha256:
        return now
    if Version(wheel.version) < Version(now.version):
        raise PluginError(
            f"{wheel.label} is older than {now.version}, which is installed.",
            hint=f"Back to the one before: deskmate plugin rollback {now.name}. Else remove it first, then install.",
        )
    return None


def _installed(wheel: PluginWheel, site: Path) -> Installed:
    installed = read_installed(site / wheel.info)
    if installed is None or installed.plugins != wheel.plugins:  # two readings of one file differ
        raise PluginError(f"{wheel.label} says different things of its plugins.")
    return Installed(
        name=wheel.name, version=wheel.version, site=site, info=installed.info,
        plugins=wheel.plugins, origin="store",
    )  # fmt: skip


def _fetch_guest(
    plugins: Sequence[InstalledPlugin],
    change: StoreChange,
    number: int,
    order: InstallOrder,
    progress: Progress,
) -> Mapping[str, str]:
    """Fetch what the plugins need in the guest, by hash, into the staging folder; return file → sha256."""
    plan = plan_wheels(plugins, order.wheelhouse)
    plan = GuestWheels(
        wanted=plan.wanted, image=plan.image, wheelhouse=plan.wheelhouse,
        before=uploaded_before(order.cooldown_days),
    )  # fmt: skip
    folder, guest = change.wheels(number), dict[str, str]()
    for plugin in plan.wanted:
        scratch = change.staging / f"guest-{number}-{plugin}"
        scratch.mkdir()
        for wheel in _fetched(plan, plugin, scratch, progress):
            unpack_wheel(wheel, scratch / "trial" / wheel.name)  # refused now, not at the first run
            with wheel.open("rb") as stream:
                guest[wheel.name] = hashlib.file_digest(stream, "sha256").hexdigest()
            wheel.replace(folder / wheel.name)
    return guest


def _fetched(plan: GuestWheels, plugin: str, scratch: Path, progress: Progress) -> Sequence[Path]:
    try:
        return tuple(plan.fetch(plugin, scratch, progress).values())
    except PluginError as error:
        hint = "Without a network: deskmate plugin install … --wheelhouse FOLDER"
        if plan.before and plan.wheelhouse is None:
            hint = (
                f"What the index got after {plan.before} is left out; --cooldown 0 takes it. {hint}"
            )
        raise PluginError(error.message, hint=hint) from error


def _check_claims(results: Sequence[InstallResult], there: Catalogue) -> None:
    """Refuse a plugin's name that belongs to somebody else, and a distribution that pip has installed."""
    owners = {
        normalise(plugin.name): (plugin.distribution, f"{plugin.distribution} {plugin.version}")
        for plugin in there.plugins
    }
    for problem in there.problems:
        for label in problem.distributions:
            owners.setdefault(normalise(problem.plugin), (label.partition(" ")[0], label))
    by_pip = {normalise(p.distribution): p for p in there.plugins if p.origin != "store"}
    names = [normalise(result.stored.name) for result in results]
    if len(set(names)) < len(names):
        raise PluginError("Two of the wheels are of one distribution.", hint="Name one of them.")
    for result in results:
        stored = result.stored
        if other := by_pip.get(normalise(stored.name)):
            raise PluginError(
                f"{other.distribution} {other.version} is installed by pip already.",
                hint=f"pip uninstall {other.distribution}, then install it into the plugin store.",
            )
        for plugin in result.plugins:
            if plugin.name in BUILT_IN:
                raise PluginError(
                    f"{stored.name} {stored.version} calls its plugin {plugin.name}, a name of Deskmate "
                    "itself."
                )
            name, label = owners.setdefault(
                normalise(plugin.name), (stored.name, f"{stored.name} {stored.version}")
            )
            if normalise(name) != normalise(stored.name):
                raise PluginError(
                    f"{stored.name} {stored.version} brings a plugin {plugin.name}; that name belongs to "
                    f"{label}.",
                    hint="One of them only: tell the author of the other.",
                )
