"""Results become one inert text, whatever a server puts into them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from deskmate.connectors.results import FILES_LIMIT, outcome_of
from deskmate.protocol.remote import RemoteResult

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(2000)).decode()


def said(*parts: dict[str, Any], **more: Any) -> str:
    return outcome_of(RemoteResult(content=parts, **more)).text


def test_texts_stand_below_each_other() -> None:
    assert said({"type": "text", "text": "a"}, {"type": "text", "text": "b"}) == "a\nb"


def test_what_could_command_a_terminal_is_spelled_out() -> None:
    text = said({"type": "text", "text": "a\x1b]52;c;x\x07\u202eb\r\nc\td"})
    assert text == "a\\u001b]52;c;x\\u0007\\u202eb\nc\td"


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_pictures_and_sounds_are_kept_and_named(kind: str) -> None:
    outcome = outcome_of(
        RemoteResult(content=({"type": kind, "mimeType": "image/png", "data": PNG},) * 2)
    )
    (file,) = outcome.kept
    unseen = "" if kind == "image" else "; you cannot see it"
    line = f"[{kind} image/png, 2,008 bytes, kept for the user as {file.name}{unseen}]"
    assert outcome.text == f"{line}\n{line}"
    assert (file.name[12:], file.media, file.size) == (".png", "image/png", 2_008)
    assert outcome.held == {file.sha256: base64.b64decode(PNG)}
    assert [one.sha256 for one in outcome.pictures] == ([file.sha256] if kind == "image" else [])
    assert PNG[:40] not in outcome.text
    assert said({"type": kind, "data": "not base64!"}) == f"[{kind}: not readable, left out]"


def test_resources_bring_their_text_and_links_their_address() -> None:
    resource = {"uri": "crm://1", "text": "the text"}
    assert said({"type": "resource", "resource": resource}) == "[crm://1]\nthe text"
    assert "2,008 bytes" in said({"type": "resource", "resource": {"uri": "x", "blob": PNG}})
    assert (
        said({"type": "resource_link", "uri": "crm://2", "name": "Two\n"}) == "[link: Two crm://2]"
    )
    assert said({"type": "resource", "resource": "x"}) == ""


def test_what_is_not_known_is_left_out_by_its_name() -> None:
    assert said({"type": "hologram\x1b"}) == "[a part of kind hologram\\x1b is left out]"


def test_data_without_words_are_shown_as_json_and_with_words_not_again() -> None:
    assert said(structured={"a": 1}) == '{"a": 1}'
    assert said({"type": "text", "text": "one"}, structured={"a": 1}) == "one"


def test_a_thousand_parts_are_cut() -> None:
    parts = [{"type": "text", "text": "x"}] * 1000
    assert said(*parts).endswith("[900 more parts are left out]")


def test_nothing_of_it_is_evidence_or_a_deliverable() -> None:
    outcome = outcome_of(RemoteResult(content=({"type": "text", "text": "x"},), is_error=True))
    assert (outcome.evidence, outcome.deliverables, outcome.wrote, outcome.structured) == (
        (),
        (),
        False,
        None,
    )
    assert outcome.is_error


def test_what_a_file_is_its_first_bytes_say_and_not_the_server() -> None:
    html = base64.b64encode(b"<script>x</script>").decode()
    outcome = outcome_of(
        RemoteResult(content=({"type": "image", "mimeType": "image/png", "data": html},))
    )
    assert [(file.name[12:], file.media) for file in outcome.kept] == [(".bin", "")]


def test_only_so_many_files_of_one_answer_are_kept_and_the_others_are_named() -> None:
    parts = tuple(
        {"type": "image", "data": base64.b64encode(bytes([n])).decode()} for n in range(25)
    )
    outcome = outcome_of(RemoteResult(content=parts))
    assert len(outcome.kept) == len(outcome.held) == FILES_LIMIT
    assert outcome.text.count("not kept: over 20 files") == 5
