import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import Deliverable, Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_engineering.diffs import parse_diff
from deskmate_engineering.secrets import find_secrets
from deskmate_engineering.tools.review import review_diff, review_report
from deskmate_engineering.tools.scan import secrets_scan
from deskmate_engineering.validators.rules import anchors, no_secrets

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


def context(tmp_path: Path) -> ToolContext:
    (tmp_path / "c.patch").write_text(PATCH)
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)


def room(
    tmp_path: Path, name: str = "review.md", sources: dict[str, str] | None = None
) -> ValidationContext:
    held = {path: tmp_path / path for path in (sources or {}).values()}
    return ValidationContext(file=tmp_path / name, sources=Sources(held, {}))


def test_a_patch_is_read_with_both_numberings(tmp_path: Path) -> None:
    result = review_diff(context(tmp_path), "c.patch")
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


@pytest.mark.parametrize("text", ["hello\n", "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n one\n"])
def test_what_is_no_whole_diff_is_refused(text: Any) -> None:
    with pytest.raises(ToolInputError):
        parse_diff(text, "x")


def test_a_review_of_real_lines_passes(tmp_path: Path) -> None:
    (deliverable,) = review_report(
        context(tmp_path), "c.patch", [FINDING], "review.md"
    ).deliverables
    assert list(anchors(deliverable, room(tmp_path, sources=dict(deliverable.sources)))) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"line": 2}, "reads 'x = 2'"),
        ({"line": 99}, "not a line of the new version"),
        ({"severity": "huge"}, "severity is"),
        ({"message": None}, "it needs"),
    ],
)
def test_findings_beside_the_lines_are_refused_by_tool_and_gate(
    tmp_path: Path, change: Any, says: Any
) -> None:
    with pytest.raises(ToolInputError, match=says):
        review_report(context(tmp_path), "c.patch", [{**FINDING, **change}], "review.md")
    (deliverable,) = review_report(
        context(tmp_path), "c.patch", [FINDING], "review.md"
    ).deliverables
    forged = replace(deliverable, data={"findings": [{**FINDING, **change}]})
    found = anchors(forged, room(tmp_path, sources=dict(deliverable.sources)))[0]
    assert says in found.message


def test_findings_that_stand_in_one_place_only_fail(tmp_path: Path) -> None:
    (deliverable,) = review_report(
        context(tmp_path), "c.patch", [FINDING], "review.md"
    ).deliverables
    held = dict(deliverable.sources)
    (tmp_path / "review.md").write_text("## major: app.py:77\n")
    messages = [f.message for f in anchors(deliverable, room(tmp_path, sources=held))]
    assert any("not in the review's text" in m for m in messages)
    assert any("app.py:77 stands in the review" in m for m in messages)


def test_a_source_that_is_not_held_or_data_that_is_missing_fails(tmp_path: Path) -> None:
    (deliverable,) = review_report(
        context(tmp_path), "c.patch", [FINDING], "review.md"
    ).deliverables
    assert "UNVERIFIED" in anchors(deliverable, room(tmp_path))[0].message
    assert "does not list" in anchors(replace(deliverable, data={}), room(tmp_path))[0].message


def test_a_finding_is_checked_against_the_original_file_too(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("a\nb\n    return x\n")
    (tmp_path / "review.md").write_text("app.py:3")
    sources = {"file:app.py": "app.py"}
    deliverable = Deliverable(
        path="review.md", title="R", role="review", sources=sources, data={"findings": [FINDING]}
    )
    assert anchors(deliverable, room(tmp_path, sources=sources)) == []


@pytest.mark.parametrize(
    "line",
    [AWS, "token = 'ghp_" + "a1B2" * 9 + "'", "postgres://app:hunter22@db/x", "-----BEGIN RSA PRIVATE " + "KEY-----",
     'password: "tr0ub4dor&3x"', "API_KEY=9f8a7b6c5d4e3f2a1b0c"],
)  # fmt: skip
def test_secrets_are_found_and_masked(line: Any) -> None:
    (found,) = find_secrets("first\n" + line + "\n")
    assert found.line == 2
    assert line not in found.masked
    assert len(found.masked.split("***")[0]) <= 4


@pytest.mark.parametrize(
    "line",
    ["password = os.environ['DB_PASSWORD']", "token: ${GITHUB_TOKEN}", "secret = your-secret-123", "api_key = <key>",
     "password: ********", "def auth(token: str) -> None", "postgres://app:${PW}@db/x", "AKIAshort",
     "the secret: patience-and-time"],
)  # fmt: skip
def test_placeholders_and_words_are_no_secrets(line: Any) -> None:
    assert list(find_secrets(line)) == []


def test_a_folder_is_scanned_without_binaries_links_and_git(tmp_path: Path) -> None:
    here = context(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x").write_text(AWS)
    (tmp_path / "b.bin").write_bytes(b"\0" + AWS.encode())
    (tmp_path / "conf.ini").write_text(f"[a]\nkey = {AWS}\n")
    result = secrets_scan(here)
    assert [(f["file"], f["line"], f["kind"]) for f in result["found"]] == [
        ("conf.ini", 2, "AWS access key")
    ]
    assert AWS not in str(result)
    assert (result["count"], result["skipped"]) == (1, 1)
    with pytest.raises(ToolInputError, match="not in the workspace"):
        secrets_scan(here, "nope")


def test_a_deliverable_with_a_secret_fails_and_with_a_masked_one_passes(tmp_path: Path) -> None:
    deliverable = Deliverable(path="note.md", title="N")
    (tmp_path / "note.md").write_text(f"Key {AWS}")
    (found,) = no_secrets(deliverable, room(tmp_path, "note.md"))
    assert found.level == "error"
    assert AWS not in found.message
    (tmp_path / "note.md").write_text("Key AKIA*** (20 characters)")
    assert no_secrets(deliverable, room(tmp_path, "note.md")) == []


def test_a_secret_split_over_runs_of_a_document_is_found(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.docx", "w") as package:
        runs = f"<w:p><w:r><w:t>{AWS[:9]}</w:t></w:r><w:r><w:t>{AWS[9:]}</w:t></w:r></w:p>"
        package.writestr("word/document.xml", runs)
    assert no_secrets(Deliverable(path="d.docx", title="D"), room(tmp_path, "d.docx"))


def test_a_deliverable_that_cannot_be_searched_fails(tmp_path: Path) -> None:
    assert (
        "cannot be searched"
        in no_secrets(Deliverable(path="x", title="X"), room(tmp_path, "missing"))[0].message
    )
