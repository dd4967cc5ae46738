"""Root in a guest looks for the host's files: there is no disk, folder or file system to find them on."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.attack.canary import Canary
from tests.attack.evil.guest import EvilGuests, run_as_root
from tests.attack.table import Attempts

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("G1")]
DISK, RANDOM, CONSOLE = "0x0002", "0x0004", "0x0003"

LOOK = """
import ctypes, glob, os
libc = ctypes.CDLL(None, use_errno=True)
for path in sorted(glob.glob("/sys/bus/virtio/devices/*/device")):
    print("device", open(path).read().strip())
for kind in ("9p", "virtiofs", "vboxsf", "vmhgfs", "nfs", "cifs", "fuse"):
    for tag in ("host", "share", "home", "workspace", "root", "mount_tag", "hostshare"):
        os.makedirs("/mnt", exist_ok=True)
        if libc.mount(tag.encode(), b"/mnt", kind.encode(), 0, b"trans=virtio") == 0:
            print("mounted", kind, tag)
print("disks", *sorted(os.path.basename(p) for p in glob.glob("/sys/block/*")))
pattern = "{reversed}"[::-1]
for disk, mib in (("/dev/vda", 400), ("/dev/vdb", 64), ("/dev/vdc", 64), ("/dev/vdd", 64), ("/dev/vde", 64)):
    read, hit, kept = 0, False, b""
    with open(disk, "rb", buffering=0) as device:
        while read < mib << 20 and (data := device.read(1 << 20)):
            hit = hit or pattern.encode() in kept + data
            read, kept = read + len(data), data[-len(pattern):]
    print("searched", disk, read >> 10 > 0, "FOUND" if hit else "clean")
print("users", [line.split(":")[0] for line in open("/etc/shadow")].count("root"), open("/etc/hostname").read().strip() if os.path.exists("/etc/hostname") else "")
"""


async def test_root_in_a_guest_finds_its_own_disks_only(
    evil: EvilGuests,
    attempt: Attempts,
    canary: Canary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in (".ssh/id_ed25519", "Documents/notes.txt", "cwd/secret.env"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(canary.text)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("A_TOKEN", canary.text)
    monkeypatch.chdir(tmp_path / "cwd")
    async with evil.machine() as machine:
        code = LOOK.format(reversed=canary.text[::-1])
        said = (await run_as_root(machine, code, timeout_s=120)).splitlines()
    devices = [line.split()[1] for line in said if line.startswith("device")]
    attempt("another virtio device", blocked=sorted(devices) == [DISK] * 5 + [CONSOLE, RANDOM])
    for kind in ("9p", "virtiofs", "vboxsf", "vmhgfs", "nfs", "cifs", "fuse"):
        attempt(f"mount {kind}", blocked=not any(f"mounted {kind}" in line for line in said))
    disks = next(line.split()[1:] for line in said if line.startswith("disks"))
    attempt(
        "another disk",
        blocked={d for d in disks if d[:2] in ("vd", "sd", "hd", "nv")}
        == {"vda", "vdb", "vdc", "vdd", "vde"},
    )
    searched = [line for line in said if line.startswith("searched")]
    assert len(searched) == 5, said
    for line in searched:
        attempt(line, blocked=line.endswith("True clean"))
    assert "Traceback" not in "\n".join(said)
