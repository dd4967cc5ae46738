"""A run's limits: checked before each model call, so that a run ends with a reason."""

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
    if limits.seconds is not None and state.active_s >= limits.seconds:
        return _over("seconds", f"The run used its {limits.seconds:g} seconds.")
    if limits.cost_usd is not None and (usage.cost_usd or 0.0) >= limits.cost_usd:
        return _over("cost_usd", f"The run used its budget of {limits.cost_usd:.2f} USD.")
    return None


def within_budget(state: State, model: Model, request: ModelRequest) -> ModelRequest:
    """Return the request, its output shortened so that its upper estimate fits what is left.

    Raises LimitExceeded where it cannot fit, or where the price is unknown but money is limited.
    """
    budget = state.limits.cost_usd
    if budget is None:
        return request
    estimate = model.estimate_cost_usd(request)
    if estimate is None:
        raise _over(
            "cost_usd",
            f"The price of {model.name} is unknown, so a budget in USD cannot be kept.",
            hint="Leave the budget out, or give the model's price in the configuration.",
        )
    left = budget - (state.usage.cost_usd or 0.0)
    if estimate <= left:
        return request
    floor = replace(request, max_tokens=min(MIN_OUTPUT_TOKENS, request.max_tokens))
    least = model.estimate_cost_usd(floor) or 0.0
    if least > left:
        raise _over(
            "cost_usd",
            f"The next call may cost {least:.4f} USD; {max(left, 0):.4f} of {budget:.2f} are left.",
        )
    share = (left - least) / (estimate - least)
    spare = request.max_tokens - floor.max_tokens
    return replace(request, max_tokens=floor.max_tokens + int(spare * share))


def _over(limit: str, message: str, hint: str = "") -> LimitExceeded:
    hint = hint or "Nothing is lost: go on in this thread with a higher limit."
    return LimitExceeded(message, limit=limit, hint=hint)
