"""Where Deskmate keeps things on the host."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Three folders, absolute. None is made before something is written.

    `data`: threads, blobs, plugins; to be backed up. `cache`: images, layers, templates; may be
    removed at any time. `config`: what the user sets.
    """

    data: Path
    cache: Path
    config: Path

    @property
    def threads(self) -> Path:
        """One folder a thread."""
        return self.data / "threads"

    @property
    def blobs(self) -> Path:
        """Content by digest."""
        return self.data / "blobs"

    @property
    def tables(self) -> Path:
        """One folder a table."""
        return self.data / "tables"

    @property
    def images(self) -> Path:
        """One folder an image, named by its recipe's digest."""
        return self.cache / "images"

    @property
    def layers(self) -> Path:
        """One EROFS file a layer, named by its digest."""
        return self.cache / "layers"

    @property
    def templates(self) -> Path:
        """One folder a template, named by its key."""
        return self.cache / "templates"

    @property
    def machines(self) -> Path:
        """One folder a running VM."""
        return self.cache / "machines"

    @property
    def plugins(self) -> Path:
        """The plugin store: wheels that were unpacked as data, and what the user agreed to."""
        return self.data / "plugins"

    @property
    def wheels(self) -> Path:
        """Downloaded wheels for guests."""
        return self.cache / "wheels"


def find_places(environ: dict[str, str], home: Path) -> Places:
    """Return the folders by the XDG rules; `DESKMATE_HOME` puts all three below one folder.

    `DESKMATE_CACHE` is the cache's folder itself, on a larger disk for example.
    """
    if root := environ.get("DESKMATE_HOME"):
        base = Path(root).expanduser().absolute()
        places = Places(data=base / "data", cache=base / "cache", config=base / "config")
    else:
        places = Places(
            data=_xdg(environ, "XDG_DATA_HOME", home / ".local/share"),
            cache=_xdg(environ, "XDG_CACHE_HOME", home / ".cache"),
            config=_xdg(environ, "XDG_CONFIG_HOME", home / ".config"),
        )
    if cache := environ.get("DESKMATE_CACHE"):
        places = replace(places, cache=Path(cache).expanduser().absolute())
    return places


def _xdg(environ: dict[str, str], name: str, default: Path) -> Path:
    value = environ.get(name, "")
    return (Path(value) if value.startswith("/") else default) / "deskmate"
