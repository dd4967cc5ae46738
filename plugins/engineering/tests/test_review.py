from pathlib import Path
from typing import Any

import pytest
from plugins.engineering.tests.engineering_repos import Repo, new_repo

from deskmate.plugin import ToolContext, ToolInputError
from deskmate_engineering.diffs import parse_diff
from deskmate_engineering.inspections.classes import KINDS, SEVERITIES
from deskmate_engineering.tools.review import review_diff, review_report
from deskmate_engineering.validators.review_rules import anchors, review_complete
from deskmate_engineering.validators.rules import no_secrets

PATCH = """--- a/app.py\t2025-01-01
+++ b/app.py\t2025-01-02
@@ -1,3 +1,4 @@ def run():
 def run():
-    return 1
+    x = 2
+    return x
 # end
\\ No newline at end of file
"""
FINDING = {
    "file": "app.py",
    "line": 3,
    "text": "    return x",
    "severity": "minor",
    "message": "Name it.",
}
AWS = "AKIA" + "QWERTYUIOP234567"
BEFORE = {
    "shop/stock.py": "def count(rows):\n    return len(rows)\n",
    "tests/test_stock.py": "from shop.stock import count\n\n\ndef test_count():\n    assert count([1]) == 1\n\n\ndef test_none():\n    assert count([]) == 0\n",
    "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["attrs"]\n',
    "uv.lock": "attrs\n",
    "package.json": '{"dependencies": {"left-pad": "1.0.0"}}\n',
    "package-lock.json": "{}\n",
    "web/app.js": "export const one = 1;\n",
}
# class of defect → file, lines that bring it (appended), and the line that is meant
SEEDS: dict[str, tuple[str, str, str]] = {
    "secret": ("shop/conf.py", f'KEY = "{AWS}"\n', "KEY = "),
    "debug-leftover": ("shop/stock.py", "def total(rows):\n    breakpoint()\n    return sum(rows)\n", "breakpoint()"),
    "swallowed-exception": ("shop/load.py", "def load(read):\n    try:\n        return read()\n    except Exception:\n        pass\n", "except Exception:"),
    "mutable-default": ("shop/cart.py", "def add(item, cart=[]):\n    cart.append(item)\n    return cart\n", "def add(item, cart=[]):"),
    "sql-format": ("shop/db.py", "def find(db, name):\n    return db.execute(\n        f\"SELECT * FROM item WHERE name = '{name}'\"\n    )\n", "f\"SELECT"),
    "unclosed-file": ("shop/read.py", "def read(path):\n    return open(path).read()\n", "return open(path).read()"),
    "shell-injection": ("shop/run.py", "import os\n\n\ndef run(name):\n    os.system('ls ' + name)\n", "os.system"),
    "unsafe-load": ("shop/pick.py", "import pickle\n\n\ndef pick(data):\n    return pickle.loads(data)\n", "pickle.loads"),
    "dynamic-code": ("shop/calc.py", "def calc(text):\n    return eval(text)\n", "eval(text)"),
    "assert-tuple": ("shop/check.py", "def check(n):\n    assert (n > 0, 'too small')\n", "assert ("),
    "identity-literal": ("shop/same.py", "def same(n):\n    return n is 3\n", "n is 3"),
    "changed-while-iterated": ("shop/drop.py", "def drop(rows):\n    for row in rows:\n        if not row:\n            rows.remove(row)\n", "rows.remove(row)"),
    "lost-in-finally": ("shop/fin.py", "def fin(f):\n    try:\n        f()\n    finally:\n        return 1\n", "return 1"),
    "not-awaited": ("shop/wait.py", "async def save():\n    return 1\n\n\nasync def go():\n    save()\n", "    save()"),
    "blocking-in-async": ("shop/block.py", "import time\n\n\nasync def go():\n    time.sleep(1)\n", "time.sleep(1)"),
    "tls-off": ("shop/http.py", "def get(session, url):\n    return session.get(url, verify=False)\n", "verify=False"),
    "insecure-temp": ("shop/tmp.py", "import tempfile\n\n\ndef name():\n    return tempfile.mktemp()\n", "mktemp()"),
    "no-timeout": ("shop/net.py", "import requests\n\n\ndef get(url):\n    return requests.get(url)\n", "requests.get(url)"),
    "naive-time": ("shop/now.py", "from datetime import datetime\n\n\ndef now():\n    return datetime.utcnow()\n", "utcnow()"),
    "unreachable": ("shop/dead.py", "def dead():\n    return 1\n    print_it()\n", "print_it()"),
    "world-writable": ("shop/mode.py", "import os\n\n\ndef loose(path):\n    os.chmod(path, 0o777)\n", "os.chmod"),
    "syntax": ("shop/broken.py", "def broken(:\n    return 1\n", "def broken(:"),
    "conflict-marker": ("web/merged.js", "<<<<<<< HEAD\nexport const two = 2;\n>>>>>>> side\n", "<<<<<<< HEAD"),
    "xss": ("web/app.js", "export function show(box, text) { box.innerHTML = text; }\n", "innerHTML"),
    "test-disabled": ("tests/test_more.py", "import pytest\n\n\n@pytest.mark.skip\ndef test_more():\n    assert True\n", "@pytest.mark.skip"),
    "missing-test": ("shop/price.py", "def price(n):\n    return n * 2\n", "def price"),
    "migration-loss": ("shop/migrations/0002.sql", "ALTER TABLE item\n  DROP COLUMN name;\n", "ALTER TABLE item"),
    "migration-lock": ("shop/migrations/0003.sql", "ALTER TABLE item ADD COLUMN n integer NOT NULL;\n", "ADD COLUMN n"),
    "migration-rename": ("shop/migrations/0004.sql", "ALTER TABLE item RENAME COLUMN a TO b;\n", "RENAME COLUMN"),
    "migration-one-way": ("shop/migrations/0005_fill.py", "class Migration:\n    operations = [migrations.RunPython(fill)]\n", "RunPython"),
    "lock-only": ("uv.lock", "more\n", "more"),
    "unpinned-action": (".github/workflows/ci.yml", "steps:\n  - uses: someone/thing@v1\n", "someone/thing@v1"),
    "piped-to-shell": ("install.sh", "curl https://example.com/x | sh\n", "curl"),
    "suppressed-check": ("shop/quiet.py", "import os  # noqa\n", "noqa"),
    "todo": ("shop/later.py", "# TODO do it\nNAME = 1\n", "TODO"),
}  # fmt: skip
# what is like a defect and is none
NEAR = {
    "secret": ("shop/conf.py", 'import os\n\nKEY = os.environ["API_KEY"]\n'),
    "debug-leftover": ("shop/cli.py", "def main():\n    print('3 rows')\n"),
    "swallowed-exception": ("shop/load.py", "def load(read):\n    try:\n        return read()\n    except KeyError:\n        pass\n    except Exception:\n        log.exception('x')\n        raise\n"),
    "mutable-default": ("shop/cart.py", "def add(item, cart=None, names=()):\n    return [*(cart or []), item, *names]\n"),
    "sql-format": ("shop/db.py", 'TABLE = "item"\n\n\ndef find(db, names):\n    marks = ", ".join("?" for _ in names)\n    return db.execute(f"SELECT * FROM {TABLE} WHERE name IN ({marks})", names)\n\n\ndef say(name):\n    return f"Please select one from {name}"\n'),
    "unclosed-file": ("shop/read.py", "def read(path):\n    with open(path) as file:\n        return file.read()\n\n\ndef keep(path, stack):\n    file = open(path)\n    try:\n        return file.read()\n    finally:\n        file.close()\n"),
    "shell-injection": ("shop/run.py", "import subprocess\n\n\ndef run(name):\n    subprocess.run(['ls', name], check=True)\n    subprocess.run('ls | wc', shell=True, check=True)\n"),
    "unsafe-load": ("shop/pick.py", "import json\nimport yaml\n\n\ndef pick(data):\n    return json.loads(data), yaml.load(data, Loader=yaml.SafeLoader)\n"),
    "dynamic-code": ("shop/calc.py", "import ast\n\n\ndef calc(model, text):\n    model.eval()\n    return ast.literal_eval(text)\n"),
    "changed-while-iterated": ("shop/drop.py", "def drop(rows):\n    for row in list(rows):\n        rows.remove(row)\n    for row in rows:\n        if not row:\n            rows.remove(row)\n            break\n"),
    "blocking-in-async": ("shop/block.py", "import time\n\n\nasync def go():\n    def work():\n        time.sleep(1)\n    await run(work)\n"),
    "naive-time": ("shop/now.py", "from datetime import UTC, datetime\n\n\ndef now():\n    return datetime.now(UTC)\n"),
    "no-timeout": ("shop/net.py", "import requests\n\n\ndef get(url):\n    return requests.get(url, timeout=5)\n"),
    "migration-loss": ("shop/migrations/0002.sql", "-- DROP TABLE item would be wrong\nALTER TABLE item ADD COLUMN note text;\nUPDATE item SET note = '' WHERE note IS NULL;\n"),
    "migration-lock": ("shop/migrations/0003.sql", "ALTER TABLE item ADD COLUMN n integer NOT NULL DEFAULT 0;\nCREATE INDEX CONCURRENTLY i ON item (n);\n"),
    "migration-one-way": ("shop/migrations/0005_fill.py", "class Migration:\n    operations = [migrations.RunPython(fill, empty)]\n"),
    "unpinned-action": (".github/workflows/ci.yml", f"steps:\n  - uses: someone/thing@{'a' * 40}\n"),
    "suppressed-check": ("shop/quiet.py", "import os  # noqa: F401 — other modules take it from here\n"),
    "todo": ("shop/later.py", "# TODO SHOP-12: do it\nNAME = 1\n"),
    "conflict-marker": ("docs/merge.md", "<<<<<<< HEAD is how a conflict begins\n"),
}  # fmt: skip


