"""`deskmate index`: pinned versions under a signature, and what of a bent one is refused."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.cli.test_plugin_bundle import call, refusal, said

from deskmate.cli import root
from deskmate.discovery.installing import InstallOrder
from deskmate.discovery.installing import install as install_wheels
from deskmate.discovery.plugin_store import PluginStore
from deskmate.errors import PluginError
from deskmate.testing.kit.index import About, read_about

NAME, INDEX = "deskmate-acme", "plugins"
Bend = Callable[[Path], None]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def index(folder: Path, *arguments: str, home: str = "home", code: int = 0) -> str:
    result = call(folder, *arguments, home=home, group="index", standalone_mode=False)
    assert (result.exception, result.return_value or 0) == (None, code), result.output
    return result.stdout


def wheel_of(folder: Path, version: str, extra: str = "") -> str:
    """Pack the partner's plugin as a version of it and return the wheel's path."""
    project = folder / NAME / "pyproject.toml"
    lines = [
        f'version = "{version}"' if line.startswith("version = ") else line
        for line in project.read_text().splitlines()
    ]
    project.write_text("\n".join(lines) + "\n")
    if extra:
        skill = next((folder / NAME).rglob("SKILL.md"))
        skill.write_text(f"{skill.read_text()}\n{extra}\n")
    said(call(folder, "pack", NAME))
    return f"dist/deskmate_acme-{version}-py3-none-any.whl"


@pytest.fixture
def key(empty: Path) -> str:
    """Make an index of two versions and return the key that signed it."""
    said(call(empty, "new", "acme"))
    wheels = [wheel_of(empty, "0.1.0"), wheel_of(empty, "0.2.0")]
    made = json.loads(index(empty, "build", INDEX, *wheels, "--name", "Acme's plugins", "--json"))
    assert [row["version"] for row in made["added"]] == ["0.1.0", "0.2.0"]
    assert (made["entries"], made["serial"]) == (2, 1)
    return str(made["key"])


def install(folder: Path, what: str, key: str, *, home: str = "other") -> list[str]:
    """Install from the index as somebody else does and return the versions."""
    text = said(
        call(folder, "install", what, "--wheelhouse", INDEX, "--signer", key, "--json", home=home)
    )
    return [row["version"] for row in json.loads(text)["installed"]]


def refused(folder: Path, what: str, key: str, *, home: str = "other") -> str:
    return refusal(call(folder, "install", what, "--wheelhouse", INDEX, "--signer", key, home=home))


def test_a_name_is_installed_as_it_was_pinned(empty: Path, key: str) -> None:
    shutil.rmtree(empty / NAME)
    shutil.rmtree(empty / "dist")
    assert index(empty, "verify", INDEX, "--signer", key) == f"{INDEX} is sound\n"
    assert install(empty, "acme", key) == ["0.2.0"]
    assert install(empty, f"{NAME}<0.2", key, home="third") == ["0.1.0"]
    assert "no deskmate-acme==0.3.0" in refused(empty, f"{NAME}==0.3.0", key)
    unsigned = call(empty, "install", "acme", "--wheelhouse", INDEX, home="fourth")
    assert "trusted by the key" in refusal(unsigned)
    listed = index(empty, "list", INDEX, "--signer", key)
    assert "deskmate-acme 0.2.0  Apache-2.0  not checked" in listed
    assert "Stops a deliverable that breaks: ACME-COUNTS" in listed


def test_the_report_is_pinned_with_it(empty: Path, key: str) -> None:
    wheel = wheel_of(empty, "0.3.0")
    said(call(empty, "check", wheel, "--static", "--report", "report.json"))
    index(empty, "build", INDEX, wheel, "--report", "report.json")
    rows = json.loads(index(empty, "list", INDEX, "--json"))["entries"]
    assert [(row["level"], row["checked_by"]) for row in rows] == [
        ("", ""),
        ("", ""),
        ("none", key),
    ]
    other = wheel_of(empty, "0.4.0")
    stranger = call(empty, "build", INDEX, other, "--report", "report.json", group="index")
    assert "of none of these wheels" in refusal(stranger)
    report = next((empty / INDEX / "reports").iterdir())
    report.write_text(
        report.read_text().replace('"where": "nowhere"', '"where": "virtual machine"')
    )
    assert "report does not hold" in index(empty, "verify", INDEX, code=1)


def test_a_withdrawn_version_is_neither_given_nor_used(empty: Path, key: str) -> None:
    assert install(empty, "acme", key) == ["0.2.0"]
    index(empty, "withdraw", INDEX, f"{NAME}==0.2.0", "--why", "sent files to a wrong host")
    assert "was withdrawn: sent files" in refused(empty, f"{NAME}==0.2.0", key)
    assert install(empty, "acme", key, home="third") == ["0.1.0"]
    assert "older than 0.2.0" in refused(
        empty, "acme", key
    )  # the index was seen: it is revoked now
    rows = json.loads(said(call(empty, "list", "--json", home="other")))
    assert "sent files to a wrong host" in json.dumps(rows)
    assert index(empty, "verify", INDEX, "--signer", key) == f"{INDEX} is sound\n"


def test_an_old_copy_is_not_taken_for_the_present_one(empty: Path, key: str) -> None:
    shutil.copytree(empty / INDEX, empty / "old")
    index(empty, "withdraw", INDEX, f"{NAME}==0.2.0", "--why", "it lied")
    assert install(empty, "acme", key) == ["0.1.0"]
    shutil.rmtree(empty / INDEX)
    (empty / "old").rename(empty / INDEX)
    assert "2 was seen here before" in refused(empty, "acme", key)


def test_a_version_never_changes(empty: Path, key: str) -> None:
    shutil.copytree(empty / INDEX, empty / "before")
    again = wheel_of(empty, "0.2.0", extra="Count thrice.")
    result = call(empty, "build", INDEX, again, group="index")
    assert "already, with other bytes" in refusal(result)
    (empty / INDEX / "entries" / NAME / "0.2.0.json").unlink()
    index(empty, "build", INDEX, again)
    told = index(empty, "verify", INDEX, "--signer", key, "--before", "before", code=1)
    assert "entries/deskmate-acme/0.2.0.json is not what it was" in told
    assert install(empty, "acme==0.1.0", key, home="third") == ["0.1.0"]
    shutil.rmtree(empty / INDEX / "entries" / NAME)
    index(empty, "build", INDEX)
    told = index(empty, "verify", INDEX, "--before", "before", code=1)
    assert told.count("is gone") == 2


def bend_entry(folder: Path) -> None:
    entry = folder / "entries" / NAME / "0.2.0.json"
    entry.write_text(entry.read_text().replace('"licence": "Apache-2.0"', '"licence": "MIT"'))


def bend_list(folder: Path) -> None:
    about = json.loads((folder / "index.json").read_text())
    about["serial"] += 1
    (folder / "index.json").write_text(json.dumps(about))


def bend_path(folder: Path) -> None:
    about = json.loads((folder / "index.json").read_text())
    about["entries"]["entries/../../x.json"] = "0" * 64
    (folder / "index.json").write_text(json.dumps(about))


def bend_wheel(folder: Path) -> None:
    wheels = folder / "wheels"
    shutil.copyfile(
        wheels / "deskmate_acme-0.1.0-py3-none-any.whl",
        wheels / "deskmate_acme-0.2.0-py3-none-any.whl",
    )


def lose_entry(folder: Path) -> None:
    (folder / "entries" / NAME / "0.2.0.json").unlink()


def no_json(folder: Path) -> None:
    (folder / "index.json").write_text("[" * 100_000)


@pytest.mark.parametrize(
    ("bend", "why"),
    [
        (bend_entry, "another entries/deskmate-acme/0.2.0.json than was signed"),
        (bend_list, "was changed since it was signed"),
        (bend_path, "which is no entry"),
        (bend_wheel, "than was pinned"),
        (lose_entry, "has no entries/deskmate-acme/0.2.0.json"),
        (no_json, "cannot be read"),
    ],
)
def test_what_was_bent_is_refused(empty: Path, key: str, bend: Bend, why: str) -> None:
    bend(empty / INDEX)
    assert why in refused(empty, "acme", key)
    assert index(empty, "verify", INDEX, "--signer", key, code=1) != ""
    assert not (empty.parent / "other/data/plugins/store.json").exists()


def test_another_key_is_not_the_one_that_is_trusted(empty: Path, key: str) -> None:
    index(empty, "build", INDEX, home="somebody")
    assert "signed with another key" in refused(empty, "acme", key)
    assert "signed with another key" in index(empty, "verify", INDEX, "--signer", key, code=1)


def test_a_folder_becomes_an_index_by_its_name_once(empty: Path) -> None:
    result = call(empty, "build", INDEX, group="index")
    assert "a new one has a name" in refusal(result)
    index(empty, "build", INDEX, "--name", "Ours")
    index(empty, "build", INDEX, "--name", "Theirs")
    about: About = read_about(empty / INDEX)
    assert (about.name, about.serial, about.entries) == ("Ours", 2, {})


def test_a_wheel_that_is_not_there_is_taken_from_where_names_come_from(
    empty: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deskmate.discovery import installing

    kept = empty / "elsewhere.whl"
    (empty / INDEX / "wheels/deskmate_acme-0.2.0-py3-none-any.whl").rename(kept)
    asked = []

    def fetched(
        what: str, order: installing.InstallOrder, folder: Path, _: object
    ) -> tuple[Path, str]:
        asked.append((what, order.hashes))
        folder.mkdir()
        target = folder / "deskmate_acme-0.2.0-py3-none-any.whl"
        shutil.copyfile(kept, target)
        return target, "index"

    monkeypatch.setattr(installing, "_wheel_file", fetched)
    assert install(empty, "acme", key) == ["0.2.0"]
    ((what, (sha256,)),) = asked
    assert (what, len(sha256)) == ("deskmate-acme==0.2.0", 64)
    kept.write_bytes(kept.read_bytes() + b"\0")
    assert "not the one asked for" in refused(empty, "acme", key, home="third")


HOW_TO = Path(__file__).parents[3] / "docs/how-to/publish.md"


def test_the_how_to_works_word_for_word(empty: Path) -> None:
    said(call(empty, "new", "acme"))
    blocks = re.findall(r"```sh\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    lines = [
        line for block in blocks for line in block.splitlines() if line.startswith("deskmate ")
    ]
    assert len(lines) == 8
    for line in lines:
        words = shlex.split(line)[1:]
        if "check" in words:
            words.append("--static")  # the machine is another test's
        if "--before" in words:
            shutil.copytree(empty / INDEX, empty / "published" / INDEX)
        if (empty / INDEX / "index.json").exists():
            about = read_about(empty / INDEX)
            words = [about.key if word == "KEY" else word for word in words]
        environ = {"DESKMATE_HOME": str(empty.parent / "home"), "PATH": ""}
        done = CliRunner().invoke(root, words, env=environ, standalone_mode=False)
        assert done.exception is None, (line, done.exception)
        assert "check" in words or not done.return_value, (line, done.output)


def test_what_comes_along_for_the_machine_is_just_what_was_pinned(empty: Path, key: str) -> None:
    wheel = str(empty / INDEX / "wheels/deskmate_acme-0.2.0-py3-none-any.whl")
    store = PluginStore(empty / "store")
    order = InstallOrder(what=(wheel,), guest={"other-1.0-py3-none-any.whl": "0" * 64})
    with pytest.raises(
        PluginError, match="other packages for the virtual machine than were pinned"
    ):
        install_wheels(order, store, lambda line: None, path=[])
    assert store.index().plugins == ()
    (result,) = install_wheels(replace(order, guest={}), store, lambda line: None, path=[])
    assert result.stored.guest == {}
