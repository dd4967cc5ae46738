"""The second wall around QEMU: gives up rights, confines itself, then becomes QEMU.

Run as `python -I -S launcher.py PARENT REPORT_FD < plan`: standard library only, nothing of Deskmate is
imported. The plan is one JSON line on stdin; if that is a socket, descriptors come with it, and `given` says
which numbers they are to have. One JSON line on `REPORT_FD` says which walls stand.
Every VM's start waits for this program: json, signal and typing would double its time.
"""

from __future__ import annotations

import _json
import _socket
import ctypes
import os
import resource
import stat
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SIGKILL = 9
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_EXECUTE, _WRITE, _READ, _LIST, _TRUNCATE, _IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000
_UID_BASE = 0x70000000  # above every range that distributions and containers hand out
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C"}
_libc = ctypes.CDLL(None, use_errno=True)

_MAX_THREADS = 64
_PLAN_BYTES, _MOST_GIVEN = 1 << 17, 64
_NEW_NAMESPACES = 0x7E020000  # every flag of clone() that makes one
_ENOSYS, _EPERM = 38, 1

# Landlock says nothing about these: a session bus would start programs, and a plain user's files could be
# made unreadable, or readable for all, though not opened. machine → audit number, column of the tables
_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
_REFUSED = {
    "sockets": ((41, 198), (42, 203), (49, 200)),  # socket, connect, bind
    "other processes": (
        (101, 117), (200, 130), (310, 270), (311, 271),  # ptrace, tkill, process_vm_readv and _writev
        (434, 434), (438, 438), (424, 424), (440, 440),  # pidfd_open, _getfd, _send_signal, process_madvise
        (129, 138), (297, 240), (312, 272), (256, 238), (279, 239),  # sigqueueinfo ×2, kcmp, …_pages ×2
    ),
    "what files are like": (
        (90, -1), (91, 52), (268, 53), (452, 452),  # chmod
        (92, -1), (93, 55), (94, -1), (260, 54),  # chown
        (132, -1), (235, -1), (261, -1), (280, 88),  # utime
        (188, 5), (189, 6), (190, 7), (197, 14), (198, 15), (199, 16), (463, 463), (466, 466), (469, 469),
        (76, 45), (253, -1), (294, 26), (254, 27), (300, 262),  # truncate by name, inotify, fanotify
        (303, 264), (304, 265),  # files by handle
    ),
    "shared things": (
        (29, 194), (30, 196), (68, 186), (64, 190), (240, 180),  # System V and POSIX queues, memory
        (248, 217), (249, 218), (250, 219),  # keys
    ),
    "the kernel": (
        (425, 425), (426, 426), (427, 427), (321, 280), (298, 241), (323, 282),  # io_uring, bpf, perf, faults
        (165, 40), (166, 39), (155, 41), (161, 51), (308, 268), (272, 97),  # mounts, chroot, namespaces
        (428, 428), (429, 429), (430, 430), (431, 431), (432, 432), (433, 433), (442, 442),
        (246, 104), (320, 294), (175, 105), (313, 273), (103, 116), (163, 89), (179, 60), (135, 92),
    ),
}  # fmt: skip
_OWN_ONLY = ((62, 129), (234, 131))  # kill, tgkill: this very process
_OWN_OR_SELF = ((302, 261),)  # prlimit64: 0 means itself
_CLONE, _CLONE3 = (56, 220), (435, 435)


class Refused(Exception):
    """A wall that must stand could not be raised."""


def landlock_abi() -> int:
    """Return the kernel's Landlock version, 0 where there is none."""
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)))


def handled(abi: int) -> tuple[int, int, int]:
    """Return the rights on files, network and scope that this version can take away."""
    files = (1 << 13) - 1
    files |= 1 << 13 if abi >= 2 else 0
    files |= _TRUNCATE if abi >= 3 else 0
    files |= _IOCTL if abi >= 5 else 0
    return files, (3 if abi >= 4 else 0), (3 if abi >= 6 else 0)


