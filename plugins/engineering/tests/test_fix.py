from dataclasses import replace
from typing import Any

import pytest

from deskmate.plugin import Deliverable, ToolError, ToolInputError
from deskmate_engineering.fixes import WHOLE, fix_of_edits, patch_text
from deskmate_engineering.repository import open_repository
from deskmate_engineering.testing import run_of_tree
from deskmate_engineering.tools.fix import fix_propose, run_tests
from deskmate_engineering.validators.fix_rules import keeps_tests, patch_applies, proves_tests

CODE = "def total(prices, discount=0):\n    whole = sum(prices)\n    return whole - whole * discount / 10\n\n\ndef count(prices):\n    return len(prices)\n"
TESTS = """import pytest

from shop.till import count, total


@pytest.mark.parametrize("discount", [0, 10])
def test_discount(discount):
    assert total([100], discount) == 100 - discount


def test_count():
    assert count([1, 2]) == 2


@pytest.mark.skip(reason="the printer is gone")
def test_print():
    raise AssertionError
"""
FILES = {"shop/__init__.py": "", "shop/till.py": CODE, "tests/test_till.py": TESTS}
NAMED = "tests/test_till.py::test_discount[10]"
EDIT = {"file": "shop/till.py", "find": "discount / 10", "replace": "discount / 100"}
WHY = "A discount is in percent: it is divided by 100."
RULES = (patch_applies, keeps_tests, proves_tests)


@pytest.fixture
def till(repo: Any) -> Any:
    repo.commit(FILES, "First")
    return repo


def test_what_fails_is_said_with_its_place_and_the_folder_is_left_alone(till: Any) -> None:
    (till.folder / "shop" / "till.py").write_text("this is not committed")
    result = run_tests(till.context)
    assert (result["ran"], result["passed"], result["failed"], result["skipped"]) == (4, 2, 1, 1)
    (failure,) = result["failures"]
    assert (failure["id"], failure["file"]) == (NAMED, "tests/test_till.py")
    assert "assert 0.0 == (100 - 10)" in failure["message"]
    assert failure["where"] == "tests/test_till.py:8 (test_discount)"
    assert "Nothing was changed" in result["next"]
    assert till.git("status", "--porcelain") == "M shop/till.py"


def test_the_way_to_an_error_leads_into_the_code(till: Any) -> None:
    till.commit({"shop/till.py": CODE.replace("len(prices)", "len(nothing)")}, "Worse")
    found = {
        f["id"]: f
        for f in run_tests(till.context, tests=["tests/test_till.py::test_count"])["failures"]
    }
    assert found["tests/test_till.py::test_count"]["where"] == "shop/till.py:7 (count)"


def test_a_fix_is_proven_and_its_patch_applies(till: Any, verdict: Any) -> None:
    answer = fix_propose(till.context, [EDIT], [NAMED], WHY)
    (deliverable,) = answer.deliverables
    assert answer.result["before"] == "4 ran (1 failed, 1 skipped)"
    assert answer.result["after"] == "4 ran (0 failed, 1 skipped)"
    assert [verdict(rule, deliverable, till.context) for rule in RULES] == [[], [], []]
    assert till.git("status", "--porcelain") == ""
    till.git("apply", "../fix.patch")
    assert till.git("status", "--porcelain") == "M shop/till.py"
    assert "discount / 100" in (till.folder / "shop" / "till.py").read_text()


@pytest.mark.parametrize(
    ("path", "find", "text"),
    [
        ("tests/test_till.py", "[0, 10]", "[0]"),
        ("tests/test_till.py", "== 100 - discount", "!= None"),
        ("tests/test_till.py", "def test_discount", "@pytest.mark.skip\ndef test_discount"),
        ("tests/test_till.py", "def test_discount", "def check_discount"),
        ("tests/test_till.py", "import pytest\n", "import pytest\n\npytestmark = pytest.mark.skip\n"),
        ("tests/test_till.py", "import pytest\n", "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef quiet(monkeypatch):\n    monkeypatch.setattr('shop.till.total', lambda p, d: 100 - d)\n"),
        ("tests/test_till.py", "\n\n\ndef test_count", "\n\n\nif True:\n    del test_discount\n\n\ndef test_count"),
        ("conftest.py", "", "collect_ignore = ['tests']\n"),
        ("pytest.ini", "", "[pytest]\naddopts = --deselect tests\n"),
        ("pyproject.toml", "", "[tool.pytest.ini_options]\naddopts = '-k none'\n"),
        ("setup.cfg", "", "[tool:pytest]\naddopts = -k none\n"),
        ("shop/till.py", "def total", "import os\n\nTESTED = 'PYTEST_CURRENT_TEST' in os.environ\n\n\ndef total"),
        ("shop/till.py", "def total", "import sys\n\nsys.modules['x'] = 1\n\n\ndef total"),
    ],
)  # fmt: skip
def test_a_fix_that_weakens_the_tests_is_refused_by_tool_and_gate(
    till: Any, verdict: Any, path: str, find: str, text: str
) -> None:
    edit = {"file": path, **({"find": find, "replace": text} if find else {"content": text})}
    with pytest.raises(ToolInputError, match="leaves the tests as they are"):
        fix_propose(till.context, [EDIT, edit], [NAMED], WHY)
    (messages, _) = judged_patch(till, verdict, [EDIT, edit])
    assert messages
    assert not any("cannot" in message for message in messages)


