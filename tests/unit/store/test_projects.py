from __future__ import annotations

from pathlib import Path

import pytest

from deskmate.errors import CorruptData, UserError
from deskmate.store.projects import INSTRUCTIONS_LIMIT, Projects
from deskmate.types.files import Grant


@pytest.fixture
def projects(tmp_path: Path) -> Projects:
    return Projects(tmp_path)


def test_a_project_is_what_was_stored_and_found_by_name_or_id(projects: Projects) -> None:
    grants = (Grant(name="deal", folder="/deal", mode="ro"),)
    made = projects.new(" Häfen & Deal ", instructions="So.", grants=grants, plugins=("legal",))
    assert made.id.startswith("hafen-deal-")
    assert projects.find(made.id) == projects.find("häfen & deal") == made
    assert projects.all() == (made,)
    projects.delete(made)
    assert projects.find(made.id) is None
    with pytest.raises(UserError, match="no project"):
        projects.get(made.id)


def test_ids_differ_also_where_names_say_nothing(projects: Projects) -> None:
    one, two = projects.new("合同"), projects.new("契約")
    assert one.id != two.id
    assert one.id.startswith("project-")


@pytest.mark.parametrize("name", ["", "  ", "x" * 81])
def test_a_bad_name_is_refused(projects: Projects, name: str) -> None:
    with pytest.raises(UserError, match="needs a name"):
        projects.new(name)
    assert projects.all() == ()


def test_a_taken_name_and_endless_instructions_are_refused(projects: Projects) -> None:
    projects.new("Deal")
    with pytest.raises(UserError, match="already"):
        projects.new("DEAL")
    with pytest.raises(UserError, match="are the most"):
        projects.new("Other", instructions="x" * (INSTRUCTIONS_LIMIT + 1))
    assert [one.name for one in projects.all()] == ["Deal"]


def test_two_of_one_name_are_told_apart_by_their_ids(projects: Projects, tmp_path: Path) -> None:
    made = projects.new("Deal")
    file = tmp_path / "projects" / f"{made.id}.json"
    other = tmp_path / "projects/deal-other.json"
    other.write_text(file.read_text().replace(made.id, "deal-other"))
    with pytest.raises(UserError, match="2 projects"):
        projects.find("Deal")
    assert projects.find("deal-other") is not None


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "."])
def test_no_name_leads_out_of_the_folder(projects: Projects, tmp_path: Path, name: str) -> None:
    projects.new("Deal")
    (tmp_path / "secret.json").write_text('{"id": "x", "name": "x"}')
    assert projects.find(name) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"id": 1}', '{"id": "a", "name": "b", "more": 1}']
)
def test_a_damaged_file_is_named(projects: Projects, tmp_path: Path, text: str) -> None:
    made = projects.new("Deal")
    (tmp_path / "projects" / f"{made.id}.json").write_text(text)
    with pytest.raises(CorruptData, match=made.id):
        projects.all()
