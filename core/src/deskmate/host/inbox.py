"""What waits for the user in all threads: questions, what failed, and what is finished."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import anyio.to_thread

from deskmate.errors import DeskmateError, UserError
from deskmate.host.orders import RunOrder, RunResult, Unattended
from deskmate.host.wording import sentence_of
from deskmate.ports import Approver, Observer
from deskmate.store.listing import ThreadSummary
from deskmate.types.ids import Digest, ThreadId
from deskmate.types.places import Places
from deskmate.types.schedules import Due, Schedule

if TYPE_CHECKING:
    from deskmate.agent.state import State
    from deskmate.host import Host
    from deskmate.store.schedules import Schedules

Kind = Literal["approval", "question", "failure", "deliverable"]
ORDER: tuple[Kind, ...] = ("approval", "question", "failure", "deliverable")
_FAILED = ("failed", "rejected", "over budget", "interrupted", "damaged")
YES, NO = ("yes", "y"), ("no", "n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that waits. `id`: stays the same while it does. `text`: what it is, in one line.

    `deadline`: from then on the answer is no, empty: none. `schedule`: whose run it is, empty: of nobody.
    `shown`: of an approval, the whole call. `arguments`: its digest. `use`: the call that waits; empty: a request of
    the virtual machine. `sentence`, `why`: what an approval is for, in human words. `choices`: offered with a question.
    """

    id: str
    kind: Kind
    thread: str
    title: str
    text: str
    since: str
    deadline: str = ""
    schedule: str = ""
    shown: tuple[str, ...] = ()
    arguments: Digest | None = None
    use: str = ""
    sentence: str = ""
    why: str = ""
    choices: tuple[str, ...] = ()


async def list_inbox(places: Places, asking: Collection[str] = ()) -> tuple[Item, ...]:
    """Return what waits: questions first, then what failed, then what is finished; the oldest question first.

    `asking`: threads whose runs are under way and wait for an answer.
    """
    from deskmate.store.catalogue import Catalogue  # noqa: PLC0415
    from deskmate.store.schedules import Schedules  # noqa: PLC0415

    store = Schedules(places.data)
    summaries = await anyio.to_thread.run_sync(Catalogue(places.data, places.threads).summaries)
    failed = await anyio.to_thread.run_sync(store.failed)
    names = {
        one.schedule.id: one.schedule.name for one in await anyio.to_thread.run_sync(store.all)
    }
    items = [_failed_due(due, names) for due in failed]
    known = {due.thread for due in failed}
    for summary in summaries:
        if summary.archived:
            continue
        if summary.state == "needs you" or summary.thread in asking:
            asked = await _questions(places, summary, store)
            items += asked
            if summary.pending and not asked:
                items.append(_finished(summary))
        elif summary.state in _FAILED and summary.thread not in known:
            items.append(_failed_thread(summary))
    gone = await anyio.to_thread.run_sync(store.dismissed)
    return tuple(_sorted(item for item in items if item.id not in gone))


def _sorted(items: Iterable[Item]) -> list[Item]:
    newest = sorted(items, key=lambda item: item.since, reverse=True)
    return sorted(
        newest, key=lambda item: (ORDER.index(item.kind), not item.deadline, item.deadline)
    )


def _id(*words: str) -> str:
    return f"i-{hashlib.sha256(chr(0).join(words).encode()).hexdigest()[:10]}"


def _failed_due(due: Due, names: dict[str, str]) -> Item:
    name = names.get(due.schedule, due.schedule)
    return Item(
        id=_id("failure", due.schedule, due.due),
        kind="failure",
        thread=due.thread,
        title=name,
        text=f"the run that was due at {due.due[:16]}Z failed: {due.why}",
        since=due.ended,
        schedule=due.schedule,
    )


def _failed_thread(summary: ThreadSummary) -> Item:
    return Item(
        id=_id("failure", summary.thread, summary.changed),
        kind="failure",
        thread=summary.thread,
        title=summary.title,
        text=summary.problem or summary.state,
        since=summary.changed,
    )


def _finished(summary: ThreadSummary) -> Item:
    many = "change waits" if summary.pending == 1 else "changes wait"
    return Item(
        id=_id("deliverable", summary.thread, summary.changed),
        kind="deliverable",
        thread=summary.thread,
        title=summary.title,
        text=f"{summary.pending} {many} for your review",
        since=summary.changed,
    )


async def _questions(places: Places, summary: ThreadSummary, store: Schedules) -> list[Item]:
    """Return what a parked thread asks; one that cannot be read is a failure."""
    try:
        state = await _state(places, summary.thread)
    except DeskmateError as error:
        return [replace(_failed_thread(summary), text=error.message)]
    due = await anyio.to_thread.run_sync(store.of_thread, summary.thread)
    return list(_asked(state, summary, due))


async def _state(places: Places, thread: str) -> State:
    from deskmate.agent.state import fold  # noqa: PLC0415
    from deskmate.store.thread import open_thread  # noqa: PLC0415

    async with open_thread(places.threads, thread, write=False) as store:
        return fold(await store.events())


