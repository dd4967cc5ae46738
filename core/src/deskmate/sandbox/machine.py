"""One restored VM as the port `Machine`: calls, files in and out, validation, heartbeat."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import anyio

from deskmate.errors import ProtocolError, SandboxUnavailable, UserError
from deskmate.ports import (
    BlobReader,
    Blobs,
    CallState,
    Progress,
    SandboxSpec,
    ToolOutcome,
    ValidationReport,
    ValidationRequest,
)
from deskmate.protocol.client import GuestClient, PutKind, connect_guest
from deskmate.sandbox.archive import Item, items_of, stream, stream_size
from deskmate.sandbox.bulk import Bulk
from deskmate.sandbox.collect import collect
from deskmate.sandbox.fulldisk import CURE, FULL, disk_is_full, wait_for_room
from deskmate.sandbox.laying import Laying
from deskmate.sandbox.listing import NAMES_LIMIT_BYTES, batches, given, listing
from deskmate.sandbox.listing import presented as listing_of_results
from deskmate.sandbox.process import Process
from deskmate.sandbox.rest import Rest
from deskmate.sandbox.template import FIRST_SPARE_ID, Template, practise
from deskmate.types.files import Difference, EarlierResults, Entry
from deskmate.types.ids import Digest
from deskmate.types.progress import Counted
from deskmate.types.wire import SPACE_BYTES

HEARTBEAT_GAP_S = 5.0
HEARTBEAT_LIMIT_S = 20.0
FULL_DISK_WAIT_S = 120.0
"""How long a machine is kept that finds no room on the host's disk."""
CLOCK_ERROR_S = 0.5
"""What the guest's clock may be late by."""
_CLOCK_TRIES = 4
SPARE_ROUNDS = 2
"""Rounds of practice of a waiting machine: what it does first is translated by then."""
_SLOWEST_BYTES_PER_S = 1 << 20
_FIXED_S = 120.0
_VALIDATE_S = 600.0


