"""A run's limits: checked before each call of the model or a tool, so that a run ends with a reason."""

from __future__ import annotations

from dataclasses import replace

from deskmate.agent.state import State
from deskmate.errors import LimitExceeded
from deskmate.ports import Model, ModelRequest

MIN_OUTPUT_TOKENS = 1_000
"""A reply that may not even be this long is not worth asking for."""


def exceeded(state: State) -> LimitExceeded | None:
    """Return which limit of the run is used up, or None."""
    limits, usage = state.limits, state.usage
    tokens = (
        usage.input_tokens
        + usage.output_tokens
        + usage.cache_read_tokens
        + usage.cache_write_tokens
    )
    if state.turn >= limits.max_turns:
        return _over("max_turns", f"The run used its {limits.max_turns} turns.")
    if limits.max_tokens is not None and tokens >= limits.max_tokens:
        return _over("max_tokens", f"The run used {tokens} of {limits.max_tokens} tokens.")
    return money_exceeded(state) or calls_exceeded(state)


def money_exceeded(state: State) -> LimitExceeded | None:
    """Return the error if the run's or the thread's money is spent, or None."""
    budget, whole = state.limits.cost_usd, state.rules.budget_usd
    if budget is not None and (state.usage.cost_usd or 0.0) >= budget:
        return _over("cost_usd", f"The run used its budget of {budget:.2f} USD.")
    if whole is not None and state.spent_usd >= whole:
        text = f"The thread used its budget of {whole:.2f} USD."
        return _over("budget_usd", text, hint=_of_thread(state))
    return None


def calls_exceeded(state: State) -> LimitExceeded | None:
    """Return the error if no further tool may be called, or None."""
    limits = state.limits
    if state.calls >= limits.max_calls:
        return _over("max_calls", f"The run used its {limits.max_calls} tool calls.")
    if limits.seconds is not None and state.active_s >= limits.seconds:
        return _over("seconds", f"The run used its {limits.seconds:g} seconds.")
    return None


def money_left(state: State) -> float | None:
    """Return what the next call may cost at most in USD, by the run's and the thread's budget; None: no limit."""
    left = []
    if state.limits.cost_usd is not None:
        left.append(state.limits.cost_usd - (state.usage.cost_usd or 0.0))
    if state.rules.budget_usd is not None:
        left.append(state.rules.budget_usd - state.spent_usd)
    return min(left, default=None)


def within_budget(state: State, model: Model, request: ModelRequest) -> ModelRequest:
    """Return the request, its output shortened so that its upper estimate fits what is left.

    Raises LimitExceeded where it cannot fit, or where the price is unknown but money is limited.
    """
    left = money_left(state)
    if left is None:
        return request
    estimate = model.estimate_cost_usd(request)
    if estimate is None:
        raise _over(
            "cost_usd",
            f"The price of {model.name} is unknown, so a budget in USD cannot be kept.",
            hint="Leave the budget out, or give the model's price in the configuration.",
        )
    if estimate <= left:
        return request
    floor = replace(request, max_tokens=min(MIN_OUTPUT_TOKENS, request.max_tokens))
    least = model.estimate_cost_usd(floor) or 0.0
    if least > left:
        raise _over(
            "cost_usd",
            f"The next call may cost {least:.4f} USD; {max(left, 0):.4f} are left.",
            hint=_of_thread(state) if state.rules.budget_usd is not None else "",
        )
    share = (left - least) / (estimate - least)
    spare = request.max_tokens - floor.max_tokens
    return replace(request, max_tokens=floor.max_tokens + int(spare * share))


def _of_thread(state: State) -> str:
    return f"See its budget: deskmate policy list {state.thread}; set it: deskmate policy budget."


def _over(limit: str, message: str, hint: str = "") -> LimitExceeded:
    hint = hint or "Nothing is lost: go on in this thread with a higher limit."
    return LimitExceeded(message, limit=limit, hint=hint)
