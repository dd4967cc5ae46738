"""S3: no secret stands on a command line or in an environment that others may read."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.attack.canary import Canary
from tests.attack.table import Attempts

pytestmark = [pytest.mark.attack("S3")]


def processes() -> dict[str, bytes]:
    """Return the command lines and environments of this process's children, and theirs."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(") ")[2].split()[1]
            if parent == str(os.getpid()):
                words = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
                found[folder.name] = b"\x00".join(words)
        except OSError:
            continue
    return found


def test_a_secret_is_kept_without_standing_on_a_command_line(
    tmp_path: Path, canary: Canary, attempt: Attempts
) -> None:
    environ = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environ |= {
        "DESKMATE_HOME": str(tmp_path),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    command = [sys.executable, "-m", "deskmate", "secret", "set", "shop", "API_KEY"]
    child = subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert child.stdin is not None
    child.stdin.write(canary.text.encode() + b"\n")
    child.stdin.flush()
    for _ in range(5):
        seen = processes()
        assert str(child.pid) in seen
        attempt("while it is asked for", blocked=not canary.found(b"".join(seen.values())))
        time.sleep(0.1)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0, out
    attempt("what is said", blocked=not canary.found(out))
    kept = tmp_path / "config/secrets.json"
    key = kept.with_name("secrets.key")
    attempt("the file without its key", blocked=not canary.found(kept.read_bytes()))
    both = (kept.stat().st_mode | key.stat().st_mode) & 0o077
    attempt("others may not read the files", blocked=both == 0)
    listed = subprocess.run(
        [*command[:3], "secret", "list", "--json"],
        env=environ,
        capture_output=True,
        timeout=60,
        check=True,
    )
    attempt("the list", blocked=not canary.found(listed.stdout + listed.stderr))
    before = kept.read_bytes()
    refused = subprocess.run(
        [*command, "another-value-1"], env=environ, capture_output=True, timeout=60, check=False
    )
    attempt("as an argument", blocked=refused.returncode == 2 and kept.read_bytes() == before)
