"""What travels of the first steps: the model that is chosen, the sample task, a cure under way; part of the contract."""

from __future__ import annotations

from dataclasses import dataclass

from deskmate.host.model_choice import Chosen as Chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a model answered when it was asked for one word. `label`: what kind of model says so."""

    model: str
    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The task to begin with, its folder made. `plugin`: that it is done with."""

    folder: str
    text: str
    plugin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curing:
    """What is being done about a check now. `name`: empty if nothing is. `line`: how far it is."""

    name: str
    line: str


ROOTS = (Chosen, Tried, Sample, Curing)
