"""Runs that go on in this process whoever looks on, each in its thread, with what they say and ask."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import anyio.to_thread

from deskmate.errors import DeskmateError, UserError
from deskmate.host.attaching import FOLDER
from deskmate.host.orders import RunOrder
from deskmate.ports import Delta
from deskmate.types.events import ApprovalAsked, ApprovalGiven, Event, ModelFailed, ModelReplied
from deskmate.types.files import Grant
from deskmate.types.ids import Digest, ThreadId, ToolUseId
from deskmate.types.places import Places
from deskmate.types.progress import Counted
from deskmate.types.registry import ToolSpec

if TYPE_CHECKING:
    from deskmate.agent.state import State
    from deskmate.host import Host
    from deskmate.store.waiting import WaitingMessages
    from deskmate.types.waiting import Queued

LOG = logging.getLogger("deskmate")
STOP_S = 30.0
"""How long a stopped run may take to store that, before whoever stopped it is told that it still goes on."""
SWITCH_S = 0.25
"""How often a run looks whether another process turned its switch."""
DECIDE_S = 20.0
"""How long a decision may take to be stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a run could not begin, or broke off without an end in its log."""

    message: str
    hint: str = ""


class Listener(Protocol):
    """Is told what runs do; must not block. May be called in a worker thread."""

    def told(self, thread: ThreadId, item: Event | Delta) -> None:
        """An event was stored, or something is to be shown beside the log."""

    def began(self, thread: ThreadId) -> None:
        """A run is under way."""

    def ended(self, thread: ThreadId, problem: Problem | None) -> None:
        """Nothing of it is under way any more."""


@dataclass(slots=True, kw_only=True)
class _Wait:
    """A question that a run waits on."""

    answered: anyio.Event = field(default_factory=anyio.Event)
    allow: bool = False


@dataclass(slots=True, kw_only=True)
class _Live:
    """A run under way. `said`: what the model is saying, as far as it came. `doing`: the last line of progress.

    `waits`: questions by the digest of their arguments. `given`: answers that came before their question.
    """

    text: str
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    over: anyio.Event = field(default_factory=anyio.Event)
    said: str = ""
    doing: str = ""
    done: int = 0
    total: int = 0
    waits: dict[Digest, _Wait] = field(default_factory=dict)
    given: dict[Digest, bool] = field(default_factory=dict)
    stored: dict[Digest, anyio.Event] = field(default_factory=dict)
    asked: dict[Digest, ApprovalAsked] = field(default_factory=dict)

    async def approve(self, tool: ToolSpec, arguments: Mapping[str, Any], why: str) -> bool | None:
        """Wait for the user's word, however long it takes; the machine is put aside meanwhile."""
        from deskmate.agent.manifests import digest_of_call  # noqa: PLC0415

        digest = digest_of_call(tool, arguments)
        if digest in self.given:
            return self.given.pop(digest)
        wait = self.waits[digest] = _Wait()
        try:
            await wait.answered.wait()
        finally:
            self.waits.pop(digest, None)
        return wait.allow

    def answer(self, digest: Digest, *, allow: bool) -> None:
        """Give an answer to the run, which waits for it or is about to."""
        wait = self.waits.get(digest)
        if wait is None:
            self.given[digest] = allow
            return
        wait.allow = allow
        wait.answered.set()

    def take(self, item: Event | Delta) -> None:
        """Keep what a later onlooker must be told."""
        if isinstance(item, Delta):
            if item.kind == "text":
                self.said += item.text
            else:
                self.doing = str(item.text)
                counted = item.text if isinstance(item.text, Counted) else None
                self.done, self.total = (counted.done, counted.total) if counted else (0, 0)
            return
        match item.payload:
            case ModelReplied() | ModelFailed():
                self.said = ""
            case ApprovalAsked() as asked:
                self.asked[asked.arguments] = asked
            case ApprovalGiven() as given:
                self.asked.pop(given.arguments, None)
                if stored := self.stored.get(given.arguments):
                    stored.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """How a run stands that is under way. `text`: what was asked for. `said`: the reply so far."""

    text: str
    said: str
    doing: str
    done: int = 0
    total: int = 0
    asks: bool = False


