"""The scale on which risks are scored: how many steps, what words mean, where low, medium, high and critical end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deskmate.plugin import ToolInputError

DEFAULT_BANDS = {"low": 4, "medium": 9, "high": 16, "critical": 25}
COLOURS = ("C6E0B4", "FFE699", "F4B183", "E06666", "A64D79", "741B47")
LIKELIHOODS = {
    "rare": 1,
    "very unlikely": 1,
    "unlikely": 2,
    "possible": 3,
    "likely": 4,
    "almost certain": 5,
    "very likely": 5,
}
IMPACTS = {
    "negligible": 1,
    "insignificant": 1,
    "minor": 2,
    "moderate": 3,
    "major": 4,
    "severe": 5,
    "catastrophic": 5,
}


@dataclass(frozen=True, slots=True)
class Scale:
    """A matrix. `steps`: likelihood and impact go from 1 to it. `bands`: (name, highest score), the lowest first."""

    steps: int = 5
    bands: tuple[tuple[str, int], ...] = tuple(DEFAULT_BANDS.items())

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Scale:
        """Return the scale of the plugin's settings `risk_steps` and `risk_bands`.

        Raises:
            ToolInputError: bands that do not rise to the highest score, or a number of steps other than 3 to 10.
        """
        steps = config.get("risk_steps", 5)
        if not isinstance(steps, int) or not 3 <= steps <= 10:
            raise ToolInputError("The setting risk_steps is a whole number from 3 to 10.")
        given = config.get("risk_bands") or {}
        if not given and steps == 5:
            return cls()
        highest = steps * steps
        if not given:
            given = {name: top * highest // 25 for name, top in DEFAULT_BANDS.items()}
        bands = tuple((str(name), top) for name, top in given.items())
        tops = [top for _, top in bands]
        whole = all(isinstance(top, int) and not isinstance(top, bool) for top in tops)
        if (
            not whole
            or tops != sorted(set(tops))
            or tops[-1] != highest
            or tops[0] < 1
            or len(tops) > len(COLOURS)
            or any('"' in name for name, _ in bands)
        ):
            raise ToolInputError(
                f"The setting risk_bands names 1 to {len(COLOURS)} bands with rising highest scores, the last {highest}."
            )
        return cls(steps=steps, bands=bands)

    def band(self, score: int) -> str:
        """Return the band of a score."""
        return next(name for name, top in self.bands if score <= top)

    def colour(self, band: str) -> str:
        """Return a band's colour."""
        return COLOURS[[name for name, _ in self.bands].index(band)]

    def formula(self, cell: str) -> str:
        """Return a formula that gives the band of a cell's score."""
        text = f'"{self.bands[-1][0]}"'
        for name, top in reversed(self.bands[:-1]):
            text = f'IF({cell}<={top},"{name}",{text})'
        return f'=IF({cell}="","",{text})'

    def rating(self, text: str, words: Mapping[str, int], where: str) -> int | None:
        """Return a likelihood or impact; None for an empty cell.

        Raises:
            ToolInputError: it is no step of the scale, and no word of it.
        """
        plain = " ".join(text.lower().split())
        if not plain:
            return None
        if plain in words and self.steps == 5:
            return words[plain]
        if plain.isascii() and plain.isdigit() and 1 <= int(plain) <= self.steps:
            return int(plain)
        known = f", or one of {', '.join(words)}" if self.steps == 5 else ""
        raise ToolInputError(f"{where}: {text!r} is no whole number from 1 to {self.steps}{known}.")
