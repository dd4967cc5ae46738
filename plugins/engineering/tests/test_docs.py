"""Documentation against what is there: what is dead is found, what looks like it is left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import Deliverable, Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_engineering.docs.pages import read_page, slug
from deskmate_engineering.tools.docs import docs_check
from deskmate_engineering.validators.docs_rules import docs_true

GUIDE = """# Guide: set `it` up!

## Use
## Use

[ok](../src/app.py) [top](#use) [second](#use-1) [folder](../src) [away](https://host.example/x) ![pic](pic.png "title")
[dead](gone.md) [dead anchor](other.md#nowhere) [own](#lost) [other](other.md#here-it-is) [line](../src/app.py#L3)
[ref][good] and [bad][nothing], <a href="missing.html">html</a>, [(brackets)](name_(1).md)
[out](../../../elsewhere.md) `[not](alink.md)` <!-- [not](this.md) --> <!-- begins
[nor](this.md)
-->

[good]: other.md

`src/app.py` and `src/gone.py` and `nowhere/else.py` and `./src/app.py`

```python
def broken(:
```

```python
def fine(): ...
    anything goes with dots
```

```json
{"a": 1,}
```

```toml
a = 1
```

```yaml
a: [1
```

```sh
if true; then echo
```

```sh
$ prompts are sessions
```

```unknown
{{{
```
"""


@pytest.fixture
def desk(tmp_path: Path) -> ToolContext:
    files = {
        "repo/docs/guide.md": GUIDE, "repo/docs/other.md": "# Other\n\n## Here *it* is\n", "repo/docs/pic.png": "x",
        "repo/docs/name_(1).md": "x", "repo/src/app.py": "x = 1\n", "repo/node_modules/a/README.md": "[x](nope)",
        "repo/README.md": "[guide](docs/guide.md#guide-set-it-up) [abs](/docs/other.md)\n\n```\nnever closed\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)


def test_dead_links_broken_code_and_stale_names_are_found_and_nothing_else(
    desk: ToolContext,
) -> None:
    result = docs_check(desk, "repo").result
    found = [
        (Path(one["file"]).name, one["line"], one["kind"], one["what"].split(" ")[0])
        for one in result["slips"]
    ]
    assert found == [
        ("README.md", 3, "code", "The"),
        ("guide.md", 7, "anchor", "#lost:"), ("guide.md", 7, "anchor", "other.md#nowhere:"), ("guide.md", 7, "link", "gone.md"),
        ("guide.md", 8, "link", "missing.html"), ("guide.md", 8, "reference", "[nothing]"),
        ("guide.md", 15, "stale", "`src/gone.py`"),
        ("guide.md", 18, "code", "The"), ("guide.md", 27, "code", "The"), ("guide.md", 35, "code", "The"), ("guide.md", 39, "code", "The"),
    ]  # fmt: skip
    assert result["summary"].startswith(
        "Pages: 4. Links: 17 (to other hosts, not followed: 1). Blocks of code: 9 (tried: 5)."
    )


def room(desk: ToolContext, item: Deliverable, *, held: bool = True) -> ValidationContext:
    files = {
        one.relative_to(desk.workspace).as_posix(): one
        for one in desk.workspace.rglob("*")
        if one.is_file()
    }
    files.pop(item.path)
    return ValidationContext(
        file=desk.workspace / item.path, sources=Sources(files if held else {}, {})
    )


def said(desk: ToolContext, item: Deliverable, *, held: bool = True, **changes: Any) -> list[str]:
    return [one.message for one in docs_true(replace(item, **changes), room(desk, item, held=held))]


def test_the_gate_checks_again_and_refuses_what_was_edited(desk: ToolContext) -> None:
    (item,) = docs_check(desk, "repo").deliverables
    assert item.path == "repo/docs check.md"
    assert said(desk, item) == []
    file = desk.workspace / item.path
    text = file.read_text()
    file.write_text(text.replace("| repo/docs/guide.md:7 | link | gone.md is not there. |\n", ""))
    (left_out,) = said(desk, item)
    assert "gone.md" in left_out
    file.write_text(text.replace("guide.md:18", "guide.md:19"))
    assert len(said(desk, item)) == 2
    file.write_text(text)
    (desk.workspace / "repo/docs/gone.md").write_text("x")
    assert "The originals do not give this" in "".join(said(desk, item))
    assert said(desk, item, held=False)[0].startswith("UNVERIFIED")
    assert "not whole" in said(desk, item, data={})[0]


@pytest.mark.parametrize(
    ("path", "output", "says"),
    [("nowhere", "", "not in the workspace"), ("repo/src", "", "no Markdown"), ("repo", "x.txt", "must end in .md"), ("../x", "", "outside")],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(
    desk: ToolContext, path: str, output: str, says: str
) -> None:
    with pytest.raises(ToolInputError, match=says):
        docs_check(desk, path, output)


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [("Hello, World!", "hello-world"), ("A `b` & c", "a-b--c"), ("[Link](x.md) end", "link-end"), ("Grüße_1", "grüße_1")],
)  # fmt: skip
def test_anchors_are_githubs(heading: str, anchor: str) -> None:
    assert slug(heading) == anchor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "```",
        "[",
        "<!--",
        "[a](" * 500,
        "`" * 999,
        "# \n#\n",
        "\0",
        "[a]: \n",
        "~~~py\n```\n~~~\n",
    ],
)
def test_odd_texts_are_read_to_their_end(text: str) -> None:
    read_page(text)