def checks_of(made: Repo, second: dict[str, str]) -> tuple[list[Any], dict[Any, str]]:
    made.commit(BEFORE, "First")
    made.commit({path: BEFORE.get(path, "") + text for path, text in second.items()}, "Second")
    shown = review_diff(made.context)
    lines = {
        (file["path"], line["new"]): line["text"]
        for file in shown["files"]
        for hunk in file["hunks"]
        for line in hunk["lines"]
    }
    return shown["checks"], lines


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what is found where each class has its seed."""
    seeds = {path: text for path, text, _ in SEEDS.values()}
    assert len(seeds) == len(SEEDS)
    return checks_of(new_repo(tmp_path_factory.mktemp("seeds")), seeds)


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what is found where nothing is wrong."""
    return checks_of(new_repo(tmp_path_factory.mktemp("near")), dict(NEAR.values()))


@pytest.mark.parametrize("kind", list(SEEDS))
def test_a_seeded_defect_of_each_class_is_found_on_its_line(seeded: Any, kind: str) -> None:
    path, _, mark = SEEDS[kind]
    checks, lines = seeded
    found = [f for f in checks if f["class"] == kind and f["file"] == path]
    assert found, [f for f in checks if f["file"] == path]
    assert mark in lines[(path, found[0]["line"])]
    assert found[0]["severity"] == KINDS[kind].severity


