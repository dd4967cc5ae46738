"""Routes of a thread's rules: what its connectors may do unasked, what was decided for good, what it may cost in all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deskmate.host.policy import change_rules, standing_of, with_rule, without_rule
from deskmate.types.policy import MODES, Rule, Rules
from deskmate.web import contract_desk as page
from deskmate.web.bodies import WORD, answer, closed, read_body
from deskmate.web.desk import Desk
from deskmate.web.routes_threads import ThreadRoutes

SET = closed(
    mode={"enum": list(MODES)},
    budget_usd={"type": ["number", "null"], "minimum": 0, "maximum": 100_000},
)
_WHERE = {"type": "object", "additionalProperties": WORD, "maxProperties": 20}
MAKE = closed(
    ("tool", "decision"),
    tool={**WORD, "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    decision={"enum": ["allow", "ask", "deny"]},
    where=_WHERE,
)
FORGET = closed(
    ("tool", "where"), tool=WORD, where={"type": "object", "additionalProperties": WORD}
)


class PolicyRoutes:
    """Rules hold from the thread's next run on. What sends is asked about whatever they say."""

    def __init__(self, desk: Desk, threads: ThreadRoutes) -> None:
        self._desk, self._threads = desk, threads

    def routes(self) -> list[Route]:
        """Return the routes."""
        policy = "/api/threads/{thread}/policy"
        return [
            Route(policy, self.show, methods=["GET"]),
            Route(policy, self.set, methods=["PATCH"]),
            Route(f"{policy}/rules", self.make, methods=["POST"]),
            Route(f"{policy}/rules", self.forget, methods=["DELETE"]),
        ]

    async def show(self, request: Request) -> Response:
        """The rules of a thread."""
        standing = await standing_of(self._desk.places, self._threads.named(request))
        return answer(_shown(standing.rules))

    async def set(self, request: Request) -> Response:
        """Set the mode, or what all runs together may cost."""
        body = await read_body(request, SET)
        return await self._change(request, lambda rules: replace(rules, **body))

    async def make(self, request: Request) -> Response:
        """Decide on a tool for good, at a target if one is named."""
        body: dict[str, Any] = await read_body(request, MAKE)
        made = Rule(tool=body["tool"], decision=body["decision"], where=body.get("where", {}))
        return await self._change(request, lambda rules: with_rule(rules, made))

    async def forget(self, request: Request) -> Response:
        """Take a rule away."""
        body: dict[str, Any] = await read_body(request, FORGET)
        return await self._change(
            request, lambda rules: without_rule(rules, body["tool"], body["where"])
        )

    async def _change(self, request: Request, change: Callable[[Rules], Rules]) -> Response:
        thread = self._threads.named(request)
        return answer(_shown(await change_rules(self._desk.places, thread, change)))


def _shown(rules: Rules) -> page.Policy:
    return page.Policy(mode=rules.mode, rules=rules.rules, budget_usd=rules.budget_usd)
