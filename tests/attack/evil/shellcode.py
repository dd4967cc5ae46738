"""What code does that took QEMU over: every way to the host that it knows. Runs behind the launcher's walls.

Arguments: a folder of the user's, the pid of a process of the user's, a loopback port, the descriptor of a scratch disk, and
one of a disk that is only to be read. Prints one JSON object: action → why it failed, empty if it did not.
"""

# ruff: noqa: PTH101, PTH102, PTH104, PTH108, PTH208, PTH211
from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

FOLDER, PARENT, PORT, SCRATCH, READ_ONLY = sys.argv[1], *map(int, sys.argv[2:6])
VICTIM = f"{FOLDER}/user.docx"
LIBC = ctypes.CDLL(None, use_errno=True)
ACTIONS: dict[str, Callable[[], Any]] = {}


def raw(number: int, *arguments: Any) -> int:
    """Make a system call as it is."""
    result = int(LIBC.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


CLONE_ARGUMENTS = struct.pack("<11Q", 0x10000000, 0, 0, 0, 17, *[0] * 6)


def clone(number: int, *arguments: Any) -> None:
    """Make a process in a user namespace of its own, where it would hold every right."""
    if not (pid := raw(number, *arguments)):
        os._exit(0)
    os.waitpid(pid, 0)


def connect(family: int, address: Any) -> None:
    """Reach a socket."""
    with socket.socket(family, socket.SOCK_STREAM) as stream:
        stream.settimeout(2)
        stream.connect(address)


def spawn() -> None:
    """Start a program."""
    pid = os.fork()
    if not pid:
        try:
            os.execv("/bin/sh", ["sh", "-c", f"touch {FOLDER}/spawned"])
        finally:
            os._exit(99)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 99:
        raise PermissionError(errno.EACCES, "the program did not start")


def swarm() -> None:
    """Make more processes than a machine may have."""
    pids = []
    try:
        for _ in range(200):
            if not (pid := os.fork()):
                signal_wait()
            pids.append(pid)
    finally:
        for pid in pids:
            LIBC.kill(pid, 9)  # refused as well: they end by themselves


def signal_wait() -> None:
    """Be a child that ends soon."""
    import time

    time.sleep(1)
    os._exit(0)


def hoard() -> None:
    """Take more memory than a machine may have."""
    try:
        held = bytearray(3 << 30)
    except MemoryError as error:
        raise OSError(errno.ENOMEM, "no memory") from error
    held[0] = 1


def flood() -> None:
    """Fill the host's disk through the one file that may be written."""
    os.pwrite(SCRATCH, b"x", (8 << 30) + (2 << 20))


def dump() -> None:
    """Have the kernel write this process's memory to a file."""
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        raise OSError(errno.EPERM, "no core")


def environment() -> None:
    """Find something of the host's environment."""
    if set(os.environ) <= {"PATH", "HOME", "LANG", "LC_CTYPE"}:
        raise OSError(errno.ENOENT, "clean")


def descriptors() -> None:
    """Find an open file that was not meant for this process."""
    found = [fd for fd in range(3, 256) if fd not in (SCRATCH, READ_ONLY) and _open(fd)]
    if not found:
        raise OSError(errno.EBADF, "none")


def _open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def capabilities() -> None:
    """Hold a right of root, or be root."""
    with open("/proc/self/status") as file:  # noqa: PTH123
        text = file.read()
    if "CapEff:\t0000000000000000" in text and os.geteuid() != 0:
        raise PermissionError(errno.EPERM, "none")


def action(name: str, call: Callable[[], Any]) -> None:
    """Add one way."""
    ACTIONS[name] = call


action("read the user's file", lambda: os.open(VICTIM, os.O_RDONLY))
action("write the user's file", lambda: os.open(VICTIM, os.O_RDWR))
action("empty the user's file by opening", lambda: os.open(VICTIM, os.O_RDONLY | os.O_TRUNC))
action("empty the user's file by name", lambda: os.truncate(VICTIM, 0))
action("remove the user's file", lambda: os.unlink(VICTIM))
action("rename the user's file", lambda: os.rename(VICTIM, f"{FOLDER}/other"))
action("link the user's file", lambda: os.link(VICTIM, f"{FOLDER}/link"))
action("create a file", lambda: os.open(f"{FOLDER}/new", os.O_CREAT | os.O_WRONLY))
action("create a folder", lambda: os.mkdir(f"{FOLDER}/dir"))
action("create a symlink", lambda: os.symlink("/etc/passwd", f"{FOLDER}/sym"))
action("create a fifo", lambda: os.mkfifo(f"{FOLDER}/fifo"))
action("list the user's folder", lambda: os.listdir(FOLDER))
action("take the user's rights away", lambda: os.chmod(VICTIM, 0))
action("give everybody rights", lambda: os.chmod(FOLDER, 0o777))
action("give the file away", lambda: os.chown(VICTIM, os.getuid(), os.getgid()))
action("change its attributes", lambda: os.setxattr(VICTIM, "user.x", b"y"))
action("change its times", lambda: os.utime(VICTIM, (1, 1)))
action("change the mode of an open disk", lambda: os.fchmod(READ_ONLY, 0o777))
action("write a disk that machines share", lambda: os.write(READ_ONLY, b"x"))
action("open that disk anew for writing", lambda: os.open(f"/proc/self/fd/{READ_ONLY}", os.O_RDWR))
action("read the list of users", lambda: os.open("/etc/passwd", os.O_RDONLY))
action("read a temporary folder", lambda: os.listdir("/tmp"))
action("read a process's environment", lambda: os.open(f"/proc/{PARENT}/environ", os.O_RDONLY))
action("read a process's memory", lambda: os.open(f"/proc/{PARENT}/mem", os.O_RDONLY))
action("end a process", lambda: os.kill(PARENT, 0))
action("end all processes of the user", lambda: os.kill(-1, 0))
action("end its process group", lambda: os.kill(0, 0))
action("slow a process down", lambda: resource.prlimit(PARENT, resource.RLIMIT_CPU, (9, 9)))
action("trace a process", lambda: raw(101, 16, PARENT, 0, 0))
action("hold a process by a descriptor", lambda: os.pidfd_open(PARENT))
action("connect to a loopback port", lambda: connect(socket.AF_INET, ("127.0.0.1", PORT)))
action("connect by IPv6", lambda: connect(socket.AF_INET6, ("::1", PORT)))
action("connect to a session bus", lambda: connect(socket.AF_UNIX, f"{FOLDER}/bus"))
action("connect to a hidden socket", lambda: connect(socket.AF_UNIX, f"\0deskmate-{PARENT}"))
action("ask the kernel for routes", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
action("make raw packets", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
action("start a program", spawn)
action("make a user namespace", lambda: raw(272, 0x10000000))
action("clone into a user namespace", lambda: clone(56, 0x10000000 | 17, 0, 0, 0, 0))
action("clone by the newer call", lambda: clone(435, CLONE_ARGUMENTS, len(CLONE_ARGUMENTS)))
action("mount", lambda: raw(165, b"none", b"/mnt", b"tmpfs", 0, 0))
action("load a program into the kernel", lambda: raw(321, 0, 0, 0))
action("make an io_uring", lambda: raw(425, 1, 0))
action("read the user's keys", lambda: raw(250, 0, -4, 0))
action("make shared memory", lambda: raw(29, 0x1234, 4096, 0o1600))
action("handle page faults", lambda: raw(323, 0))
action("make many processes", swarm)
action("take all the memory", hoard)
action("fill the disk", flood)
action("leave a core file", dump)
action("find the host's environment", environment)
action("find open files", descriptors)
action("hold rights", capabilities)


def main() -> None:
    """Try all."""
    resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    found: dict[str, str] = {}
    for name, call in ACTIONS.items():
        try:
            call()
            found[name] = ""
        except OSError as error:
            found[name] = errno.errorcode.get(error.errno or 0, "refused") + f" {error.strerror}"
    sys.stdout.write(json.dumps(found))


main()
