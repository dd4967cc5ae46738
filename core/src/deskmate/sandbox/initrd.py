"""The guest's first file system: a kernel's modules and one shell script, as an archive that never varies."""

from __future__ import annotations

import gzip
import lzma
import re
import shutil
from pathlib import Path

from deskmate.errors import UserError
from deskmate.sandbox.recipes import SOURCE_DATE, Recipe, recipe_part
from deskmate.sandbox.tools import run_tool

_FOLDERS = ("bin", "dev", "lib", "lib/modules", "newroot", "proc", "sys")
_FOLDER, _FILE = 0o040755, 0o100755


def extract_kernel(work: Path, recipe: Recipe) -> Path:
    """Unpack the packages of kernel and busybox below `work`, without running anything of them; return where."""
    tar, root = work / "kernel.tar", work / "kernel"
    run_tool(
        [
            *("mmdebstrap", "--quiet", "--variant=extract"),
            f"--include={','.join(recipe.architecture.kernel)}",
            *(recipe.suite, str(tar)),
        ]
    )
    unpack(tar, root)
    return root


def unpack(tar: Path, root: Path) -> None:
    """Unpack a root file system's archive as the user who builds, and remove the archive."""
    root.mkdir()
    run_tool(
        ["tar", "-xp", "-C", str(root), "-f", str(tar), "--no-same-owner", "--exclude=./dev/*"]
    )
    tar.unlink()


def make_kernel(root: Path, recipe: Recipe, out: Path) -> None:
    """Write `vmlinuz` and `initrd` to `out` from unpacked packages. Raises UserError if there is no kernel."""
    kernels = sorted((root / "boot").glob("vmlinuz-*"))
    if not kernels:
        raise UserError(
            f"the suite {recipe.suite} gave no kernel", hint="check the machine's apt sources"
        )
    shutil.copyfile(kernels[-1], out / "vmlinuz")
    version = kernels[-1].name.removeprefix("vmlinuz-")
    places = (root / "bin/busybox", root / "usr/bin/busybox")
    modules = _modules(root, version, recipe.architecture.modules)
    members = {
        "init": recipe_part("recipe/init.sh"),
        "bin/busybox": next(path for path in places if path.exists()).read_bytes(),
        "modules": ("\n".join(modules) + "\n").encode(),
        **{f"lib/modules/{name}": content for name, content in modules.items()},
    }
    (out / "initrd").write_bytes(gzip.compress(archive(members), 6, mtime=0))


def _modules(root: Path, version: str, wanted: tuple[str, ...]) -> dict[str, bytes]:
    """Return the modules and those they need, unpacked, in loading order."""
    if not (root / "lib/modules").exists():  # merged /usr, extracted without its links
        (root / "lib").symlink_to("usr/lib")
    run_tool(["depmod", "-b", str(root), version])
    found: dict[str, bytes] = {}
    for module in wanted:
        command = ["modprobe", "-d", str(root), "-S", version, "--show-depends", module]
        for line in run_tool(command).decode().splitlines():
            if not (match := re.match(r"insmod (.+?\.ko(?:\.xz)?)(?: |$)", line)):
                continue
            path = Path(match[1])
            content = path.read_bytes()
            if path.suffix == ".xz":
                content = lzma.decompress(content)
            found.setdefault(path.name.removesuffix(".xz"), content)
    return found


def archive(members: dict[str, bytes]) -> bytes:
    """Return the files below the fixed folders as a cpio archive (newc): sorted, one time, root's.

    The kernel's own format; written here because cpio puts inode numbers and times of this machine in.
    """
    rows: dict[str, tuple[int, bytes]] = dict.fromkeys(_FOLDERS, (_FOLDER, b""))
    rows |= {name: (_FILE, content) for name, content in members.items()}
    parts = []
    for number, (name, (mode, content)) in enumerate(sorted(rows.items()), 1):
        parts.append(_member(number, name, mode, content))
    return b"".join(parts) + _member(0, "TRAILER!!!", 0, b"")


def _member(number: int, name: str, mode: int, content: bytes) -> bytes:
    time = SOURCE_DATE if mode else 0
    links = 2 if mode == _FOLDER else 1
    raw = name.encode() + b"\0"
    fields = (number, mode, 0, 0, links, time, len(content), 0, 0, 0, 0, len(raw), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + raw
    return _padded(head) + _padded(content)


def _padded(part: bytes) -> bytes:
    return part + bytes(-len(part) % 4)