class QemuMachine:
    """A running VM. After its process dies every method raises SandboxUnavailable."""

    def __init__(
        self,
        vm: Process,
        guest: GuestClient,
        bulk: Bulk,
        template: Template,
        rest: Rest | None = None,
    ) -> None:
        """`rest`: stops the machine between uses; without it, it runs all the time."""
        self._rest = rest
        self._vm = vm
        self._guest = guest
        self._bulk = bulk
        self._template = template
        self._id = "m-" + secrets.token_hex(8)
        self._grants: frozenset[str] = frozenset()
        self._full = False
        self._laid_bytes = 0
        self._sizes: dict[Digest, int] = {}
        self._laying = Laying(vm.files, guest, self._transfer)

    @property
    def id(self) -> str:
        """Unique per restore."""
        return self._id

    @property
    def process(self) -> Process:
        """The QEMU process, for measurements and tests."""
        return self._vm

    @property
    def guest(self) -> GuestClient:
        """The client of the `agent` channel."""
        return self._guest

    @property
    def isolation(self) -> str:
        """What the first wall is."""
        kvm = self._template.shape.acceleration == "kvm"
        return "hardware" if kvm else "emulated (not a boundary)"

    @property
    def template(self) -> Digest:
        """Key of the template it was restored from."""
        return self._template.key

    @property
    def resting(self) -> bool:
        """Whether it is stopped until it is used again."""
        return self._rest is not None and self._rest.resting

    @property
    def fit(self) -> bool:
        """Whether its process still lives."""
        return self._vm.running

    def awake(self) -> AbstractAsyncContextManager[None]:
        """Keep it from being stopped while the context lasts."""
        return self._rest.in_use() if self._rest is not None else nullcontext()

    async def wake(self) -> None:
        """Let a machine that waited run again; `resume` must follow. Raises SandboxUnavailable."""
        await self._vm.qmp.execute("cont")

    async def resume(self) -> None:
        """Make the copy a machine of its own: time, random bytes, names.

        The guest's clock is late by what the message took; on a busy host that may be seconds, so it is
        told again: a copy that has woken up answers at once.
        """
        machine_id = secrets.token_hex(16)
        for _ in range(_CLOCK_TRIES):
            began = time.monotonic()
            await self._guest.resume(
                time_ns=time.time_ns(),
                seed=secrets.token_bytes(64),
                machine_id=machine_id,
                hostname=self._id,
            )
            if time.monotonic() - began < CLOCK_ERROR_S:
                return

    async def open(self, spec: SandboxSpec) -> None:
        """Lay out the workspace of a thread."""
        try:
            await self._guest.open(spec.grants, spec.config, spec.thread)
        except ProtocolError as error:
            await self._gone(error)
        self._grants = frozenset(grant.name for grant in spec.grants)

    async def put_base(
        self, entries: Sequence[Entry], blobs: BlobReader, progress: Progress
    ) -> None:
        """Lay the granted folders' files into the workspace as the read-only base.

        Of files without a digest only name, size and time are told.
        """
        laid = [entry for entry in entries if not entry.is_listed_only]
        listed = [entry for entry in entries if entry.is_listed_only]
        size = sum(entry.size for entry in laid)
        self._laid_bytes = _fitting(self._laid_bytes + size)
        if listed:
            names = listing(listed)
            await self._put("listing", (names.item,), names)
        items = items_of(laid, shared=True)
        if not laid:
            await self._put("base", (), blobs)
            return
        line = f"copying {len(laid)} entries ({size >> 20} MiB) into the virtual machine"
        progress(line)
        if await self._laying.take(items, blobs):
            return

        def told(done: int, total: int) -> None:
            progress(Counted(line, done=done, total=total, unit="bytes"))

        told(0, stream_size(items))
        await self._put("base", items, blobs, told=told)

    async def put_content(
        self,
        entries: Sequence[Entry],
        gone: Sequence[str],
        blobs: BlobReader,
        progress: Progress,
        *,
        more: bool = False,
    ) -> None:
        """Lay the content of files that `put_base` only named. Never while a call runs."""
        size = sum(entry.size for entry in entries)
        self._laid_bytes = _fitting(self._laid_bytes + size)
        by_path = {entry.path: entry for entry in entries}
        items = items_of(entries, shared=True)
        if await self._laying.take(items, blobs, [*by_path, *gone], more=more):
            return
        for batch in batches([*by_path, *gone], NAMES_LIMIT_BYTES):
            found = [by_path[path] for path in batch if path in by_path]
            await self._put("base", items_of(found, shared=True), blobs, delete=batch)

    async def put_checkpoint(
        self, changes: Difference, home: Sequence[Entry], blobs: BlobReader
    ) -> None:
        """Bring the overlay and the home folder to a checkpoint's state."""
        gone = [
            change.path
            for change in changes.changes
            if change.before is not None
            and (change.after is None or change.after.kind != change.before.kind)
        ]
        lists = batches(gone, NAMES_LIMIT_BYTES) or [[]]
        for batch in lists[:-1]:
            await self._put("overlay", (), blobs, delete=batch)
        after = [change.after for change in changes.changes if change.after is not None]
        if gone or after:
            await self._put("overlay", items_of(after), blobs, delete=lists[-1])
        if home:
            await self._put("home", items_of(home), blobs)

    async def put_results(self, told: EarlierResults, blobs: BlobReader) -> None:
        """Tell each plugin's tools what they presented in earlier machines, and what that was made from."""
        await self._put("results", items_of(_below("originals", told.originals)), blobs)
        for plugin, results in told.presented.items():
            document = listing_of_results(plugin, results)
            await self._put("results", (document.item,), document)

    async def _put(
        self,
        what: PutKind,
        items: Sequence[Item],
        blobs: BlobReader,
        *,
        delete: Sequence[str] = (),
        told: Callable[[int, int], None] | None = None,
    ) -> None:
        size = stream_size(items)
        chunks = stream(items, blobs)
        if told is not None:
            chunks = _telling(chunks, size, told)
        timeout_s = _FIXED_S + size / _SLOWEST_BYTES_PER_S
        async with self._transfer(), anyio.create_task_group() as tasks:
            tasks.start_soon(self._bulk.send, chunks)
            await self._guest.put(what, size, delete=delete, timeout_s=timeout_s)

    @asynccontextmanager
    async def _transfer(self) -> AsyncIterator[None]:
        """Hold the bulk channel. A transfer that fails half way leaves it unusable: the VM goes."""
        async with self._bulk.lock, self.awake():
            try:
                yield
            except BaseException as error:
                full = await disk_is_full(self._vm)
                await self._vm.kill()
                if (cause := _lost(error)) is not None:
                    if full:
                        raise SandboxUnavailable(FULL, hint=CURE) from error
                    raise SandboxUnavailable(
                        f"moving files to or from the virtual machine failed: {cause}",
                        hint="it is restored by itself",
                    ) from error
                if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
                    raise error.exceptions[0] from None  # as itself, for who must act on it
                raise

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        key: str,
        timeout_s: float,
        on_progress: Progress,
    ) -> ToolOutcome:
        """Run one tool under `key`; a VM that stops answering pings meanwhile is killed."""
        self._laying.drop()
        failure: ProtocolError | SandboxUnavailable | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._heartbeat, on_progress)
            try:
                return await self._guest.call(
                    tool, arguments, key=key, timeout_s=timeout_s, on_progress=on_progress
                )
            except (ProtocolError, SandboxUnavailable) as error:
                failure = error
            finally:
                tasks.cancel_scope.cancel()
        if isinstance(failure, ProtocolError) and await self.alive():
            # the guest refused this one call; the channel is whole
            return ToolOutcome(text=failure.message, is_error=True)
        assert failure is not None
        await self._gone(failure)

    async def _heartbeat(self, on_progress: Progress) -> None:
        while True:
            await anyio.sleep(HEARTBEAT_GAP_S)
            if await self._has_room(on_progress) and (
                await self.alive() or await disk_is_full(self._vm)  # it filled up meanwhile: wait
            ):
                continue
            await self._vm.kill()  # the call's connection ends with it
            return

    async def _has_room(self, on_progress: Progress) -> bool:
        """Wait while the host's disk is full; False when it stays so."""
        if not await disk_is_full(self._vm):
            return True
        self._full = not await wait_for_room(self._vm, on_progress, FULL_DISK_WAIT_S)
        return not self._full

    async def _gone(self, error: ProtocolError | SandboxUnavailable) -> NoReturn:
        """Kill what does not answer as it should, and say so in the one way callers know."""
        full = self._full or await disk_is_full(self._vm)
        await self._vm.kill()
        if full:
            raise SandboxUnavailable(FULL, hint=CURE) from error
        raise SandboxUnavailable(error.message, hint="it is restored by itself") from error

    async def status(self, key: str) -> tuple[CallState, ToolOutcome | None]:
        """Ask the guest's ledger what became of a key."""
        try:
            return await self._guest.status(key)
        except (ProtocolError, SandboxUnavailable) as error:
            await self._gone(error)

    async def difference(
        self, base: Sequence[Entry], blobs: Blobs
    ) -> tuple[Difference, tuple[Entry, ...]]:
        """Return what the workspace changed against `base`, and the home folder's entries."""
        async with self._transfer():
            return await collect(self._guest, self._bulk, base, blobs, self._grants, self._sizes)

    async def validate(self, request: ValidationRequest, blobs: BlobReader) -> ValidationReport:
        """Put deliverables and sources, run all rules, return the findings."""
        await self._put("clean", items_of(_with_folders(_clean(request, blobs))), blobs)
        document = given(request)
        await self._put("clean", (document.item,), document)
        try:
            return await self._guest.validate(
                deliverables=request.deliverables,
                files=request.files,
                config=request.config,
                timeout_s=_VALIDATE_S,
            )
        except (ProtocolError, SandboxUnavailable) as error:
            await self._gone(error)

    async def alive(self) -> bool:
        """Ping; False when it does not answer within its heartbeat."""
        if not self._vm.running:
            return False
        try:
            await self._guest.ping(HEARTBEAT_LIMIT_S)
        except (ProtocolError, SandboxUnavailable):
            return False
        return True


