"""Has the probe run: in a virtual machine, or for a plugin's own tests in a child process of its author's."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import tomllib
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio

from deskmate.discovery.manifest import settings_of
from deskmate.errors import CorruptData, PluginError, SandboxUnavailable
from deskmate.ports import Flavour, Machine, Progress, Sandbox, SandboxSpec
from deskmate.types.codec import from_json
from deskmate.types.ids import Digest, ThreadId
from deskmate.types.probe import PROBE_LIMIT_BYTES, ProbeReport, SessionSeen
from deskmate.types.registry import InstalledPlugin
from deskmate.types.wire import LAYER, PLUGINS

DEADLINE_S = 530.0
"""For all calls, gates and odd calls, twice; a shell of the machine may take ten minutes, no more."""
OPEN_S = 180.0
"""A machine that loads the plugin is there by then, also on a busy host without hardware help."""
OFFICE_DEADLINE_S, OFFICE_CALL_S = 530.0, 120
"""The same where examples take LibreOffice or Chromium."""
FUZZ = 32
"""Odd calls a tool."""
_CASES, _CASES_BYTES = "/checks/cases.toml", 1 << 18
_PIECE = 24_000
_LIB = f"{LAYER}/lib"
_REPORT = "/tmp/deskmate-check"  # noqa: S108 - in the virtual machine
_RUN = (
    "import sys; sys.path[:0] = [sys.argv[1]]; "
    "from deskmate_guest.checking.__main__ import main; sys.exit(main())"
)
_PACK = (
    f"import base64, zlib; raw = open('{_REPORT}.json', 'rb').read(); "
    f"open('{_REPORT}.b64', 'wb').write(base64.b64encode(zlib.compress(raw)))"
)


class NoContent:
    """Blobs of a machine into which nothing is put."""

    def read(self, digest: Digest) -> bytes:
        """Raise CorruptData: there is nothing."""
        raise CorruptData(f"Blob {digest} is missing.")

    def chunks(self, digest: Digest) -> Any:
        """Raise CorruptData: there is nothing."""
        raise CorruptData(f"Blob {digest} is missing.")

    def has(self, digest: Digest) -> bool:
        """Say no."""
        return False


async def probe_in_machine(
    sandbox: Sandbox, plugin: InstalledPlugin, progress: Progress
) -> ProbeReport:
    """Return what the probe sees of a plugin in a fresh virtual machine without a network and without folders.

    A plugin with which no machine comes up, or that never ends, is one that does not load. Raises SandboxMissing.
    """
    office = wants_office(plugin) and not await sandbox.lacks("office")
    deadline_s = OFFICE_DEADLINE_S if office else DEADLINE_S
    flavour: Flavour = "office" if office else "base"
    spec = SandboxSpec(thread=ThreadId("plugin-check"), plugins=(plugin.name,), flavour=flavour)
    progress("starting a virtual machine")
    try:
        with anyio.fail_after(OPEN_S) as scope:
            async with sandbox.open(spec, progress) as machine:
                scope.deadline = anyio.current_time() + deadline_s + 120
                await machine.put_base((), NoContent(), progress)
                progress("trying its tools and gates")
                return await _probed(machine, plugin, office=office)
    except TimeoutError:
        return _nothing(
            f"no virtual machine came up with it within {OPEN_S:g} s, or it never ended"
        )
    except SandboxUnavailable as error:
        return _nothing(f"no virtual machine came up with it: {error.message}")


def wants_office(plugin: InstalledPlugin) -> bool:
    """Say whether one of the plugin's examples takes the office image; what cannot be read wants nothing."""
    file = next((real for path, real in plugin.files.items() if path.endswith(_CASES)), "")
    try:
        data = tomllib.loads(Path(file).read_bytes()[:_CASES_BYTES].decode()) if file else {}
    except (OSError, ValueError, RecursionError):
        return False  # the probe says what is wrong with it
    rows = [row for kind in ("call", "gate") for row in data.get(kind, ())]
    return any(isinstance(row, Mapping) and row.get("office") is True for row in rows)


