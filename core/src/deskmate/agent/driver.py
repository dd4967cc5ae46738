"""Carries out what `loop` decides, through the ports; stores intent before and outcome after."""

from __future__ import annotations

from functools import partial

import anyio

from deskmate.agent.asking import ModelCaller, Patience, one_line
from deskmate.agent.beside import Beside
from deskmate.agent.delivery import Delivery
from deskmate.agent.dispatch import closed
from deskmate.agent.hearing import Hearing
from deskmate.agent.journal import Journal
from deskmate.agent.loop import (
    Action,
    AskApproval,
    CallModel,
    CloseTools,
    Compact,
    Finish,
    Idle,
    RecoverTools,
    RunTools,
    Stage,
    Validate,
    next_action,
)
from deskmate.agent.policy import is_over, later
from deskmate.agent.sending import RequestKeeper
from deskmate.agent.toolbox import Toolbox
from deskmate.agent.workbench import Workbench
from deskmate.agent.world import Setup, World
from deskmate.errors import CorruptData, DeskmateError, StorageFailed
from deskmate.ports import Observer
from deskmate.types.events import (
    ApprovalGiven,
    FinishReason,
    Refused,
    RunFinished,
    RunResumed,
    UserSaid,
)
from deskmate.types.messages import NOT_FINISHED
from deskmate.types.policy import VALID_S

PAUSED = "Paused after its step, as you wanted; the thread can go on at any time."
CLOSING_S = 20.0
"""How long the last events of a stopped run may take to be stored."""


class Driver:
    """Runs one thread. One `run` at a time; the store holds the writer's lease."""

    def __init__(
        self,
        world: World,
        setup: Setup,
        observe: Observer = lambda item: None,
        *,
        patience: Patience | None = None,
    ) -> None:
        """`observe` is told every event after it is stored, and deltas beside the log."""
        self._world = world
        self._setup = setup
        self._journal = Journal(world.store, observe)
        self._keeper = RequestKeeper(world, self._journal, setup.sources)
        patience = patience or Patience()
        self._bench = Workbench(world, setup, self._journal, self._keeper)
        self._beside = Beside(self._bench.drop, patience.idle_s)
        self._hearing = Hearing(world.waiting, self._journal)
        self._model = ModelCaller(world, setup, self._journal, self._keeper, patience)
        self._tools = Toolbox(world, setup, self._bench, self._journal, partial(_drive, patience))
        self._delivery = Delivery(world, setup, self._bench, self._journal)

    async def run(self, said: UserSaid | None = None) -> RunFinished | None:
        """Carry the run on until it ends, and return how; None if there was nothing to do.

        `said`: what the user asks for or answers; stored first. Without it an interrupted, parked,
        stopped or failed run goes on. Cancellation ends the run as stopped, resumable, and is passed
        on. Raises CorruptData if the record is damaged; StorageFailed or OSError if it cannot be written.
        """
        await self._journal.load()
        await self._hearing.begin()
        if not await self._begin(said):
            return None
        try:
            await self._carry_on()
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(CLOSING_S, shield=True):
                # Ctrl-C may have come between an event's storing and our hearing of it
                await self._journal.load()
                await self._end("stopped", "Stopped; the thread can go on at any time.")
            raise
        except (CorruptData, StorageFailed):
            raise  # calls that are open stay so: whoever goes on makes them again
        except DeskmateError as error:
            await self._end("failed", one_line(error))
        return self._journal.state.ended

    async def _begin(self, said: UserSaid | None) -> bool:
        if said is not None:
            await self._journal.record(said)
        else:
            run, ended = self._journal.state.run, self._journal.state.ended
            if run is None or (ended is not None and ended.reason in ("done", "rejected")):
                return False
            await self._journal.record(RunResumed(run=run.run))
            await self._keeper.ask_again()
        if self._setup.tools_off:
            await self._journal.record(Refused(what="tools", why=self._setup.tools_off))
        return True

    async def _carry_on(self) -> None:
        seconds = self._journal.state.limits.seconds
        left = None if seconds is None else max(0.0, seconds - self._journal.state.active_s)
        with anyio.move_on_after(left) as scope:
            async with self._beside, self._bench:
                while not isinstance(action := next_action(self._journal.state), Idle):
                    if await self._hearing.pauses(action):
                        await self._end("stopped", PAUSED)
                    elif not (
                        await self._hearing.take(action) or await self._tools.hooks.due(action)
                    ):
                        await self._perform(action)
        if scope.cancelled_caught:
            await self._end("over_budget", f"The run used its {seconds:g} seconds.")

    async def _perform(self, action: Action) -> None:
        match action:
            case CallModel():
                await self._beside.run(partial(self._model.call, action))
            case Compact(turn=turn):
                await self._beside.run(partial(self._model.make_room, turn))
            case RunTools(uses=uses):
                await self._tools.run(uses)
            case RecoverTools(uses=uses):
                await self._tools.recover(uses)
            case CloseTools(uses=uses, why=why):
                await self._tools.close(uses, why)
            case AskApproval():
                await self._beside.run(partial(self._ask_approval, action))
            case Stage():
                await self._delivery.stage()
            case Validate():
                await self._delivery.check()
            case Finish(reason=reason, text=text):
                await self._finish(reason, text)

    async def _finish(self, reason: FinishReason, text: str) -> None:
        await self._journal.record(RunFinished(run=self._journal.run, reason=reason, text=text))

    async def _end(self, reason: FinishReason, text: str) -> None:
        """End the run early; every tool use gets its result."""
        if self._journal.state.active:
            await self._tools.close(self._journal.state.open_uses, f"{NOT_FINISHED}{text}")
            await self._finish(reason, text)

    async def _ask_approval(self, action: AskApproval) -> None:
        use, asked = action.use, action.use.asked
        dispatcher = self._tools.dispatcher
        call = dispatcher.call_of(use)
        if call is None or asked is None:
            await self._journal.record(closed(use, "error", "Its tool is no longer there."))
            return
        if anew := dispatcher.asked_anew(call, asked):
            await self._journal.record(anew)
            return
        now, by = self._world.clock.now, "deadline"
        if is_over(asked.expires, now()):
            answer: bool | None = False
        else:
            answer = await self._world.approver.approve(call.spec, use.use.input, asked.why)
            by = self._world.answers_by()
        if answer is None:
            text = f"{call.spec.title or call.spec.name} waits for your approval: {asked.why}"
            await self._finish("needs_you", text)
            return
        given = ApprovalGiven(
            tool_use_id=use.use.id,
            arguments=asked.arguments,
            allow=answer,
            by=by,
            expires=later(now(), VALID_S) if answer else "",
        )
        await self._journal.record(given)


async def _drive(
    patience: Patience, world: World, setup: Setup, observe: Observer, said: UserSaid | None
) -> RunFinished | None:
    """Carry on the run of a sub-agent."""
    return await Driver(world, setup, observe, patience=patience).run(said)