def confine(abi: int, rules: list[tuple[int, int]]) -> None:
    """Restrict this process to `rules`: (descriptor, rights); everything else is denied."""
    files, network, scope = handled(abi)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    attributes = struct.pack("<QQQ", files, network, scope)[:size]
    ruleset = int(_libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), 0))
    if ruleset < 0:
        raise Refused(f"Landlock: {os.strerror(ctypes.get_errno())}")
    for fd, rights in rules:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _FILE_RIGHTS
        rule = struct.pack("<Qi", rights & files, fd)
        if _libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0) and ctypes.get_errno() != 77:
            # 77: a descriptor of no file system, such as a memfd, which no rule can name
            raise Refused(f"Landlock rule: {os.strerror(ctypes.get_errno())}")
    if _libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0):
        raise Refused(f"Landlock: {os.strerror(ctypes.get_errno())}")
    os.close(ruleset)


def calls_are_listed() -> bool:
    """Say whether the system calls of this processor are known here."""
    return os.uname().machine in _MACHINES


def filter_calls() -> bool:
    """Refuse system calls that reach beyond this process; False on a machine whose calls are not listed."""
    known = _MACHINES.get(os.uname().machine)
    if known is None:
        return False
    steps = _filter(*known)
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in steps))
    program = struct.pack("@HP", len(steps), ctypes.addressof(code))
    if _libc.prctl(_PR_SET_SECCOMP, 2, program, 0, 0):
        raise Refused(f"seccomp: {os.strerror(ctypes.get_errno())}")
    return True


def _filter(audit: int, column: int) -> list[tuple[int, int, int, int]]:
    """Return the filter's instructions: (code, steps over if true, if false, value)."""
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, refuse, kill = 0x7FFF0000, 0x00050000 | _EPERM, 0x80000000
    steps = [(load, 0, 0, 4), (equal, 1, 0, audit), (give, 0, 0, kill)]
    steps += [(load, 0, 0, 0), (at_least, 0, 1, 0x40000000), (give, 0, 0, refuse)]  # x32
    for pair in (*_OWN_ONLY, *_OWN_OR_SELF):
        # the first argument's low half is the process id
        steps += [(equal, 0, 5, pair[column]), (load, 0, 0, 16), (equal, 1, 0, os.getpid())]
        steps += [(equal, 0, 1, 0 if pair in _OWN_OR_SELF else os.getpid())]
        steps += [(give, 0, 0, allow), (give, 0, 0, refuse)]
    steps += [(equal, 0, 3, _CLONE[column]), (load, 0, 0, 16), (any_bit, 0, 1, _NEW_NAMESPACES)]
    steps += [(give, 0, 0, refuse), (load, 0, 0, 0)]
    # without clone3, whose flags no filter can read, threads are made by clone
    steps += [(equal, 0, 1, _CLONE3[column]), (give, 0, 0, 0x00050000 | _ENOSYS)]
    numbers = sorted(pair[column] for group in _REFUSED.values() for pair in group)
    numbers = [number for number in numbers if number >= 0]
    for left, number in zip(range(len(numbers), 0, -1), numbers, strict=True):
        steps.append((equal, left, 0, number))
    return [*steps, (give, 0, 0, allow), (give, 0, 0, refuse)]


def _rules(plan: dict[str, Any]) -> list[tuple[int, int]]:
    kinds = {"read": _READ | _LIST, "execute": _READ | _EXECUTE, "write": _READ | _WRITE | _IOCTL}
    rules = [(fd, _READ) for fd in plan["read_fds"]] + [
        (fd, _READ | _WRITE) for fd in plan["write_fds"]
    ]
    for kind, rights in kinds.items():
        for path in plan[kind]:
            if os.path.exists(path):  # noqa: PTH110 - pathlib would cost milliseconds at every start
                rules.append((os.open(path, os.O_PATH | os.O_CLOEXEC), rights))
    return rules


def _limits(plan: dict[str, Any]) -> None:
    limits = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_FSIZE, plan["file_limit_bytes"]),
        (resource.RLIMIT_AS, plan["memory_limit_bytes"]),
    ]
    for what, value in limits:
        hard = resource.getrlimit(what)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))


def _limit_processes(*, own_user: bool, own_namespace: bool) -> bool:
    """Bound processes and threads, where the kernel counts this machine's alone."""
    release = tuple(int(part) for part in os.uname().release.split(".")[:2] if part.isdigit())
    if not own_user and not (own_namespace and release >= (5, 14)):
        return False  # all of the user's would count, and QEMU could make no thread
    resource.setrlimit(resource.RLIMIT_NPROC, (_MAX_THREADS, _MAX_THREADS))
    return True


