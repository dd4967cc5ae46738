"""What the agent and tables need of a language model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from deskmate.types.ids import Digest
from deskmate.types.limits import Usage
from deskmate.types.messages import Block, Message
from deskmate.types.registry import SkillSpec, ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One call of a model. `system`: stable blocks first, in the order they are sent.

    `shared`: how many of them are the same in every thread with these plugins; those after them are the project's.
    `pictures`: content of the pictures in it, by digest; one that is not there is named in words.
    """

    model: str
    system: tuple[str, ...]
    tools: tuple[ToolSpec, ...]
    messages: tuple[Message, ...]
    max_tokens: int = 16_000
    skills: tuple[SkillSpec, ...] = ()
    shared: int = 0
    pictures: Mapping[Digest, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """A complete reply. `label` is shown beside everything it says, such as "rules only"."""

    content: tuple[Block, ...]
    stop_reason: str
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    label: str = ""


class Model(Protocol):
    """A language model, or what stands in for one."""

    @property
    def name(self) -> str:
        """The name users and the log know it by, such as `sonnet` or `offline`."""

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        """Return the complete reply; `on_text` gets text as it streams, "" as a sign of life.

        Raises ModelUnavailable (nothing was kept; may be tried again) or ModelRejected.
        """

    def estimate_cost_usd(self, request: ModelRequest) -> float | None:
        """Return an upper estimate of the call's price in US dollars, None where it is unknown."""


@runtime_checkable
class Windowed(Protocol):
    """A model that knows the size of its context window."""

    @property
    def context_tokens(self) -> int | None:
        """Tokens that the prompt and the reply may have together, None where nobody has said it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """How far a batch is: requests that have an end, of how many. `ended`: all have, and their ends can be read."""

    done: int
    total: int
    ended: bool


class Batches(Protocol):
    """Many calls of a model sent at once, to be answered within a day for less."""

    @property
    def share(self) -> float:
        """What a call in a batch costs, as a share of the usual price."""

    async def send(self, requests: Mapping[str, ModelRequest]) -> str:
        """Send requests, each under a name of 1 to 64 letters, digits, `-` and `_`; return the batch's id.

        Raises ModelUnavailable or ModelRejected where the server did not take it; OutcomeUnknown where it may have.
        """

    async def state(self, batch: str) -> BatchState:
        """Return how far a batch is. Raises ModelUnavailable, ModelRejected."""

    async def cancel(self, batch: str) -> None:
        """Have what is not answered yet left unanswered; it ends soon after. Raises as `state`."""

    def replies(self, batch: str) -> AsyncIterator[tuple[str, ModelReply | str]]:
        """Yield what became of each request of a batch that has ended: its reply, or why there is none.

        Raises as `state`; what was yielded before stands.
        """


@runtime_checkable
class Batched(Protocol):
    """A model that takes calls in batches, too."""

    @property
    def batches(self) -> Batches:
        """Its calls that may wait."""
