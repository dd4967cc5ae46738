"""A machine has the devices of a list and none besides, by QEMU's own account and by the guest's."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from tests.attack.evil.guest import EvilGuests, run_as_root
from tests.attack.table import Attempts

pytestmark = [pytest.mark.vm, pytest.mark.anyio, pytest.mark.attack("G2")]

GOLDEN = Counter(
    {
        "virtio-mmio": 24,  # the machine's slots, seven of them in use
        "virtio-blk-device": 5,
        "virtserialport": 3,
        "virtio-serial-device": 1,
        "virtconsole": 1,
        "virtio-rng-device": 1,
        "acpi-ged-x86": 1,
        "fw_cfg_io": 1,
        "ioapic": 2,
        "isabus-bridge": 1,
        "isa-i8259": 2,
        "isa-pit": 1,
        "mc146818rtc": 1,
        "kvmvapic": 1,
    }
)
UNWANTED = (
    "usb", "net", "e1000", "vga", "vmport", "vmmouse", "ps2", "i8042", "fdc", "floppy", "ide", "ahci",
    "smbus", "hpet", "pci", "scsi", "nvme", "sdhci", "9p", "fs", "vhost", "vsock", "crypto", "gpu",
    "balloon", "pmem", "mem-", "parallel", "isa-serial", "audio", "hda", "tpm", "ivshmem", "watchdog",
)  # fmt: skip

LOOK = """
import glob, os
print("pci", len(glob.glob("/sys/bus/pci/devices/*")))
print("usb", len(glob.glob("/sys/bus/usb/devices/*")))
print("net", *[name for name in os.listdir("/sys/class/net") if name != "lo"])
print("serio", len(glob.glob("/sys/bus/serio/devices/*")))
print("scsi", len(glob.glob("/sys/bus/scsi/devices/*")))
print("ports", *sorted(open(p).read().strip() for p in glob.glob("/sys/class/virtio-ports/*/name")))
"""


async def test_qemu_has_the_devices_of_the_list_and_no_other(
    evil: EvilGuests, attempt: Attempts
) -> None:
    async with evil.machine() as machine:
        ask: dict[str, Any] = {"command-line": "info qtree"}
        tree = await machine.process.qmp.execute("human-monitor-command", **ask)
        said = (await run_as_root(machine, LOOK)).splitlines()
    devices = Counter(re.findall(r"dev: ([\w.-]+),", tree))
    plain = Counter({name.removeprefix("kvm-"): count for name, count in devices.items()})
    assert sum(plain.values()) > 30
    for name in sorted(plain | GOLDEN):
        attempt(f"{plain[name]} × {name}", blocked=plain[name] <= GOLDEN[name])
    for word in UNWANTED:
        found = [name for name in devices if name.startswith(word) or f"-{word}" in name]
        attempt(f"a device like {word}", blocked=not set(found) - {"virtio-mmio"})
    assert said == ["pci 0", "usb 0", "net", "serio 0", "scsi 0", "ports agent bulk egress"]