def _asked(state: State, summary: ThreadSummary, due: Due | None) -> Iterator[Item]:
    from deskmate.agent.loop import question_of  # noqa: PLC0415

    until = due.deadline if due is not None else ""
    for use in state.open_uses:
        if use.is_question and use.answer is None:
            key = ("question", summary.thread, use.use.id)
            choices = use.use.input.get("choices")
            yield replace(
                _question(summary, key, question_of(use), due),
                use=use.use.id,
                choices=tuple(map(str, choices)) if isinstance(choices, list) else (),
            )
        elif use.asked is not None and use.decision is None:
            yield replace(
                _question(
                    summary, ("approval", summary.thread, use.asked.arguments), use.asked.why, due
                ),
                kind="approval",
                text=f"{use.asked.tool}: {use.asked.why}",
                deadline=min(filter(None, (until, use.asked.expires)), default=""),
                shown=tuple(f"{name}: {value}" for name, value in use.use.input.items()),
                arguments=use.asked.arguments,
                use=use.use.id,
                sentence=sentence_of(use.asked.tool, use.use.input),
                why=use.asked.why,
            )
    for asked in state.questions.values():
        yield replace(
            _question(summary, ("approval", summary.thread, asked.arguments), asked.why, due),
            kind="approval",
            text=f"{asked.shown.get('request', asked.tool)}: {asked.why}",
            deadline=min(filter(None, (until, asked.expires)), default=""),
            shown=tuple(f"{name}: {value}" for name, value in asked.shown.items()),
            arguments=asked.arguments,
            sentence="sending something to the network",
            why=asked.why,
        )


def _question(summary: ThreadSummary, key: Sequence[str], text: str, due: Due | None) -> Item:
    return Item(
        id=_id(*key),
        kind="question",
        thread=summary.thread,
        title=summary.title,
        text=text,
        since=summary.changed,
        deadline=due.deadline if due is not None else "",
        schedule=due.schedule if due is not None else "",
    )


async def find_item(places: Places, name: str) -> Item:
    """Return the item of this id, or the one of this thread. Raises UserError."""
    items = await list_inbox(places)
    found = [item for item in items if item.id == name] or [
        item for item in items if item.thread == name
    ]
    if len(found) != 1:
        many = f"{len(found)} things of {name} wait" if found else f"Nothing of {name} waits"
        raise UserError(f"{many} in the inbox.", hint="See their ids: deskmate inbox")
    return found[0]


async def dismiss(places: Places, item: Item) -> None:
    """Take an item out of the inbox; its thread stays. Raises UserError for a question, which wants an answer."""
    from deskmate.store.schedules import Schedules  # noqa: PLC0415
    from deskmate.store.thread import utc_now  # noqa: PLC0415

    if item.kind in ("approval", "question"):
        word = "no" if item.kind == "approval" else '"…"'
        raise UserError(
            "A question is not dismissed: its run waits.",
            hint=f"Answer it: deskmate inbox answer {item.id} {word}",
        )
    await anyio.to_thread.run_sync(Schedules(places.data).dismiss, item.id, utc_now())


async def answer(
    host: Host, places: Places, item: Item, words: str, *, observer: Observer, approver: Approver
) -> RunResult:
    """Give an answer, let the thread go on with it, and return how it ended then.

    Raises UserError for what takes no answer, and as `Host.run`.
    """
    from deskmate.host.scheduling.ordering import order_of, unattended_of  # noqa: PLC0415
    from deskmate.store.schedules import Schedules  # noqa: PLC0415

    store = Schedules(places.data)
    schedule = await anyio.to_thread.run_sync(_schedule_of, store, item)
    unattended = unattended_of(schedule) if schedule is not None else Unattended()
    order = RunOrder()
    if item.kind == "approval" and item.arguments is not None:
        unattended = replace(unattended, given={item.arguments: _is_yes(words)})
    elif item.kind == "question":
        order = replace(order, text=words)
        if schedule is not None:
            order = replace(order_of(schedule, unattended), text=words)
        unattended = replace(unattended, once=False)
    else:
        raise UserError(
            "There is nothing to answer.", hint=f"See it: deskmate inbox show {item.id}"
        )
    order = replace(order, unattended=unattended)
    result = await host.run(order, ThreadId(item.thread), observer=observer, approver=approver)
    if schedule is not None:
        await _settle(places, store, schedule, item.thread)
    return result


def _is_yes(words: str) -> bool:
    """Say whether an answer is yes. Raises UserError where it is neither yes nor no."""
    word = words.strip().lower()
    if word not in (*YES, *NO):
        raise UserError(f"{words!r} is neither yes nor no.", hint="This call may run: yes, or no.")
    return word in YES


def _schedule_of(store: Schedules, item: Item) -> Schedule | None:
    return store.get(item.schedule).schedule if item.schedule else None


async def _settle(places: Places, store: Schedules, schedule: Schedule, thread: str) -> None:
    """Note what is true of the scheduled run now, without waiting for who carries schedules out."""
    from deskmate.host.scheduling.times import later  # noqa: PLC0415
    from deskmate.host.scheduling.working import verdict_of  # noqa: PLC0415
    from deskmate.store.thread import utc_now  # noqa: PLC0415

    due = await anyio.to_thread.run_sync(store.of_thread, thread)
    if due is None:
        return
    verdict, now = await verdict_of(places, schedule, due), utc_now()
    deadline = later(now, schedule.wait_s) if verdict.state == "waiting" else ""
    await anyio.to_thread.run_sync(
        lambda: store.settle(due, verdict.state, verdict.why, now, deadline=deadline)
    )
