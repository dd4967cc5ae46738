"""Starts the service that renders documents, in guests that have LibreOffice, and waits until it is warm."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

from deskmate.types.wire import OFFICE_SOCKET, OFFICE_UID
from deskmate_guest import soffice
from deskmate_guest.cgroups import Cgroup
from deskmate_guest.layout import Layout

_WAIT_S = 400.0
_SERVICES: list[subprocess.Popen[bytes]] = []
"""Kept: the supervisor reaps whatever ends."""


def launch_office(layout: Layout) -> int | None:
    """Start the service as its own user; return where it says that it is ready, None without LibreOffice."""
    if not soffice.installed():
        return None
    folder = Path(OFFICE_SOCKET).parent
    folder.mkdir(mode=0o711)
    os.chown(folder, OFFICE_UID, OFFICE_UID)
    near, far = os.pipe()
    service = subprocess.Popen(
        [sys.executable, "-I", str(Path(__file__).with_name("office.py")), str(far)],
        stdin=subprocess.DEVNULL,
        pass_fds=(far,),
        cwd="/",
        user=OFFICE_UID,
        group=OFFICE_UID,
        extra_groups=(),
        start_new_session=True,
    )
    os.close(far)
    Cgroup(layout, "listener", OFFICE_UID).add(service.pid)
    _SERVICES.append(service)
    return near


def await_office(fd: int | None) -> None:
    """Wait until LibreOffice is warm: it is frozen so. A guest without it ends here, and is not frozen."""
    if fd is None:
        return
    if select.select([fd], [], [], _WAIT_S)[0]:
        word = os.read(fd, 4096).decode("utf-8", "replace").strip()
    else:
        word = f"not ready after {_WAIT_S:g} s"
    os.close(fd)
    if word != "ready":
        raise SystemExit(f"deskmate: the office service: {word or 'it ended'}")
