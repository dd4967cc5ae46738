"""Plugins in other programs' formats, as the store has them: listed without reading much, read when they are needed."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.discovery.plugin_store import PluginStore, StoredForeign
from deskmate.errors import CorruptData, PluginError
from deskmate.formats.folder import opened_folder
from deskmate.formats.plugin import read_plugin
from deskmate.formats.skills import DESCRIPTION_LIMIT
from deskmate.formats.substitutions import without_shell
from deskmate.formats.texts import read_body
from deskmate.formats.tools import our_name
from deskmate.formats.tree import Overlaid, Tree, TreeRefused, Unreadable, merged
from deskmate.types.codec import from_json
from deskmate.types.foreign import ForeignPlace, ForeignPlugin, ForeignText
from deskmate.types.registry import InstalledPlugin, Manifest, RoleSpec, SkillSpec
from deskmate.types.wire import BROUGHT

CONTENT, LISTING, ABOUT = "content", "files.json", "about.json"
_FILE_LIMIT_BYTES = 64 << 20
_ORDER = 200
ROLE_LIMIT = 32_000
"""Characters of a role's text that a sub-agent is told."""
_SETTING_TYPES = {"string": "string", "number": "number", "boolean": "boolean", "directory": "string", "file": "string"}  # fmt: skip
_PYTHON: Mapping[str, type | tuple[type, ...]] = {"string": str, "number": (int, float), "boolean": bool}  # fmt: skip
_EMPTY: Mapping[str, Any] = {"string": "", "number": 0, "boolean": False}


def foreign_plugin(store: PluginStore, stored: StoredForeign) -> InstalledPlugin:
    """Return a plugin of the store's list. Raises PluginError where the list is damaged."""
    place = ForeignPlace(
        folder=str(store.item(stored).absolute()),
        overlay=str(store.overlay(stored.name).absolute()),
        digest=stored.digest,
        listing=stored.listing,
        about=stored.about,
        entry=stored.entry,
        own_name=stored.own_name,
        kind=stored.kind,
        skills=stored.skills,
        diagnostics=stored.diagnostics,
        source=stored.source,
    )
    return InstalledPlugin(
        name=stored.name,
        package="",
        distribution=stored.marketplace or stored.own_name,
        version=f"{stored.version or '0'}+{stored.digest[:12]}",
        manifest=Manifest(
            api="",
            title=stored.title or stored.own_name,
            summary=stored.summary,
            config=_config(stored.settings),
            order=_ORDER,
        ),
        files=PinnedFiles(place),
        origin="brought",
        foreign=place,
    )


def _config(settings: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return userConfig as our settings; what is sensitive is no setting, since a text would hold it."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, about in settings.items():
        if not isinstance(about, dict) or about.get("sensitive") is True:
            continue
        kind = _SETTING_TYPES.get(str(about.get("type", "string")), "string")
        default = about.get("default", _EMPTY[kind])
        fits = isinstance(default, _PYTHON[kind])
        text = str(about.get("description") or about.get("title") or "")
        found[name[:100]] = {
            "type": kind, "default": default if fits else _EMPTY[kind], "help": text[:300],
        }  # fmt: skip
    return found


class PinnedFiles(Mapping[str, str]):
    """Path → absolute host path of a foreign plugin's files, the user's own over them; listed when first asked for."""

    def __init__(self, place: ForeignPlace) -> None:
        """`place`: in the store."""
        self._place = place
        self._found: dict[str, str] | None = None
        self._hashes: dict[str, str] = {}
        self._mine: dict[str, str] = {}

    def hashes(self) -> Mapping[str, str]:
        """Return path → sha256 (urlsafe base64) of what came with the plugin. Raises PluginError if that was changed."""
        self._files()
        return self._hashes

    def own(self) -> Mapping[str, str]:
        """Return path → absolute host path of the user's own files over it. Raises PluginError if it was changed."""
        self._files()
        return self._mine

    def _files(self) -> dict[str, str]:
        if self._found is None:
            listed = listing(self._place)
            own = Path(self._place.folder) / CONTENT
            found = {path: str(own / path) for path in sorted(listed)}
            mine: dict[str, str] = {}
            with _overlay(self._place) as overlay:
                if overlay is not None:
                    top = Path(self._place.overlay)
                    mine = {path: str(top / fact.place) for path, fact in overlay.files.items()}
            self._found = merged(found, mine)
            self._mine = mine
            self._hashes = {path: _base64(listed[path]) for path in self._found if path not in mine}
        return self._found

    def __getitem__(self, path: str) -> str:
        """Return the absolute host path of one file."""
        return self._files()[path]

    def __iter__(self) -> Iterator[str]:
        """Yield the paths."""
        return iter(self._files())

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self._files())


def listing(place: ForeignPlace) -> Mapping[str, str]:
    """Return path → sha256 of what came with a plugin. Raises PluginError if it is not what was added."""
    data = _own_json(place, LISTING, place.listing)
    return {str(path): str(row[0]) for path, row in data["files"].items()}


def changed_files(plugin: InstalledPlugin) -> Iterator[str]:
    """Yield the files of the store that are not what was added. Raises PluginError where their list is not."""
    place = _place(plugin)
    known = dict(listing(place))
    with opened_folder(Path(place.folder) / CONTENT) as tree:
        for path in tree.files:
            try:
                if _sha256(tree, path) != known.pop(path, ""):
                    yield path
            except Unreadable:
                yield path
    yield from known


