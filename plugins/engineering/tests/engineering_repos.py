"""A repository for tests that grows by commits."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskmate.plugin import ToolContext


@dataclass
class Repo:
    """A repository in a granted folder. `top`: the workspace."""

    top: Path
    folder: Path
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def context(self) -> ToolContext:
        return ToolContext(
            workspace=self.top, home=self.top, resources=self.top, config=self.config
        )

    def git(self, *words: str, who: str = "Ada", when: str = "") -> str:
        environment = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
        }
        if when:
            environment |= {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        person = ("-c", f"user.name={who}", "-c", f"user.email={who.lower()}@example.org")
        done = subprocess.run(
            ["git", *person, *words],
            cwd=self.folder,
            env=environment,
            check=True,
            capture_output=True,
        )
        return done.stdout.decode().strip()

    def commit(
        self, files: Mapping[str, str | None], message: str, who: str = "Ada", when: str = ""
    ) -> str:
        for name, text in files.items():
            place = self.folder / name
            if text is None:
                place.unlink()
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message, who=who, when=when)
        return self.git("rev-parse", "HEAD")


def new_repo(top: Path) -> Repo:
    """Return an empty repository `work/shop` in a workspace below `top`."""
    folder = top / "ws" / "work" / "shop"
    folder.mkdir(parents=True)
    made = Repo(top=top / "ws", folder=folder)
    made.git("init", "-q", "-b", "main")
    return made