@asynccontextmanager
async def machine_of(vm: Process, template: Template, folder: Path) -> AsyncIterator[QemuMachine]:
    """Yield the machine over a restored process, resumed; its process is dead on exit.

    `folder`: where what the guest sends is kept, without a name, while it is read.
    """
    async with connect_guest(vm.agent) as guest, _resting(vm, guest) as rest:
        machine = QemuMachine(vm, guest, Bulk(vm.bulk, folder), template, rest)
        try:
            await machine.resume()
        except ProtocolError as error:
            raise SandboxUnavailable(error.message) from error
        try:
            yield machine
        finally:
            await vm.kill()


@asynccontextmanager
async def spare_of(vm: Process, template: Template, folder: Path) -> AsyncIterator[QemuMachine]:
    """Yield a machine that waits, stopped: practised, but without a clock, names or random bytes of its own.

    `wake` makes it run, `resume` makes it somebody. Its process is dead on exit.
    """
    async with connect_guest(vm.agent, FIRST_SPARE_ID) as guest:
        try:
            await practise(guest, rounds=SPARE_ROUNDS, settle_s=0)
            guest.number_from(1)
            await vm.qmp.execute("stop")
            async with _resting(vm, guest) as rest:
                yield QemuMachine(vm, guest, Bulk(vm.bulk, folder), template, rest)
        finally:
            await vm.kill()