@pytest.mark.parametrize("kind", list(NEAR))
def test_what_is_like_a_defect_is_let_pass(near: Any, kind: str) -> None:
    assert [f for f in near[0] if f["class"] == kind] == []


def test_every_class_has_a_seed_or_a_test_of_its_own() -> None:
    assert set(KINDS) - set(SEEDS) == {"test-removed", "lock-drift"}


def test_what_was_there_before_is_not_held_against_a_change(repo: Any) -> None:
    old = "import os\n\n\ndef run(name, seen=[]):\n    os.system('ls ' + name)\n"
    repo.commit({"shop/run.py": old}, "First")
    repo.commit({"shop/run.py": old + "\n\nNAME = 'x'\n"}, "Second")
    assert review_diff(repo.context)["checks"] == []


def test_a_lost_test_is_found_on_the_line_that_goes_and_a_moved_one_is_not(repo: Any) -> None:
    repo.commit(BEFORE, "First")
    text = BEFORE["tests/test_stock.py"]
    repo.commit({"tests/test_stock.py": text.partition("\n\n\ndef test_none")[0] + "\n"}, "Less")
    (found,) = review_diff(repo.context)["checks"]
    assert (found["class"], found["side"], found["line"]) == ("test-removed", "old", 8)
    moved = "def test_none():\n    assert True\n"
    repo.commit({"tests/test_stock.py": text}, "Back")
    repo.commit(
        {
            "tests/test_stock.py": text.partition("\n\n\ndef test_none")[0] + "\n",
            "tests/test_new.py": moved,
        },
        "Moved",
    )
    assert review_diff(repo.context)["checks"] == []


