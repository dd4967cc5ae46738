"""`deskmate plugin bundle`: one signed file with a plugin and all that it needs, and what is refused of one."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deskmate.cli import root
from deskmate.errors import DeskmateError
from deskmate.testing.kit import bundle

BUNDLE = "dist/deskmate-acme-0.1.0.bundle.zip"
Change = Callable[[dict[str, bytes]], None]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def call(
    folder: Path,
    *arguments: str,
    home: str = "home",
    group: str = "plugin",
    standalone_mode: bool = True,
) -> Result:
    environ = {"DESKMATE_HOME": str(folder.parent / home), "PATH": ""}
    return CliRunner().invoke(
        root, [group, *arguments], env=environ, standalone_mode=standalone_mode
    )


def said(result: Result) -> str:
    assert result.exception is None, result.exception
    return result.stdout


def refusal(result: Result) -> str:
    assert isinstance(result.exception, DeskmateError)
    assert "\n" not in result.exception.message
    return result.exception.message


def made(empty: Path) -> str:
    said(call(empty, "new", "acme"))
    key: str = json.loads(said(call(empty, "bundle", "deskmate-acme", "--json")))["key"]
    return key


def changed(empty: Path, change: Change) -> None:
    """Write the bundle anew after a change of its files."""
    with zipfile.ZipFile(empty / BUNDLE) as package:
        files = {name: package.read(name) for name in package.namelist()}
    change(files)
    with zipfile.ZipFile(empty / BUNDLE, "w") as package:
        for name, data in files.items():
            package.writestr(name, data)


def test_a_bundle_is_installed_by_somebody_else_without_anything_but_itself(empty: Path) -> None:
    key = made(empty)
    shutil.rmtree(empty / "deskmate-acme")
    with zipfile.ZipFile(empty / BUNDLE) as package:
        assert package.namelist() == [
            "bundle.json", "bill.cdx.json", "wheels/deskmate_acme-0.1.0-py3-none-any.whl",
        ]  # fmt: skip
        assert json.loads(package.read("bill.cdx.json"))["bomFormat"] == "CycloneDX"
    text = said(call(empty, "install", BUNDLE, "--signer", key, home="other"))
    assert "Installed deskmate-acme 0.1.0" in text
    rows = json.loads(said(call(empty, "list", "--json", home="other")))["plugins"]
    assert next(row for row in rows if row["name"] == "acme")["state"] == "ok"
    unpinned = call(empty, "install", BUNDLE, home="third")
    assert "name the key you trust with --signer" in unpinned.stderr
    assert f"signed by {key}" in unpinned.stderr


def test_the_report_goes_along_and_must_be_about_this_wheel(empty: Path) -> None:
    made(empty)
    said(call(empty, "check", "deskmate-acme", "--static", "--report", "report.json"))
    said(call(empty, "bundle", "deskmate-acme", "--report", "report.json"))
    with zipfile.ZipFile(empty / BUNDLE) as package:
        assert json.loads(package.read("report.json"))["plugin"] == "acme"
    skill = next((empty / "deskmate-acme").rglob("SKILL.md"))
    skill.write_text(skill.read_text() + "\nCount twice.\n")
    assert "about another wheel" in refusal(
        call(empty, "bundle", "deskmate-acme", "--report", "report.json")
    )
    (empty / "report.json").write_text("{}")
    assert "is no report" in refusal(
        call(empty, "bundle", "deskmate-acme", "--report", "report.json")
    )


def _swap(files: dict[str, bytes]) -> None:
    name = next(name for name in files if name.endswith(".whl"))
    files[name] = files[name][:-1] + b"x"


def _sign_anew(files: dict[str, bytes]) -> None:
    about = json.loads(files["bundle.json"])
    about["version"] = "9.9"
    files["bundle.json"] = json.dumps(about).encode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_swap, "holds another wheels/deskmate_acme"),
        (_sign_anew, "was changed since it was signed"),
        (lambda files: files.update({"wheels/more.whl": b"x"}), "other files than it lists"),
        (lambda files: files.pop("bill.cdx.json"), "other files than it lists"),
        (lambda files: files.update({"../up.whl": b"x"}), "other files than it lists"),
        (lambda files: files.update({"bundle.json": b"[]"}), "is no bundle"),
        (lambda files: files.update({"bundle.json": b"[" * 100_000}), "is no bundle"),
        (lambda files: files.pop("bundle.json"), "is no bundle"),
    ],
)
def test_what_was_changed_is_refused_and_nothing_is_installed(
    change: Change, words: str, empty: Path
) -> None:
    made(empty)
    changed(empty, change)
    assert words in refusal(call(empty, "install", BUNDLE))
    rows = json.loads(said(call(empty, "list", "--json")))["plugins"]
    assert "acme" not in {row["name"] for row in rows}


def test_another_signer_and_odd_orders_are_refused(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = made(empty)
    other = ("0" if key[0] != "0" else "1") + key[1:]
    assert "is signed with another key" in refusal(
        call(empty, "install", BUNDLE, "--signer", other)
    )
    refusal(call(empty, "install", BUNDLE, "--signer", "short"))
    assert "by itself" in refusal(call(empty, "install", BUNDLE, "x.whl"))
    assert "Only bundles" in refusal(call(empty, "install", "x.whl", "--signer", key))
    (empty / "no.bundle.zip").write_bytes(b"words")
    assert "cannot be read" in refusal(call(empty, "install", "no.bundle.zip"))
    assert "cannot be read" in refusal(call(empty, "install", "gone.bundle.zip"))
    monkeypatch.setattr(bundle, "TOTAL_LIMIT_BYTES", 100)
    assert "larger than any bundle" in refusal(call(empty, "install", BUNDLE))


def test_a_member_that_says_less_than_it_holds_is_not_unpacked(empty: Path) -> None:
    made(empty)
    wheel = "wheels/deskmate_acme-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(empty / BUNDLE) as package:
        files = {name: package.read(name) for name in package.namelist()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in files.items():
            package.writestr(name, data + b"\0" * (4 << 20) if name == wheel else data)
    size = len(files[wheel]) + (4 << 20)
    lying = out.getvalue().replace(size.to_bytes(4, "little"), (10).to_bytes(4, "little"))
    (empty / BUNDLE).write_bytes(lying)
    refusal(call(empty, "install", BUNDLE))


def test_a_full_disk_is_an_error_and_leaves_the_bundle_of_before(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(empty)
    before = (empty / BUNDLE).read_bytes()

    def full(*arguments: object) -> None:
        (empty / "dist/.deskmate-acme-0.1.0.bundle.zip.part").write_bytes(b"half")
        raise OSError(28, "No space left on device", "dist")

    monkeypatch.setattr(bundle, "_pack", full)
    result = call(empty, "bundle", "deskmate-acme")
    assert isinstance(result.exception, OSError)
    assert (empty / BUNDLE).read_bytes() == before
    assert [file.name for file in (empty / "dist").glob(".*")] == []
