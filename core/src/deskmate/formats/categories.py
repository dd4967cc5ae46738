"""CONNECTORS.md and `~~category`: the table, and what a text means by it when it is read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

from deskmate.formats.texts import read_text
from deskmate.formats.tree import Tree, Unreadable
from deskmate.types.foreign import Category

FILE = "CONNECTORS.md"
_MARK = re.compile(r"~~(?=[A-Za-z])")
_WORDS = re.compile(r"[A-Za-z][\w/&+-]*(?: [\w/&+-]+){0,4}")
_STRUCK = re.compile(r"~~(?=\S)[^~\n]{1,200}?\S?~~(?!\w)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_ASIDE = re.compile(r"\s*\([^()]*\)")
_CATEGORIES_LIMIT = 100
_PLACEHOLDER_LIMIT = 80


def read_categories(tree: Tree) -> tuple[Category, ...]:
    """Return the table of the plugin's CONNECTORS.md, () without one."""
    path = next((path for path in tree.files if path.lower() == FILE.lower()), None)
    if path is None:
        return ()
    try:
        rows = [*_rows(read_text(tree, path))]
    except Unreadable as error:
        tree.note("file-unreadable", path, str(error))
        return ()
    columns = next((heading for row in rows if (heading := _columns(row))), None)
    if columns is None:
        tree.note("connectors-table", path)
        return ()
    found: dict[str, Category] = {}
    for row in rows:
        category = _category(row, columns)
        if category is not None:
            found.setdefault(_key(category.placeholder), category)
    return tuple(found.values())[:_CATEGORIES_LIMIT]


def _rows(text: str) -> Iterator[list[str]]:
    for line in text.split("\n"):
        if line.lstrip().startswith("|"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def _columns(row: list[str]) -> dict[str, int] | None:
    """Return the place of each column by its heading, None if the row is no heading."""
    names = {
        "categ": "name",
        "placeholder": "placeholder",
        "included": "included",
        "other": "other",
    }
    found = {
        column: number
        for number, cell in enumerate(row)
        for start, column in names.items()
        if cell.strip("* ").lower().startswith(start)
    }
    return found if {"name", "placeholder"} <= set(found) else None


def _category(row: list[str], columns: dict[str, int]) -> Category | None:
    def cell(name: str) -> str:
        number = columns.get(name, len(row))
        return row[number] if number < len(row) else ""

    placeholder = cell("placeholder").strip("`* ").removeprefix("~~").removesuffix("~~").strip("` ")
    if "~~" not in cell("placeholder") or not placeholder:
        return None
    return Category(
        name=cell("name").strip("* `"),
        placeholder=placeholder,
        included=_products(cell("included")),
        alternatives=_products(cell("other")),
    )


def _products(cell: str) -> tuple[str, ...]:
    names = (name.strip("*\\ `") for name in _LINK.sub(r"\1", cell).split(","))
    return tuple(name for name in names if name and name not in ("—", "-", "–", "n/a"))[:50]


def fill_categories(
    text: str, categories: Collection[Category], connected: Mapping[str, str]
) -> str:
    """Return a text in which each `~~category` is the connector that there is, or says that there is none.

    Args:
        text: of a skill.
        categories: the plugin's table; names that are not in it stay as they are.
        connected: names and categories of connectors that the thread has → the connector.
    """
    if not categories or "~~" not in text:
        return text
    by_key = {_key(category.placeholder): category for category in categories}
    struck = {match.start() for match in _STRUCK.finditer(text)}
    parts: list[str] = []
    at = 0
    for start, end, key in _occurrences(text, by_key):
        if start in struck:
            continue
        parts += [text[at:start], _meaning(by_key[key], text[start + 2 : end], connected)]
        at = end
    return "".join((*parts, text[at:]))


def _occurrences(text: str, keys: Collection[str]) -> Iterator[tuple[int, int, str]]:
    """Yield where a category stands: there is no closing mark, so the longest name of the table counts."""
    for match in _MARK.finditer(text):
        words = _WORDS.match(text, match.end())
        if words is None:
            continue
        end = min(words.end(), match.end() + _PLACEHOLDER_LIMIT)
        while end > match.end():
            said = text[match.end() : end].rstrip("-/+&")
            if _key(said) in keys:
                yield match.start(), match.end() + len(said), _key(said)
                break
            # a plural, or a word that the name ends with: cut at the last word or hyphen
            shorter = max(text.rfind(mark, match.end(), end) for mark in " -/")
            end = max(shorter, match.end())


def _meaning(category: Category, said: str, connected: Mapping[str, str]) -> str:
    if found := connector_for(category, connected):
        return f"{said} (connected: {found})"
    return f"{said} (not connected: ask the user for a file instead)"


def connector_for(category: Category, connected: Mapping[str, str]) -> str:
    """Return the connector that serves a category: by what it is called, else by one of the table's products; "" if none.

    Args:
        category: of the plugin's table.
        connected: names and categories of connectors → the connector.
    """
    by_key = {_key(called): name for called, name in sorted(connected.items())}
    for wanted in (category.placeholder, category.name, *category.included, *category.alternatives):
        for name in (wanted, _ASIDE.sub("", wanted)):
            if found := by_key.get(_key(name)):
                return found
    return ""


def unknown_categories(text: str, categories: Collection[Category]) -> tuple[str, ...]:
    """Return what a text marks as a category and the plugin's table does not have, each once."""
    if "~~" not in text or not categories:
        return ()
    keys = {_key(category.placeholder) for category in categories}
    known = {start for start, _, _ in _occurrences(text, keys)}
    struck = {match.start() for match in _STRUCK.finditer(text)}
    found = [
        words[0].split(" ")[0][:_PLACEHOLDER_LIMIT]
        for match in _MARK.finditer(text)
        if match.start() not in known | struck and (words := _WORDS.match(text, match.end()))
    ]
    # the second mark of struck text has a letter behind it at times: `~~a~~b`
    return tuple(dict.fromkeys(found))[:20]


@lru_cache(maxsize=4096)
def _key(name: str) -> str:
    return re.sub(r"[\s_/-]+", " ", name.strip().casefold())