@pytest.mark.parametrize(
    ("path", "old", "new", "lock"),
    [
        ("pyproject.toml", '["attrs"]', '["attrs", "rich"]', "uv.lock"),
        ("package.json", '"1.0.0"', '"2.0.0"', "package-lock.json"),
    ],
)
def test_dependencies_that_change_without_their_lock_are_found(
    repo: Any, path: str, old: str, new: str, lock: str
) -> None:
    repo.commit(BEFORE, "First")
    repo.commit({path: BEFORE[path].replace(old, new)}, "Drift")
    found = review_diff(repo.context)["checks"]
    assert [(f["class"], f["file"]) for f in found] == [("lock-drift", path)]
    repo.commit({path: BEFORE[path], lock: "{}\n\n"}, "Both")
    assert review_diff(repo.context)["checks"] == []
    repo.commit({path: BEFORE[path].replace("shop", "till") + "\n"}, "Not a dependency")
    assert review_diff(repo.context)["checks"] == []


def test_a_test_of_the_change_or_a_change_of_comments_needs_no_test(repo: Any) -> None:
    repo.commit(BEFORE, "First")
    text = BEFORE["shop/stock.py"].replace("len(rows)", "len(list(rows))")
    repo.commit(
        {
            "shop/stock.py": text,
            "tests/test_stock.py": BEFORE["tests/test_stock.py"]
            + "\n\ndef test_more():\n    assert count(()) == 0\n",
        },
        "With test",
    )
    assert review_diff(repo.context)["checks"] == []
    repo.commit(
        {
            "shop/stock.py": "# Stock.\n"
            + text.replace("def count(rows):\n", 'def count(rows):\n    """Count."""\n')
        },
        "Words",
    )
    assert review_diff(repo.context)["checks"] == []


def review_of_seeds(repo: Any, **arguments: Any) -> Any:
    repo.commit(BEFORE, "First")
    repo.git("checkout", "-q", "-b", "side")
    repo.commit(
        {path: text for path, text, _ in (SEEDS[k] for k in ("secret", "sql-format", "todo"))},
        "Second",
    )
    return review_report(repo.context, **arguments)


def test_a_review_names_each_finding_and_passes_its_gates(repo: Any, verdict: Any) -> None:
    answer = review_of_seeds(repo, request="Review side against main.")
    (deliverable,) = answer.deliverables
    text = (repo.top / "work" / "review.md").read_text()
    assert "# Review of shop, main (" in text
    assert "## blocker: shop/db.py:3 (sql-format)" in text
    assert AWS not in text
    assert (answer.result["blocker"], answer.result["note"]) == (2, 1)
    for rule in (anchors, review_complete, no_secrets):
        assert verdict(rule, deliverable, repo.context) == []


def test_a_review_with_given_and_dismissed_findings_passes(repo: Any, verdict: Any) -> None:
    mine = {
        "file": "shop/db.py",
        "line": 1,
        "text": "def find(db, name):",
        "severity": "minor",
        "message": "It takes any name.",
    }
    aside = {
        "file": "shop/later.py",
        "line": 1,
        "class": "todo",
        "reason": "The ticket is in the commit.",
    }
    answer = review_of_seeds(repo, findings=[mine], dismissed=[aside])
    text = (repo.top / "work" / "review.md").read_text()
    assert "- shop/later.py:1 (todo): The ticket is in the commit." in text
    assert "## minor: shop/db.py:1\n" in text
    for rule in (anchors, review_complete):
        assert verdict(rule, answer.deliverables[0], repo.context) == []


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda d, t: (d, t.replace("shop/db.py:3", "shop/db.py:33")), "its findings give"),
        (lambda d, t: ({**d, "findings": d["findings"][1:]}, t), "the review does not say so"),
        (lambda d, t: ({**d, "findings": d["findings"][:-1], "dismissed": [{**d["findings"][-1], "reason": "no"}]}, t), "without a reason"),
        (lambda d, t: ({**d, "dismissed": [{"file": "a", "line": 1, "class": "todo", "reason": "it is not true"}]}, t), "no check finds it"),
        (lambda d, t: ({**d, "head": "f" * 40}, t), "UNVERIFIED"),
        (lambda d, t: ({**d, "base": d["head"]}, t), "did not part"),
        (lambda d, t: ({**d, "head_name": "main"}, t), "is not"),
        (lambda d, t: (d, t + "\nAll good, merge it.\n"), "lines"),
        (lambda d, t: ({"name": "shop"}, t), "not whole"),
    ],
)  # fmt: skip
def test_a_review_that_was_tampered_with_fails(
    repo: Any, verdict: Any, spoil: Any, says: str
) -> None:
    (deliverable,) = review_of_seeds(repo).deliverables
    file = repo.top / "work" / "review.md"
    data, text = spoil(dict(deliverable.data), file.read_text())
    file.write_text(text)
    assert any(
        says in message
        for message in verdict(review_complete, deliverable, repo.context, data=data)
    )


