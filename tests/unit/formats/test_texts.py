"""Front matter and JSON that are meant to hurt: bounded, named, never an exception."""

from __future__ import annotations

import json

import pytest
from tests.unit.formats.material import MANIFEST, MemoryTree, codes, plain, read

from deskmate.formats.texts import first_paragraph, read_document, read_json

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(8)
)


@pytest.mark.timeout(60)  # what hurts takes minutes
@pytest.mark.parametrize(
    ("head", "code"),
    [
        (BOMB, "frontmatter-bounds"),
        ("a: &a [*a, *a]", "frontmatter-bounds"),
        ("a: " + "[" * 5_000, "frontmatter-bounds"),
        ("a: " + "{b: " * 300, "frontmatter-bounds"),
        ("\n".join("  " * n + "k:" for n in range(60)), "frontmatter-bounds"),
        ("a: [" + "1, " * 12_000 + "1]", "frontmatter-bounds"),
        ("x: " + "y" * 70_000, "frontmatter-bounds"),
        ("a: !!python/object/apply:os.system ['touch pwned']", ""),
        ("a: !<tag:x> b", ""),
        ("a: 'open", "frontmatter-yaml"),
        ("a: b: c", "frontmatter-yaml"),
        ("\tkey: tab", "frontmatter-yaml"),
        ("a: \x07bell", "frontmatter-yaml"),
        ("? [a, b]\n: c", ""),
        ("<<: *nothing", "frontmatter-yaml"),
        ("a: *nowhere", "frontmatter-yaml"),
        ("--- x\n--- y", "frontmatter-yaml"),
        ("%YAML 9.9", "frontmatter-yaml"),
    ],
)
def test_front_matter_that_is_meant_to_hurt_is_read_within_bounds(head: str, code: str) -> None:
    tree = MemoryTree({"s.md": f"---\ndescription: Fine\n{head}\n---\nBody\n"})
    document = read_document(tree, "s.md")
    assert document.has_head
    assert "Body" in document.body
    if code:
        assert [one.code for one in tree.diagnostics] == [code]
        assert document.head["description"].startswith("Fine"), "what has its own line is read"


def test_scalars_are_text_and_yes_or_no_only() -> None:
    head = "a: 0o17\nb: 1_000\nc: 1e9\nd: .inf\ne: 2026-01-01\nf: yes\ng: 'yes'\nh: ~\ni: 99999999999999999999\n"
    document = read_document(MemoryTree({"s.md": f"---\n{head}---\n"}), "s.md")
    found = {key: getattr(value, "text", value) for key, value in document.head.items()}
    assert found == {
        "a": "0o17", "b": "1_000", "c": "1e9", "d": ".inf", "e": "2026-01-01", "f": True, "g": "yes", "h": None,
        "i": "99999999999999999999",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "1" * 500_000,
        '{"a": ' + "9" * 100_000 + "}",
        "",
        "nul",
        "\ufeff{}",
        '"\\ud800"',
        "{'a': 1}",
        "NaN",
        "[1e999]",
    ],
)
def test_json_that_is_meant_to_hurt_is_read_within_bounds(text: str) -> None:
    tree = MemoryTree({"x.json": text})
    json.dumps(read_json(tree, "x.json"), ensure_ascii=False).encode()
    read(plain(**{MANIFEST: text, "hooks/hooks.json": text, ".mcp.json": text}))


def test_half_a_character_in_json_can_be_stored_and_shown() -> None:
    plugin = read(plain(**{MANIFEST: '{"name": "acme", "description": "a\\ud800b"}'}))
    assert plugin.description.encode() == b"a?b"
    assert codes(plugin) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# Title\n\ndescription: It does.\n\nMore", "It does."),
        ("# Title\nIt does\nmuch.\n\nMore", "It does much."),
        ("<!-- licence -->\n\n# T\n\n**Description:** It does.", "It does."),
        ("# Only a title", ""),
        ("", ""),
    ],
)
def test_the_first_paragraph_stands_for_a_description(text: str, found: str) -> None:
    assert first_paragraph(text) == found
