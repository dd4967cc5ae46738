"""QEMU was taken over: its own monitor does what an attacker would. Also run as another user, by `-m`."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import anyio

from deskmate.errors import SandboxUnavailable
from deskmate.sandbox.image import find_image
from deskmate.sandbox.machine import QemuMachine, machine_of
from deskmate.sandbox.qemu import Shape, find_qemu
from deskmate.sandbox.template import restored
from deskmate.sandbox.template_cache import Templates
from deskmate.types.codec import from_json
from deskmate.types.places import Places
from deskmate.types.registry import Layer

ACTIONS = ("read /etc/passwd", "open a file", "create a file", "connect", "start a program")


async def five_actions(machine: QemuMachine, folder: Path, port: int) -> dict[str, str]:
    """Try what SECURITY counts: action → why it failed, empty if it did not."""

    def disk(node: str, path: Path, *, read_only: bool) -> dict[str, Any]:
        file = {"driver": "file", "filename": str(path), "locking": "off"}
        return {"driver": "raw", "node-name": node, "read-only": read_only, "file": file}

    address = {"type": "inet", "data": {"host": "127.0.0.1", "port": str(port)}}
    backend = {"type": "socket", "data": {"addr": address, "server": False}}
    commands: list[tuple[str, dict[str, Any]]] = [
        ("blockdev-add", disk("passwd", Path("/etc/passwd"), read_only=True)),
        ("blockdev-add", disk("victim", folder / "user.docx", read_only=False)),
        ("pmemsave", {"val": 0, "size": 4096, "filename": str(folder / "created")}),
        ("chardev-add", {"id": "out", "backend": backend}),
        ("migrate", {"uri": f"exec:touch {folder}/spawned"}),
    ]
    found = {}
    for name, (command, arguments) in zip(ACTIONS, commands, strict=True):
        found[name] = await refused(machine, command, arguments)
    return found


async def refused(machine: QemuMachine, command: str, arguments: dict[str, Any]) -> str:
    """Return why QEMU could not do it, empty when it could."""
    try:
        await machine.process.qmp.execute(command, **arguments)
        if command == "migrate":
            with anyio.fail_after(10):
                while True:
                    state = await machine.process.qmp.execute("query-migrate")
                    if state.get("status") == "failed":
                        return "failed"
                    if state.get("status") == "completed":
                        return ""
    except SandboxUnavailable as error:
        return error.message or "refused"
    return ""


async def _as_this_user(home: Path, port: int) -> dict[str, Any]:
    """Restore the template that lies in `home` and try; returns what was refused, and the walls."""
    places = Places(data=home, cache=home, config=home)
    shape = from_json(Shape, json.loads((home / "shape.json").read_text()))
    layer = from_json(Layer, json.loads((home / "layer.json").read_text()))
    qemu = find_qemu()
    templates = Templates(places, qemu)
    template = await templates.get(find_image(places), layer, shape, lambda line: None)
    machines = home / "machines"
    async with (
        restored(qemu, template, machines) as vm,
        machine_of(vm, template, machines) as machine,
    ):
        walls = dict(machine.process.walls)
        tried = await five_actions(machine, home / "user", port)
    templates.close()
    return {"tried": tried, "walls": walls, "template": template.cold_boot_s}


def listener() -> socket.socket:
    """Return a server on the loopback interface."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.2)
    return server


if __name__ == "__main__":
    outcome = anyio.run(_as_this_user, Path(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.write(json.dumps(outcome))