def read_foreign(plugin: InstalledPlugin) -> ForeignPlugin:
    """Return what a foreign plugin brings, with the user's own files over it. Raises PluginError if it was changed."""
    place = _place(plugin)
    with _overlay(place) as overlay:
        if overlay is None or not overlay.files:
            return _about(place)
        with opened_folder(Path(place.folder) / CONTENT) as tree:
            return read_plugin(Overlaid(tree, overlay), place.entry)


def _about(place: ForeignPlace) -> ForeignPlugin:
    try:
        return from_json(ForeignPlugin, _own_json(place, ABOUT, place.about))
    except CorruptData as error:
        raise _changed(place) from error


def foreign_text(plugin: InstalledPlugin, path: str) -> str:
    """Return a text of a plugin below its front matter, as it stands. Raises PluginError if it was changed."""
    return next(_texts(plugin, (path,)))


def _texts(plugin: InstalledPlugin, paths: Iterable[str]) -> Iterator[str]:
    place = _place(plugin)
    known = listing(place)
    with _overlay(place) as overlay, opened_folder(Path(place.folder) / CONTENT) as tree:
        for path in paths:
            is_own = overlay is not None and path in overlay.files
            source: Tree = overlay if overlay is not None and is_own else tree
            try:
                if not is_own and _sha256(source, path) != known.get(path):
                    raise _changed(place)
                yield read_body(source, path)
            except (Unreadable, KeyError) as error:
                raise _changed(place) from error


def skill_specs(plugin: InstalledPlugin) -> Iterator[SkillSpec]:
    """Yield a foreign plugin's skills as the model gets them; nothing for a plugin of our own format."""
    if plugin.foreign is None:
        return
    about = read_foreign(plugin)
    home = f"{BROUGHT}/{plugin.name}"
    texts = _texts(plugin, [skill.path for skill in about.skills])
    for skill, text in zip(about.skills, texts, strict=True):
        folder = PurePosixPath(skill.path).parent.as_posix()
        yield SkillSpec(
            plugin=plugin.name,
            name=f"{plugin.name}:{skill.name}",
            description=skill.description[:DESCRIPTION_LIMIT] or skill.name,
            body=text,
            foreign=ForeignText(
                folder=home if folder == "." else f"{home}/{folder}",
                owner=home,
                listed=skill.listed,
                takes=bool(skill.hint or skill.names),
                hint=skill.hint,
                names=skill.names,
                categories=about.categories,
                setting_files=tuple(about.setting_files),
            ),
        )


def role_specs(plugin: InstalledPlugin) -> Iterator[RoleSpec]:
    """Yield a foreign plugin's agents as roles of sub-agents; nothing for a plugin of our own format."""
    if plugin.foreign is None:
        return
    about = read_foreign(plugin)
    home = f"{BROUGHT}/{plugin.name}"
    texts = _texts(plugin, [agent.path for agent in about.agents])
    for agent, text in zip(about.agents, texts, strict=True):
        body = without_shell(text).replace("${CLAUDE_PLUGIN_ROOT}", home).strip()
        given = [name for tool in agent.tools if (name := our_name(tool))]
        yield RoleSpec(
            plugin=plugin.name,
            name=f"{plugin.name}:{agent.name}",
            description=agent.description,
            text=body[:ROLE_LIMIT],
            tools=None if not agent.tools or "*" in agent.tools else tuple(given),
            without=tuple(
                name
                for tool in _words(agent.extra.get("disallowedTools"))
                if (name := our_name(tool))
            ),
            model="" if agent.model == "inherit" else agent.model,
        )


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


@contextmanager
def _overlay(place: ForeignPlace) -> Iterator[Tree | None]:
    """Open the user's own files, None where there is no such folder. Raises PluginError where it is out of bounds."""
    folder = Path(place.overlay)
    if not folder.is_dir():
        yield None
        return
    try:
        with opened_folder(folder) as tree:
            yield tree
    except TreeRefused as error:
        raise PluginError(
            f"Your own files in {folder}: {error}.", hint="Keep a few there."
        ) from error


def _place(plugin: InstalledPlugin) -> ForeignPlace:
    if plugin.foreign is None:
        raise PluginError(f"{plugin.name} is a plugin of Deskmate's own format.")
    return plugin.foreign


def _own_json(place: ForeignPlace, name: str, digest: str) -> Any:
    try:
        with (Path(place.folder) / name).open("rb") as file:
            content = file.read(_FILE_LIMIT_BYTES)
        if hashlib.sha256(content).hexdigest() != digest:
            raise _changed(place)
        return json.loads(content)
    except (OSError, ValueError) as error:
        raise _changed(place) from error


def _sha256(tree: Tree, path: str) -> str:
    digest = hashlib.sha256()
    for chunk in tree.chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def _base64(sha256: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")


def _changed(place: ForeignPlace) -> PluginError:
    return PluginError(
        f"{place.own_name} in the plugin store is not what was added: {place.folder} was changed.",
        hint=f"Add it anew: deskmate plugin update NAME {place.source}",
    )