async def _probed(machine: Machine, plugin: InstalledPlugin, *, office: bool) -> ProbeReport:
    order = _request(plugin, _places(plugin), f"{_REPORT}.json", office=office)
    request, deadline_s = json.dumps(order), order["deadline_s"]
    script = (
        f"cat > {_REPORT}.in <<'DESKMATE-ORDER'\n{request}\nDESKMATE-ORDER\n"
        f'python3 -c "{_RUN}" {_LIB} < {_REPORT}.in && python3 -c "{_PACK}" && wc -c < {_REPORT}.b64'
    )
    said = await _shell(machine, "probe", script, int(deadline_s) + 60)
    if not said.strip().isdigit():
        return _nothing(f"it did not come to its end: {said.strip()[-300:]}")
    pieces = []
    for start in range(0, min(int(said), PROBE_LIMIT_BYTES), _PIECE):
        command = f"tail -c +{start + 1} {_REPORT}.b64 | head -c {_PIECE}"
        pieces.append(await _shell(machine, f"piece-{start}", command, 60))
    return _unpacked("".join(pieces))


async def _shell(machine: Machine, key: str, command: str, timeout_s: int) -> str:
    outcome = await machine.call(
        "workspace__shell",
        {"command": command, "timeout_s": timeout_s},
        key=key,
        timeout_s=float(timeout_s + 30),
        on_progress=lambda line: None,
    )
    try:
        return str(json.loads(outcome.text)["output"])
    except (ValueError, LookupError, TypeError):
        return outcome.text


def _unpacked(text: str) -> ProbeReport:
    try:
        inflate = zlib.decompressobj()
        data = inflate.decompress(base64.b64decode(text, validate=True), PROBE_LIMIT_BYTES)
        if inflate.unconsumed_tail:
            return _nothing("its report is too large")
        return from_json(ProbeReport, json.loads(data))
    except (ValueError, zlib.error, CorruptData, RecursionError) as error:
        return _nothing(f"its report cannot be read: {error}")


def _nothing(problem: str) -> ProbeReport:
    from deskmate.types.probe import LoadSeen  # noqa: PLC0415

    seen = SessionSeen(load=LoadSeen(error=problem), problem=problem)
    return ProbeReport(first=seen)


def _places(plugin: InstalledPlugin) -> Mapping[str, str]:
    """Return where a plugin lies in a machine: the probe takes what is there."""
    return {
        "root": f"{PLUGINS}/plugins/{plugin.name}",
        "wheels": f"{PLUGINS}/wheels/{plugin.name}",
        "other_root": f"{LAYER}/plugins/{plugin.name}",
        "other_wheels": f"{LAYER}/wheels/{plugin.name}",
    }


def _request(
    plugin: InstalledPlugin, places: Mapping[str, str], report: str, *, office: bool
) -> dict[str, Any]:
    order = {
        "name": plugin.name,
        "package": plugin.package,
        "version": plugin.version,
        "config": settings_of(plugin.name, plugin.manifest, {}),
        "fuzz": FUZZ,
        # what the office image has starts slowly without hardware help
        "call_s": float(min(plugin.manifest.timeout_s, OFFICE_CALL_S if office else 60)),
        "office": office,
        **places,
    }
    deadline_s = OFFICE_DEADLINE_S if office else DEADLINE_S
    return {"order": order, "deadline_s": deadline_s, "report": report}


def probe_in_child(
    plugin: InstalledPlugin,
    site: Path,
    *,
    deadline_s: float = 300.0,
    office: bool = False,
    fuzz: int = FUZZ,
) -> ProbeReport:
    """Return what the probe sees of a plugin in a child process of this one. Blocks.

    For the tests of the plugin's own author, on the author's machine: the child has the rights of whoever runs it, so this is
    never for code of somebody else. `office`: whether examples are tried that take what the office image has. `fuzz`: odd
    calls a tool, 0 for none.

    Raises PluginError if the child cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="deskmate-probe-") as scratch:
        report = Path(scratch, "report.json")
        places = {"root": str(site), "wheels": str(Path(scratch, "wheels"))}
        request = _request(plugin, places, str(report), office=office)
        request = {**request, "deadline_s": deadline_s}
        request["order"] = {**request["order"], "fuzz": fuzz}
        lib = str(Path(__file__).parents[3])
        environment = {
            k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")
        }
        with subprocess.Popen(
            [sys.executable, "-c", _RUN, lib],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=scratch,
            start_new_session=True,
        ) as child:
            try:
                _, said = child.communicate(json.dumps(request).encode(), deadline_s * 2 + 30)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                return _nothing("it did not come to its end in time")
        if not report.is_file():
            raise PluginError(f"The probe did not run: {said.decode('utf-8', 'replace')[-300:]}")
        if report.stat().st_size > PROBE_LIMIT_BYTES:
            return _nothing("its report is too large")
        try:
            return from_json(ProbeReport, json.loads(report.read_bytes()))
        except (ValueError, CorruptData, RecursionError) as error:
            return _nothing(f"its report cannot be read: {error}")