def judged_patch(till: Any, verdict: Any, edits: list[Any]) -> tuple[list[str], list[str]]:
    """Return what the gates say of a patch that somebody made past the tool: of its tests, and of its application."""
    repository = open_repository(till.folder, till.top)
    fix = fix_of_edits(repository, repository.commit("HEAD"), edits)
    text = patch_text(fix, name="shop", named=[NAMED], why=WHY, counts=("a", "b"), scope=WHOLE)
    (till.top / "work" / "fix.patch").write_text(text)
    data = {
        "name": "shop",
        "base": fix.base,
        "tests": [NAMED],
        "files": list(fix.paths),
        "scope": WHOLE,
    }
    made = Deliverable(
        path="work/fix.patch",
        title="Fix",
        role="patch",
        sources={"repository": "work/shop/.git/HEAD"},
        data=data,
    )
    return verdict(keeps_tests, made, till.context), verdict(patch_applies, made, till.context)


def test_comments_and_layout_of_tests_may_change_and_tests_may_come(
    till: Any, verdict: Any
) -> None:
    edit = {
        "file": "tests/test_till.py",
        "find": "import pytest\n",
        "replace": "# Of the till.\nimport math\n\nimport pytest\n",
    }
    new = {"file": "tests/test_more.py", "content": "def test_more():\n    assert True\n"}
    assert judged_patch(till, verdict, [EDIT, edit, new]) == ([], [])


@pytest.mark.parametrize(
    ("edits", "tests", "says"),
    [
        ([{**EDIT, "replace": "discount / 50"}], [NAMED], "does not pass after"),
        ([EDIT, {"file": "shop/till.py", "find": "len(prices)", "replace": "0"}], [NAMED], "passed before and now failed"),
        ([EDIT], ["tests/test_till.py::test_count", "tests/test_till.py::test_none"], "did not fail before: it passed.*does not exist"),
        ([{**EDIT, "find": "prices"}], [NAMED], "occurs 4 times"),
        ([{**EDIT, "file": "../x.py"}], [NAMED], "no path inside"),
        ([{**EDIT, "file": ".git/config"}], [NAMED], "no path inside"),
        ([{**EDIT, "file": "none.py"}], [NAMED], "is not in"),
        ([{**EDIT, "replace": "discount / 10"}], [NAMED], "change nothing"),
        ([], [NAMED], "Give 1 to"),
        ([{"file": "shop/till.py"}], [NAMED], "needs find and replace"),
        ([EDIT], [], "Name the tests"),
    ],
)  # fmt: skip
def test_what_is_no_fix_is_refused_and_nothing_is_written(
    till: Any, edits: Any, tests: Any, says: str
) -> None:
    with pytest.raises(ToolError, match=says):
        fix_propose(till.context, edits, tests, WHY)
    assert not (till.top / "work" / "fix.patch").exists()


def test_the_gates_run_the_patch_and_believe_no_word_of_it(till: Any, verdict: Any) -> None:
    made = Deliverable(path="work/fix.patch", title="Fix", role="patch")
    judged_patch(till, verdict, [EDIT])
    file = till.top / "work" / "fix.patch"
    text = file.read_text()
    base = till.git("rev-parse", "HEAD")
    data = {
        "name": "shop",
        "base": base,
        "tests": [NAMED],
        "files": ["shop/till.py"],
        "scope": WHOLE,
    }
    deliverable = replace(made, sources={"repository": "work/shop/.git/HEAD"}, data=data)
    assert ["does not say" in m for m in verdict(proves_tests, deliverable, till.context)] == [True]
    file.write_text(
        text.replace(
            "+    return whole - whole * discount / 100",
            "+    return whole - whole * discount / 50",
        )
    )
    assert any("does not pass after" in m for m in verdict(proves_tests, deliverable, till.context))
    file.write_text(
        text.replace("-    return whole - whole * discount / 10\n", "-    return whole\n")
    )
    assert "cannot be checked" in verdict(patch_applies, deliverable, till.context)[0]
    file.write_text(text.replace("File: shop/till.py", "File: shop/other.py"))
    assert any(
        "It changes shop/till.py" in m for m in verdict(patch_applies, deliverable, till.context)
    )
    file.write_text(text)
    assert "UNVERIFIED" in verdict(patch_applies, deliverable, till.context, held=False)[0]
    data = {**deliverable.data, "base": "f" * 40}
    assert "UNVERIFIED" in verdict(patch_applies, deliverable, till.context, data=data)[0]
    data = {**deliverable.data, "tests": []}
    assert "names no test" in verdict(proves_tests, deliverable, till.context, data=data)[0]


