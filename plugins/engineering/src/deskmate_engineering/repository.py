"""Runs git on a repository that nobody trusts: no hooks, no pager, no outside programs, no network."""

from __future__ import annotations

import subprocess
from pathlib import Path

from deskmate.plugin import ToolError, ToolInputError

TIMEOUT_S = 60
LIMIT_BYTES = 16 * 1024 * 1024
# The repository's own config can name programs to run; each setting that could is overruled here.
SAFE = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "core.sshCommand=false",
    "core.attributesFile=/dev/null",
    "core.alternateRefsCommand=true",
    "core.quotePath=false",
    "diff.external=",
    "log.showSignature=false",
    "gpg.program=false",
    "protocol.allow=never",
    "safe.directory=*",
    "submodule.recurse=false",
    "diff.ignoreSubmodules=all",
    "log.mailmap=false",
)
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_PAGER": "cat",
}


def git(folder: Path, *arguments: str) -> str:
    """Return git's output in `folder`.

    Raises:
        ToolInputError: git refused, its words are in the message.
        ToolError: git is missing, took too long or answered more than 16 MiB.
    """
    command = ["git", "--no-pager", "--literal-pathspecs"]
    for setting in SAFE:
        command += ["-c", setting]
    try:
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            env=ENVIRONMENT,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as problem:
        raise ToolError("git is not installed here.") from problem
    except subprocess.TimeoutExpired as problem:
        raise ToolError(
            f"git took more than {TIMEOUT_S} seconds; ask for a shorter range."
        ) from problem
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ToolInputError(f"git {arguments[0]}: {words[-1] if words else 'failed'}.")
    if len(done.stdout) > LIMIT_BYTES:
        raise ToolError("git answered more than 16 MiB; ask for a shorter range.")
    return done.stdout.decode("utf-8", "replace")


def top_of(folder: Path, path: str) -> Path:
    """Return the repository's top folder for a folder inside it.

    Raises:
        ToolInputError: it is not in a git repository.
    """
    if not folder.is_dir():
        raise ToolInputError(f"{path} is not a folder in the workspace.")
    return Path(git(folder, "rev-parse", "--show-toplevel").strip())


def commit_of(folder: Path, revision: str) -> str:
    """Return the full id of a commit.

    Raises:
        ToolInputError: there is no such revision, or it looks like an option.
    """
    if not revision or revision.startswith("-"):
        raise ToolInputError(f"{revision!r} is not a revision.")
    return git(
        folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"
    ).strip()


def find_repositories(workspace: Path) -> list[Path]:
    """Return the top folders of the repositories in the workspace, at most three levels deep."""
    found = {
        git_folder.parent
        for depth in range(4)
        for git_folder in workspace.glob("*/" * depth + ".git")
    }
    return sorted(found)


def pick_repository(workspace: Path, request: str) -> Path:
    """Return the one repository that is meant.

    Raises:
        ToolInputError: there is none, or several and the request names none of them.
    """
    found = find_repositories(workspace)
    named = [repo for repo in found if repo.name.lower() in request.lower()]
    for choice in (named, found):
        if len(choice) == 1:
            return choice[0]
    if not found:
        raise ToolInputError("There is no git repository in the workspace.")
    names = ", ".join(repo.relative_to(workspace).as_posix() for repo in found)
    raise ToolInputError(f"There are several repositories: {names}. Name one.")