@asynccontextmanager
async def _resting(vm: Process, guest: GuestClient) -> AsyncIterator[Rest]:
    """Stop the machine between uses for as long as the context lasts, from its first use on."""

    async def stop() -> None:
        await vm.qmp.execute("stop")

    async def go_on() -> None:
        await vm.qmp.execute("cont")
        await guest.set_clock(time.time_ns())

    rest = Rest(stop, go_on)
    guest.count_uses(rest.in_use)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rest.watch)
            try:
                yield rest
            finally:
                tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None  # the caller's own: the watch never raises


def _fitting(size: int) -> int:
    """Return a size that fits a machine. Raises UserError for any other."""
    if size > SPACE_BYTES:
        raise UserError(
            f"the granted folders hold {size >> 20} MiB; a virtual machine takes {SPACE_BYTES >> 20}",
            hint="grant a smaller folder",
        )
    return size


def _length(blobs: BlobReader, digest: Digest) -> int:
    return sum(len(chunk) for chunk in blobs.chunks(digest))


def _telling(
    chunks: Iterator[bytes], size: int, told: Callable[[int, int], None]
) -> Iterator[bytes]:
    """Pass a stream on, and tell how much of it was taken at every full percent."""
    done = percent = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        if 100 * done // size > percent:
            percent = 100 * done // size
            told(done, size)


def _lost(error: BaseException) -> str | None:
    """Return the reason if every part of the error means that the VM is lost, else None."""
    if isinstance(error, BaseExceptionGroup):
        causes = [_lost(part) for part in error.exceptions]
        return None if None in causes else next((cause for cause in causes if cause), None)
    if isinstance(error, ProtocolError | SandboxUnavailable):
        return error.message
    if isinstance(error, TimeoutError):
        return "nothing moved for a minute"
    if isinstance(error, anyio.EndOfStream | anyio.BrokenResourceError | anyio.ClosedResourceError):
        return "the virtual machine is gone"
    return None


def _clean(request: ValidationRequest, blobs: BlobReader) -> list[Entry]:
    """Return the files of a clean room."""
    files = {f"deliverables/{path}": digest for path, digest in request.files.items()}
    files |= {f"sources/{source.path}": source.sha256 for source in request.sources}
    return [
        Entry(path=path, kind="file", mode=0o644, size=_length(blobs, digest), sha256=digest)
        for path, digest in files.items()
    ]


def _with_folders(files: Sequence[Entry]) -> list[Entry]:
    """Return files with the folders that they lie in."""
    folders = {parent.as_posix() for file in files for parent in Path(file.path).parents}
    return [*files, *(Entry(path=path, kind="dir", mode=0o755) for path in folders - {"."})]


def _below(folder: str, files: Sequence[Entry]) -> list[Entry]:
    """Return files, and the folders that they lie in, below a folder and for everybody to read."""
    return _with_folders(
        [replace(file, path=f"{folder}/{file.path}", mode=0o644) for file in files]
    )
