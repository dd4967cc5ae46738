"""F9: the page's route for files gives what is in the change set of that thread, and nothing by any other name."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from tests.attack.table import Attempts
from tests.web.conftest import Serve, built_page, folder, places, serve
from tests.web.test_api import begin
from tests.web.test_files import written

pytestmark = [pytest.mark.attack("F9")]
__all__ = ["built_page", "folder", "places", "serve"]
MARK = "canary-of-the-host"


def test_no_name_leads_out_of_the_change_set(
    serve: Serve, folder: Path, attempt: Attempts, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text(MARK)
    (folder / "secret.txt").symlink_to(tmp_path / "secret.txt")
    server, changes, run = written(serve, folder)
    names = (
        "../secret.txt",
        "contracts/../../secret.txt",
        "contracts/../secret.txt",
        "contracts/secret.txt",
        "contracts\\..\\..\\secret.txt",
        "contracts/note.txt/../../../secret.txt",
        "contracts/note.txt\0",
        "contracts//note.txt",
        "CONTRACTS/note.txt",
        str(tmp_path / "secret.txt"),
        (tmp_path / "secret.txt").as_uri(),
        "/etc/passwd",
        "contracts/other.txt",
        "contracts",
        "",
    )
    for name in names:
        for sent in {quote(name, safe=""), quote(quote(name, safe=""), safe="")}:
            for route in ("file", "pages"):
                got = server.ask("GET", f"{changes}/{route}?run={run}&path={sent}")
                refused = got.status_code in (400, 404) and MARK not in got.text
                attempt(f"{route} of {name!r}", blocked=refused and "root:" not in got.text)
    for path in (
        "changes/file/../../../secret.txt",
        "changes/%2e%2e/%2e%2e/secret.txt",
        "changes/file/etc/passwd",
        "changes/..%2f..%2fsecret.txt",
    ):
        got = server.ask("GET", f"{changes.removesuffix('changes')}{path}")
        attempt(path, blocked=got.status_code == 404 and MARK not in got.text)


def test_a_thread_gives_no_file_of_another(serve: Serve, folder: Path, attempt: Attempts) -> None:
    server, changes, run = written(serve, folder)
    thread = begin(server)
    server.wait(thread)
    path = f"run={run}&path=contracts/note.txt"
    assert server.ask("GET", f"{changes}/file?{path}").status_code == 200
    for other in (thread, "t-nothing", "..", "%2e%2e", quote(f"{thread}/../{changes}", safe="")):
        got = server.ask("GET", f"/api/threads/{other}/changes/file?{path}")
        attempt(f"of {other}", blocked=got.status_code in (400, 404) and "notice" not in got.text)
