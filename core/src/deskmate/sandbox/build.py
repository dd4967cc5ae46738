"""Building the image: a Debian suite, a kernel and the document libraries become three files."""

from __future__ import annotations

import datetime
import gzip
import json
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deskmate.errors import SandboxMissing, UserError
from deskmate.ports import Progress
from deskmate.sandbox.image import (
    DEFAULT_SUITE,
    FILES,
    KERNEL_PACKAGES,
    MODULES,
    PACKAGES,
    PYTHONS,
    SCRATCH_BYTES,
    Image,
    image_lock,
    read_image,
    recipe_digest,
    recipe_part,
    sparse_digest,
)
from deskmate.types.places import Places
from deskmate.types.progress import Counted

TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "mkfs.erofs": "erofs-utils",
    "mkfs.ext4": "e2fsprogs",
    "cpio": "cpio",
    "depmod": "kmod",
    "modprobe": "kmod",
    "tar": "tar",
}
"""Program that a build needs → Debian package that holds it."""

_UNWANTED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "boot", "dev")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_STEP_LIMIT_S = 1200
_SCRATCH_ID = "b6d3a1f4-0f0e-4d5c-8f4b-1f6f7a1c9d20"


def missing_tools() -> dict[str, str]:
    """Return the programs for building that this machine lacks → the package that has each."""
    missing = {tool: package for tool, package in TOOLS.items() if not _which(tool)}
    if find_uv() is None:
        missing["uv"] = "uv (a Python package)"
    return missing


_STEPS = 4


def find_uv() -> str | None:
    """Return the path of uv: beside this Python, else on the path."""
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.is_file() else shutil.which("uv")


def _which(tool: str) -> str | None:
    return shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")


def build_image(
    places: Places, progress: Progress, *, suite: str = DEFAULT_SUITE, force: bool = False
) -> Image:
    """Build the image of today's recipe, unless it is there, and return it.

    Raises SandboxMissing where a tool is missing, UserError where a step fails.
    """
    if suite not in PYTHONS:
        known = ", ".join(sorted(PYTHONS))
        raise UserError(f"there is no recipe for the suite {suite}", hint=f"known: {known}")
    final = places.images / recipe_digest(suite)
    with image_lock(places):
        if (final / "manifest.json").is_file() and not force:
            return read_image(final)
        if missing := missing_tools():
            packages = " ".join(sorted(set(missing.values())))
            raise SandboxMissing(
                f"Building the image needs {', '.join(sorted(missing))}.",
                hint=f"Install: {packages}",
            )
        with tempfile.TemporaryDirectory(prefix=".build-", dir=places.images) as name:
            work = Path(name)
            work.chmod(0o755)  # mmdebstrap's user namespace must pass through
            out = _build(work, suite, progress)
            if final.exists():
                shutil.rmtree(final)
            out.rename(final)
    return read_image(final)


def _build(work: Path, suite: str, progress: Progress) -> Path:
    out = work / "out"
    out.mkdir(mode=0o755)

    def step(line: str, done: int) -> None:
        progress(Counted(line, done=done, total=_STEPS))

    step("document libraries", 0)
    _install_libraries(work, suite)
    step(f"Debian {suite}", 1)
    _debian(work, suite)
    step("base disk", 2)
    unwanted = [f"--exclude-path={path}" for path in _UNWANTED[:-2]]
    _run(
        [
            "mkfs.erofs",
            "-zlz4hc",
            "--all-root",
            *unwanted,
            str(out / "base.erofs"),
            str(work / "root"),
        ]
    )
    step("kernel and first program", 3)
    _kernel(work, suite, out)
    _scratch(out / "scratch.ext4")
    for name in FILES:
        (out / name).chmod(0o644)  # QEMU runs as another user and reopens what it is handed
    _manifest(work, suite, out)
    return out


def _install_libraries(work: Path, suite: str) -> None:
    version = PYTHONS[suite]
    target = work / f"libraries/usr/local/lib/python{version}/dist-packages"
    target.mkdir(parents=True)
    pins = work / "guest.txt"
    pins.write_bytes(recipe_part("guest.txt"))
    uv = find_uv()
    assert uv is not None
    platform_name = "x86_64-manylinux_2_34"
    _run(
        [
            uv,
            "pip",
            "install",
            "-q",
            "--target",
            str(target),
            "--python",
            sys.executable,
            "--python-platform",
            platform_name,
            "--python-version",
            version,
            "--only-binary",
            ":all:",
            "--require-hashes",
            "--no-deps",
            "--link-mode",
            "copy",
            "-r",
            str(pins),
        ]
    )
    shutil.rmtree(target / "bin", ignore_errors=True)
    (target / ".lock").unlink(missing_ok=True)


def _debian(work: Path, suite: str) -> None:
    customize = work / "customize.sh"
    customize.write_bytes(recipe_part("recipe/customize.sh"))
    customize.chmod(0o755)
    tar = work / "root.tar"
    _run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--include={','.join(PACKAGES)}",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            f"--customize-hook=sync-in {work / 'libraries'} /",
            f'--customize-hook={customize} "$1"',
            "--customize-hook=download /var/lib/dpkg/status " + str(work / "status"),
            suite,
            str(tar),
        ]
    )
    _unpack(tar, work / "root")


