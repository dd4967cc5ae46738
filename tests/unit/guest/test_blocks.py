"""Block devices by serial; parts need a real device, which the tests with a machine have."""

from __future__ import annotations

from pathlib import Path

import pytest

from deskmate_guest.blocks import add_part, find_disk


def test_a_disk_is_found_by_its_serial(tmp_path: Path) -> None:
    for name, serial in (("vda", "base\n"), ("vde", "files")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "serial").write_text(serial)
    (tmp_path / "loop0").mkdir()
    assert find_disk("files", tmp_path) == Path("/dev/vde")
    with pytest.raises(OSError, match="there is no disk other"):
        find_disk("other", tmp_path)


def test_what_is_no_disk_has_no_parts(tmp_path: Path) -> None:
    plain = tmp_path / "vde"
    plain.write_bytes(bytes(4096))
    with pytest.raises(OSError):  # noqa: PT011 - the words are the kernel's
        add_part(plain, 1, 0, 4096)
