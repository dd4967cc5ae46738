"""A pool's table over real machines: two workers, one is killed in the middle; forty rows, each once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.fleet.postgres import postgres_server
from tests.unit.tables.table_rooms import COLUMNS, write_contracts

from deskmate.host.fleet.place import PoolPlace
from deskmate.host.fleet.tables import PoolTables
from deskmate.host.stopping import descendants
from deskmate.types.places import Places

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(1800)]
ROWS = 40


def test_forty_rows_in_real_machines_with_a_worker_killed(places: Places, tmp_path: Path) -> None:
    write_contracts(tmp_path / "docs", ROWS)
    (tmp_path / "columns.toml").write_text(COLUMNS, "utf-8")
    (tmp_path / "store").mkdir()
    home, running = tmp_path / "home", dict[str, subprocess.Popen[bytes]]()
    with postgres_server() as server:
        place = PoolPlace(url=server.new_database(), store=tmp_path / "store")
        environ = {
            **os.environ,
            "DESKMATE_HOME": str(home),
            "DESKMATE_CACHE": str(places.cache),
            "DESKMATE_ENGINE": place.url,
            "DESKMATE_STORE": str(place.store),
        }

        def begin(*words: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen([sys.executable, "-m", "deskmate", *words], env=environ)

        own = PoolTables(
            Places(data=home / "data", cache=places.cache, config=home / "config"),
            place,
            environ={},
        )
        try:
            for name in ("w1", "w2"):
                running[name] = begin("worker", "--name", name, "--slots", "2")
            order = [
                "--over",
                str(tmp_path / "docs/*"),
                "--columns",
                str(tmp_path / "columns.toml"),
            ]
            running["run"] = begin("table", "run", "Terms", *order, "--model", "offline")
            deadline = time.monotonic() + 900
            while sum(one.rows_done for one in own.summaries()) < ROWS // 4:
                assert time.monotonic() < deadline
                assert running["run"].poll() is None
                time.sleep(0.2)
            victim = running.pop("w1")
            left = descendants(victim.pid)
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait(timeout=30)
            running["w1"] = begin("worker", "--name", "w1", "--slots", "2")
            assert running["run"].wait(timeout=1500) == 0
            (summary,) = own.summaries()
            assert summary.rows_done == ROWS
            assert summary.cells == {"checked": 3 * ROWS}
            assert not any(Path(f"/proc/{one.pid}").exists() for one in left), "its machines died"
        finally:
            for process in running.values():
                process.send_signal(signal.SIGTERM)
            for process in running.values():
                process.wait(timeout=120)
