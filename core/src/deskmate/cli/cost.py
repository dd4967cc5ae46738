"""`deskmate thread cost`: what a thread's calls of the model took, by run and by call."""

from __future__ import annotations

import anyio
import click

from deskmate.cli.opening import open_for_reading
from deskmate.cli.output import Session, json_option, say, say_json
from deskmate.shown import one_line


@click.command("cost", short_help="Show what a thread's runs cost, with reads from the cache.")
@click.argument("thread", required=False)
@click.option("--calls", is_flag=True, help="Each call of the model as well.")
@json_option
@click.pass_obj
def cost(session: Session, thread: str | None, calls: bool, as_json: bool) -> None:
    """Show what a thread's calls of the model took: tokens in and out, how many came from the cache, US dollars.

    Prices are those of `deskmate model list`; a call whose price is not known is counted and in no sum.
    """
    from deskmate.host.costs import ThreadCosts, costs_of, in_words  # noqa: PLC0415

    async def work() -> ThreadCosts:
        async with open_for_reading(session, thread) as (store, _):
            return costs_of(store.thread, await store.events())

    found = anyio.run(work)
    if as_json:
        say_json(found)
        return
    for run in found.runs:
        used = f"{_calls(run.calls)}, {in_words(run.usage)}" if run.calls else "no calls"
        say(f"{run.run}  {used}")
        say(f"  {one_line(run.words, 90)}")
        for call in found.calls if calls else ():
            if call.run == run.run:
                what = "summary" if call.purpose else f"turn {call.turn}"
                what = f"{call.subagent} {what}".strip()
                say(f"  {call.seq:>5}  {what:<11}  {call.model}: {in_words(call.usage)}")
        if run.unanswered:
            say(
                f"  {run.unanswered} more brought no reply; what the server asks for them is not known here"
            )
    used = f"{_calls(len(found.calls))}, {in_words(found.usage)}" if found.calls else "no calls"
    say(f"{found.thread}  in all: {used}")
    if found.unpriced:
        say(f"  of {found.unpriced} of them the price is not known; they are in no sum")


def _calls(count: int) -> str:
    return f"{count} call{'' if count == 1 else 's'}"
