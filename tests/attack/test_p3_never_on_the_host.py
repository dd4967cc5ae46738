"""P3: while evil plugins are installed, listed, agreed to, enabled and made into layers, the host runs none of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.attack.evil_wheels import CODE_ONLY, PACKAGE, REFUSED, Evil
from tests.attack.table import Attempts

pytestmark = pytest.mark.attack("P3")

WATCHED = """
    import sys
    events = []
    def hook(name, arguments):
        if name in WATCHED_NAMES:
            events.append((name, arguments))
    WATCHED_NAMES = {
        "import", "exec", "compile", "pickle.find_class", "ctypes.dlopen",
        "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty",
        "socket.connect", "socket.getaddrinfo",
    }
    import json, os, re
    from pathlib import Path
    import anyio, click
    from deskmate.cli import root
    from deskmate.host import Host
    from deskmate.types.places import find_places
    home, jobs = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    sys.addaudithook(hook)
    host = Host(find_places({"DESKMATE_HOME": str(home)}, home))
    counts = {"refused": 0, "enabled": 0}

    def say(*arguments):
        try:
            return root.main(args=list(arguments), standalone_mode=False) or 0
        except Exception as error:
            if type(error).__module__ != "deskmate.errors":
                raise
            return error

    for job in jobs:
        done = say("plugin", "install", job["wheel"])
        say("plugin", "list")
        if job["refused"]:
            assert done != 0, job
            counts["refused"] += 1
            continue
        assert done == 0, (job, done)
        thread = anyio.run(host.create_thread, "t")
        for arguments in (
            ["plugin", "show", "evil"], ["skill", "list"], ["plugin", "audit"],
            ["plugin", "enable", "evil", "--thread", thread, "--yes"],
        ):
            got = say(*arguments)
            assert isinstance(got, int), (job, arguments, got)
        counts["enabled"] += 1
        assert say("plugin", "remove", "evil") == 0
        (home / "data/plugins/store.json").unlink()  # all are version 1.0, of other bytes each

    layers = [*(home / "cache/layers").glob("*.erofs")]
    evil = re.compile(str(home) + "|" + re.escape(str(Path(sys.argv[2]).parent)) + "|evil")
    allowed = {"mkfs.erofs"}
    bad = []
    for name, arguments in events:
        if name == "import":
            if evil.search(str(arguments[:2])):
                bad.append((name, arguments[:2]))
        elif name == "exec":
            if evil.search(arguments[0].co_filename):
                bad.append((name, arguments[0].co_filename))
        elif name == "compile":
            if evil.search(str(arguments[1])):
                bad.append((name, str(arguments)[:200]))
        elif name == "subprocess.Popen":
            if Path(str(arguments[0])).name not in allowed:
                bad.append((name, arguments[:2]))
        elif name == "ctypes.dlopen" and arguments[0] is None:
            continue  # the standard library's own
        else:
            bad.append((name, str(arguments)[:200]))
    assert not bad, bad[:5]
    assert not [m for m in sys.modules if m.startswith(("evil", "deskmate_evil"))]
    assert not [entry for entry in sys.path if str(home) in entry]
    print(json.dumps({**counts, "layers": len(layers)}))
"""


def watch(evils: list[Evil], tmp_path: Path, code: str) -> subprocess.CompletedProcess[str]:
    import json

    rows = []
    for number, evil in enumerate(evils):
        wheel = evil.make(tmp_path / "wheels" / str(number), tmp_path / "marker")
        rows.append({"wheel": str(wheel), "refused": evil in REFUSED, "name": evil.name})
    jobs = tmp_path / "wheels/jobs.json"
    jobs.write_text(json.dumps(rows))
    home = tmp_path / "home"
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "DESKMATE_"))}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(home), str(jobs)],
        env={**environ, "DESKMATE_HOME": str(home)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=280, check=False, cwd=tmp_path,
    )  # fmt: skip


@pytest.mark.skipif(
    shutil.which("mkfs.erofs", path=os.environ["PATH"] + ":/usr/sbin") is None,
    reason="erofs-utils is not installed",
)
def test_nothing_of_ninety_evil_plugins_is_run_by_the_host(
    tmp_path: Path, attempt: Attempts
) -> None:
    import json

    evils = [*CODE_ONLY, *REFUSED]
    done = watch(evils, tmp_path, WATCHED)
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-3000:])
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["enabled"] == len(CODE_ONLY)
    assert counts["refused"] == len(REFUSED)
    assert counts["layers"] >= len(CODE_ONLY) // 2, "layers were really built of them"
    for evil in evils:
        attempt(evil.name, blocked=not (tmp_path / "marker").exists())


@pytest.mark.parametrize(
    "act",
    [
        f"sys.path.append(str(site)); import {PACKAGE}",
        "compile(code.read_text(), str(code), 'exec')",
        "exec(compile('1', str(code), 'exec'))",
        "os.system('true')",
        "import subprocess; subprocess.run([sys.executable, '-c', ''])",
    ],
)
def test_the_watch_would_notice(act: str, tmp_path: Path) -> None:
    """Without this the test above could not fail."""
    (evil,) = [evil for evil in CODE_ONLY if evil.name == "code at import"]
    place = 'assert say("plugin", "remove", "evil") == 0'
    find = "(site,) = (home / 'data/plugins/items').glob('*/site'); code = site / 'evil_code/__init__.py'"
    code = textwrap.dedent(WATCHED).replace(place, f"{find}; {act}")
    assert act in code
    done = watch([evil], tmp_path, code)
    assert done.returncode != 0
    assert "AssertionError: [(" in done.stderr, done.stderr[-2000:]
