"""The models that have a name here: window, output limit, prices with source and date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from deskmate.errors import ConfigError
from deskmate.types.limits import Usage

SOURCE = "platform.claude.com/docs, models overview"
READ = "2026-11-23"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for a million tokens, and where that stands. `cache_write`: five-minute cache."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    source: str
    read: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One model. `id`: as its server knows it. `price`: None where it is unknown.

    `long_price`: for calls whose prompt has more than `long_over_tokens` tokens, where that differs. `pictures`: it can
    look at pictures.
    """

    alias: str
    id: str
    title: str
    context_tokens: int | None = None
    max_output_tokens: int = 16_000
    price: Price | None = None
    long_price: Price | None = None
    long_over_tokens: int = 0
    pictures: bool = False


def _price(input_usd: float, output_usd: float) -> Price:
    """The published rule: reading a cache costs a tenth of input, writing it a quarter more."""
    return Price(
        input=input_usd,
        output=output_usd,
        cache_read=input_usd * 0.1,
        cache_write=input_usd * 1.25,
        source=SOURCE,
        read=READ,
    )


FREE = Price(input=0, output=0, cache_read=0, cache_write=0, source="your own machine", read=READ)

MODELS: Mapping[str, ModelInfo] = {
    info.alias: info
    for info in (
        ModelInfo(
            alias="sonnet",
            id="claude-sonnet-5-5",
            title="Claude Sonnet 5.5: for everyday volume",
            context_tokens=1_000_000,
            max_output_tokens=128_000,
            price=_price(2, 10),
            pictures=True,
        ),
        ModelInfo(
            alias="opus",
            id="claude-opus-5-5",
            title="Claude Opus 5.5: for depth",
            context_tokens=1_000_000,
            max_output_tokens=128_000,
            price=_price(4, 20),
            pictures=True,
        ),
        ModelInfo(
            alias="haiku",
            id="claude-haiku-5-5",
            title="Claude Haiku 5.5: small and fast",
            context_tokens=1_000_000,
            max_output_tokens=128_000,
            price=_price(0.1, 0.5),
            pictures=True,
            long_price=_price(0.5, 2.5),
            long_over_tokens=100_000,
        ),
    )
}


def find_model(name: str, overrides: Mapping[str, Any]) -> ModelInfo:
    """Return the model for an alias or an id; an unknown id is passed on without prices.

    `overrides`: the configuration's `models`: alias or id → any of `id`, `context_tokens`,
    `max_output_tokens`, `pictures`, `input_usd`, `output_usd`, `cache_read_usd`, `cache_write_usd`.
    Raises ConfigError for an override that is not understood.
    """
    by_id = {info.id: info for info in MODELS.values()}
    info = MODELS.get(name) or by_id.get(name) or ModelInfo(alias=name, id=name, title=name)
    return _override(info, overrides.get(info.alias, overrides.get(name, {})))


def _override(info: ModelInfo, values: Mapping[str, Any]) -> ModelInfo:
    plain = {"id": str, "context_tokens": int, "max_output_tokens": int, "pictures": bool}
    prices = {"input_usd", "output_usd", "cache_read_usd", "cache_write_usd"}
    if not isinstance(values, Mapping) or (unknown := sorted(set(values) - set(plain) - prices)):
        what = "is not a table" if not isinstance(values, Mapping) else f"has no {unknown[0]}"
        raise ConfigError(f"The setting models.{info.alias} {what}.")
    changes: dict[str, Any] = {}
    for name, value in values.items():
        kind: Any = plain.get(name, (int, float))
        if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
            raise ConfigError(f"The setting models.{info.alias}.{name} is {value!r}.")
        if name in plain:
            changes[name] = value
    if prices & set(values):
        changes |= {"price": _own_price(info, values), "long_price": None}
    return replace(info, **changes)


def _own_price(info: ModelInfo, values: Mapping[str, Any]) -> Price:
    known = info.price
    input_usd = values.get("input_usd", known.input if known else None)
    output_usd = values.get("output_usd", known.output if known else None)
    if input_usd is None or output_usd is None:
        raise ConfigError(
            f"The price of {info.alias} needs both input_usd and output_usd (for a million tokens)."
        )
    base = _price(float(input_usd), float(output_usd))
    return replace(
        base,
        cache_read=float(values.get("cache_read_usd", base.cache_read)),
        cache_write=float(values.get("cache_write_usd", base.cache_write)),
        source="your configuration",
        read="",
    )


def cost_usd(info: ModelInfo, usage: Usage) -> float | None:
    """Return what one call with this usage cost in US dollars, None where the price is unknown."""
    prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    price = info.price
    if info.long_price is not None and prompt > info.long_over_tokens:
        price = info.long_price
    if price is None:
        return None
    parts = (
        usage.input_tokens * price.input,
        usage.output_tokens * price.output,
        usage.cache_read_tokens * price.cache_read,
        usage.cache_write_tokens * price.cache_write,
    )
    return sum(parts) / 1_000_000
