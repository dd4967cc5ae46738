"""The command of a hook in the guest: what it reads, what is kept of what it writes, and that it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_guest.workspace.hooks import hook


def run(folder: Path, command: str, given: str = "{}", **more: Any) -> dict[str, Any]:
    environment = more.pop("environment", {})
    return hook(
        command,
        given,
        environment,
        ToolContext(workspace=folder, home=folder, resources=folder),
        **more,
    )


def test_it_reads_its_input_and_both_its_outputs_are_kept_apart(tmp_path: Path) -> None:
    found = run(tmp_path, 'cat; echo "$WHO" >&2; exit 2', '{"a": "ü"}', environment={"WHO": "acme"})
    assert found == {"exit_code": 2, "stdout": '{"a": "ü"}', "stderr": "acme\n", "late": False}


def test_a_quick_one_loses_nothing_of_what_it_writes(tmp_path: Path) -> None:
    for number in range(50):
        assert run(tmp_path, f"echo {number}; echo {number} >&2")["stdout"] == f"{number}\n"


def test_what_it_writes_without_end_is_cut_and_the_rest_is_read_away(tmp_path: Path) -> None:
    found = run(tmp_path, "head -c 5000000 /dev/zero | tr '\\0' x; echo end >&2")
    assert (len(found["stdout"]), found["stderr"], found["exit_code"]) == (32 << 10, "end\n", 0)


def test_its_children_end_with_it_and_its_time_is_bounded(tmp_path: Path) -> None:
    found = run(tmp_path, "sleep 600 & echo begun; exit 0")
    assert (found["stdout"], found["late"]) == ("begun\n", False)
    late = run(tmp_path, "echo first; sleep 600", timeout_s=1)
    assert (late["stdout"], late["late"]) == ("first\n", True)
    with pytest.raises(ToolInputError):
        run(tmp_path, "true", timeout_s=121)


def test_a_program_with_arguments_is_started_without_a_shell(tmp_path: Path) -> None:
    found = run(tmp_path, "printf", arguments=["%s", "$(id); a b"])
    assert found["stdout"] == "$(id); a b"
    missing = run(tmp_path, "/no/such/program", arguments=[])
    assert (missing["exit_code"], missing["late"]) == (127, False)
    assert "No such file" in missing["stderr"]
    assert run(tmp_path, "true", arguments=["a\0b"])["exit_code"] == 127


def test_one_that_does_not_read_its_input_is_not_held_up(tmp_path: Path) -> None:
    assert run(tmp_path, "exit 0", json.dumps({"x": "y" * 1_000_000}))["exit_code"] == 0
