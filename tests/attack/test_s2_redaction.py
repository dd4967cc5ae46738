"""S2: secrets that a model, a tool, an error or a URL says are taken out before anything is stored or told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.attack.canary import Canary
from tests.attack.table import Attempts

from deskmate.connectors.vault import Vault
from deskmate.errors import DeskmateError, ModelRejected
from deskmate.host import Host, RunOrder
from deskmate.ports import ModelReply, ModelRequest, ToolOutcome
from deskmate.store.archive import export_thread
from deskmate.store.blobs import BlobStore
from deskmate.store.thread import open_thread
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.scripted_model import Line, ScriptedModel
from deskmate.types.places import Places
from deskmate.types.registry import ToolSpec

pytestmark = [pytest.mark.anyio, pytest.mark.attack("S2")]


class Nobody:
    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return None


class Rejected(ScriptedModel):
    """A model whose server answers with the key in its error."""

    def __init__(self, key: str) -> None:
        super().__init__(["x"])
        self._key = key

    async def reply(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        raise ModelRejected(f"401 for https://api.example.test/?key={self._key}: bad key")


def sandbox_that_says(text: str) -> FakeSandbox:
    spec = ToolSpec(
        plugin="leak", name="leak__say", title="Say", description="x", input_schema={"type": "object"}, risk="read"
    )  # fmt: skip
    outcome = ToolOutcome(text=text * 3000, structured={"deep": [{text: text}]})
    fail = ToolSpec(
        plugin="leak", name="leak__fail", title="Fail", description="x", input_schema={"type": "object"}, risk="read"
    )  # fmt: skip
    failed = ToolOutcome(text=f"KeyError: {text}", is_error=True)
    tools = {
        "leak__say": (spec, lambda tree, arguments: outcome),
        "leak__fail": (fail, lambda tree, arguments: failed),
    }
    return FakeSandbox({"leak": FakePlugin(tools=tools)})


async def files_of(places: Places, thread: str, folder: Path) -> dict[str, bytes]:
    """Return what is on disk after a run: log, write-ahead log, blobs, and an export unpacked."""
    import zipfile

    found = {str(file): file.read_bytes() for file in places.data.rglob("*") if file.is_file()}
    blobs = BlobStore(places.blobs)
    for file in places.blobs.rglob("*"):
        if file.is_file() and len(file.name) >= 60:
            name = "".join(file.relative_to(places.blobs).parts)[-64:].partition(".")[0]
            found[f"blob {name}"] = blobs.read(name) if len(name) == 64 else b""  # type: ignore[arg-type]
    async with open_thread(places.threads, thread, write=False) as store:
        await export_thread(store, blobs, folder / "out.zip")
        found["events"] = repr(await store.events()).encode()
    with zipfile.ZipFile(folder / "out.zip") as archive:
        found |= {f"export {name}": archive.read(name) for name in archive.namelist()}
    return found


@pytest.mark.parametrize("kind", ["model key", "kept secret"])
async def test_a_secret_that_is_said_is_stored_nowhere(
    tmp_path: Path, canary: Canary, attempt: Attempts, kind: str
) -> None:
    places = Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")
    environ = {"ANTHROPIC_API_KEY": canary.text} if kind == "model key" else {}
    if kind == "kept secret":
        Vault(places.config, None).set("shop", "KEY", canary.text)
    said: list[object] = []
    runs: list[Line] = [
        (("leak__say", {"url": f"https://x.test/?k={canary.text}"}), ("leak__fail", {})),
        f"The key is {canary.text}, reversed {canary.text[::-1]}, in hex {canary.text.encode().hex()}.",
    ]
    host = Host(
        places, environ=environ, sandbox=sandbox_that_says(canary.text), model=ScriptedModel(runs)
    )
    order = RunOrder(text=f"My key is {canary.text}", plugins=("leak",))
    result = await host.run(order, None, observer=said.append, approver=Nobody())
    assert result.reason == "done", result
    stored = await files_of(places, result.thread, tmp_path)
    assert len(stored) > 4
    assert any("⟦secret:".encode() in data for data in stored.values())
    for name, data in stored.items():
        attempt(f"{kind} in {name[-40:]}", blocked=not canary.found(data))
    attempt(f"{kind} in the result", blocked=not canary.found(repr(result).encode()))
    events = [item for item in said if type(item).__name__ == "Event"]
    attempt(f"{kind} in what is shown", blocked=not canary.found(repr(events).encode()))


async def test_a_key_in_an_error_is_told_to_nobody(
    tmp_path: Path, canary: Canary, attempt: Attempts
) -> None:
    places = Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")
    said: list[object] = []
    host = Host(
        places,
        environ={"ANTHROPIC_API_KEY": canary.text},
        sandbox=sandbox_that_says("nothing"),
        model=Rejected(canary.text),
    )
    told = ""
    thread = await host.create_thread("x")
    try:
        told = repr(
            await host.run(RunOrder(text="Go"), thread, observer=said.append, approver=Nobody())
        )
    except DeskmateError as error:
        told = f"{error} {error.message} {error.hint} {error.args}"
    attempt("the result or error", blocked=not canary.found(told.encode()))
    attempt("what is shown", blocked=not canary.found(repr(said).encode()))
    for name, data in (await files_of(places, thread, tmp_path)).items():
        attempt(name[-40:], blocked=not canary.found(data))
