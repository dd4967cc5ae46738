"""What a connector's program is made of: fetched as data, pinned, and nothing of it run on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from deskmate.discovery.fetching import ProgramOrder, fetch_program, script_of, started
from deskmate.discovery.guest_wheels import Source, plan_wheels
from deskmate.discovery.installed import Catalogue, is_built_in
from deskmate.discovery.npm import fetch_npm
from deskmate.discovery.programs import with_program
from deskmate.errors import PluginError, UserError
from deskmate.types.connectors import ConnectorEntry

INTEGRITY = "sha512-" + base64.b64encode(b"x" * 64).decode()


def wheel(folder: Path, name: str, files: Mapping[str, str], *scripts: str) -> Path:
    """Write a wheel of version 1.0."""
    info = f"{name}-1.0.dist-info"
    everything = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if scripts:
        rows = "\n".join(scripts)
        everything[f"{info}/entry_points.txt"] = f"[console_scripts]\n{rows}\n"
    rows = "".join(f"{path},{_digest(text)},{len(text)}\n" for path, text in everything.items())
    target = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in everything.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", f"{rows}{info}/RECORD,,\n")
    return target


def _digest(text: str) -> str:
    found = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"sha256={found.rstrip('=')}"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    folder = tmp_path / "house"
    folder.mkdir()
    return folder


def order(
    tmp_path: Path, house: Path, package: str, kind: str = "pypi", beside: tuple[str, ...] = ()
) -> ProgramOrder:
    return ProgramOrder(
        kind=kind, package=package, arguments=("--fast",), folder=tmp_path / "kept", beside=beside,
        source=Source(wheelhouse=house),
    )  # fmt: skip


def test_a_package_is_pinned_and_becomes_a_layer_whose_wheels_are_what_was_shown(
    tmp_path: Path, house: Path
) -> None:
    code = "raise SystemExit(open('ran', 'w'))"
    file = wheel(house, "shop_mcp", {"shop.py": code}, "shop-mcp = shop:main.run")
    more = wheel(house, "helper", {"helper.py": ""})
    wanted = order(tmp_path, house, "shop-mcp==1.0", beside=("helper<2",))
    url, program = fetch_program(wanted, lambda line: None)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert url == "pypi:shop-mcp==1.0"
    assert program.packages["shop-mcp==1.0"] == f"sha256:{digest}"
    assert set(program.packages) == {"helper==1.0", "shop-mcp==1.0"}
    assert program.wheels[file.name] == digest
    assert set(program.wheels) == {file.name, more.name}
    assert program.command[:2] == ("{python}", "-c")
    assert "from shop import main; " in program.command[2]
    assert "sys.exit(main.run())" in program.command[2]
    assert program.command[3:] == ("--fast",)
    assert not list(tmp_path.rglob("ran"))
    entry = ConnectorEntry(name="shop", url=url, transport="stdio", program=program)
    plugin = with_program(Catalogue(plugins=()), entry).get("connector--shop")
    assert is_built_in(plugin)
    plan = plan_wheels([plugin], None)
    (tmp_path / "tree").mkdir()
    plan.unpack(tmp_path / "tree", tmp_path, lambda line: None)
    unpacked = tmp_path / "tree" / "wheels" / "connector--shop" / "shop.py"
    assert unpacked.read_text() == code
    (tmp_path / "kept" / file.name).write_bytes(b"another")
    with pytest.raises(PluginError, match="is not what was installed"):
        plan.unpack(tmp_path / "again", tmp_path, lambda line: None)


@pytest.mark.parametrize(
    ("scripts", "script", "why"),
    [
        ((), "", "it has: none"),
        (("a = shop:one", "b = shop:two"), "", "it has: a, b"),
        (("a = shop:one",), "", ""),
        (("a = shop:one", "b = shop:two"), "b", ""),
        (("a = os;system('x'):one",), "", "no entry that can be started"),
    ],
)
def test_the_program_of_a_package_is_the_one_it_names(
    house: Path, scripts: tuple[str, ...], script: str, why: str
) -> None:
    file = wheel(house, "shop_mcp", {"shop.py": ""}, *scripts)
    if why:
        with pytest.raises(PluginError, match=why):
            started(*script_of(file, script))
    else:
        assert started(*script_of(file, script)).endswith(
            f"sys.exit({'two' if script else 'one'}())"
        )


def test_what_cannot_be_used_leaves_nothing_behind(tmp_path: Path, house: Path) -> None:
    wheel(house, "shop_mcp", {"shop.py": ""})
    with pytest.raises(PluginError, match="it has: none"):
        fetch_program(order(tmp_path, house, "shop-mcp"), lambda line: None)
    assert [path.name for path in tmp_path.iterdir()] == ["house"]


@pytest.mark.parametrize(
    "package", ["--index-url=x", "shop @ file:///x", "a b", "../shop", "shop>1"]
)
@pytest.mark.parametrize("kind", ["pypi", "npm"])
def test_what_is_not_a_package_s_name_never_reaches_an_installer(
    tmp_path: Path, house: Path, package: str, kind: str
) -> None:
    with pytest.raises(UserError, match="is no package of"):
        fetch_program(order(tmp_path, house, package, kind=kind), lambda line: None)


def test_what_is_no_requirement_never_reaches_an_installer(tmp_path: Path, house: Path) -> None:
    for odd in ("--index-url=x", "a @ file:///x", "-r x", "a;b"):
        with pytest.raises(UserError, match="is no requirement"):
            fetch_program(order(tmp_path, house, "shop-mcp", beside=(odd,)), lambda line: None)


FAKE_NPM = """#!/bin/sh
echo "$@" >> "$ASKED"
[ "$1" = ci ] && exec cp -R "$TREE" node_modules
exec cp "$LOCK" package-lock.json
"""


@pytest.fixture
def npm(tmp_path: Path) -> dict[str, str]:
    """What `npm` on the path does here: the lock and the packages of this folder."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "npm").write_text(FAKE_NPM)
    (tmp_path / "bin" / "npm").chmod(0o755)
    own = tmp_path / "tree" / "@shop" / "mcp"
    own.mkdir(parents=True)
    (own / "package.json").write_text('{"version": "2.1.0", "bin": {"shop-mcp": "dist/index.js"}}')
    (own / "dist").mkdir()
    (own / "dist" / "index.js").write_text("process.exit(1)")
    row = {"version": "2.1.0", "integrity": INTEGRITY}
    lock = {"packages": {"": {}, "node_modules/@shop/mcp": row}}
    (tmp_path / "lock.json").write_text(json.dumps(lock))
    return {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "ASKED": str(tmp_path / "asked"),
        "TREE": str(tmp_path / "tree"),
        "LOCK": str(tmp_path / "lock.json"),
    }


