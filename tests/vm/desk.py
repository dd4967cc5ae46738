"""Deskmate as people use it: its command line in a process of its own, with a home that only shares the big caches."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskmate.sandbox.tsc import tsc_khz
from deskmate.types.places import Places

SHARED = ("images", "layers", "templates", "registries")
_DEADLINE_S = 280


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """`program`: how Deskmate is started. `home`: its data, settings and cache. `extra`: environment beside.

    `deadline_s`: how long one command may take.
    """

    program: tuple[str, ...]
    home: Path
    extra: dict[str, str] = field(default_factory=dict)
    deadline_s: float = _DEADLINE_S

    @property
    def places(self) -> Places:
        """Where this desk keeps its things."""
        return Places(
            data=self.home / "data", cache=self.home / "cache", config=self.home / "config"
        )

    def call(self, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run one command and return what it said; its exit code must be `code`."""
        # The user's own keys, models and folders must not decide how a test ends.
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DESKMATE_", "ANTHROPIC_", "PYTHON"))
        }
        done = subprocess.run(
            [*self.program, *map(str, arguments)],
            env={**environ, "DESKMATE_HOME": str(self.home), **self.extra},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=self.deadline_s,
            check=False,
        )
        said = f"{arguments}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, said
        assert done.returncode == code, said
        return done

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """Run one command with --json and return its document."""
        return json.loads(self.call(*arguments, "--json", code=code).stdout)

    def events(self, thread: str, kind: str) -> list[dict[str, Any]]:
        """Return the payloads of one kind in a thread's log, oldest first."""
        rows = self.call("audit", "export", "--thread", thread).stdout.splitlines()
        found = [json.loads(row) for row in rows]
        return [dict(row["payload"]) for row in found if row["kind"] == kind]


def make_desk(home: Path, shared: Places, *program: str) -> Desk:
    """Return a desk with a home of its own that uses images, layers and templates that are there already."""
    share_cache(home / "cache", shared.cache)
    return Desk(program=program, home=home)


def share_cache(cache: Path, shared: Path) -> None:
    """Make a cache that finds what is in another one, and what that knows of this machine.

    The counter's frequency is part of a template's key: measured anew, it would be another by some millionths,
    and each template would be made anew.
    """
    cache.mkdir(parents=True)
    for name in SHARED:
        (shared / name).mkdir(parents=True, exist_ok=True)
        (cache / name).symlink_to(shared / name)
    tsc_khz(shared)
    for name in ("counter.json", "acceleration.json"):
        if (shared / name).exists():
            shutil.copyfile(shared / name, cache / name)


def tree(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return all below a folder and itself: path → (content, time of change in ns, mode)."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        about = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (content, about.st_mtime_ns, about.st_mode)
    return found
