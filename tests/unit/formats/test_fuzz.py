"""No tree, however it is made, makes a reader raise: bounded work, named oddities, storable results."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.formats.material import MANIFEST, MemoryTree, corpus, lay

from deskmate.errors import PluginError
from deskmate.formats.codes import CODES
from deskmate.formats.marketplace import FILE as MARKET
from deskmate.formats.marketplace import read_marketplace
from deskmate.formats.opening import opened_tree
from deskmate.formats.plugin import read_plugin
from deskmate.formats.substitutions import Filling, fill, without_shell
from deskmate.types.codec import from_json, to_json
from deskmate.types.foreign import ForeignPlugin

QUICK = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck]
)
NAMES = st.sampled_from(
    [
        "name",
        "description",
        "skills",
        "commands",
        "hooks",
        "mcpServers",
        "source",
        "plugins",
        "agents",
        "userConfig",
        "author",
        "url",
        "command",
        "args",
        "type",
        "version",
        "renames",
        "metadata",
        "strict",
        "Stop",
    ]
)
PLAIN: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["./", "../x", "./skills", "http", "${X}", "acme"])
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=8)
TEXTS = st.text(
    st.characters(codec="utf-8") | st.sampled_from("-:|>[]{}#&*!%@`'\"~$\n\t "), max_size=200
)
PATHS = st.sampled_from(
    [
        "SKILL.md",
        "skills/a/SKILL.md",
        "skills/a/b/SKILL.md",
        "commands/x.md",
        "agents/y.md",
        "CONNECTORS.md",
        ".lsp.json",
        "bin/x",
        "x.local.md",
        "skills/skill.md",
    ]
)


def check_line(message: str) -> None:
    assert message
    assert "\n" not in message


def check(plugin: ForeignPlugin) -> None:
    """What was read can be stored, read again and shown, and all that is odd has a code of the table."""
    text = json.dumps(to_json(plugin), ensure_ascii=False)
    text.encode()
    assert from_json(ForeignPlugin, json.loads(text)) == plugin
    assert all(one.code in CODES and one.path.isprintable() for one in plugin.diagnostics)
    names = [skill.name for skill in plugin.skills]
    assert len(set(names)) == len(names)


@QUICK
@given(manifest=VALUES | OBJECTS, hooks=VALUES | OBJECTS, servers=VALUES | OBJECTS, entry=OBJECTS)
def test_any_json_in_any_file(
    manifest: Any, hooks: Any, servers: Any, entry: dict[str, Any]
) -> None:
    files = {
        MANIFEST: json.dumps(manifest), "hooks/hooks.json": json.dumps(hooks), ".mcp.json": json.dumps(servers),
        "skills/a/SKILL.md": "text", MARKET: json.dumps({"name": "m", "plugins": [entry, manifest]}),
    }  # fmt: skip
    check(read_plugin(MemoryTree(files), entry))
    read_marketplace(MemoryTree(files))


@QUICK
@given(
    st.dictionaries(
        PATHS,
        TEXTS | TEXTS.map(lambda text: f"---\n{text}\n---\n{text}") | st.binary(max_size=200),
        max_size=6,
    )
)
def test_any_text_in_any_file(files: dict[str, str | bytes]) -> None:
    check(read_plugin(MemoryTree(files)))


@QUICK
@given(TEXTS, TEXTS)
def test_any_text_can_be_filled_in_with_any_arguments(text: str, arguments: str) -> None:
    fill(without_shell(text), Filling(arguments=arguments, takes=True, names=("a",)))


def test_bytes_scribbled_into_whole_plugins_do_no_harm() -> None:
    dice = random.Random(11)
    for name, files, _ in corpus(150, seed=5):
        spoilt: dict[str, str | bytes] = {}
        for path, content in files.items():
            data = bytearray(content.encode() if isinstance(content, str) else content)
            for _ in range(dice.randrange(1, 6)):
                if data:
                    data[dice.randrange(len(data))] = dice.randrange(256)
            spoilt[path] = bytes(
                data[: dice.randrange(len(data) + 1)] if dice.random() < 0.2 else data
            )
        check(read_plugin(MemoryTree(spoilt, name)))


def test_folders_of_random_links_names_and_files_do_no_harm(tmp_path: Path) -> None:
    dice = random.Random(3)
    words = [
        "skills",
        "a",
        "SKILL.md",
        "commands",
        "x.md",
        ".claude-plugin",
        "plugin.json",
        "B",
        "b",
        "\u00e9",
        "e\u0301",
        "..x",
        "agents",
    ]
    for number in range(40):
        root = tmp_path / str(number)
        root.mkdir()
        for _ in range(25):
            place = root.joinpath(*(dice.choice(words) for _ in range(dice.randrange(1, 5))))
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                if dice.random() < 0.3:
                    place.symlink_to(
                        dice.choice(["..", ".", "/", "a", "../../..", "SKILL.md", str(tmp_path)])
                    )
                else:
                    lay(place.parent, {place.name: dice.randbytes(40)})
            except OSError:
                continue  # a file where a folder should be, or a circle: the tree is odd enough
        try:
            with opened_tree(str(root)) as tree:
                check(read_plugin(tree))
                assert all(len(tree.read(path, 1 << 20)) == 40 for path in tree.files)
        except PluginError as error:
            check_line(error.message)