def _unpack(tar: Path, root: Path) -> None:
    root.mkdir()
    _run(["tar", "-x", "-C", str(root), "-f", str(tar), "--no-same-owner", "--exclude=./dev/*"])
    tar.unlink()


def _kernel(work: Path, suite: str, out: Path) -> None:
    tar, root = work / "kernel.tar", work / "kernel"
    _run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=extract",
            f"--include={','.join(KERNEL_PACKAGES)}",
            suite,
            str(tar),
        ]
    )
    _unpack(tar, root)
    kernels = sorted((root / "boot").glob("vmlinuz-*"))
    if not kernels:
        raise UserError(f"the suite {suite} gave no kernel", hint="check the machine's apt sources")
    shutil.copyfile(kernels[-1], out / "vmlinuz")
    version = kernels[-1].name.removeprefix("vmlinuz-")
    initrd = work / "initrd"
    for name in ("bin", "proc", "sys", "dev", "newroot", "lib/modules"):
        (initrd / name).mkdir(parents=True)
    busybox = next(
        path for path in (root / "bin/busybox", root / "usr/bin/busybox") if path.exists()
    )
    shutil.copy(busybox, initrd / "bin/busybox")
    (initrd / "init").write_bytes(recipe_part("recipe/init.sh"))
    (initrd / "init").chmod(0o755)
    _modules(root, version, initrd)
    names = "\n".join(str(path.relative_to(initrd)) for path in sorted(initrd.rglob("*")))
    archive = _run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=initrd, stdin=names.encode())
    (out / "initrd").write_bytes(gzip.compress(archive, 6, mtime=0))


def _modules(root: Path, version: str, initrd: Path) -> None:
    """Put the modules into the initramfs, unpacked, and their names in loading order in /modules."""
    if not (root / "lib/modules").exists():  # merged /usr, extracted without its links
        (root / "lib").symlink_to("usr/lib")
    _run(["depmod", "-b", str(root), version])
    order: list[Path] = []
    for module in MODULES:
        command = ["modprobe", "-d", str(root), "-S", version, "--show-depends", module]
        for line in _run(command).decode().splitlines():
            path = Path(line.split()[1]) if line.startswith("insmod") else None
            if path is not None and path not in order:
                order.append(path)
    for path in order:
        content = path.read_bytes()
        if path.suffix == ".xz":
            content = lzma.decompress(content)
        (initrd / "lib/modules" / path.name.removesuffix(".xz")).write_bytes(content)
    names = [path.name.removesuffix(".xz") for path in order]
    (initrd / "modules").write_text("\n".join(names) + "\n", "utf-8")


def _scratch(path: Path) -> None:
    """Make an empty file system, without a journal: the disk lives no longer than its VM."""
    with path.open("wb") as file:
        file.truncate(SCRATCH_BYTES)
    _run(
        [
            "mkfs.ext4",
            "-q",
            "-F",
            "-m",
            "0",
            "-O",
            "^has_journal",
            "-i",
            "32768",
            "-U",
            _SCRATCH_ID,
            "-E",
            f"hash_seed={_SCRATCH_ID},assume_storage_prezeroed=1,root_owner=0:0",
            str(path),
        ]
    )


def _manifest(work: Path, suite: str, out: Path) -> None:
    manifest = {
        "recipe": recipe_digest(suite),
        "suite": suite,
        "python": PYTHONS[suite],
        "built_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "packages": _package_versions((work / "status").read_text("utf-8")),
        "files": {
            name: {"bytes": (out / name).stat().st_size, "sha256": sparse_digest(out / name)}
            for name in FILES
        },
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True), "utf-8")


def _package_versions(status: str) -> dict[str, str]:
    versions = {}
    for paragraph in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line[:40])
        if "Package" in fields and "Version" in fields:
            versions[fields["Package"]] = fields["Version"]
    return versions


def _run(command: list[str], *, cwd: Path | None = None, stdin: bytes = b"") -> bytes:
    """Run one step of the build and return its output. Raises UserError with its last words."""
    program = _which(command[0]) or command[0]
    certificates = {"UV_SYSTEM_CERTS": "1"} if _CERTIFICATES.exists() else {}
    environment = {
        **certificates,  # uv brings its own, which know no company's proxy
        **os.environ,
        "LC_ALL": "C",
        "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin",
    }
    try:
        done = subprocess.run(
            [program, *command[1:]],
            cwd=cwd,
            input=stdin,
            capture_output=True,
            timeout=_STEP_LIMIT_S,
            env=environment,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise UserError(
            f"building the image failed in {command[0]}: {words[-1] if words else 'no message'}",
            hint="the step's last lines: " + " | ".join(words[-4:-1]),
        ) from error
    except subprocess.TimeoutExpired as error:
        raise UserError(f"building the image: {command[0]} took over {_STEP_LIMIT_S} s") from error
    return done.stdout