def test_a_commit_that_the_run_made_itself_is_no_original(repo: Any, verdict: Any) -> None:
    (deliverable,) = review_of_seeds(repo).deliverables
    assert "UNVERIFIED" in verdict(anchors, deliverable, repo.context, held=False)[0]
    data = {**deliverable.data, "findings": None}
    assert "does not list" in verdict(anchors, deliverable, repo.context, data=data)[0]


def patched(tmp_path: Path, text: str = PATCH) -> ToolContext:
    (tmp_path / "c.patch").write_text(text)
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)


def test_a_patch_is_read_with_both_numberings(tmp_path: Path) -> None:
    result = review_diff(patched(tmp_path), "c.patch")
    assert (result["file_count"], result["added"], result["removed"]) == (1, 2, 1)
    assert [(n["old"], n["new"]) for n in result["files"][0]["hunks"][0]["lines"]] == [
        (1, 1), (2, None), (None, 2), (None, 3), (3, 4),
    ]  # fmt: skip


def test_a_removed_line_that_looks_like_a_head_stays_a_line() -> None:
    (file,) = parse_diff("--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1 @@\n--- note\n keep\n", "q")
    assert [(n.kind, n.text) for n in file.hunks[0].lines] == [
        ("removed", "-- note"),
        ("context", "keep"),
    ]


def test_form_feeds_carriage_returns_and_odd_names_are_parts_of_lines(repo: Any) -> None:
    repo.commit({"a\tb.py": "one\n"}, "First")
    repo.commit({"a\tb.py": "one\n\x0ctwo\u2028three\n", "ü x.txt": "hi\n"}, "Second")
    shown = review_diff(repo.context)["files"]
    assert [file["path"] for file in shown] == ["a\tb.py", "ü x.txt"]
    assert shown[0]["hunks"][0]["lines"][1]["text"] == "\x0ctwo\u2028three"


@pytest.mark.parametrize("text", ["hello\n", "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n one\n"])
def test_what_is_no_whole_diff_is_refused(text: str) -> None:
    with pytest.raises(ToolInputError):
        parse_diff(text, "x")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"line": 2}, "reads 'x = 2'"),
        ({"line": 99}, "not a line of the new version"),
        ({"line": 2, "side": "old"}, "reads 'return 1'"),
        ({"severity": "huge"}, "severity is"),
        ({"message": None}, "it needs"),
        ({"message": " "}, "has no message"),
    ],
)
def test_findings_beside_the_lines_are_refused_by_tool_and_gate(
    tmp_path: Path, verdict: Any, change: Any, says: str
) -> None:
    here = patched(tmp_path)
    with pytest.raises(ToolInputError, match=says):
        review_report(here, "c.patch", [{**FINDING, **change}], output="review.md")
    (deliverable,) = review_report(here, "c.patch", [FINDING], output="review.md").deliverables
    assert verdict(anchors, deliverable, here) == []
    data = {"findings": [{**FINDING, **change}]}
    assert says in verdict(anchors, deliverable, here, data=data)[0]


def test_a_finding_set_aside_without_reason_or_that_is_none_is_refused(repo: Any) -> None:
    with pytest.raises(ToolInputError, match="no finding of the checks"):
        review_of_seeds(repo, dismissed=[{"file": "a.py", "line": 1, "class": "todo"}])
    with pytest.raises(ToolInputError, match="say in a sentence"):
        review_report(
            repo.context,
            dismissed=[{"file": "shop/later.py", "line": 1, "class": "todo", "reason": "no"}],
        )


def test_severities_are_the_teams_own(repo: Any) -> None:
    repo.config = {"review_severities": {"todo": "off", "sql-format": "major"}}
    answer = review_of_seeds(repo)
    assert [answer.result[level] for level in SEVERITIES] == [1, 1, 1, 0]
    for wrong in ({"nope": "off"}, {"todo": "huge"}, "text"):
        repo.config = {"review_severities": wrong}
        with pytest.raises(ToolInputError, match="review_severities"):
            review_diff(repo.context)
