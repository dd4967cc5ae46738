from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import docx
import pytest

from deskmate.plugin import Claim, Deliverable, Evidence, Finding, Sources, ValidationContext
from deskmate.types.ids import Digest
from deskmate_documents.office.quote_gate import check_quotes, quotations
from deskmate_documents.text import Passage

MakeDocx = Callable[..., Path]
SOURCE = "1. Term. The term is thirty (30) days.\n\n2. Duties. The Recipient shall not disclose Confidential Information.\n\n3. Law. Delaware."


def digest(path: Path) -> Digest:
    return Digest(hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "nda.txt"
    path.write_text(SOURCE)
    return path


def check(
    memo: str,
    source: Path | None,
    *,
    claims: tuple[Claim, ...] = (),
    evidence: tuple[Evidence, ...] = (),
    sources: dict[str, str] | None = None,
    role: str = "memo",
    suffix: str = ".md",
) -> list[Finding]:
    folder = source.parent if source else Path()
    file = (folder if source else Path("/tmp")) / f"memo{suffix}"
    file.write_text(memo or "A memo.")
    held = {"c/nda.txt": source} if source else {}
    context = ValidationContext(
        file=file, sources=Sources(held, {n: digest(p) for n, p in held.items()}), evidence=evidence
    )
    deliverable = Deliverable(
        path="c/memo.md", title="Memo", role=role, sources=sources or {}, claims=claims
    )
    return list(check_quotes(deliverable, context))


def seen(source: Path, locator: dict[str, int | str], path: str = "c/nda.txt") -> Evidence:
    return Evidence(id="e1", source=digest(source), path=path, locator=locator, quote="")


GOOD = [
    "They say “the Recipient shall not disclose” and no more.".replace(
        "the Recipient", "The Recipient"
    ),
    'Straight marks: "The Recipient shall not disclose Confidential Information." (¶ 2)',
    "“The term is thirty (30)\u00a0days.” (paragraph 1)",
    "Over two: “thirty (30) days. 2. Duties. The Recipient” (¶ 1)",
    "Shortened: “The Recipient shall not … Confidential Information”",
    "Ours: “[The parties] shall not disclose Confidential Information”",
    "A defined “Term” and “our own words” are too short to be quotations.",
    'Pipes of 6" and 8" width with long words between them, 5\'10" tall.',
    "A page that a text without pages cannot contradict: “The term is thirty (30) days.” (page 9)",
]
BAD = [
    ("“The term is sixty (60) days.”", "Does not occur"),
    ("“The Recipient shall disclose Confidential Information.”", "Does not occur"),
    ("“The term is thirty (30) days.” (¶ 2)", "Stands elsewhere"),
    ("“Confidential Information … The term is thirty”", "Does not occur"),
    ('"the recipient shall not disclose"', "Does not occur"),
]


@pytest.mark.parametrize("memo", GOOD)
def test_verbatim_quotations_pass(source: Path, memo: str) -> None:
    assert check(memo, source) == []


@pytest.mark.parametrize(("memo", "cause"), BAD)
def test_other_quotations_are_errors_with_their_place(source: Path, memo: str, cause: str) -> None:
    (finding,) = check("Heading\n\n" + memo, source)
    assert (finding.rule, finding.level, finding.location) == ("G-QUOTE", "error", "paragraph 2")
    assert cause in finding.message


def test_a_quotation_without_any_source_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "memo.txt"
    file.write_text("“Four words or more here”")
    context = ValidationContext(file=file, sources=Sources({}, {}))
    (finding,) = check_quotes(Deliverable(path="memo.txt", title="M"), context)
    assert "has no source" in finding.message


def test_a_source_that_the_host_never_held_is_unverified(source: Path) -> None:
    (finding,) = check("“Words of another file here”", source, sources={"original": "c/other.txt"})
    assert finding.message.startswith("UNVERIFIED: the host never held c/other.txt")


def test_only_the_named_sources_count(source: Path) -> None:
    assert (
        check(
            "“The term is thirty (30) days.”",
            source,
            sources={"a": "c/nda.txt", "b": "c/other.txt"},
        )
        == []
    )


def test_claims_are_found_again_in_the_bytes_whatever_the_ledger_says(source: Path) -> None:
    right = Claim(text="The term is thirty (30) days.", evidence=("e1",))
    wrong = Claim(text="The term is ninety (90) days.", evidence=("e1",))
    at = seen(source, {"paragraph": 1})
    assert check("", source, claims=(right,), evidence=(at,)) == []
    (finding,) = check("", source, claims=(wrong,), evidence=(at,))
    assert "Does not occur" in finding.message


def test_a_claim_at_another_place_is_an_error(source: Path) -> None:
    claim = Claim(text="The term is thirty (30) days.", evidence=("e1",))
    (finding,) = check("", source, claims=(claim,), evidence=(seen(source, {"paragraph": 3}),))
    assert "¶ 1" in finding.message


def test_a_claim_needs_evidence_of_a_file_that_the_host_held(source: Path) -> None:
    claim = Claim(text="The term is thirty (30) days.", evidence=("e1",))
    (none,) = check("", source, claims=(claim,))
    assert "names no source" in none.message
    (unheld,) = check("", source, claims=(claim,), evidence=(seen(source, {}, "c/forged.txt"),))
    assert "UNVERIFIED" in unheld.message
    forged = Evidence(id="e1", source=Digest("0" * 64), path="c/nda.txt", locator={}, quote="")
    (other,) = check("", source, claims=(claim,), evidence=(forged,))
    assert "not the version that was read" in other.message


def test_numbers_and_statements_are_not_this_rules_business(source: Path) -> None:
    assert check("", source, claims=(Claim(text="42", evidence=(), kind="number"),)) == []


@pytest.mark.parametrize("role", ["redline", "comparison", "contract"])
def test_contracts_with_tracked_changes_define_terms_in_marks(
    make_docx: Callable[..., Path], source: Path, role: str
) -> None:
    words = "<w:r><w:t>“Any other information so marked” means it.</w:t></w:r>"
    mark = '<w:ins w:id="1" w:author="A"><w:r><w:t>Really.</w:t></w:r></w:ins>'

    def found(body: str) -> list[Finding]:
        context = ValidationContext(
            file=make_docx(f"<w:p>{body}</w:p>"), sources=Sources({"c/nda.txt": source}, {})
        )
        return list(check_quotes(Deliverable(path="c/x.docx", title="X", role=role), context))

    assert found(words + mark) == []
    assert [finding.level for finding in found(words)] == ["error"]  # the role alone hides nothing


def test_a_table_is_no_prose(source: Path) -> None:
    assert check('a,"b c d e f",g', source, suffix=".csv") == []


def test_word_memos_are_read_too(source: Path, make_docx: MakeDocx) -> None:
    file = make_docx("<w:p><w:r><w:t>“The term is ninety days long”</w:t></w:r></w:p>")
    context = ValidationContext(
        file=file, sources=Sources({"c/nda.txt": source}, {"c/nda.txt": digest(source)})
    )
    assert len(list(check_quotes(Deliverable(path="m.docx", title="M"), context))) == 1


def test_an_unreadable_source_is_an_error_not_a_crash(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7 broken")
    (finding,) = check("“Four words or more here”", broken)
    assert "cannot be read" in finding.message


def test_citations_belong_to_the_quotation_before_them() -> None:
    text = "“one two three four” (page 3, ¶ 7) and “five six seven eight” (pp. 4–6)"
    first, second = quotations([Passage(text=text, page=None, paragraph=1)])
    assert (first.pages, first.paragraphs) == (range(3, 4), range(7, 8))
    assert (second.pages, second.paragraphs) == (range(4, 7), None)


INVENTED = "The supplier shall pay a penalty of ten million euros"


@pytest.mark.parametrize(
    "marks",
    [
        "«»",
        "»«",
        "‹›",
        "„“",
        "„”",
        "‟”",
        "””",
        "〝〞",
        "❝❞",
        "「」",
        "『』",
        "＂＂",
        "″″",
        "‘’",
        "''",
    ],
)
def test_an_invented_quotation_is_found_in_marks_of_any_kind(source: Path, marks: str) -> None:
    assert check(f"It says {marks[0]}{INVENTED}{marks[1]} (¶ 2), clearly.", source)


@pytest.mark.parametrize(
    "memo",
    [
        f"It says ``{INVENTED}''.",
        f'It says “{INVENTED}".',
        f'It says "{INVENTED}”.',
        f"It says &ldquo;{INVENTED}&rdquo;.",
        f"It says “{INVENTED}\n\nto the other”.",
        "It says “" + f"{INVENTED}. " * 100 + "”.",
        "It says “\u200b" + INVENTED.replace(" ", "\u00a0") + "\u2060”.",
    ],
)
def test_an_invented_quotation_cannot_hide_behind_its_spelling(source: Path, memo: str) -> None:
    assert check(memo, source)


@pytest.mark.parametrize(
    "memo",
    [
        "The parties' duties and the receivers' rights are plain, and it isn't the recipients' fault.",
        "It says ‘The Recipient shall not disclose Confidential Information’ and that’s the parties’ deal.",
        "It says «The Recipient shall not disclose Confidential Information».",
        "Run `awk '{print $1 $2 $3 $4}'` on it.",
    ],
)
def test_apostrophes_and_verbatim_words_in_other_marks_pass(source: Path, memo: str) -> None:
    assert check(memo, source) == []


def test_a_comment_in_a_word_memo_is_read_too(source: Path) -> None:
    file = source.parent / "memo.docx"
    document = docx.Document()
    document.add_comment(document.add_paragraph("A memo.").runs, text=f"“{INVENTED}”")
    document.save(str(file))
    context = ValidationContext(file=file, sources=Sources({"c/nda.txt": source}, {}))
    assert list(check_quotes(Deliverable(path="c/memo.docx", title="Memo"), context))
