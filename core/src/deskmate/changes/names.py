"""Which names a change may have: refused ones, protected ones, and ones worth a flag."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_WINDOWS = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])( *\.| *$)", re.IGNORECASE
)
_WINDOWS_LENGTH = 200
"""Of a path below its grant: Windows programs stop at 260 characters, the grant's own folder counts too."""
_WINDOWS_CHARACTERS = frozenset('<>:"\\|?*')
_MACROS = _words("docm dotm xlsm xltm xlam xlsb pptm potm ppsm ppam xla xll")
_ACTIVE = _words(
    "exe com scr bat cmd ps1 vbs vbe js jse wsf hta msi lnk url desktop app command"
    " html htm svg jar reg"
)

# Programs outside the VM read these and act on them: a change could run code on the host.
_PROTECTED_NAMES = _words("""
    .bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile
    .zlogin .zlogout .kshrc .mkshrc .cshrc .tcshrc .login .logout .inputrc .xinitrc .xprofile .xsession
    .xsessionrc .xserverrc .pam_environment .envrc .tool-versions .mise.toml mise.toml .asdfrc .npmrc .yarnrc
    .yarnrc.yml .pnpmfile.cjs .pypirc .netrc .curlrc .wgetrc .condarc .gemrc .irbrc .pryrc .rprofile
    .renviron .psqlrc .sqliterc .my.cnf .mailcap .forward .procmailrc .rhosts .shosts .screenrc .tmux.conf
    .bazelrc .terraformrc .gitconfig .gitmodules .gitattributes .hgrc .mcp.json .mcprc .claude.json
    .cursorrules .windsurfrules .clinerules .aider.conf.yml .pre-commit-config.yaml lefthook.yml .lefthook.yml
    .gitlab-ci.yml .travis.yml jenkinsfile azure-pipelines.yml bitbucket-pipelines.yml .vimrc .gvimrc .exrc
    .nvimrc .nvim.lua .lldbinit .gdbinit .emacs .dir-locals.el .nanorc .pythonrc .pythonrc.py pyvenv.cfg
    desktop.ini autorun.inf folder.htt sitecustomize.py usercustomize.py authorized_keys authorized_keys2
    known_hosts crontab sudoers deskmate.toml profile.ps1 microsoft.powershell_profile.ps1
    """)
_PROTECTED_FOLDERS = _words("""
    .git .hg .svn .bzr .jj .ssh .gnupg .aws .azure .gcloud .kube .docker .config .local .cargo .rustup
    .gradle .m2 .nuget .bundle .gem .oh-my-zsh .emacs.d .vim .vscode .vscode-server .idea .fleet .zed .theia
    .nova .claude .cursor .windsurf .codex .gemini .continue .roo .aider .husky .githooks .devcontainer
    .direnv .deskmate .circleci .buildkite .terraform .mozilla .thunderbird .password-store .venv
    autostart launchagents launchdaemons loginitems startupitems cron.d cron.daily cron.hourly cron.weekly
    cron.monthly profile.d init.d sudoers.d xsession.d
    """)
_PROTECTED_PAIRS = (
    (".github", "workflows"), (".github", "actions"), (".gitea", "workflows"), ("programs", "startup"),
    ("start menu", "startup"), ("systemd", "user"), ("systemd", "system"), ("library", "services"),
)  # fmt: skip
# some of these act already when the folder is only looked at
_PROTECTED_SUFFIXES = (
    ".lnk", ".pth", ".desktop", ".code-workspace", ".appref-ms", ".settingcontent-ms", ".inetloc",
    ".fileloc", ".url", ".scf", ".library-ms", ".search-ms", ".searchconnector-ms", ".theme",
)  # fmt: skip
# Windows gives long names a short one: .git is also git~1
_SHORT_NAMES = {
    name.replace(".", "").replace(" ", "")[:6]: name
    for name in sorted(_PROTECTED_NAMES | _PROTECTED_FOLDERS, reverse=True)
    if name.startswith(".")
}
_SHORT = re.compile(r"([^~]{1,6})~[0-9](\.|$)")
_AGENT_TEXTS = _words("claude.md agents.md agent.md gemini.md copilot-instructions.md skill.md")


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


def is_below(path: str, tops: Iterable[str]) -> bool:
    """Say whether a workspace path is one of `tops` or lies below one."""
    return any(path == top or path.startswith(top.rstrip("/") + "/") for top in tops)


def protection(path: str) -> str:
    """Return the part of a workspace path that is protected, or an empty string.

    Compared case-folded and normalised, as file systems of other machines do.
    """
    parts = path.split("/")[1:]
    folded = [_meant(_fold(part)) for part in parts]
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
    return unicodedata.normalize("NFKC", stream).casefold().rstrip(". ")


def _meant(part: str) -> str:
    """Return the long name that a Windows short name stands for, else the name itself."""
    short = _SHORT.match(part)
    return _SHORT_NAMES.get(short[1], part) if short else part


def _fails_on_windows(part: str) -> bool:
    return bool(_WINDOWS.match(part) or part[-1:] in (".", " ") or _WINDOWS_CHARACTERS & set(part))


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
    if name.casefold() in _AGENT_TEXTS:
        found.append("other assistants follow what it says")
    parts = path.split("/")[1:]
    if any(_fails_on_windows(part) for part in parts):
        found.append("its name does not work on Windows")
    elif len(path) - len(path.partition("/")[0]) > _WINDOWS_LENGTH:
        found.append("its path may be too long for Windows")
    if any(unicodedata.normalize("NFC", part) != part for part in parts):
        found.append("its name is not normalised")
    return tuple(found)
