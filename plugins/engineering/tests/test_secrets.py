import zipfile
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import Deliverable, Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_engineering.secrets import find_secrets, masked
from deskmate_engineering.tools.scan import secrets_scan
from deskmate_engineering.validators.rules import no_secrets

AWS = "AKIA" + "QWERTYUIOP234567"


def room(tmp_path: Path, name: str) -> ValidationContext:
    return ValidationContext(file=tmp_path / name, sources=Sources({}, {}))


@pytest.mark.parametrize(
    "line",
    [AWS, "token = 'ghp_" + "a1B2" * 9 + "'", "postgres://app:hunter22@db/x", "-----BEGIN RSA PRIVATE " + "KEY-----",
     'password: "tr0ub4dor&3x"', "API_KEY=9f8a7b6c5d4e3f2a1b0c"],
)  # fmt: skip
def test_secrets_are_found_and_masked(line: Any) -> None:
    (found,) = find_secrets("first\n" + line + "\n")
    assert found.line == 2
    assert line not in found.masked
    assert list(find_secrets(masked(line))) == []
    assert len(found.masked.split("***")[0]) <= 4


@pytest.mark.parametrize(
    "line",
    ["password = os.environ['DB_PASSWORD']", "token: ${GITHUB_TOKEN}", "secret = your-secret-123", "api_key = <key>",
     "password: ********", "def auth(token: str) -> None", "postgres://app:${PW}@db/x", "AKIAshort",
     "the secret: patience-and-time"],
)  # fmt: skip
def test_placeholders_and_words_are_no_secrets(line: Any) -> None:
    assert list(find_secrets(line)) == []
    assert masked(line) == line


def test_a_folder_is_scanned_without_binaries_links_and_git(tmp_path: Path) -> None:
    here = ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)
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
