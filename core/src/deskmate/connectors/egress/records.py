"""Every request as facts of the thread: what was asked, what was decided, how it ended."""

from __future__ import annotations

import secrets

import anyio

from deskmate.connectors.egress.address import Target
from deskmate.connectors.egress.budget import Budget
from deskmate.connectors.egress.headers import Outgoing
from deskmate.connectors.egress.policy import Verdict
from deskmate.errors import ProtocolError
from deskmate.ports import Record
from deskmate.types.events import EgressAsked, EgressEnded

PATH_SHOWN = 512
WHY_SHOWN = 300
REFUSALS_LIMIT = 1000
"""Refused requests of one VM, each of which is a fact in the log, until it counts as an attack."""
_STORE_S = 20.0


class Records:
    """Writes the facts of one VM's requests."""

    def __init__(self, record: Record, budget: Budget) -> None:
        self._record = record
        self._budget = budget
        self._prefix = secrets.token_hex(4)
        self._number = 0
        self._refusals = 0

    async def asked(
        self,
        target: Target,
        method: str,
        verdict: Verdict,
        out: Outgoing | None = None,
        size: int = 0,
    ) -> str:
        """Store what was asked and decided, before anything is sent; return the request's name.

        Raises ProtocolError when a VM is refused again and again, and what the store raises.
        """
        self._number += 1
        self._budget.requests += 1
        if not verdict.allowed:
            self._refusals += 1
            if self._refusals > REFUSALS_LIMIT:
                raise ProtocolError(f"over {REFUSALS_LIMIT} of its requests were refused")
        request = f"{self._prefix}-{self._number}"
        await self._record(
            EgressAsked(
                request=request,
                method=method[:20],
                host=target.host,
                port=target.port,
                path=_cut(target.path, PATH_SHOWN),
                allowed=verdict.allowed,
                why=_cut(verdict.why, WHY_SHOWN),
                size=size,
                secrets=out.secrets if out else (),
                stripped=out.stripped if out else (),
            )
        )
        return request

    async def ended(
        self, request: str, status: int | None, sent: int, received: int, why: str
    ) -> None:
        """Store how a request ended, also while everything around it is being cancelled."""
        with anyio.move_on_after(_STORE_S, shield=True):
            await self._record(
                EgressEnded(
                    request=request,
                    status=status,
                    sent=sent,
                    received=received,
                    why=_cut(why, WHY_SHOWN),
                )
            )


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
