"""What the next call of the model may cost: told where it is a large part of the budget, asked about where the user wants that."""

from __future__ import annotations

from deskmate.agent.journal import Journal
from deskmate.agent.limits import money_left
from deskmate.agent.manifests import digest_of
from deskmate.agent.policy import is_over, later
from deskmate.agent.sending import RequestKeeper
from deskmate.agent.world import World
from deskmate.ports import ModelRequest
from deskmate.types.events import ApprovalAsked, ApprovalGiven, ApprovalUsed, RunFinished
from deskmate.types.ids import ToolUseId
from deskmate.types.policy import SPENDING, WAIT_S
from deskmate.types.progress import Note

LARGE = 0.25
"""Share of what is left of the budget from which on an estimate is told."""


class Spending:
    """Lets calls of one thread's model go, or not."""

    def __init__(self, world: World, journal: Journal, keeper: RequestKeeper) -> None:
        """`keeper`: asks the user."""
        self._world = world
        self._journal = journal
        self._keeper = keeper

    async def permits(self, request: ModelRequest) -> bool:
        """Say whether the call may be made; if not, the run has ended and says why."""
        limit, left = self._journal.state.rules.ask_usd, money_left(self._journal.state)
        if limit is None and left is None and not self._journal.state.questions:
            return True  # an estimate takes its time
        estimate = self._world.model.estimate_cost_usd(request)
        asks = estimate is not None and limit is not None and estimate > limit
        shown = {
            "request": f"the next call of {self._world.model.name}",
            "at most": f"{estimate or 0:.4f} USD",
            **({} if left is None else {"left of the budget": f"{left:.4f} USD"}),
        }
        asked = ApprovalAsked(
            tool_use_id=ToolUseId(""),
            tool=SPENDING,
            arguments=digest_of(shown),
            why=f"You want to be asked before a call that may cost more than {limit or 0:.2f} USD.",
            shown=shown,
            expires=later(self._world.clock.now(), WAIT_S),
        )
        await self._close_others(asked if asks else None)
        if asks:
            return await self._ask(asked)
        if estimate is not None and left is not None and estimate >= left * LARGE > 0:
            self._journal.progress(
                Note(f"this call may cost {estimate:.2f} USD at most; {left:.2f} USD are left")
            )
        return True

    async def _close_others(self, asked: ApprovalAsked | None) -> None:
        """Questions about calls that will not be made like that any more are answered by that."""
        for old in tuple(self._journal.state.questions.values()):
            if old.tool == SPENDING and (asked is None or old.arguments != asked.arguments):
                await self._journal.record(
                    ApprovalGiven(
                        tool_use_id=old.tool_use_id,
                        arguments=old.arguments,
                        allow=False,
                        by="overtaken",
                    )
                )

    async def _ask(self, asked: ApprovalAsked) -> bool:
        state = self._journal.state
        given = state.permits.get(asked.arguments)
        if given is None or is_over(given.expires, self._world.clock.now()):
            known = state.questions.get(asked.arguments)
            if known is None:
                await self._journal.record(asked)
            if not await self._keeper.ask(known or asked):
                await self._end(asked)
                return False
        await self._journal.record(ApprovalUsed(arguments=asked.arguments))
        return True

    async def _end(self, asked: ApprovalAsked) -> None:
        waits = asked.arguments in self._journal.state.questions
        cost = f"{asked.shown['request']} may cost {asked.shown['at most']}"
        text = f"It waits for your word: {cost}." if waits else f"You did not allow it: {cost}."
        await self._journal.record(
            RunFinished(
                run=self._journal.run, reason="needs_you" if waits else "over_budget", text=text
            )
        )