def _leave_network() -> str:
    """Move into an empty network namespace; a plain user needs a user namespace for it."""
    flags = _CLONE_NEWNET | _CLONE_NEWIPC
    if os.geteuid() != 0:
        flags |= _CLONE_NEWUSER
    return "none" if _libc.unshare(flags) == 0 else "host"


def _drop_uid(groups: list[int]) -> int:
    if os.geteuid() == 0:
        uid = _UID_BASE + os.getpid()
        os.setgroups(groups)
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    return os.getuid()


def _close_others(keep: list[int]) -> None:
    previous = 2
    for fd in sorted(keep):
        os.closerange(previous + 1, fd)
        previous = fd
    os.closerange(previous + 1, 4096)


def _raise_walls(plan: dict[str, Any], parent: int) -> dict[str, Any]:
    os.umask(0o077)
    _limits(plan)
    rules = _rules(plan)
    was_root = os.geteuid() == 0
    network = _leave_network()
    uid = _drop_uid(plan["groups"])
    bounded = _limit_processes(own_user=was_root, own_namespace=network == "none")
    if _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0):  # after the uid: a change clears it
        raise Refused("no parent-death signal")
    if os.getppid() != parent:
        raise Refused("the starting process is gone")
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise Refused("no_new_privs was refused")
    abi = landlock_abi()
    if abi:
        confine(abi, rules)
    filtered = filter_calls()
    return {
        "landlock": abi,
        "network": network,
        "uid": uid,
        "no_new_privs": True,
        "seccomp": filtered,
        "processes": bounded,
    }


class _Json:
    """What the interpreter's own reader of JSON asks of its caller."""

    strict, object_hook, object_pairs_hook = True, None, None
    parse_float, parse_int, parse_constant = float, int, float


def read_json(text: str) -> dict[str, Any]:
    """Return the object at the beginning of a line. Raises ValueError or StopIteration."""
    found = _json.make_scanner(_Json)(text, 0)[0]  # type: ignore[arg-type]
    if not isinstance(found, dict):
        raise ValueError("the plan is not an object")
    return found


def json_line(fields: dict[str, Any]) -> bytes:
    """Return texts, numbers and truth values as one line of JSON."""
    pairs = []
    for name, value in fields.items():
        text = (
            _json.encode_basestring_ascii(value) if isinstance(value, str) else str(value).lower()
        )
        pairs.append(f'"{name}": {text}')
    return ("{" + ", ".join(pairs) + "}\n").encode()


def _plan() -> dict[str, Any]:
    """Wait for the plan, and give the descriptors that come with it their numbers."""
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        with os.fdopen(0, "rb", closefd=False) as stream:
            return read_json(stream.readline().decode())
    control = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, fileno=0)
    line, messages, _, _ = control.recvmsg(_PLAN_BYTES, _socket.CMSG_SPACE(4 * _MOST_GIVEN))
    control.detach()
    plan = read_json(line.decode())
    data = b"".join(message[2] for message in messages)
    fds = struct.unpack(f"{len(data) // 4}i", data)
    if len(fds) != len(plan["given"]):
        raise Refused("descriptors got lost on the way")
    for fd, number in zip(fds, plan["given"], strict=True):
        os.dup2(fd, number)
    return plan


def main(arguments: list[str]) -> None:
    """Raise the walls and become the planned command; on failure say why in one line."""
    parent, given = int(arguments[0]), int(arguments[1])
    report = os.dup(given)  # a low number: the given one may be one that the plan names
    os.close(given)
    try:
        plan = _plan()
        walls = _raise_walls(plan, parent)
        os.write(report, json_line(walls))
        os.close(report)
        null = os.open("/dev/null", os.O_RDWR) if os.access("/dev/null", os.R_OK) else 0
        os.dup2(null, 0)
        _close_others(plan["keep_fds"])
        os.execve(plan["command"][0], plan["command"], _ENVIRONMENT)  # noqa: S606 - that is the point
    except (OSError, Refused, ValueError, KeyError, StopIteration) as error:
        os.write(report, json_line({"error": f"{type(error).__name__}: {error}"}))
        os._exit(126)


if __name__ == "__main__":
    main(sys.argv[1:])
