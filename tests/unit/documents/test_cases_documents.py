"""Third-party documents with known truth; skipped where the cases folder is absent."""

from __future__ import annotations

import difflib
import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deskmate.errors import ToolInputError
from deskmate_documents.docx.compare import compare
from deskmate_documents.docx.equal import body_lines, differences
from deskmate_documents.docx.reading import DocxText, read_docx
from deskmate_documents.docx.redline import Edit, redline
from deskmate_documents.docx.revisions import accept_all, reject_all
from deskmate_documents.office.package_gate import problems
from deskmate_documents.opc import Package
from deskmate_documents.quotes import QuoteFinder
from deskmate_documents.text import read_text

FOLDER = Path(__file__).parents[4] / "shared" / "cases"
pytestmark = [
    pytest.mark.cases,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the cases folder is not beside the checkout"),
]
TRIPLES = sorted(
    p
    for p in (FOLDER / "legal/docx_tracked_triples").glob("*.docx")
    if not p.stem.endswith(("ted",))
)
PAIRS = FOLDER / "legal/docx_compare_pairs"
TEMPLATES = sorted((FOLDER / "legal/templates").glob("*.docx"))
COMMENTED = sorted((FOLDER / "legal/docx_comments").glob("*.docx"))
EXPECTED = (
    json.loads((PAIRS / "TRUTH_expected_revisions.json").read_text()) if PAIRS.is_dir() else []
)
ME = "Rita Reviewer"


def lines_of(path: Path) -> list[str]:
    """Return comparable lines without the document's last section.

    The program that made the truth files drops that section when the last paragraphs merge.
    """
    lines = body_lines(path)
    return lines[:-1] if lines[-1].startswith("sectPr") else lines


@pytest.mark.parametrize("source", TRIPLES, ids=lambda p: p.stem)
def test_accepting_gives_the_accepted_file(source: Path, tmp_path: Path) -> None:
    accept_all(source, tmp_path / "o.docx")
    assert lines_of(tmp_path / "o.docx") == lines_of(
        source.with_name(f"{source.stem}-Accepted.docx")
    )
    assert not read_docx(tmp_path / "o.docx").has_tracked_changes


@pytest.mark.parametrize("source", TRIPLES, ids=lambda p: p.stem)
def test_rejecting_gives_the_rejected_file(source: Path, tmp_path: Path) -> None:
    reject_all(source, tmp_path / "o.docx")
    ours, truth = (
        lines_of(tmp_path / "o.docx"),
        lines_of(source.with_name(f"{source.stem}-Rejected.docx")),
    )
    if source.stem == "RP051-Arabic":
        truth = mended(ours, truth, lines_of(source))
    assert ours == truth
    assert not read_docx(tmp_path / "o.docx").has_tracked_changes


def mended(ours: list[str], truth: list[str], source: list[str]) -> list[str]:
    """Return `truth` with the four places mended where it is not the original (docs/decisions, 8).

    Three headings have the look of a paragraph that was inserted whole before them, though no change
    touched their own; one sentence stays cut in two where a table had been inserted.
    """
    matcher = difflib.SequenceMatcher(None, ours, truth, autojunk=False)
    out, headings, cuts = [], 0, 0
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind == "replace" and ours[i:j] != truth[k:m]:
            assert (j - i, m - k) == (1, 1)
            assert ours[i].startswith("p pPr{pStyle[val=Call]")
            assert ours[i] in source
            headings += 1
            out += ours[i:j]
        elif kind == "insert":
            assert truth[k:m] == ["p pPr{rPr{rtl}}"]
            cuts += 1
        else:
            out += truth[k:m]
    assert (headings, cuts) == (3, 1)
    return out


@pytest.mark.parametrize("item", EXPECTED, ids=lambda i: str(i["test"]))
@pytest.mark.parametrize("turned", [False, True])
def test_comparing_holds_both_identities_with_few_revisions(
    item: dict[str, object], turned: bool, tmp_path: Path
) -> None:
    before, after = PAIRS / str(item["before"]), PAIRS / str(item["after"])
    if turned:
        before, after = after, before
    result = compare(before, after, tmp_path / "c.docx", author="C", date="2026-01-01")
    accept_all(tmp_path / "c.docx", tmp_path / "a.docx")
    reject_all(tmp_path / "c.docx", tmp_path / "r.docx")
    assert differences(tmp_path / "a.docx", after) == ()
    assert differences(tmp_path / "r.docx", before) == ()
    assert list(problems(tmp_path / "c.docx")) == []
    assert abs(result.revisions - int(str(item["expected_revisions"]))) <= 1


@pytest.mark.parametrize("source", TRIPLES, ids=lambda p: p.stem)
def test_accepted_and_rejected_files_compare_with_each_other(source: Path, tmp_path: Path) -> None:
    before, after = (source.with_name(f"{source.stem}-{k}.docx") for k in ("Rejected", "Accepted"))
    compare(before, after, tmp_path / "c.docx", author="C", date="2026-01-01")
    accept_all(tmp_path / "c.docx", tmp_path / "a.docx")
    reject_all(tmp_path / "c.docx", tmp_path / "r.docx")
    assert differences(tmp_path / "a.docx", after) == ()
    assert differences(tmp_path / "r.docx", before) == ()


