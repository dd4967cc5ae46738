from __future__ import annotations

import io
import json
import os
from pathlib import Path

from deskmate_guest.difference import walk, write_difference


def test_entries_come_sorted_with_folders_before_what_is_in_them(tmp_path: Path) -> None:
    for name in ("b/d.txt", "b/a.txt", "a.txt", "c/x/y.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    found = [fact["path"] for fact in walk(tmp_path)]
    assert set(found) == {"a.txt", "b", "b/a.txt", "b/d.txt", "c", "c/x", "c/x/y.txt"}
    assert all(
        found.index(path) > found.index(path.rpartition("/")[0]) for path in found if "/" in path
    )


def test_names_that_are_not_unicode_are_told_so_that_the_host_can_refuse_them(
    tmp_path: Path,
) -> None:
    upper, home = tmp_path / "upper", tmp_path / "home"
    upper.mkdir()
    home.mkdir()
    (Path(os.fsdecode(os.fsencode(upper) + b"/bad\xff"))).write_text("x")
    os.mkfifo(upper / "pipe")
    stream = io.BytesIO()
    write_difference(stream, upper, home, frozenset())
    rows = {row["path"]: row for row in json.loads(stream.getvalue())["changes"]}
    assert rows["bad\udcff"]["kind"] == "file"
    assert rows["pipe"]["reason"] == "a fifo"


def test_a_sparse_file_is_told_with_its_apparent_size_unless_that_is_absurd(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as stream:
        stream.truncate(5 << 20)
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(9 << 30)
    big, huge = walk(tmp_path)
    assert big["size"] == 5 << 20
    assert (huge["kind"], huge["reason"]) == ("other", f"{9 << 30} bytes are too many")
