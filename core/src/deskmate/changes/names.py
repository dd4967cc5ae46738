"""Which names a change may have: refused ones, protected ones, and ones worth a flag."""

from __future__ import annotations

import itertools
import re
import unicodedata


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_WINDOWS = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
_WINDOWS_CHARACTERS = frozenset('<>:"\\|?*')
_MACROS = _words("docm dotm xlsm xltm xlam xlsb pptm potm ppsm ppam xla xll")
_ACTIVE = _words(
    "exe com scr bat cmd ps1 vbs vbe js jse wsf hta msi lnk url desktop app command"
    " html htm svg jar reg"
)

# Programs outside the VM read these and act on them: a change could run code on the host.
_PROTECTED_NAMES = _words("""
    .bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile
    .zlogin .zlogout .inputrc .xinitrc .xprofile .xsession .envrc .tool-versions .mise.toml .npmrc
    .yarnrc .yarnrc.yml .pypirc .netrc .gitconfig .gitmodules .gitattributes .hgrc .mcp.json .mcprc
    .claude.json .cursorrules .pre-commit-config.yaml .vimrc .exrc .nvimrc .lldbinit .gdbinit .emacs
    desktop.ini autorun.inf sitecustomize.py usercustomize.py authorized_keys crontab deskmate.toml
    """)
_PROTECTED_FOLDERS = _words("""
    .git .hg .svn .ssh .gnupg .aws .azure .kube .docker .config .local .vscode .idea .fleet .claude
    .cursor .husky .githooks .devcontainer .direnv .deskmate launchagents launchdaemons .venv
    """)
_PROTECTED_PAIRS = ((".github", "workflows"),)
_PROTECTED_SUFFIXES = (".lnk", ".pth", ".desktop", ".code-workspace")


def refusal(path: str) -> str:
    """Return why no file may have this workspace path, or an empty string."""
    parts = path.split("/")
    if len(parts) < 2:
        return "it is not inside a granted folder"
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        return "its path is not a plain relative one"
    if _CONTROL.search(path):
        return "its name holds control or direction characters"
    try:
        sizes = [len(part.encode("utf-8")) for part in parts]
    except UnicodeEncodeError:
        return "its name is not text"
    if max(sizes) > 255 or sum(sizes) > 3500:
        return "its name is too long"
    return ""


def protection(path: str) -> str:
    """Return the part of a workspace path that is protected, or an empty string.

    Compared case-folded and normalised, as file systems of other machines do.
    """
    parts = path.split("/")[1:]
    folded = [_fold(part) for part in parts]
    for part, name in zip(parts, folded, strict=True):
        if name in _PROTECTED_FOLDERS or name in _PROTECTED_NAMES:
            return part
    for above, below in _PROTECTED_PAIRS:
        if (above, below) in itertools.pairwise(folded):
            return f"{above}/{below}"
    if folded and folded[-1].endswith(_PROTECTED_SUFFIXES):
        return parts[-1]
    return ""


def fold(path: str) -> str:
    """Return what a file system that ignores case and normalisation makes of a path."""
    return "/".join(_fold(part) for part in path.split("/"))


def _fold(part: str) -> str:
    # trailing dots and spaces vanish on Windows; ignorable characters vanish on HFS+ (CVE-2014-9390)
    plain = "".join(c for c in part if unicodedata.category(c) != "Cf")
    stream = plain.split(":", 1)[0] or plain
    text = unicodedata.normalize("NFKC", stream).casefold().rstrip(". ")
    return ".git" if text == "git~1" else text


def flags(path: str, mode: int) -> tuple[str, ...]:
    """Return what a reviewer should know of a file that is to be written, each in a few words."""
    name = path.rsplit("/", 1)[-1]
    suffix = name.rsplit(".", 1)[-1].casefold() if "." in name else ""
    found = []
    if suffix in _MACROS:
        found.append("may hold macros")
    if suffix in _ACTIVE:
        found.append("opens as a program or page")
    if mode & 0o111:
        found.append("executable")
    if name.startswith("-"):
        found.append("its name looks like an option")
    if name.startswith("."):
        found.append("hidden")
    if _WINDOWS.match(name) or name[-1:] in (".", " ") or _WINDOWS_CHARACTERS & set(name):
        found.append("its name does not work on Windows")
    if unicodedata.normalize("NFC", name) != name:
        found.append("its name is not normalised")
    return tuple(found)