def test_rights_and_links_are_no_part_of_a_fix(till: Any, verdict: Any) -> None:
    judged_patch(till, verdict, [EDIT])
    file = till.top / "work" / "fix.patch"
    head = file.read_text()
    data = {
        "name": "shop",
        "base": till.git("rev-parse", "HEAD"),
        "tests": [NAMED],
        "files": ["shop/till.py"],
    }
    made = Deliverable(path="work/fix.patch", title="Fix", role="patch", data=data)
    deliverable = replace(made, sources={"repository": "work/shop/.git/HEAD"})
    assert verdict(patch_applies, deliverable, till.context) == []
    mode = head.replace(
        "diff --git a/shop/till.py b/shop/till.py\n",
        "diff --git a/shop/till.py b/shop/till.py\nold mode 100644\nnew mode 100755\n",
    )
    file.write_text(mode)
    assert any("rights" in m for m in verdict(patch_applies, deliverable, till.context))


def test_unittest_and_tests_that_cannot_be_imported_are_told(repo: Any) -> None:
    repo.commit(
        {
            "test_one.py": "import unittest\n\n\nclass TestOne(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(1, 2)\n",
            "test_two.py": "import nothing_like_it\n\n\ndef test_two():\n    pass\n",
        },
        "First",
    )
    found = {f["id"]: f for f in run_tests(repo.context)["failures"]}
    assert "1 != 2" in found["test_one.py::TestOne::test_it"]["message"]
    assert "nothing_like_it" in found["test_two.py"]["message"]


def test_a_run_without_end_is_stopped_and_said(repo: Any) -> None:
    repo.commit(
        {
            "test_slow.py": "import time\n\n\ndef test_a():\n    pass\n\n\ndef test_b():\n    time.sleep(60)\n"
        },
        "First",
    )
    repo.config = {"test_limit_s": 6}
    result = run_tests(repo.context)
    assert (result["late"], result["passed"]) == (True, 1)
    assert "not known" in result["next"]
    repo.commit({"test_slow.py": "import time\n\ntime.sleep(60)\n"}, "Slower")
    repo.config = {"test_limit_s": 1}
    with pytest.raises(ToolError, match="did not end within 1 s"):
        run_tests(repo.context)


def test_what_is_run_sees_neither_the_users_surroundings_nor_modules_of_ours(
    repo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "x")
    repo.commit(
        {
            "test_env.py": "import os, secrets\n\n\ndef test_env():\n    assert 'MY_TOKEN' not in os.environ\n    assert secrets.token_hex(2)\n"
        },
        "First",
    )
    assert run_tests(repo.context)["failures"] == []


@pytest.mark.parametrize("name", ["-p evil", "../x", "/etc/passwd"])
def test_a_name_that_is_no_test_is_refused(till: Any, name: str) -> None:
    with pytest.raises(ToolInputError, match="no test of the repository"):
        run_tests(till.context, tests=[name])


def test_a_repository_without_tests_says_so(repo: Any) -> None:
    repo.commit({"a.txt": "x\n"}, "First")
    with pytest.raises(ToolInputError, match="no tests that can be run"):
        run_tests(repo.context)


def test_without_pytest_the_standard_runner_says_what_it_cannot_run(till: Any) -> None:
    # a folder in front of the path in which pytest cannot be had
    (till.folder / "src" / "pytest").mkdir(parents=True)
    (till.folder / "src" / "pytest" / "__init__.py").write_text("raise ImportError('none')\n")
    till.git("add", "-A")
    till.git("commit", "-q", "-m", "No pytest")
    till.commit(
        {
            "tests/test_old.py": "import unittest\n\n\nclass TestOld(unittest.TestCase):\n    def test_it(self):\n        assert True\n"
        },
        "Old",
    )
    run = run_of_tree(open_repository(till.folder, till.top), "HEAD")
    assert run.runner == "unittest"
    assert run.tests["tests/test_old.py::TestOld::test_it"].outcome == "passed"
    assert run.tests["tests/test_till.py"].outcome == "error"
