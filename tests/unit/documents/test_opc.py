from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from deskmate.errors import ToolInputError
from deskmate_documents.opc import Package, parse_xml, resolve, without_times

MakeDocx = Callable[..., Path]
HELLO = "<w:p><w:r><w:t>Hello</w:t></w:r></w:p>"


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def message_of(path: Path) -> str:
    def open_it() -> None:
        package = Package(path)
        package.parse(package.main_part())

    with pytest.raises(ToolInputError) as caught:
        open_it()
    assert "\n" not in caught.value.message
    assert caught.value.message.startswith(path.name)
    return caught.value.message


def test_an_empty_file_is_named_empty(tmp_path: Path) -> None:
    path = tmp_path / "nda.docx"
    path.touch()
    assert "0 bytes" in message_of(path)


def test_something_else_than_a_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nda.docx"
    path.write_bytes(b"just words")
    assert "not an Office file" in message_of(path)


def test_a_zip_without_content_types_is_no_office_file(tmp_path: Path) -> None:
    assert "not an Office document" in message_of(zipped(tmp_path / "x.docx", {"a.txt": b"a"}))


def test_an_encrypted_document_is_told_apart_from_an_old_one(tmp_path: Path) -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
    locked, old = tmp_path / "locked.docx", tmp_path / "old.doc"
    locked.write_bytes(ole + "EncryptedPackage".encode("utf-16-le"))
    old.write_bytes(ole + "WordDocument".encode("utf-16-le"))
    assert "encrypted with a password" in message_of(locked)
    assert "old binary" in message_of(old)


def test_a_truncated_package_is_damaged(make_docx: MakeDocx) -> None:
    path = make_docx(HELLO)
    path.write_bytes(path.read_bytes()[:-40])
    assert "damaged" in message_of(path)


def test_a_flipped_bit_in_a_part_is_found_by_its_checksum(make_docx: MakeDocx) -> None:
    path = make_docx(HELLO * 200)
    data = bytearray(path.read_bytes())
    at = data.index(b"word/document.xml") + len("word/document.xml") + 30
    data[at] ^= 0xFF
    path.write_bytes(bytes(data))
    assert "damaged" in message_of(path)


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "bomb.docx",
        {"[Content_Types].xml": b"<a/>", "word/document.xml": b" " * (30 << 20)},
    )
    assert "zip bomb" in message_of(path)


def test_more_xml_than_memory_can_hold_is_refused(make_docx: MakeDocx) -> None:
    text = "".join(f"{n:x} " for n in range(5_000_000))
    path = make_docx(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")
    assert "32 MiB of XML" in message_of(path)


def test_too_many_parts_are_refused(tmp_path: Path) -> None:
    files = {f"p{n}": b"" for n in range(5_001)}
    assert "parts" in message_of(zipped(tmp_path / "many.docx", files))


def test_two_parts_of_one_name_are_refused(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "x.docx",
        {
            "[Content_Types].xml": b"<a/>",
            "word/Document.xml": b"<a/>",
            "word/document.xml": b"<a/>",
        },
    )
    assert "two parts of one name" in message_of(path)


def test_a_missing_main_part_is_named(make_docx: MakeDocx) -> None:
    path = make_docx(HELLO)
    kept = {n: d for n, d in parts_of(path).items() if n != "word/document.xml"}
    assert "word/document.xml" in message_of(zipped(path, kept))


@pytest.mark.parametrize(
    "data",
    [
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "ha">]><a>&b;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a [<!ENTITY b "ha">]><a>&b;</a>'.encode(
            "utf-16"
        ),
        b"<!-- hello --><!DOCTYPE a><a/>",
    ],
)
def test_document_types_and_entities_are_refused(data: bytes) -> None:
    with pytest.raises(ToolInputError, match="document type"):
        parse_xml(data, "x.docx")


def test_a_comment_before_the_root_is_no_document_type() -> None:
    assert parse_xml(b"<?xml version='1.0'?><!-- made by hand --><a><b/></a>", "x").tag == "a"


def test_xml_nested_without_end_is_an_error_not_a_crash() -> None:
    with pytest.raises(ToolInputError):
        parse_xml(b"<a>" * 100_000, "x.docx")


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_saving_keeps_untouched_parts_byte_for_byte_and_in_order(
    make_docx: MakeDocx, tmp_path: Path
) -> None:
    path = make_docx(HELLO, styles="", extra={"custom/odd name.bin": "\x01\x02"})
    package = Package(path)
    package.write("word/document.xml", b"<new/>")
    package.write("word/added.xml", b"<added/>")
    package.save(tmp_path / "out.docx")
    before, after = parts_of(path), parts_of(tmp_path / "out.docx")
    assert list(after) == [*before, "word/added.xml"]
    changed = [n for n in before if before[n] != after[n]]
    assert changed == ["word/document.xml"]


def test_relationships_resolve_from_the_part_that_has_them(make_docx: MakeDocx) -> None:
    package = Package(make_docx(HELLO, styles=""))
    assert package.related("word/document.xml", "styles") == ("word/styles.xml",)
    assert resolve("word/document.xml", "../customXml/item1.xml") == "customXml/item1.xml"
    assert resolve("word/document.xml", "/word/media/a%20b.png") == "word/media/a b.png"


def test_a_relationship_is_added_once(make_docx: MakeDocx) -> None:
    package = Package(make_docx(HELLO))
    first = package.add_relationship("word/document.xml", "comments", "word/comments.xml")
    assert package.add_relationship("word/document.xml", "comments", "word/comments.xml") == first
    assert package.relationships("word/document.xml")[first].target == "word/comments.xml"


def test_strict_documents_are_read_but_not_rewritten(make_docx: MakeDocx) -> None:
    path = make_docx(HELLO)
    parts = parts_of(path)
    parts["word/document.xml"] = parts["word/document.xml"].replace(
        b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        b"http://purl.oclc.org/ooxml/wordprocessingml/main",
    )
    package = Package(zipped(path, parts))
    root = package.parse("word/document.xml")
    assert root.tag.endswith("2006/main}document")
    with pytest.raises(ToolInputError, match="Strict"):
        package.write_xml("word/document.xml", root)


def test_without_times_the_same_parts_are_the_same_bytes(tmp_path: Path) -> None:
    parts = {"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>" * 50}
    made = []
    for name, year in (("a", 2020), ("b", 2025)):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for part, data in parts.items():
                archive.writestr(zipfile.ZipInfo(part, (year, 1, 2, 3, 4, 6)), data)
        without_times(tmp_path / name)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    with zipfile.ZipFile(tmp_path / "a") as archive:
        assert {part: archive.read(part) for part in archive.namelist()} == parts