class Runs:
    """What runs in this process. Made by `running`."""

    def __init__(
        self, host: Host, places: Places, listener: Listener, tasks: anyio.abc.TaskGroup
    ) -> None:
        self._host, self._places, self._listener, self._tasks = host, places, listener, tasks
        self._live: dict[ThreadId, _Live] = {}
        self._problems: dict[ThreadId, Problem] = {}

    @property
    def host(self) -> Host:
        """What the runs are made of."""
        return self._host

    def now(self, thread: str) -> Now | None:
        """Return how the thread's run stands, None if none is under way here."""
        live = self._live.get(ThreadId(thread))
        if live is None:
            return None
        return Now(
            text=live.text,
            said=live.said,
            doing=live.doing,
            done=live.done,
            total=live.total,
            asks=bool(live.waits),
        )

    def problem(self, thread: str) -> Problem | None:
        """Return why the thread's last run in this process could not begin or broke off."""
        return self._problems.get(ThreadId(thread))

    def check(self, order: RunOrder) -> None:
        """Refuse folders, plugins and such that no run could have. Blocks. Raises as `Host.check`."""
        self._host.check(order, new=False)

    async def start(self, order: RunOrder, thread: str | None = None) -> ThreadId:
        """Begin a run, in a new thread without `thread`, and return whose it is; it goes on by itself.

        Raises UserError for what the user must put right, as `Host.run`, and where the thread is at work.
        """
        if thread is not None:
            self._check_free(thread)
        await anyio.to_thread.run_sync(lambda: self._host.check(order, new=thread is None))
        known = ThreadId(thread) if thread else await self._host.create_thread(order.text)
        self._begin(known, order, {})
        return known

    def _is_busy(self, thread: str) -> bool:
        from deskmate.store.lock import is_locked  # noqa: PLC0415
        from deskmate.store.thread import LOCK_FILE, thread_folder  # noqa: PLC0415

        folder = thread_folder(self._places.threads, thread)
        return ThreadId(thread) in self._live or is_locked(folder / LOCK_FILE)

    def _check_free(self, thread: str) -> None:
        if self._is_busy(thread):
            raise UserError(
                "This thread is at work.", hint="Wait until it has finished, or stop it first."
            )

    def _begin(self, thread: ThreadId, order: RunOrder, given: dict[Digest, bool]) -> None:
        if thread in self._live:  # another request was quicker
            raise UserError("This thread is at work.", hint="Wait until it has finished.")
        live = self._live[thread] = _Live(text=order.text, given=given)
        self._problems.pop(thread, None)
        self._listener.began(thread)
        self._tasks.start_soon(self._carry_out, thread, order, live)

    async def _carry_out(self, thread: ThreadId, order: RunOrder, live: _Live) -> None:
        def observe(item: Event | Delta) -> None:
            live.take(item)
            self._listener.told(thread, item)

        problem: Problem | None = None
        self._tasks.start_soon(self._watch, thread, live)
        try:
            with live.scope:
                await self._host.run(order, thread, observer=observe, approver=live)
        except DeskmateError as error:
            problem = Problem(message=error.message, hint=error.hint)
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            problem = Problem(message=f"{name}{error.strerror or error}.")
        except Exception:  # one run's defect must not end the others
            LOG.exception("The run of thread %s broke off.", thread)
            problem = Problem(
                message="The run broke off through a fault in Deskmate itself.",
                hint="What it stored is safe; the terminal that serves this page says more.",
            )
        finally:
            self._live.pop(thread, None)
            if problem is not None:
                self._problems[thread] = problem
            live.over.set()
            self._listener.ended(thread, problem)
        with suppress(DeskmateError, OSError):  # it stays in the queue, and is shown there
            if problem is None:
                await self._go_on_with_waiting(thread)
        await self._tidy_up()

    async def _watch(self, thread: ThreadId, live: _Live) -> None:
        """Let another process end this one run: several share this process, and a signal would end them all."""
        from deskmate.store.switch import Switch  # noqa: PLC0415

        switch = Switch(self._places.threads, thread)
        if not switch.turn_on():
            return
        while switch.is_on() and not live.over.is_set():
            with anyio.move_on_after(SWITCH_S):
                await live.over.wait()
        live.scope.cancel()
        switch.turn_off()

    async def _tidy_up(self) -> None:
        """Free the space of unused content, once a day at most; `deskmate thread gc` tells what is in the way."""
        from deskmate.store.collection import collect_when_due  # noqa: PLC0415

        if not self._live:
            await anyio.to_thread.run_sync(
                collect_when_due, self._places.threads, self._places.blobs
            )

    async def wait(self, thread: str) -> None:
        """Return when nothing of the thread is under way in this process any more."""
        live = self._live.get(ThreadId(thread))
        if live is not None:
            await live.over.wait()

    async def stop(self, thread: str) -> None:
        """Stop the thread's run, wherever it runs, and return when that is stored. Raises UserError if it does not end."""
        live = self._live.get(ThreadId(thread))
        if live is not None:
            live.scope.cancel()
            with anyio.move_on_after(STOP_S):
                await live.over.wait()
                return
            raise UserError("The run has not ended yet.", hint="Try deskmate stop in a terminal.")
        from deskmate.host.stopping import stop_threads  # noqa: PLC0415

        for found in await stop_threads(self._places.threads, [thread]):
            if found.how == "left":
                raise UserError(f"The run was not stopped: {found.why}.")

    async def decide(self, thread: str, use: str, arguments: str, *, allow: bool) -> None:
        """Answer a question that is open in the thread's log: this call with these arguments and no other.

        Returns when the answer is stored or, where the run was parked, when it goes on with it. Raises UserError if
        nothing waits for this answer.
        """
        digest, live = Digest(arguments), self._live.get(ThreadId(thread))
        if live is None:
            await self._decide_parked(ThreadId(thread), ToolUseId(use), digest, allow=allow)
            return
        wait, asked = live.waits.get(digest), live.asked.get(digest)
        if (asked is not None and asked.tool_use_id != use) or (wait is None and asked is None):
            raise _nothing_waits()
        stored = live.stored[digest] = anyio.Event()
        live.answer(digest, allow=allow and not _is_late(asked))
        with anyio.move_on_after(DECIDE_S):
            await stored.wait()
            return
        raise UserError("The answer is not stored yet.", hint="Look again in a moment.")

    async def _decide_parked(
        self, thread: ThreadId, use: ToolUseId, digest: Digest, *, allow: bool
    ) -> None:
        self._check_free(thread)
        state = await self._state(thread)
        asked = [item.asked for item in state.open_uses if item.asked and item.decision is None]
        asked += state.questions.values()
        if not any(one.tool_use_id == use and one.arguments == digest for one in asked):
            raise _nothing_waits()
        self._begin(thread, RunOrder(), {digest: allow})

    def asking(self) -> frozenset[ThreadId]:
        """Return the threads whose runs here wait for the user's answer."""
        return frozenset(thread for thread, live in self._live.items() if live.waits)

    async def say_later(self, thread: str, text: str, uploads: Sequence[str] = ()) -> Queued:
        """Keep a message for a thread that is at work, durably; its run hears it when its step is done.

        With `uploads`, files that go with it, the next run does. A thread that has finished meanwhile begins with it. Raises UserError, StorageFailed.
        """
        messages = self._messages(thread)

        def keep() -> Queued:
            if not uploads:
                return messages.put(text)
            from deskmate.host.attachments import Uploads, withdrawn  # noqa: PLC0415

            grant, names = Uploads(self._places).hand_over(thread, uploads)
            try:
                return messages.put(text, folder=grant.folder, attached=names)
            except BaseException:
                withdrawn(self._places, thread, grant.folder)
                raise

        queued = await anyio.to_thread.run_sync(keep)
        if not self._is_busy(thread):
            await self._go_on_with_waiting(ThreadId(thread))
        return queued

    async def say_now(self, thread: str, message: str) -> None:
        """Begin a run with a message that waits in a thread where nothing is under way. Raises UserError."""
        self._check_free(thread)
        waiting = await anyio.to_thread.run_sync(self._messages(thread).all)
        found = [queued for queued in waiting if queued.id == message]
        if not found:
            raise UserError("This message does not wait any more.", hint="See the thread again.")
        order = RunOrder(text=found[0].text, queued=message)
        if folder := found[0].folder:
            grant = Grant(name=FOLDER, folder=folder, mode="ro")
            order = replace(order, grants=(grant,), attached=found[0].attached)
        if (last := (await self._state(thread)).run) is not None:
            # it was said to a run of these bounds
            order = replace(order, limits=last.limits, apply=last.apply)
        await anyio.to_thread.run_sync(self.check, order)
        self._begin(ThreadId(thread), order, {})

    async def withdraw(self, thread: str, message: str) -> bool:
        """Take back a message that waits, and the files that go with it; False: it waits no more."""
        messages = self._messages(thread)

        def work() -> bool:
            from deskmate.host.attachments import withdrawn  # noqa: PLC0415

            folders = [queued.folder for queued in messages.all() if queued.id == message]
            gone = messages.withdraw(message)
            if gone and folders[0]:
                withdrawn(self._places, thread, folders[0])
            return gone

        return await anyio.to_thread.run_sync(work)

    async def pause(self, thread: str) -> None:
        """Have the thread's run pause when its step is done, wherever it runs. Raises UserError if none does."""
        if not self._is_busy(thread):
            raise UserError("Nothing runs in this thread.")
        await anyio.to_thread.run_sync(self._messages(thread).ask_pause)

    def _messages(self, thread: str) -> WaitingMessages:
        from deskmate.store.waiting import WaitingMessages  # noqa: PLC0415

        return WaitingMessages(self._places.threads, thread)

    async def _state(self, thread: str) -> State:
        from deskmate.agent.state import fold  # noqa: PLC0415
        from deskmate.store.thread import open_thread  # noqa: PLC0415

        async with open_thread(self._places.threads, thread, write=False) as store:
            return fold(await store.events())

    async def _go_on_with_waiting(self, thread: ThreadId) -> None:
        """Begin a run with the oldest message that waits, where the last one has ended and nothing else is open."""
        waiting = await anyio.to_thread.run_sync(self._messages(thread).all)
        if not waiting or self._is_busy(thread):
            return
        ended = (await self._state(thread)).ended
        if ended is not None and ended.reason in ("done", "rejected"):
            await self.say_now(thread, waiting[0].id)

    def cancel(self) -> None:
        """End all runs as stopped; their threads go on later."""
        for live in self._live.values():
            live.scope.cancel()


def _nothing_waits() -> UserError:
    return UserError("Nothing waits for this answer any more.", hint="Look at the thread again.")


def _is_late(asked: ApprovalAsked | None) -> bool:
    from deskmate.agent.policy import is_over  # noqa: PLC0415
    from deskmate.store.thread import utc_now  # noqa: PLC0415

    return asked is not None and is_over(asked.expires, utc_now())


@asynccontextmanager
async def running(host: Host, places: Places, listener: Listener) -> AsyncIterator[Runs]:
    """Keep runs going while the block lasts; what is under way at its end is stopped, stored as such."""
    async with host.pooled(), anyio.create_task_group() as tasks:
        runs = Runs(host, places, listener, tasks)
        try:
            yield runs
        finally:
            with suppress(Exception):
                runs.cancel()
