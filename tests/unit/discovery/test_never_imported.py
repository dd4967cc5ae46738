"""Whatever the host does with plugins, none of their code is imported, compiled or run."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

WATCHED = """
    import sys
    events = []
    site, home = sys.argv[1], sys.argv[2]
    sys.path.append(site)
    def hook(name, arguments):
        if name in ("open", "import", "exec", "compile"):
            events.append((name, arguments))
    sys.addaudithook(hook)
    from pathlib import Path
    from deskmate.discovery.installed import find_plugins, Catalogue
    from deskmate.discovery.lock import permissions
    from deskmate.discovery.audit import audit
    from deskmate.discovery.skills import skills_of
    catalogue = find_plugins()
    assert {"acme", "beta"} <= {plugin.name for plugin in catalogue.plugins}, catalogue
    for plugin in catalogue.plugins:
        permissions(plugin.manifest), list(skills_of(plugin))
    found = len(events)
    audit()  # opens every file to compare it with RECORD, and runs none
    opened, bad = set(), []
    for number, (name, arguments) in enumerate(list(events)):
        if name == "import":
            if str(arguments[0]).startswith(("deskmate_acme", "deskmate_beta")):
                bad.append((name, arguments[0]))
        elif name == "open":
            if str(arguments[0]).startswith(site + "/") and number < found:
                opened.add(str(arguments[0]).removeprefix(site + "/"))
        elif name == "exec":
            if arguments[0].co_filename.startswith(site):
                bad.append((name, arguments[0].co_filename))
        elif str(arguments[1]).startswith(site):
            bad.append((name, arguments[1]))
    assert not bad, bad
    assert not [m for m in sys.modules if m.startswith(("deskmate_acme", "deskmate_beta"))]
    print("\\n".join(sorted(opened)))
"""


def watch(site: Any, tmp_path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WATCHED), str(site.folder), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_finding_plugins_opens_manifests_and_metadata_and_nothing_else(
    site: Any, tmp_path: Path
) -> None:
    site.acme("deskmate-acme", "acme")
    site.acme("deskmate-beta", "beta")
    opened = watch(site, tmp_path)
    assert "deskmate_acme/plugin.toml" in opened
    allowed = ("/plugin.toml", "/METADATA", "/RECORD", "/entry_points.txt", "/direct_url.json")
    assert [name for name in opened if not name.endswith(allowed)] == []


def test_the_watch_would_notice_an_import(site: Any, tmp_path: Path) -> None:
    site.acme("deskmate-acme", "acme")
    site.acme("deskmate-beta", "beta", **{"deskmate_beta/__init__.py": "x = 1\n"})
    code = textwrap.dedent(WATCHED).replace("audit()  #", "import deskmate_beta; audit()  #", 1)
    done = subprocess.run(
        [sys.executable, "-c", code, str(site.folder), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "deskmate_beta" in done.stderr