def random_edits(document: DocxText, seed: int) -> list[Edit]:
    rng = random.Random(f"{document.path.name} {seed}")
    edits = []
    longer = [p for p in document.paragraphs if len(p.text.split()) > 2]
    for paragraph in rng.sample(longer, min(10, len(longer))):
        start = rng.randrange(len(paragraph.text))
        find = paragraph.text[start : start + rng.randrange(1, 60)]
        if rng.random() < 0.15:
            find, replace = "", "A new clause of the Supplier."
        elif paragraph.text.count(find) != 1:
            continue
        else:
            words = find.split(" ")
            words[rng.randrange(len(words))] = rng.choice(
                ["shall", "thirty (30)", "“Agreement”", ""]
            )
            replace = " ".join(words)
        if find != replace:
            edits.append(
                Edit(paragraph=paragraph.index, find=find, replace=replace, reason="Because")
            )
    return edits


def intended(document: DocxText, edits: list[Edit]) -> list[str]:
    by_place = {e.paragraph: e for e in edits}
    out = []
    for paragraph in document.paragraphs:
        edit = by_place.get(paragraph.index)
        out.append(
            paragraph.text
            if edit is None or not edit.find
            else paragraph.text.replace(edit.find, edit.replace)
        )
        if edit is not None and not edit.find:
            out.append(edit.replace)
    return [text for text in out if text.strip()]


@pytest.mark.parametrize("source", [*TEMPLATES, *COMMENTED, *TRIPLES], ids=lambda p: p.stem)
@pytest.mark.parametrize("seed", range(3))
def test_random_redlines_reject_to_the_original_and_accept_to_the_intent(
    source: Path, seed: int, tmp_path: Path
) -> None:
    document = read_docx(source)
    edits = random_edits(document, seed)
    redline(source, tmp_path / "r.docx", edits, author=ME, date="2026-01-01")
    reject_all(tmp_path / "r.docx", tmp_path / "rejected.docx", authors={ME})
    accept_all(tmp_path / "r.docx", tmp_path / "accepted.docx", authors={ME})
    assert differences(source, tmp_path / "rejected.docx") == ()
    got = [p.text for p in read_docx(tmp_path / "accepted.docx").paragraphs if p.text.strip()]
    assert got == intended(document, edits)
    before, after = Package(source), Package(tmp_path / "r.docx")
    touched = {
        "word/document.xml",
        "word/comments.xml",
        "[Content_Types].xml",
        "word/_rels/document.xml.rels",
    }
    assert all(before.read(n) == after.read(n) for n in before.names if n not in touched)
    assert set(problems(tmp_path / "r.docx")) <= set(problems(source))
    kept = {(c.id, c.author, c.text, c.parent) for c in document.comments}
    assert kept <= {
        (c.id, c.author, c.text, c.parent) for c in read_docx(tmp_path / "r.docx").comments
    }


def test_templates_are_numbered_as_printed() -> None:
    found = {
        path.stem: {p.number: p.text for p in read_docx(path).paragraphs if p.number}
        for path in TEMPLATES
    }
    csa = found["common-paper-cloud-service-agreement"]
    # The agreement's own cross-references name these clauses.
    assert csa["8.4"].startswith("Exceptions.")
    assert csa["12.3"].startswith("Governing Law and Chosen Courts.")
    assert csa["8.1(a)"].startswith("Except as provided in Section 8.4")
    dpa = found["common-paper-data-processing-agreement"]
    assert dpa["3.2(c)(iii)"].startswith("In Clause 11")


def test_labelled_clauses_are_found_in_the_pdf_word_for_word() -> None:
    missed = total = 0
    for path in sorted((FOLDER / "legal/cuad").glob("*.labels.json")):
        stem = path.name.removesuffix(".labels.json")
        finder = QuoteFinder(read_text(path.with_name(f"{stem}.pdf")))
        for label in json.loads(path.read_text())["labels"].values():
            for clause in label["clauses"]:
                whole = clause["text"][:1].isupper() and clause["text"][-1:] in ".;"
                if clause["verbatim_in_txt"] and whole:
                    total += 1
                    missed += not finder.find(clause["text"])
    assert total > 80
    assert missed <= total * 0.02


@pytest.mark.parametrize(
    "path", sorted(p for p in (FOLDER / "hostile").glob("*/*") if p.is_file()), ids=lambda p: p.name
)
def test_hostile_files_give_a_result_or_one_clear_line(path: Path) -> None:
    before = path.stat()
    try:
        read_text(path)
    except ToolInputError as error:
        assert error.message.startswith(path.name)  # noqa: PT017
        assert "\n" not in error.message  # noqa: PT017
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pandoc") is None, reason="pandoc is not installed")
@pytest.mark.parametrize("source", TEMPLATES, ids=lambda p: p.stem)
def test_pandoc_reads_our_redlines_as_we_do(source: Path, tmp_path: Path) -> None:
    def plain(path: Path, mode: str) -> str:
        command = [
            "pandoc",
            f"--track-changes={mode}",
            "-f",
            "docx",
            "-t",
            "plain",
            "--wrap=none",
            str(path),
        ]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=120
        ).stdout

    edits = random_edits(read_docx(source), 1)
    redline(source, tmp_path / "r.docx", edits, author=ME, date="2026-01-01")
    accept_all(tmp_path / "r.docx", tmp_path / "accepted.docx")
    # pandoc keeps a rejected new paragraph as an empty list item, which shifts the numbers it prints.
    wanted = words(plain(source, "reject"))
    assert words(plain(tmp_path / "r.docx", "reject")) == wanted
    assert words(plain(tmp_path / "r.docx", "accept")) == words(
        plain(tmp_path / "accepted.docx", "accept")
    )


def words(text: str) -> list[str]:
    return [word for word in text.split() if not re.fullmatch(r"\(?(?:\d+|[a-z]+)[.)]|-+", word)]
