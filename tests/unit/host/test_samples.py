"""The sample that comes along is what its maker in examples writes, and is made without harm."""

from __future__ import annotations

import runpy
import zipfile
from pathlib import Path

import pytest

from deskmate.errors import UserError
from deskmate.host.samples import NAME, make_sample, sample_files

MAKER = Path(__file__).parents[3] / "examples/make_contract.py"


def test_the_sample_is_what_the_example_writes(tmp_path: Path) -> None:
    example = runpy.run_path(str(MAKER))
    example["write_contract"](tmp_path / "made.docx")
    kept = sample_files()
    assert kept[example["PLAYBOOK"]].decode() == example["PLAYBOOK_TEXT"]
    (tmp_path / "kept.docx").write_bytes(kept[example["CONTRACT"]])
    parts = []
    for name in ("made.docx", "kept.docx"):
        with zipfile.ZipFile(tmp_path / name) as archive:
            parts.append(archive.read("word/document.xml"))
    assert parts[0] == parts[1]


def test_a_file_or_a_link_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("a file")
    (tmp_path / f"{NAME} 2").symlink_to("nowhere")
    assert make_sample(tmp_path) == tmp_path / f"{NAME} 3"
    assert (tmp_path / NAME).read_text() == "a file"


def test_where_nothing_can_be_written_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder")
    with pytest.raises(UserError, match="cannot be written"):
        make_sample(tmp_path / "home")
