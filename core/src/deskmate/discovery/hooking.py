"""Which commands of plugins in other formats may run at certain moments: those that the user approved, as they were then."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deskmate.discovery.foreign import PinnedFiles, read_foreign
from deskmate.discovery.lock import canonical
from deskmate.discovery.metadata import read_bounded
from deskmate.errors import DeskmateError, PluginError
from deskmate.types.codec import to_json
from deskmate.types.foreign import ForeignHook
from deskmate.types.hooks import HookSpec
from deskmate.types.ids import Digest
from deskmate.types.registry import InstalledPlugin
from deskmate.types.wire import BROUGHT, HOME, WORKSPACE

FILE = "hooks.json"
_FORMAT = 1


class HookApprovals:
    """The user's answers, one file: plugin → digest of its files and hooks. What cannot be read counts as no answer."""

    def __init__(self, folder: Path) -> None:
        """`folder`: of the plugin store."""
        self._file = folder / FILE

    def of(self, name: str) -> Digest | None:
        """Return what was approved of a plugin, None if nothing was."""
        found = self._read().get(name)
        return Digest(found) if isinstance(found, str) else None

    def allow(self, name: str, digest: Digest) -> None:
        """Remember that the user approved the hooks of a plugin as it is now."""
        self._write({**self._read(), name: digest})

    def forbid(self, name: str) -> bool:
        """Forget an approval; say whether there was one."""
        known = self._read()
        if known.pop(name, None) is None:
            return False
        self._write(known)
        return True

    def _read(self) -> dict[str, Any]:
        try:
            data = json.loads(read_bounded(self._file))
            found = data["approved"] if data["format"] == _FORMAT else {}
        except (OSError, ValueError, LookupError, TypeError, RecursionError, DeskmateError):
            return {}
        return dict(found) if isinstance(found, dict) else {}

    def _write(self, approved: Mapping[str, Any]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._file.with_name(f"{FILE}.{os.getpid()}")
        with part.open("w", encoding="utf-8") as file:
            file.write(
                json.dumps({"format": _FORMAT, "approved": approved}, indent=1, sort_keys=True)
                + "\n"
            )
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._file)


def runnable(hooks: Iterable[ForeignHook]) -> tuple[ForeignHook, ...]:
    """Return the hooks that can run here, once approved."""
    return tuple(hook for hook in hooks if hook.runs)


def hooks_digest(plugin: InstalledPlugin) -> Digest:
    """Return the digest of all that an approval is about: what came with the plugin, the user's own files over it, and the hooks.

    Raises PluginError where the store has something else than was added.
    """
    about = read_foreign(plugin)
    place = plugin.foreign
    assert place is not None
    files = plugin.files
    assert isinstance(files, PinnedFiles)
    content = {
        "plugin": place.digest,
        "own": {path: _sha256(real) for path, real in files.own().items()},
        "hooks": [to_json(hook) for hook in runnable(about.hooks)],
    }
    return Digest(hashlib.sha256(canonical(content)).hexdigest())


def _sha256(real: str) -> str:
    with open(real, "rb") as file:  # noqa: PTH123 - a path from a listing
        return hashlib.file_digest(file, "sha256").hexdigest()


def hook_specs(
    plugin: InstalledPlugin, approvals: HookApprovals, config: Mapping[str, Any]
) -> Iterator[HookSpec]:
    """Yield the hooks of a plugin that may run: none but those that the user approved as they are. `config`: its settings."""
    if plugin.foreign is None or (approved := approvals.of(plugin.name)) is None:
        return
    if hooks_digest(plugin) != approved:
        return
    root = f"{BROUGHT}/{plugin.name}"
    places = {
        "CLAUDE_PLUGIN_ROOT": root,
        "CLAUDE_PLUGIN_DATA": f"{HOME}/plugin-data/{plugin.name}",
        "CLAUDE_PROJECT_DIR": WORKSPACE,
    }
    options = {
        f"CLAUDE_PLUGIN_OPTION_{_variable(name)}": str(value) for name, value in config.items()
    }
    settings = {f"user_config.{name}": str(value) for name, value in config.items()}
    for number, hook in enumerate(runnable(read_foreign(plugin).hooks), 1):
        words = {**places, **(settings if hook.arguments is not None else {})}
        yield HookSpec(
            name=f"{plugin.name}:{number}",
            plugin=plugin.name,
            event=hook.event,
            command=_filled(hook.command, words),
            approved=approved,
            matcher=hook.matcher,
            condition=hook.condition,
            arguments=None
            if hook.arguments is None
            else tuple(_filled(one, words) for one in hook.arguments),
            timeout_s=hook.timeout_s,
            waits=hook.waits,
            environment={**places, **options},
        )


def lapsed(plugin: InstalledPlugin, approvals: HookApprovals) -> bool:
    """Say whether hooks were approved and are off now, since the plugin or the user's files over it changed."""
    if plugin.foreign is None or (approved := approvals.of(plugin.name)) is None:
        return False
    return hooks_digest(plugin) != approved


def _filled(text: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def _variable(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name).upper()


def allowed_line(
    plugin: InstalledPlugin, approvals: HookApprovals, *, permitted: bool = True
) -> str:
    """Return in a line what the user said of a plugin's hooks, "" where nothing was said.

    `permitted`: by the organisation.
    """
    if plugin.foreign is None or approvals.of(plugin.name) is None:
        return ""
    if not permitted:
        return "You allowed its hooks; your organisation does not, so they are off"
    try:
        off = lapsed(plugin, approvals)
    except PluginError:  # its files in the store are not what was added
        off = True
    if off:
        return f"You allowed its hooks as it was before; they are off (deskmate plugin hooks {plugin.name})"
    return f"You allowed its hooks: they run in the virtual machine (deskmate plugin hooks {plugin.name} --forbid ends that)"


def hook_lines(plugin: InstalledPlugin) -> Iterator[str]:
    """Yield, in plain words, what runs at which moment; and what never does."""
    for hook in read_foreign(plugin).hooks:
        only = f", for {hook.matcher}" if hook.matcher not in ("", "*") else ""
        only += f", only {hook.condition}" if hook.condition else ""
        if hook.runs:
            waits = "" if hook.waits else "; its answer holds nothing back"
            bound = f"(at most {hook.timeout_s} s{waits})"
            yield f"{hook.event} ({hook.moment}){only}: {hook.whole} {bound}"
        else:
            yield f"{hook.event}{only}: not run here ({hook.why_not}): {hook.kind} {hook.does}"
