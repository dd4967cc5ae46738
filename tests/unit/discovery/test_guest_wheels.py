"""Guest packages: the tools that are missing are named, and what came is what was asked."""

import dataclasses
import subprocess
from pathlib import Path

import pytest

from deskmate.discovery import guest_wheels
from deskmate.discovery.guest_wheels import GuestWheels, image_packages, plan_wheels
from deskmate.errors import PluginError
from deskmate.types.registry import InstalledPlugin, Manifest


def plugin(packages: tuple[str, ...], dependencies: tuple[str, ...]) -> InstalledPlugin:
    return InstalledPlugin(
        name="acme",
        package="acme",
        distribution="deskmate-acme",
        version="1.0",
        manifest=Manifest(api=">=1", title="A", summary="s", guest_packages=packages),
        files={},
        dependencies=dependencies,
    )


def unpack(wheels: GuestWheels, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "scratch").mkdir()
    wheels.unpack(tmp_path / "tree", tmp_path / "scratch", lambda line: None)


def test_the_image_holds_what_its_pinned_list_says() -> None:
    held = image_packages()
    assert "lxml" in held
    assert "python-docx" in held
    assert all(version[0].isdigit() for version in held.values())


def test_a_set_without_guest_packages_needs_nothing() -> None:
    plan = plan_wheels([plugin((), ("lxml",))], None)
    assert plan.wanted == {}
    assert plan.fingerprint() == ""


def test_what_the_image_holds_in_the_wanted_version_is_not_wanted() -> None:
    held = image_packages()["lxml"]
    fits = plan_wheels([plugin(("lxml",), (f"lxml=={held}",))], None)
    newer = plan_wheels([plugin(("lxml",), (f"lxml>{held}",))], None)
    assert fits.wanted == {}
    assert newer.wanted == {"acme": (f"lxml>{held}",)}


def test_names_are_compared_as_packaging_does() -> None:
    plan = plan_wheels([plugin(("Acme_Lib",), ("acme-lib>=1",))], None)
    assert plan.wanted == {"acme": ("acme-lib>=1",)}


def test_another_requirement_is_another_resolution() -> None:
    plan = plan_wheels([plugin(("acme-lib",), ("acme-lib>=1",))], None)
    other = plan_wheels([plugin(("acme-lib",), ("acme-lib>=2",))], None)
    moved = dataclasses.replace(plan, wheelhouse=Path("/elsewhere"))
    assert plan.fingerprint() != other.fingerprint()
    assert plan.fingerprint() == moved.fingerprint()


def test_a_missing_uv_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deskmate.discovery.guest_wheels.shutil.which", lambda *a, **k: None)
    with pytest.raises(PluginError, match="uv is missing") as caught:
        unpack(GuestWheels(wanted={"acme": ("acme-lib",)}), tmp_path)
    assert "pip install uv" in caught.value.hint


def test_a_resolver_that_never_ends_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "uv"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(guest_wheels, "_uv", lambda: [str(slow)])
    monkeypatch.setattr(guest_wheels, "_RESOLVE_DEADLINE_S", 0.2)
    with pytest.raises(PluginError, match=r"within 0\.2 s"):
        unpack(GuestWheels(wanted={"acme": ("acme-lib",)}), tmp_path)


def test_the_fetched_bytes_must_have_the_locked_hash(
    tmp_path: Path, make_wheel: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = tmp_path / "house"
    wheel: Path = make_wheel("acme_lib", {"acme_lib.py": "x"}, folder=house)  # type: ignore[operator]
    real_run = subprocess.run

    def run(command: list[str], **more: object) -> object:
        done = real_run(command, **more)  # type: ignore[call-overload]
        if "compile" in command:  # between resolving and fetching the wheel becomes another one
            make_wheel("acme_lib", {"acme_lib.py": "evil"}, folder=house)  # type: ignore[operator]
        return done

    monkeypatch.setattr("deskmate.discovery.guest_wheels.subprocess.run", run)
    assert wheel.is_file()
    with pytest.raises(PluginError, match=r"(?i)fetch the guest packages.*hash"):
        unpack(GuestWheels(wanted={"acme": ("acme-lib",)}, wheelhouse=house), tmp_path)
