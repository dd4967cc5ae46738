"""A wheel is unpacked as data; what is odd about it is refused by name."""

import stat
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deskmate.discovery.wheel import unpack_wheel
from deskmate.errors import PluginError

Make = Callable[..., Path]


def refusal(wheel: Path, tmp_path: Path) -> str:
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(PluginError) as caught:
        unpack_wheel(wheel, target)
    assert wheel.name in caught.value.message
    outside = [p for p in tmp_path.rglob("*evil*") if not p.is_relative_to(target)]
    assert outside == []
    return caught.value.message


def test_an_ordinary_wheel_is_unpacked_without_its_scripts(
    make_wheel: Make, tmp_path: Path
) -> None:
    files = {
        "acme/__init__.py": "x = 1\n",
        "acme-1.0.data/scripts/run": "#!/bin/sh\n",
        "acme-1.0.data/purelib/acme_data.py": "y = 2\n",
    }
    unpack_wheel(make_wheel("acme", files), tmp_path / "t")
    found = {
        p.relative_to(tmp_path / "t").as_posix() for p in (tmp_path / "t").rglob("*") if p.is_file()
    }
    assert {"acme/__init__.py", "acme_data.py", "acme-1.0.dist-info/METADATA"} <= found
    assert not any("run" in name for name in found)


@pytest.mark.parametrize(
    "name", ["../evil.py", "/evil.py", "a/../../evil.py", "a\\..\\evil.py", "C:/evil.py"]
)
def test_a_member_that_leaves_its_folder_is_refused(
    make_wheel: Make, tmp_path: Path, name: str
) -> None:
    assert "leaves its folder" in refusal(make_wheel("acme", {}, raw={name: b"x"}), tmp_path)


def test_a_startup_hook_is_refused(make_wheel: Make, tmp_path: Path) -> None:
    assert "every start of Python" in refusal(
        make_wheel("acme", {"evil.pth": "import os"}), tmp_path
    )


def test_a_startup_hook_in_the_data_folder_is_refused(make_wheel: Make, tmp_path: Path) -> None:
    wheel = make_wheel("acme", {"acme-1.0.data/purelib/evil.pth": "import os"})
    assert "which no wheel may" in refusal(wheel, tmp_path)


@pytest.mark.parametrize("name", ["deskmate/__init__.py", "deskmate_guest/boot.py"])
def test_a_file_below_deskmates_own_name_is_refused(
    make_wheel: Make, tmp_path: Path, name: str
) -> None:
    assert "a name of Deskmate itself" in refusal(make_wheel("acme", {name: ""}), tmp_path)


def test_a_file_that_record_lacks_is_refused(make_wheel: Make, tmp_path: Path) -> None:
    wheel = make_wheel("acme", {}, raw={"extra.py": b"x"})
    assert "extra.py is not what its RECORD says" in refusal(wheel, tmp_path)


def test_a_file_that_differs_from_record_is_refused(make_wheel: Make, tmp_path: Path) -> None:
    wheel = make_wheel("acme", {"acme.py": "x"}, record="acme.py,sha256=AAAA,1\n")
    assert "is not what its RECORD says" in refusal(wheel, tmp_path)


def test_a_member_that_stands_twice_is_refused(make_wheel: Make, tmp_path: Path) -> None:
    wheel = make_wheel("acme", {"acme.py": "x"})
    with zipfile.ZipFile(wheel, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("acme.py", "evil")
    assert "holds acme.py twice" in refusal(wheel, tmp_path)


def test_a_symbolic_link_is_refused(make_wheel: Make, tmp_path: Path) -> None:
    wheel = make_wheel("acme", {})
    info = zipfile.ZipInfo("acme/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "not a regular file" in refusal(wheel, tmp_path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(make_wheel: Make, tmp_path: Path) -> None:
    wheel = make_wheel("acme", {"acme.txt": "0" * 20_000_000})
    assert "packed more than" in refusal(wheel, tmp_path)
    assert list((tmp_path / "target").iterdir()) == []


def test_a_member_that_lies_about_its_size_is_refused(make_wheel: Make, tmp_path: Path) -> None:
    wheel = make_wheel("acme", {"acme.txt": "0123456789" * 1000})
    content = bytearray(wheel.read_bytes())
    size = struct.pack("<L", 10_000)
    assert content.count(size) == 2
    wheel.write_bytes(content.replace(size, struct.pack("<L", 10)))
    refusal(wheel, tmp_path)


def test_what_is_no_zip_is_one_clear_error(tmp_path: Path) -> None:
    wheel = tmp_path / "acme-1.0-py3-none-any.whl"
    wheel.write_bytes(b"PK\x03\x04 nothing")
    assert "cannot be unpacked as a wheel" in refusal(wheel, tmp_path)


def test_two_wheels_cannot_bring_different_files_of_one_name(
    make_wheel: Make, tmp_path: Path
) -> None:
    target = tmp_path / "t"
    unpack_wheel(make_wheel("one", {"shared.py": "1"}), target)
    with pytest.raises(PluginError, match="another wheel brought too"):
        unpack_wheel(make_wheel("two", {"shared.py": "2"}), target)


def test_two_wheels_may_bring_the_same_file_and_their_tests_are_left_out(
    make_wheel: Make, tmp_path: Path
) -> None:
    target = tmp_path / "t"
    for name in ("one", "two"):
        files = {"shared/__init__.py": "", "tests/test_it.py": name}
        unpack_wheel(make_wheel(name, files), target)
    assert (target / "shared/__init__.py").is_file()
    assert not (target / "tests").exists()


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4)
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_damaged_wheel_is_refused_or_unpacked_as_it_was(
    changes: list[tuple[int, int]], make_wheel: Make, tmp_path: Path
) -> None:
    files = {"acme/__init__.py": "x = 1\n" * 50, "acme/data.txt": "0123456789" * 30}
    wheel = make_wheel("acme", files)
    content = bytearray(wheel.read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    wheel.write_bytes(content)
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        try:
            unpack_wheel(wheel, Path(folder))
        except PluginError:
            return
        for name, text in files.items():
            file = Path(folder, name)
            assert not file.exists() or file.read_text() == text
