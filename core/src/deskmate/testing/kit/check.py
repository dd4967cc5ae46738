"""`plugin check`: a folder or wheel → all checks. Its code runs where the given probe says, never in this process."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deskmate import __version__
from deskmate.discovery.installed import Catalogue, find_plugins, is_built_in
from deskmate.discovery.installing import InstallOrder, InstallResult, install
from deskmate.discovery.plugin_store import PluginStore
from deskmate.errors import ConfigError, PluginError, UserError
from deskmate.testing.kit.bill import Part, cyclonedx, licence_problems, part_of
from deskmate.testing.kit.judging import judge
from deskmate.testing.kit.packing import pack_wheel
from deskmate.testing.kit.report import Check, Report, Where, level_of
from deskmate.testing.kit.statics import check, limit_check, skill_check, text_check
from deskmate.types.probe import ProbeReport
from deskmate.types.registry import InstalledPlugin

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A wheel laid out for checking. `refused`: why Deskmate would not install it; then there is no plugin."""

    wheel: Path
    sha256: str
    store: PluginStore
    result: InstallResult | None = None
    refused: UserError | None = None

    @property
    def plugin(self) -> InstalledPlugin:
        """The one plugin that it brings, as the store has it. Only where it was not refused."""
        found = find_plugins([], store=self.store.folder)
        if not found.plugins:
            raise PluginError(
                found.problems[0].message if found.problems else "There is no plugin."
            )
        return found.plugins[0]

    @property
    def site(self) -> Path:
        """The folder that its package lies in."""
        stored = self.store.index().plugins[0]
        return self.store.installed(stored).site

    def catalogue(self) -> Catalogue:
        """Return this plugin beside those that come with Deskmate, and no other."""
        own = [plugin for plugin in find_plugins().plugins if is_built_in(plugin)]
        return Catalogue(plugins=(*own, self.plugin))


@contextmanager
def laid_out(
    what: Path, progress: Progress, *, wheelhouse: Path | None = None
) -> Iterator[Subject]:
    """Pack a folder, or take a wheel, and unpack it as data into a store of its own, gone afterwards.

    Raises PluginError for a folder that cannot be packed or a file that is not there.
    """
    with tempfile.TemporaryDirectory(prefix="deskmate-plugin-") as scratch:
        if what.is_dir():
            progress(f"packing {what}")
            wheel = pack_wheel(what, Path(scratch, "dist"))
        else:
            wheel = what
        try:
            with wheel.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise PluginError(
                f"{what} cannot be read: {error.strerror}.",
                hint="Name a plugin's folder, or a wheel.",
            ) from error
        store = PluginStore(Path(scratch, "store"))
        order = InstallOrder(what=(str(wheel.absolute()),), wheelhouse=wheelhouse)
        try:
            (result,) = install(order, store, progress, path=[])
        except UserError as error:
            yield Subject(wheel=wheel, sha256=sha256, store=store, refused=error)
            return
        if len(result.plugins) != 1:
            raise PluginError(
                f"{wheel.name} brings {len(result.plugins)} plugins; one a wheel can be checked."
            )
        yield Subject(wheel=wheel, sha256=sha256, store=store, result=result)


Probe = Callable[[Subject], Awaitable[ProbeReport]]
"""Has the probe look at a plugin."""


async def check_plugin(subject: Subject, probe: Probe | None, where: Where) -> Report:
    """Return the report of all checks.

    Args:
        subject: what was laid out.
        probe: runs the plugin's code; None for what can be said by reading alone, which reaches no level.
        where: in what the probe runs it.
    """
    if subject.refused is not None:
        return _refused(subject, subject.refused)
    plugin = subject.plugin
    checks = {one.id: one for one in _static(subject, plugin)}
    if probe is not None:
        for one in judge(plugin.name, plugin.manifest, await probe(subject)):
            checks[one.id] = _both(checks[one.id], one) if one.id in checks else one
    return Report(
        plugin=plugin.name,
        distribution=plugin.distribution,
        version=plugin.version,
        wheel=subject.wheel.name,
        sha256=subject.sha256,
        where=where if probe else "nowhere",
        level=level_of(checks, where if probe else "nowhere"),
        checks=tuple(checks.values()),
        deskmate=__version__,
        time=_now(),
    )


def _refused(subject: Subject, error: UserError) -> Report:
    name = "manifest" if isinstance(error, ConfigError) else "package"
    words = f"{error.message} {error.hint}".strip()
    return Report(
        plugin="",
        distribution="",
        version="",
        wheel=subject.wheel.name,
        sha256=subject.sha256,
        where="nowhere",
        level="none",
        checks=(
            Check(
                id=name, status="failed", summary="Deskmate would not install it", details=(words,)
            ),
        ),
        deskmate=__version__,
        time=_now(),
    )


def _static(subject: Subject, plugin: InstalledPlugin) -> Iterator[Check]:
    left = subject.result.left_out if subject.result else ()
    details = [
        f"it needs {one} outside the machine, where nothing is installed for it" for one in left
    ]
    yield check("package", details, "the wheel is data, whole, and Python only")
    yield check("manifest", [], "plugin.toml is valid")
    own, parts = parts_of(subject)
    words = (
        f"{own.licence}, with {len(parts)} packages"
        if parts
        else f"{own.licence}, brings no packages"
    )
    yield check("licence", [*licence_problems(own, parts)], words)
    yield limit_check(subject.wheel, plugin)
    yield skill_check(plugin)
    yield text_check(plugin)


def parts_of(subject: Subject) -> tuple[Part, Sequence[Part]]:
    """Return the plugin's own distribution and those that it brings into the machine."""
    stored = subject.store.index().plugins[0]
    wheels = subject.store.wheels(stored)
    parts = [part_of(Path(file), sha256) for file, sha256 in sorted(wheels.items())]
    return part_of(subject.wheel, subject.sha256), parts


def bill_of(subject: Subject) -> dict[str, object]:
    """Return the bill of materials of what was laid out. Raises PluginError if Deskmate would not install it."""
    if subject.refused is not None:
        raise subject.refused
    own, parts = parts_of(subject)
    return cyclonedx(own, parts, time=_now(), version=__version__)


def _both(one: Check, other: Check) -> Check:
    """Return two looks at the same thing as one check."""
    worst = max(one, other, key=lambda check: ("ok", "open", "failed").index(check.status))
    details = (*one.details, *other.details)
    summary = one.summary if one.status == other.status == "ok" else worst.summary
    return Check(id=one.id, status=worst.status, summary=summary, details=details)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
