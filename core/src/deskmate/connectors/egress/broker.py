"""The broker of one VM: the port `Egress` over the policy, the budget and the world outside."""

from __future__ import annotations

from collections.abc import Mapping

from anyio.abc import ByteStream

from deskmate.connectors.egress.budget import Budget
from deskmate.connectors.egress.certificates import Authority
from deskmate.connectors.egress.exchange import Desk
from deskmate.connectors.egress.gateway import Gateway
from deskmate.connectors.egress.headers import stand_in
from deskmate.connectors.egress.outside import Outside
from deskmate.connectors.egress.policy import NetworkPolicy
from deskmate.connectors.egress.records import Records
from deskmate.errors import ProtocolError
from deskmate.ports import Gatekeeper, Record
from deskmate.protocol.multiplex import Multiplexer
from deskmate.types.events import Refused
from deskmate.types.network import NetworkLimits


class Broker:
    """Serves one VM's way out. Every VM gets a broker, and so a certificate authority, of its own."""

    def __init__(
        self,
        policy: NetworkPolicy,
        outside: Outside,
        record: Record,
        *,
        secrets: Mapping[tuple[str, str], str] | None = None,
        budget: Budget | None = None,
        keeper: Gatekeeper | None = None,
    ) -> None:
        """`secrets`: (plugin, name) → value. `budget`: of the thread, shared by all its machines.

        `keeper`: asks the user about requests; without one the rules alone decide.
        """
        self._policy = policy
        self._outside = outside
        self._record = record
        self._authority = Authority()
        self._values = dict(secrets or {})
        budget = budget or Budget(NetworkLimits())
        self._desk = Desk(
            policy=policy,
            budget=budget,
            outside=outside,
            records=Records(record, budget),
            values=self._values,
            keeper=keeper,
        )

    @property
    def trust(self) -> str:
        """The VM's own authority; with opaque hosts, which it cannot stand in for, the real ones too."""
        opaque = any(rule.opaque for rule in self._policy.rules)
        return self._authority.pem + (self._outside.roots() if opaque else "")

    @property
    def stand_ins(self) -> Mapping[str, Mapping[str, str]]:
        """Plugin → secret → what the guest sends in its place."""
        found: dict[str, dict[str, str]] = {}
        for plugin, name in self._values:
            found.setdefault(plugin, {})[name] = stand_in(plugin, name)
        return found

    async def serve(self, port: ByteStream) -> None:
        """Serve the port until the VM is gone. Raises ProtocolError, and what the thread's store raises."""
        gateway = Gateway(self._desk, self._authority)
        try:
            await Multiplexer(port, gateway.serve).run()
        except ProtocolError as error:
            why = f"the virtual machine was ended: {error.message}"
            await self._record(Refused(what="egress", why=why))
            raise
