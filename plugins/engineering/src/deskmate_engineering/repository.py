"""Reads a git repository that nobody trusts, through a git folder of our own that has its objects and nothing else of it.

Git runs programs that a repository's settings name: hooks, filters, drivers, monitors. Overruling them one by one forgets
the next one, so its settings, hooks and attributes are never read: a fresh git folder borrows the objects and copies the refs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from deskmate.plugin import ToolError, ToolInputError

TIMEOUT_S = 60
LIMIT_BYTES = 16 * 1024 * 1024
REFS_LIMIT = 20_000
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
# The settings are ours already; these hold against what git itself would do by default, and its own defects.
SAFE = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.pager=cat",
    "core.attributesFile=/dev/null",
    "core.quotePath=false",
    "core.protectNTFS=true",
    "protocol.allow=never",
    "submodule.recurse=false",
    "diff.ignoreSubmodules=none",
    "gc.auto=0",
    "maintenance.auto=false",
    "safe.directory=*",
)
ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_ATTR_SOURCE": EMPTY_TREE,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_PAGER": "cat",
}
_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"refs/(?!.*(?:\.\.|//|@\{|\\|[\x00-\x20~^:?*\[]))[^/.][^\x00-\x20]*")


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Repository:
    """A repository that may be read. `folder`: where the user keeps it, `name`: what it is called there.

    `git_folder`: its own git folder, only read.

    `git_dir`: our git folder over its objects, gone when this object is.
    """

    folder: Path
    name: str
    git_folder: Path
    git_dir: Path
    empty: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)

    def git(self, *arguments: str, data: bytes = b"") -> str:
        """Return git's output as text; see `run`."""
        return self.run(arguments, data=data).decode("utf-8", "replace")

    def run(
        self,
        arguments: Sequence[str],
        *,
        data: bytes = b"",
        extra: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> bytes:
        """Return git's output. `data`: its standard input. `extra`: environment beside.

        Raises:
            ToolInputError: git refused, its words are in the message.
            ToolError: git is missing, took too long or answered more than 16 MiB.
        """
        command = ["git", "--no-pager", "--literal-pathspecs"]
        for setting in SAFE:
            command += ["-c", setting]
        environment = {**ENVIRONMENT, "GIT_DIR": str(self.git_dir), **self.extra, **(extra or {})}
        environment = {name: value for name, value in environment.items() if value}
        try:
            done = subprocess.run(
                [*command, *arguments],
                cwd=cwd or self.git_dir,
                env=environment,
                capture_output=True,
                input=data,
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
            said = next((line for line in words if line.startswith(("fatal:", "error:"))), "")
            raise ToolInputError(f"git {arguments[0]}: {said or (words or ['failed'])[-1]}.")
        if len(done.stdout) > LIMIT_BYTES:
            raise ToolError("git answered more than 16 MiB; ask for a shorter range.")
        return done.stdout

    def commit(self, revision: str) -> str:
        """Return the full id of a commit.

        Raises:
            ToolInputError: there is no such revision, or it looks like an option.
        """
        if not revision or revision.startswith("-") or "\n" in revision:
            raise ToolInputError(f"{revision!r} is not a revision.")
        wanted = f"{revision}^{{commit}}"
        try:
            return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", wanted).strip()
        except ToolInputError as problem:
            raise ToolInputError(f"{self.name} has no revision {revision!r}.") from problem

    def tips(self) -> list[str]:
        """Return git's words for all local branches and what is checked out."""
        try:
            return ["--branches", self.commit("HEAD")]
        except ToolInputError:
            return ["--branches"]

    def names(self, commit: str) -> list[str]:
        """Return the paths of a commit's files."""
        listed = self.run(["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit])
        return [name.decode("utf-8", "replace") for name in listed.split(b"\0") if name]

    def content(self, commit: str, path: str) -> bytes | None:
        """Return a file's bytes in a commit; None where it is not there or no file."""
        answer = self.run(["cat-file", "--batch"], data=f"{commit}:{path}\n".encode())
        head, _, rest = answer.partition(b"\n")
        words = head.split(b" ")
        if len(words) != 3 or words[1] != b"blob" or "\n" in path:
            return None
        return rest[: int(words[2])]

    def branches(self) -> dict[str, str]:
        """Return short name → commit of branches, then of remote branches and tags."""
        form = "%(refname)%00%(objectname)%00%(*objectname)"
        found: dict[str, str] = {}
        for kind in ("refs/heads/", "refs/remotes/", "refs/tags/"):
            for line in self.git("for-each-ref", f"--format={form}", kind).splitlines():
                name, commit, peeled = line.split("\0")
                found.setdefault(name.removeprefix(kind), peeled or commit)
        return found

    def current_branch(self) -> str:
        """Return the name of the branch that is checked out, empty if none is."""
        head = (self.git_dir / "HEAD").read_text("utf-8").strip()
        return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""


def open_repository(folder: Path, root: Path, name: str = "", title: str = "") -> Repository:
    """Return the repository that a folder is in.

    Args:
        folder: the folder, or one below it.
        root: nothing outside of it is read, wherever the repository's files point.
        name: what to call the folder in messages.
        title: what to call the repository; empty: as its folder.

    Raises:
        ToolInputError: there is none, or it is of a kind that cannot be read.
    """
    root = root.resolve()
    here = folder.resolve()
    if not here.is_dir():
        raise ToolInputError(f"{name or folder.name} is not a folder in the workspace.")
    while here.is_relative_to(root):
        git_folder = here / ".git"
        if git_folder.exists():
            return _opened(here, title or here.name, _git_folder(git_folder, root), root)
        if _is_git_folder(here):
            return _opened(here, title or here.name, here, root)
        here = here.parent
    raise ToolInputError(f"{name or folder.name} is not in a git repository.")


def _git_folder(place: Path, root: Path) -> Path:
    """Return the folder behind `.git`, which is a file in linked worktrees and submodules."""
    if place.is_file():
        text = place.read_bytes()[:4096].decode("utf-8", "replace").strip()
        place = place.parent / text.removeprefix("gitdir:").strip()
    place = place.resolve()
    if not place.is_relative_to(root) or not _is_git_folder(place):
        raise ToolInputError(
            f"{place.name}: the repository's git folder is not in the workspace; grant the main checkout."
        )
    return place


def _is_git_folder(place: Path) -> bool:
    return (place / "HEAD").is_file() and (
        (place / "objects").is_dir() or (place / "commondir").is_file()
    )


def _opened(folder: Path, name: str, git_folder: Path, root: Path) -> Repository:
    common = git_folder
    if (git_folder / "commondir").is_file():
        common = (git_folder / (git_folder / "commondir").read_text("utf-8").strip()).resolve()
    objects = (common / "objects").resolve()
    if not objects.is_relative_to(root) or "\n" in str(objects):
        raise ToolInputError(f"{folder.name}: its objects are not in the workspace.")
    settings = _text(common / "config")
    if re.search(r"refstorage\s*=\s*(?!files)\w", settings, re.IGNORECASE):
        raise ToolInputError(
            f"{folder.name} keeps its refs in a form (reftable) that is not read yet; "
            "convert it with `git refs migrate --ref-format=files`."
        )
    sha256 = re.search(r"objectformat\s*=\s*sha256", settings, re.IGNORECASE) is not None
    shadow = Path(mkdtemp(prefix="deskmate-git-"))
    extensions = "\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n"
    form = extensions if sha256 else "\trepositoryformatversion = 0\n"
    (shadow / "config").write_text(f"[core]\n\tbare = true\n{form}", "utf-8")
    (shadow / "objects" / "info").mkdir(parents=True)
    (shadow / "objects" / "info" / "alternates").write_text(f"{objects}\n", "utf-8")
    (shadow / "refs").mkdir()
    refs = _refs(common)
    lines = "".join(f"{target} {name}\n" for name, target in sorted(refs.items()))
    (shadow / "packed-refs").write_text(lines, "utf-8")
    head = _text(git_folder / "HEAD").strip()
    target = head.removeprefix("ref: ")
    if not (_OBJECT_ID.fullmatch(head) or (head != target and _REF.fullmatch(target))):
        raise ToolInputError(f"{folder.name}: its HEAD is damaged.")
    (shadow / "HEAD").write_text(f"{head}\n", "utf-8")
    if (common / "shallow").is_file():
        ids = [line for line in _text(common / "shallow").split() if _OBJECT_ID.fullmatch(line)]
        (shadow / "shallow").write_text("".join(f"{line}\n" for line in ids), "utf-8")
    extra = {"GIT_ATTR_SOURCE": ""} if sha256 else {}
    made = Repository(
        folder=folder, name=name, git_folder=git_folder, git_dir=shadow, empty=not refs, extra=extra
    )
    weakref.finalize(made, shutil.rmtree, shadow, ignore_errors=True)
    return made


def _refs(common: Path) -> dict[str, str]:
    """Return the refs that point to objects; what is no well-formed ref is left out."""
    found: dict[str, str] = {}
    symbolic: dict[str, str] = {}
    for line in _text(common / "packed-refs", LIMIT_BYTES).splitlines():
        target, _, name = line.partition(" ")
        if _OBJECT_ID.fullmatch(target) and _REF.fullmatch(name):
            found[name] = target
    top = common / "refs"
    for place in sorted(top.rglob("*")) if top.is_dir() else ():
        if place.is_symlink() or not place.is_file() or len(found) > REFS_LIMIT:
            continue
        name = f"refs/{place.relative_to(top).as_posix()}"
        text = _text(place).strip()
        if not _REF.fullmatch(name):
            continue
        if _OBJECT_ID.fullmatch(text):
            found[name] = text
        elif text.startswith("ref: "):
            symbolic[name] = text.removeprefix("ref: ")
    found |= {name: found[target] for name, target in symbolic.items() if target in found}
    return found


def _text(file: Path, limit: int = 64 * 1024) -> str:
    if file.is_symlink() or not file.is_file():
        return ""
    with file.open("rb") as stream:
        return stream.read(limit).decode("utf-8", "replace")


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
    named = [repo for repo in found if re.search(rf"\b{re.escape(repo.name)}\b", request, re.I)]
    for choice in (named, found):
        if len(choice) == 1:
            return choice[0]
    if not found:
        raise ToolInputError("There is no git repository in the workspace.")
    names = ", ".join(repo.relative_to(workspace).as_posix() for repo in found)
    raise ToolInputError(f"There are several repositories: {names}. Name one.")
