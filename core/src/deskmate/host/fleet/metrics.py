"""How a pool stands, as one request of OpenTelemetry metrics in OTLP's JSON: what a collector takes at /v1/metrics."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from deskmate import __version__
from deskmate.host.fleet.status import is_there
from deskmate.types.fleet import FleetStatus

_CUMULATIVE = 2
Point = tuple[int | float, Mapping[str, str]]


def otlp_metrics(found: FleetStatus, *, at_s: float | None = None) -> Mapping[str, Any]:
    """Return the request. `at_s`: the time of the figures, seconds since 1970; None: now."""
    at = str(round((time.time() if at_s is None else at_s) * 1_000_000_000))
    queues = [(queue, {"queue": queue.host or "all"}) for queue in found.queues]
    workers = [(worker, {"worker": worker.name}) for worker in found.workers]
    metrics = [
        _gauge("worker.up", "1", at, [(int(is_there(one)), name) for one, name in workers]),
        _gauge("worker.slots", "{slot}", at, [(one.slots, name) for one, name in workers]),
        _gauge("worker.running", "{item}", at, [(one.running, name) for one, name in workers]),
        _gauge("worker.waiting", "{item}", at, [(one.waiting, name) for one, name in workers]),
        _gauge("queue.waiting", "{item}", at, [(one.waiting, name) for one, name in queues]),
        _gauge("queue.running", "{item}", at, [(one.running, name) for one, name in queues]),
        _gauge("queue.given_up", "{item}", at, [(one.given_up, name) for one, name in queues]),
        _gauge("stuck", "{item}", at, [(n, {"worker": one}) for one, n in found.stuck.items()]),
        _gauge("items.stopped", "{item}", at, [(found.stopped, {})]),
        _sum("items.done", "{item}", at, found.done),
        _sum("spent", "USD", at, found.spent_usd),
    ]
    resource = {"attributes": _attributes({"service.name": "deskmate", "db.name": found.engine})}
    scope = {"name": "deskmate.fleet", "version": __version__}
    return {
        "resourceMetrics": [
            {
                "resource": resource,
                "scopeMetrics": [{"scope": scope, "metrics": [one for one in metrics if one]}],
            }
        ]
    }


def _gauge(name: str, unit: str, at: str, points: Iterable[Point]) -> Mapping[str, Any]:
    made = [_point(value, at, attributes) for value, attributes in points]
    if not made:
        return {}
    return {"name": f"deskmate.fleet.{name}", "unit": unit, "gauge": {"dataPoints": made}}


def _sum(name: str, unit: str, at: str, value: int | float) -> Mapping[str, Any]:
    grown = {
        "aggregationTemporality": _CUMULATIVE,
        "isMonotonic": True,
        "dataPoints": [_point(value, at, {})],
    }
    return {"name": f"deskmate.fleet.{name}", "unit": unit, "sum": grown}


def _point(value: int | float, at: str, attributes: Mapping[str, str]) -> Mapping[str, Any]:
    """Return one value; whole numbers are texts in OTLP's JSON."""
    told = {"asInt": str(value)} if isinstance(value, int) else {"asDouble": value}
    return {"timeUnixNano": at, "attributes": _attributes(attributes), **told}


def _attributes(named: Mapping[str, str]) -> list[Mapping[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in named.items()]
