"""Two files are the same if only the hour of an Office file differs; any other difference counts."""

from __future__ import annotations

import io
import zipfile

import pytest

from deskmate_guest.checking.sameness import digest_of

CORE = '<p><dcterms:created xsi:type="t">{}</dcterms:created><dc:title>{}</dc:title></p>'


def package(parts: dict[str, bytes | str], year: int = 2026) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, content in parts.items():
            file.writestr(zipfile.ZipInfo(name, (year, 1, 2, 3, 4, 6)), content)
    return data.getvalue()


def book(when: str = "2026-01-01", title: str = "a", cell: str = "1", year: int = 2026) -> bytes:
    core = CORE.format(when, title)
    return package({"docProps/core.xml": core, "xl/worksheets/sheet1.xml": f"<c>{cell}</c>"}, year)


def test_the_hour_of_making_is_no_difference_also_in_a_package_within() -> None:
    one, other = book(), book(when="2026-05-05", year=2027)
    assert one != other
    assert digest_of("a.xlsx", one) == digest_of("a.xlsx", other)
    decks = [package({"ppt/embeddings/book.xlsx": inner, "x": b"y"}) for inner in (one, other)]
    assert digest_of("a.pptx", decks[0]) == digest_of("a.pptx", decks[1])


def test_the_hour_of_a_tracked_change_is_no_difference_and_its_day_and_words_are() -> None:
    def letter(when: str, words: str = "x", part: str = "word/document.xml") -> str:
        change = f'<w:ins w:author="A" w:date="{when}">{words}</w:ins>'
        return digest_of("a.docx", package({part: change}))

    assert letter("2026-01-02T03:04:05Z") == letter("2026-01-02T23:00:00Z")
    assert letter("2026-01-02T03:04:05Z") != letter("2026-01-03T03:04:05Z")
    assert letter("2026-01-02T03:04:05Z") != letter("2026-01-02T03:04:05Z", "y")
    other = "customXml/item1.xml"
    assert letter("2026-01-02T03:04:05Z", part=other) != letter("2026-01-02T23:00:00Z", part=other)


@pytest.mark.parametrize("other", [book(cell="2"), book(title="b"), b"PK no package", b""])
def test_any_other_difference_counts(other: bytes) -> None:
    assert digest_of("a.xlsx", book()) != digest_of("a.xlsx", other)


def test_files_of_other_kinds_are_their_bytes() -> None:
    assert digest_of("a.zip", book()) != digest_of("a.zip", book(when="2026-05-05"))
    assert digest_of("a.txt", b"1") != digest_of("a.txt", b"2")


def test_a_part_that_is_missing_or_renamed_counts() -> None:
    assert digest_of("a.docx", package({"x": "1", "y": "2"})) != digest_of(
        "a.docx", package({"x": "1"})
    )
    assert digest_of("a.docx", package({"x": "1"})) != digest_of("a.docx", package({"y": "1"}))
    assert digest_of("a.docx", package({"x": "1", "y": "2"})) == digest_of(
        "a.docx", package({"y": "2", "x": "1"})
    )
