"""A set of plugins → one read-only EROFS disk for the guest, named by the digest of its content."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from deskmate import __version__
from deskmate.discovery.folder_lock import folder_lock
from deskmate.discovery.foreign import skill_specs
from deskmate.discovery.guest_wheels import GuestWheels, plan_wheels
from deskmate.discovery.installed import BUILT_IN, Catalogue, is_built_in
from deskmate.discovery.lock import Lock, canonical, guest_lock, lock_plugin, make_lock
from deskmate.discovery.sources import LIB, SourceFile, copy_source, layer_root, layer_sources
from deskmate.errors import PluginError, SandboxMissing
from deskmate.types.ids import Digest
from deskmate.types.places import Places
from deskmate.types.registry import InstalledPlugin, Layer

Progress = Callable[[str], None]
_FORMAT = 2
_UUID = "6465736b-6d61-7465-6c61-796572000001"
_MKFS_DEADLINE_S = 300
_LOCK_DEADLINE_S = 900


def build_layer(
    plugins: Sequence[str],
    catalogue: Catalogue,
    places: Places,
    progress: Progress,
    *,
    wheelhouse: Path | None = None,
) -> Layer:
    """Return the layer that holds Deskmate's guest code, the built-in plugins and `plugins`.

    Built once per content; later calls compare sizes and times of the files only. Blocks: call it
    in a thread.

    Args:
        plugins: names, in any order; built-in ones are always added and come first.
        catalogue: what `find_plugins` found.
        places: the disk goes to `places.layers`.
        progress: told what is being built.
        wheelhouse: a folder of wheels to take guest packages from, instead of the package index.

    Raises:
        PluginError: a plugin is missing, broken, changed since it was installed, or its guest
            packages cannot be had.
        SandboxMissing: mkfs.erofs is not installed.
    """
    chosen = _choose(plugins, catalogue)
    sources = layer_sources(chosen)
    wheels = plan_wheels(chosen, wheelhouse)
    key = _fingerprint(chosen, sources, wheels)
    if (layer := _cached(key, chosen, places)) is not None:
        return layer
    places.layers.mkdir(parents=True, exist_ok=True)
    with folder_lock(places.layers, "building a layer in", _LOCK_DEADLINE_S):
        if (layer := _cached(key, chosen, places)) is not None:
            return layer
        progress(f"Building the disk of plugins: {', '.join(plugin.name for plugin in chosen)}")
        with _staging(places.layers) as staging:
            layer = _build(chosen, sources, wheels, places, staging, progress)
        _remember(key, layer, places)
    return layer


def _choose(names: Sequence[str], catalogue: Catalogue) -> tuple[InstalledPlugin, ...]:
    wanted = {name: catalogue.get(name) for name in (*BUILT_IN, *names)}
    by_order = sorted(
        wanted.values(),
        key=lambda plugin: (not is_built_in(plugin), plugin.manifest.order, plugin.name),
    )
    _check_rules(by_order)
    return tuple(by_order)


def _check_rules(plugins: Sequence[InstalledPlugin]) -> None:
    """Refuse a set in which two plugins have a rule of one name: a finding names its rule only."""
    owners: dict[str, InstalledPlugin] = {}
    for plugin in plugins:
        for rule in plugin.manifest.validators:
            other = owners.setdefault(rule, plugin)
            if other is not plugin:
                raise PluginError(
                    f"The rule {rule} is in {other.name} (of {other.distribution} {other.version}) and "
                    f"in {plugin.name} (of {plugin.distribution} {plugin.version}).",
                    hint="Use one of them only; its author can rename the rule.",
                )


def _fingerprint(
    chosen: Sequence[InstalledPlugin], sources: Sequence[SourceFile], wheels: GuestWheels
) -> str:
    parts = {
        "format": [_FORMAT, __version__],
        "plugins": [[p.name, p.distribution, p.version, p.package] for p in chosen],
        "files": [source.fingerprint() for source in sources],
        "wheels": wheels.fingerprint(),
    }
    return hashlib.sha256(canonical(parts)).hexdigest()


def _cached(key: str, chosen: Sequence[InstalledPlugin], places: Places) -> Layer | None:
    try:
        data = json.loads((places.layers / "index" / key).read_bytes())
        digest, lock, size = str(data["digest"]), str(data["lock"]), int(data["size"])
        disk = places.layers / f"{digest}.erofs"
        if disk.stat().st_size != size:
            return None
        os.utime(disk)  # pruning goes by the last use
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return _layer(chosen, Digest(digest), Digest(lock), disk)


def _remember(key: str, layer: Layer, places: Places) -> None:
    index = places.layers / "index"
    index.mkdir(exist_ok=True)
    size = Path(layer.disk).stat().st_size
    part = index / f"{key}.part"
    part.write_bytes(canonical({"digest": layer.digest, "lock": layer.lock, "size": size}))
    part.replace(index / key)


def _layer(chosen: Sequence[InstalledPlugin], digest: Digest, lock: Digest, disk: Path) -> Layer:
    return Layer(
        digest=digest,
        disk=str(disk.absolute()),
        lock=lock,
        plugins=tuple(plugin.name for plugin in chosen),
        versions={plugin.name: plugin.version for plugin in chosen},
        manifests={plugin.name: plugin.manifest for plugin in chosen},
        skills=tuple(spec for plugin in chosen for spec in skill_specs(plugin)),
        warm={plugin.name: plugin.warm for plugin in chosen if plugin.warm is not None},
    )


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    for left in folder.glob("staging-*"):  # of a process that was killed; we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix="staging-", dir=folder))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _build(
    chosen: Sequence[InstalledPlugin],
    sources: Sequence[SourceFile],
    wheels: GuestWheels,
    places: Places,
    staging: Path,
    progress: Progress,
) -> Layer:
    tree = staging / "tree"
    tree.mkdir()
    digests = {source.path: copy_source(source, tree) for source in sources}
    brought = wheels.unpack(tree, staging, progress)
    lock = _lock_set(chosen, sources, digests, brought)
    own = {path: name for path, name in digests.items() if path.startswith(f"{LIB}/")}
    code = Digest(hashlib.sha256(canonical(own)).hexdigest())
    (tree / "lock.json").write_bytes(guest_lock(lock, code))
    digest = _content_digest(tree)
    disk = places.layers / f"{digest}.erofs"
    _make_disk(tree, staging / "disk", disk)  # also over one that is there: it may be damaged
    return _layer(chosen, digest, lock.digest, disk)


def _lock_set(
    chosen: Sequence[InstalledPlugin],
    sources: Sequence[SourceFile],
    digests: Mapping[str, Digest],
    brought: Mapping[str, Sequence[str]],
) -> Lock:
    locked = []
    for plugin in chosen:
        inside = f"{layer_root(plugin)}/"
        if is_built_in(plugin):
            inside += plugin.package.replace(".", "/") + "/"
        files = {s.path: digests[s.path] for s in sources if s.path.startswith(inside)}
        locked.append(lock_plugin(plugin, layer_root(plugin), files, brought.get(plugin.name, ())))
    return make_lock(locked)


def _content_digest(tree: Path) -> Digest:
    """Return the digest over (path, mode, sha256) of everything, and make modes independent of umask."""
    whole = hashlib.sha256(f"layer {_FORMAT}\n".encode())
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree).as_posix()
        mode = 0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644
        path.chmod(mode)
        content = "-"
        if not path.is_dir():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(json.dumps([name, mode, content]).encode() + b"\n")
    tree.chmod(0o755)
    return Digest(whole.hexdigest())


def _make_disk(tree: Path, part: Path, disk: Path) -> None:
    program = shutil.which("mkfs.erofs", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None:
        raise SandboxMissing(
            "mkfs.erofs is missing; it makes the disk that brings plugins into the virtual machine.",
            hint="Install the package erofs-utils.",
        )
    command = [program, "-zlz4", "-T0", "--all-root", f"-U{_UUID}", "--quiet", str(part), str(tree)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_MKFS_DEADLINE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise PluginError(f"mkfs.erofs did not end within {_MKFS_DEADLINE_S} s.") from error
    if done.returncode != 0:
        last = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()[-1:]
        raise PluginError(f"mkfs.erofs failed on {disk.name}: {' '.join(last)}")
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.chmod(0o444)
    part.replace(disk)
