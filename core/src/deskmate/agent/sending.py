"""Asks the user about what a machine wants to send, before it is sent; the answer is for that alone."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import anyio

from deskmate.agent.journal import Journal
from deskmate.agent.manifests import digest_of
from deskmate.agent.policy import is_over, later, why_request
from deskmate.agent.provenance import place_of
from deskmate.agent.world import World
from deskmate.errors import ToolDenied
from deskmate.types.events import ApprovalAsked, ApprovalGiven, ApprovalUsed
from deskmate.types.ids import Digest, ToolUseId
from deskmate.types.network import READING, Sending
from deskmate.types.policy import NETWORK, SPENDING, VALID_S, WAIT_S
from deskmate.types.registry import ToolSpec

UNSEEN = "an opaque host is not reached from a thread that holds your data: nobody could see what goes out"
NETWORK_REQUEST = ToolSpec(
    plugin=NETWORK,
    name=NETWORK,
    title="A request to the network",
    description="A program in the virtual machine sends something outside.",
    input_schema={},
    risk="send",
)
MODEL_CALL = ToolSpec(
    plugin=SPENDING,
    name=SPENDING,
    title="A call of the model",
    description="The next call may cost more than the user wants to spend unasked.",
    input_schema={},
    risk="read",
)


class RequestKeeper:
    """The `Gatekeeper` of one run."""

    def __init__(self, world: World, journal: Journal, sources: Collection[str] = ()) -> None:
        """`sources`: connectors whose answers may name pages to read."""
        self._world = world
        self._journal = journal
        self._sources = sources
        self._asking = anyio.Lock()

    def asks(self, method: str, *, trusted: bool) -> bool:
        """Say whether such a request has to be asked about now."""
        return bool(self._why(method, trusted=trusted))

    def place_of(self, address: str) -> str:
        """Return where the address of a page stands in the thread, "" if nowhere that counts."""
        return place_of(self._journal.events, address, self._sources)

    async def permit(self, sending: Sending) -> None:
        """Return if the request may go; its approval is then used up. Raises ToolDenied."""
        shown = shown_of(sending)
        arguments = digest_of(shown)
        async with (
            self._asking
        ):  # a person reads one question at a time, and one approval is one request
            why = self._why(sending.method, trusted=sending.trusted)
            if not why:
                return
            if sending.body is None and self._journal.state.exposure.private:
                raise ToolDenied(UNSEEN)
            await self._decided(arguments, shown, why)
            await self._journal.record(ApprovalUsed(arguments=arguments))

    def _why(self, method: str, *, trusted: bool) -> str:
        state = self._journal.state
        # a program need not wait until the conversation has seen what came into its machine
        exposure = replace(state.exposure, untrusted=state.exposure.untrusted or state.foreign)
        return why_request(exposure, reading=method in READING, trusted=trusted)

    async def _decided(self, arguments: Digest, shown: Mapping[str, Any], why: str) -> None:
        """Return if there is an approval that holds, or the user gives one now."""
        now = self._world.clock.now()
        given = self._journal.state.permits.get(arguments)
        if given is not None and not is_over(given.expires, now):
            return
        asked = ApprovalAsked(
            tool_use_id=ToolUseId(""),
            tool=NETWORK,
            arguments=arguments,
            why=why,
            shown=shown,
            expires=later(now, WAIT_S),
        )
        await self._journal.record(asked)
        if not await self.ask(asked):
            if arguments in self._journal.state.questions:
                raise ToolDenied("it waits for the user's approval; go on without it")
            raise ToolDenied("the user has not allowed this request; do not try another way")

    async def ask_again(self) -> None:
        """Ask about each request that nobody answered yet; those that waited too long are refused."""
        for asked in tuple(self._journal.state.questions.values()):
            if asked.tool == NETWORK:  # a call of the model is asked about when it is due
                await self.ask(asked)

    async def ask(self, asked: ApprovalAsked) -> bool:
        """Ask the user, store the answer if there is one, and say whether it is yes."""
        answer, by = False, "deadline"
        if not is_over(asked.expires, self._world.clock.now()):
            about = NETWORK_REQUEST if asked.tool == NETWORK else MODEL_CALL
            given = await self._world.approver.approve(about, asked.shown, asked.why)
            if given is None:
                return False
            answer, by = given, self._world.answers_by()
        expires = later(self._world.clock.now(), VALID_S) if answer else ""
        await self._journal.record(
            ApprovalGiven(
                tool_use_id=asked.tool_use_id,
                arguments=asked.arguments,
                allow=answer,
                by=by,
                expires=expires,
            )
        )
        return answer


def shown_of(sending: Sending) -> dict[str, Any]:
    """Return what the user is shown of a request, which is all of it; a body that is no text as Base64."""
    shown: dict[str, Any] = {"request": f"{sending.method} {sending.url}"}
    if sending.headers:
        shown["headers"] = list(sending.headers)
    if sending.body is None:
        shown["body"] = "cannot be seen: it goes through an opaque tunnel"
    elif sending.body:
        shown["size"] = len(sending.body)
        try:
            shown["body"] = sending.body.decode()
        except UnicodeDecodeError:
            shown["body_base64"] = base64.b64encode(sending.body).decode()
    return shown
