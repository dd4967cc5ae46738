"""One request of a guest: checked, recorded, sent, answered, and recorded again."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from deskmate.connectors.egress.address import Target
from deskmate.connectors.egress.answer_body import AnswerBody
from deskmate.connectors.egress.budget import Budget
from deskmate.connectors.egress.headers import (
    Headers,
    Outgoing,
    Secrets,
    check_request,
    incoming,
    outgoing,
)
from deskmate.connectors.egress.outside import CONNECT_S, Outside
from deskmate.connectors.egress.peer import Peer
from deskmate.connectors.egress.policy import NetworkPolicy, Verdict
from deskmate.connectors.egress.records import Records
from deskmate.connectors.egress.resolving import resolve
from deskmate.connectors.redaction import Redactor
from deskmate.errors import ToolDenied
from deskmate.ports import Gatekeeper
from deskmate.types.network import READING, NetworkRule, Sending

if TYPE_CHECKING:
    import h11

BROKEN = (
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    OSError,
    ssl.SSLError,
)
"""What a stream raises when its other side is gone or late."""
SHOWN_BYTES = 256 << 10
"""The largest body that a person can be asked about."""
PAGE_HEADERS = [(b"user-agent", b"deskmate"), (b"accept", b"*/*")]
"""With which a page is read, whatever the guest sent."""
_BODY = frozenset((b"content-length", b"transfer-encoding"))
UNSEEN = frozenset((b"host", b"connection", b"proxy-connection", b"accept-encoding"))
"""Headers that the guest sends and that do not go out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every request of one VM shares. `values`: (plugin, secret) → value. `keeper`: asks the user."""

    policy: NetworkPolicy
    budget: Budget
    outside: Outside
    records: Records
    values: dict[tuple[str, str], str] = field(default_factory=dict)
    keeper: Gatekeeper | None = None

    def verdict(self, target: Target, method: str) -> Verdict:
        """Return what the rules say; a page that none allows may be read where its address stands in the thread."""
        found = self.policy.check(target, method)
        if found.allowed or self.keeper is None or not self.policy.may_be_page(target, method):
            return found
        place = self.keeper.place_of(f"https://{target.host}{target.path}")
        if not place:
            why = f"this address stands neither in the user's words nor in what a source answered, and {target.host} is not allowed"
            return Verdict(allowed=False, why=why)
        rule = NetworkRule(host=target.host, methods=READING, by=place, trusted=True)
        return Verdict(allowed=True, why=f"its address stands in {place}", rule=rule, page=True)

    def secrets_for(self, host: str) -> Secrets:
        """Return the secrets that may go to a host."""
        named = self.policy.secrets_for(host)
        return Secrets(values={key: value for key, value in self.values.items() if key in named})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """A request that may go. `size`: bytes counted when it was recorded."""

    request: str
    target: Target
    method: str
    out: Outgoing
    addresses: tuple[str, ...]
    redactor: Redactor
    size: int


class Refusal(Exception):
    """The guest is told `why` with `status`; nothing was sent."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Exchange:
    """Carries one request out. Make one for each."""

    def __init__(self, desk: Desk, guest: Peer) -> None:
        self._desk = desk
        self._guest = guest
        self._status: int | None = None
        self._body_sent = 0
        self._server: Peer | None = None
        self._held: bytes | None = None

    async def carry_out(self, request: h11.Request, target: Target) -> None:
        """Answer the guest, whatever happens outside. Raises only what the guest's own stream raises."""
        order = await self._permit(request, target)
        why = "the machine stopped waiting for it"
        try:
            with anyio.fail_after(self._desk.budget.limits.request_s):
                why = await self._send(order)
        except TimeoutError:
            why = f"it took longer than {self._desk.budget.limits.request_s:g} s"
            await self._fail(504, why)
        except Refusal as refusal:
            why = refusal.why
            await self._fail(refusal.status, why)
        finally:
            await self._settle(order, why)

    async def refuse(self, request: h11.Request, target: Target, why: str) -> None:
        """Record and answer a request that is refused."""
        method = request.method.decode("ascii", "replace")
        await self._desk.records.asked(target, method, Verdict(allowed=False, why=why))
        await self._guest.answer(403, why)

    # before

    async def _permit(self, request: h11.Request, target: Target) -> _Order:
        """Return what may be sent. Raises Denied after recording and answering it."""
        method = request.method.decode("ascii", "replace")
        out: Outgoing | None = None
        addresses: tuple[str, ...] = ()
        size = 0
        try:
            verdict, out, size = self._check(request, target, method)
            addresses = await resolve(target.host, self._desk.outside.resolver)
            await self._ask(request, target, method, verdict)
        except Exception as error:  # noqa: BLE001 - fail closed: whatever goes wrong here is a no
            verdict = Verdict(allowed=False, why=why_of(error))
        if not verdict.allowed or out is None:
            await self._desk.records.asked(target, method, verdict)
            await self._guest.answer(403, verdict.why)
            raise Denied
        self._desk.budget.sent[target.host] += size
        number = await self._desk.records.asked(target, method, verdict, out, size)
        # all that may go there, not only what goes now: a server may remember
        redactor = Redactor(self._desk.secrets_for(target.host).by_label())
        return _Order(
            request=number, target=target, method=method, out=out, addresses=addresses,
            redactor=redactor, size=size,
        )  # fmt: skip

    async def _ask(
        self, request: h11.Request, target: Target, method: str, verdict: Verdict
    ) -> None:
        """Ask the user where that has to be, with the whole body in hand. Raises ToolDenied."""
        keeper = self._desk.keeper
        trusted = verdict.rule is not None and verdict.rule.trusted
        if keeper is None or not keeper.asks(method, trusted=trusted):
            return
        self._held = await self._whole_body()
        given = [(bytes(name).lower(), bytes(value)) for name, value in request.headers]
        sending = Sending(
            method=method,
            url=f"{target.scheme}://{target.host}{target.path}",
            headers=tuple(
                f"{name.decode('latin-1')}: {value.decode('latin-1')}"
                for name, value in given
                if name not in UNSEEN
            ),
            body=self._held,
            trusted=trusted,
        )
        await keeper.permit(sending)

    async def _whole_body(self) -> bytes:
        import h11  # noqa: PLC0415

        held = bytearray()
        while not isinstance(event := await self._guest_event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                held += event.data
            if len(held) > SHOWN_BYTES:
                raise ToolDenied(f"over {SHOWN_BYTES} bytes are too many to be shown to the user")
        return bytes(held)

    def _check(
        self, request: h11.Request, target: Target, method: str
    ) -> tuple[Verdict, Outgoing, int]:
        desk = self._desk
        verdict = desk.verdict(target, method)
        if not verdict.allowed or verdict.rule is None:
            raise ToolDenied(verdict.why)
        given = [(bytes(name), bytes(value)) for name, value in request.headers]
        credentials = verdict.rule.credentials
        check_request(given, target, credentials=credentials)
        if verdict.page:  # a header could carry out what the address cannot
            given = [(name, value) for name, value in given if name.lower() in _BODY] + PAGE_HEADERS
        length = next((int(value) for name, value in given if name.lower() == b"content-length"), 0)
        chunked = any(name.lower() == b"transfer-encoding" for name, _ in given)
        if method in READING and (length or chunked):
            raise ToolDenied(f"a {method} request brings a body; it would be an upload")
        out = outgoing(given, target, desk.secrets_for(target.host), credentials=credentials)
        size = len(target.path) + sum(len(name) + len(value) for name, value in given) + length
        if why := desk.budget.why_not(target.host, size, desk.policy):
            raise ToolDenied(why)
        if desk.secrets_for(target.host).values:  # a part of an echo could hold a part of a secret
            out.headers[:] = [
                item for item in out.headers if item[0] not in (b"range", b"if-range")
            ]
        if length:
            out.headers[:] = [item for item in out.headers if item[0] != b"content-length"]
            out.headers.append((b"content-length", str(length).encode()))
        elif chunked:
            out.headers.append((b"transfer-encoding", b"chunked"))
        return verdict, out, size

    # after

    async def _send(self, order: _Order) -> str:
        """Send it and pass the answer on; return what ended it early, empty if nothing did."""
        import h11  # noqa: PLC0415

        try:
            stream = await dial(self._desk.outside, order.target, order.addresses)
        except BROKEN as error:
            raise Refusal(
                502, f"{order.target.host} cannot be reached: {reason_of(error)}"
            ) from error
        try:
            self._server = Peer(stream, server=True, idle_s=self._desk.budget.limits.idle_s)
            try:
                await self._upload(order)
                response = await self._response()
            except (*BROKEN, h11.RemoteProtocolError) as error:
                why = f"{order.target.host} broke off: {reason_of(error)}"
                raise Refusal(502, why) from error
            return await self._download(order, response)
        finally:
            await anyio.aclose_forcefully(stream)

    async def _upload(self, order: _Order) -> None:
        import h11  # noqa: PLC0415

        assert self._server is not None
        target = order.target
        await self._server.send(
            h11.Request(method=order.method, target=target.path, headers=order.out.headers)
        )
        told = self._told(order.out.headers)
        if self._held is not None:
            await self._upload_held(order, told=told)
            return
        while not isinstance(event := await self._guest_event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                self._body_sent += len(event.data)
                if not told:
                    self._count(order, len(event.data))
                await self._server.send(h11.Data(data=bytes(event.data)))
        await self._server.send(h11.EndOfMessage())

    async def _upload_held(self, order: _Order, *, told: bool) -> None:
        import h11  # noqa: PLC0415

        assert self._server is not None
        assert self._held is not None
        if self._held:
            self._body_sent += len(self._held)
            if not told:
                self._count(order, len(self._held))
            await self._server.send(h11.Data(data=self._held))
        await self._server.send(h11.EndOfMessage())

    def _told(self, headers: Headers) -> bool:
        return any(name == b"content-length" for name, _ in headers)

    async def _guest_event(self) -> object:
        """Return the guest's next event; its faults are not the server's."""
        try:
            return await self._guest.receive()
        except BROKEN as error:
            raise GuestGone from error

    def _count(self, order: _Order, size: int) -> None:
        budget, host = self._desk.budget, order.target.host
        if why := budget.why_not(host, size, self._desk.policy):
            raise Refusal(403, why)
        budget.sent[host] += size

    async def _response(self) -> h11.Response:
        import h11  # noqa: PLC0415

        assert self._server is not None
        while True:
            event = await self._server.receive()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
                raise anyio.EndOfStream

    async def _download(self, order: _Order, response: h11.Response) -> str:
        import h11  # noqa: PLC0415

        assert self._server is not None
        self._status = response.status_code
        given = [(bytes(name), bytes(value)) for name, value in response.headers]
        limit = self._desk.budget.limits.response_bytes
        try:
            body = AnswerBody(_encoding(given), order.redactor, limit)
            if _length(given) > limit and order.method != "HEAD":
                raise ToolDenied(f"the answer is larger than {limit} bytes")
        except ToolDenied as error:
            raise Refusal(502, error.message) from error
        keep = order.method == "HEAD" or not (order.redactor or _encoding(given))
        headers = incoming(given, order.redactor, keep_length=keep)
        self._guest.answered = True
        reason = order.redactor.data(bytes(response.reason))
        await self._tell(
            h11.Response(status_code=response.status_code, headers=headers, reason=reason)
        )
        try:
            return await self._pass_on(body)
        except (*BROKEN, h11.RemoteProtocolError) as error:
            return f"the answer broke off: {reason_of(error)}"
        except ToolDenied as error:
            return error.message

    async def _pass_on(self, body: AnswerBody) -> str:
        import h11  # noqa: PLC0415

        assert self._server is not None
        while not isinstance(event := await self._server.receive(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                return "the answer broke off"
            self._desk.budget.received += len(event.data)
            if not self._desk.budget.may_receive(body.size):
                return "the thread's byte budget is used up"
            for piece in body.feed(bytes(event.data)):
                await self._tell(h11.Data(data=piece))
        if rest := body.end():
            await self._tell(h11.Data(data=rest))
        await self._tell(h11.EndOfMessage())
        return ""

    async def _tell(self, event: h11.Event) -> None:
        try:
            await self._guest.send(event)
        except BROKEN as error:
            raise GuestGone from error

    async def _fail(self, status: int, why: str) -> None:
        """Tell the guest, if its answer has not begun; else the connection just ends."""
        if not self._guest.answered:
            await self._guest.answer(status, why)

    async def _settle(self, order: _Order, why: str) -> None:
        received = self._server.received if self._server else 0
        sent = max(self._server.sent if self._server else 0, 0)
        self._desk.budget.sent[order.target.host] += max(0, sent - order.size - self._extra(order))
        await self._desk.records.ended(order.request, self._status, sent, received, why)

    def _extra(self, order: _Order) -> int:
        """Return what of the body was counted while it went."""
        return 0 if self._told(order.out.headers) else self._body_sent


class Denied(Exception):
    """The request was refused, recorded and answered."""


class GuestGone(Exception):
    """The guest's own stream broke."""


async def dial(outside: Outside, target: Target, addresses: tuple[str, ...]) -> ByteStream:
    """Return a connection to one of exactly these addresses, with TLS for https. Raises OSError and alike."""
    failure: BaseException = OSError("no address")
    for address in addresses:
        try:
            with anyio.fail_after(CONNECT_S):
                stream = await outside.connect(address, target.port)
        except OSError as error:
            failure = error
            continue
        return await _secured(outside, target, stream)
    raise failure


async def _secured(outside: Outside, target: Target, stream: ByteStream) -> ByteStream:
    if target.scheme == "http":
        return stream
    try:
        with anyio.fail_after(CONNECT_S):
            return await TLSStream.wrap(
                stream,
                hostname=target.host,
                ssl_context=outside.trust(),
                standard_compatible=False,
            )
    except BaseException:
        await anyio.aclose_forcefully(stream)
        raise


def why_of(error: Exception) -> str:
    """Return the reason of a refusal for the guest and the log."""
    if isinstance(error, ToolDenied):
        return error.message
    return f"the check failed ({type(error).__name__}), so it is refused"


def _encoding(headers: Headers) -> str:
    named = b",".join(value for name, value in headers if name.lower() == b"content-encoding")
    return named.strip().lower().decode("latin-1").replace("identity", "")


def _length(headers: Headers) -> int:
    return next((int(value) for name, value in headers if name.lower() == b"content-length"), 0)


def reason_of(error: BaseException) -> str:
    """Return what went wrong, without anything that the other side may have written."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return type(error).__name__