def test_packages_of_npm_become_one_wheel_without_any_script_of_theirs(
    tmp_path: Path, npm: dict[str, str]
) -> None:
    found = fetch_npm("@shop/mcp@2.1.0", tmp_path / "one", "", npm)
    asked = Path(npm["ASKED"]).read_text().splitlines()
    assert len(asked) == 2
    assert all("--ignore-scripts" in line and "--no-bin-links" in line for line in asked)
    assert asked[1].startswith("ci ")
    assert found.main == "deskmate_npm/node_modules/@shop/mcp/dist/index.js"
    assert found.packages == {"@shop/mcp 2.1.0": INTEGRITY}
    again = fetch_npm("@shop/mcp@2.1.0", tmp_path / "two", "", npm)
    assert found.wheel.read_bytes() == again.wheel.read_bytes()
    with zipfile.ZipFile(found.wheel) as archive:
        assert archive.read(found.main) == b"process.exit(1)"


def test_what_no_integrity_pins_is_not_fetched(tmp_path: Path, npm: dict[str, str]) -> None:
    rows = {"": {}, "node_modules/a": {"version": "1", "resolved": "git+ssh://x"}}
    Path(npm["LOCK"]).write_text(json.dumps({"packages": rows}))
    with pytest.raises(PluginError, match="a is not pinned by an integrity"):
        fetch_npm("@shop/mcp", tmp_path / "one", "", npm)
    assert len(Path(npm["ASKED"]).read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"version": "1"}, "it has: none"),
        ({"version": "1", "bin": {"a": "a.js", "b": "b.js"}}, "it has: a, b"),
        ({"version": "1", "bin": "../../../x.js"}, "no file x.js"),
        ({"version": "1", "bin": "/etc/passwd"}, "does not say"),
    ],
)
def test_a_package_of_npm_without_a_program_of_its_own_is_refused(
    tmp_path: Path, npm: dict[str, str], facts: dict[str, object], why: str
) -> None:
    (Path(npm["TREE"]) / "@shop" / "mcp" / "package.json").write_text(json.dumps(facts))
    with pytest.raises(PluginError, match=why):
        fetch_npm("@shop/mcp", tmp_path / "one", "", npm)


def test_a_link_among_the_packages_is_refused_and_npm_s_own_words_are_told(
    tmp_path: Path, npm: dict[str, str]
) -> None:
    (Path(npm["TREE"]) / "link").symlink_to("/etc/passwd")
    with pytest.raises(PluginError, match="no regular file"):
        fetch_npm("@shop/mcp", tmp_path / "one", "", npm)
    (tmp_path / "bin" / "npm").write_text("#!/bin/sh\necho E404 not there >&2\nexit 1\n")
    with pytest.raises(PluginError, match="E404 not there"):
        fetch_npm("@shop/mcp", tmp_path / "two", "", npm)
    with pytest.raises(PluginError, match="npm is missing"):
        fetch_npm("@shop/mcp", tmp_path / "three", "", {"PATH": str(tmp_path)})
