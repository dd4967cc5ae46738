"""The end of a thread's log as the page shows it, and what came before in short: a long thread is not told whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from deskmate.types import events as log
from deskmate.types.limits import Usage
from deskmate.types.messages import tool_uses_of
from deskmate.types.subagents import told
from deskmate.web import contract as page
from deskmate.web.views import Viewer, plan_in


def window_of(
    events: Sequence[log.Event], after: int
) -> tuple[tuple[page.Entry, ...], page.Earlier]:
    """Return the entries of the events behind the first `after`, and what those come to."""
    viewer = Viewer()
    for event in events[:after]:
        viewer.pass_over(event)
    return tuple(viewer.entries(events[after:])), _earlier(events[:after])


def _earlier(events: Sequence[log.Event]) -> page.Earlier:
    """Return what events come to, as the page itself would count them."""
    cost, priced, said = 0.0, True, 0
    plan: tuple[page.Step, ...] = ()
    for event in events:
        match event.payload:
            case log.UserSaid():
                said += 1
            case log.ModelReplied(content=content, usage=usage):
                for use in tool_uses_of(content):
                    plan = plan_in(use) or plan
                cost, priced = _counted(cost, priced, usage)
            case log.SubagentDid() as did:
                inner = told(did)
                if isinstance(inner, log.ModelReplied):
                    cost, priced = _counted(cost, priced, inner.usage)
            case log.RunFinished(reason="done"):
                plan = tuple(_done(plan))
    return page.Earlier(seq=len(events), cost_usd=cost, priced=priced, said=said, plan=plan)


def _counted(cost: float, priced: bool, usage: Usage) -> tuple[float, bool]:
    if usage.cost_usd is None:
        return cost, priced and usage.input_tokens + usage.output_tokens == 0
    return cost + usage.cost_usd, priced


def _done(plan: Iterable[page.Step]) -> Iterable[page.Step]:
    return (replace(step, state="done") for step in plan)
