"""What an administrator allows: read from a file that users cannot change, and held to by every front door."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.unit.formats.material import lay, plain

from deskmate.cli.output import Session
from deskmate.cli.plugin_hooks import hooks_command
from deskmate.discovery.bringing import BringOrder, bring
from deskmate.discovery.hooking import HookApprovals, hooks_digest
from deskmate.discovery.installed import find_plugins
from deskmate.discovery.plugin_store import PluginStore
from deskmate.errors import ConfigError, UserError
from deskmate.host import Host, RunOrder, organisation, set_thread_plugins
from deskmate.host.adapters import Adapters
from deskmate.host.organisation import Organisation, read_organisation
from deskmate.ports import Approver, Delta
from deskmate.store.thread import open_thread
from deskmate.testing.fake_sandbox import FakePlugin, FakeSandbox
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import ApplyFinished, Event
from deskmate.types.files import Grant
from deskmate.types.network import NetworkRule
from deskmate.types.places import Places

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    file = tmp_path / "etc/organisation.toml"
    monkeypatch.setattr(organisation, "FILE", file)
    monkeypatch.setattr(organisation, "OWNER", os.getuid())

    def make(text: str) -> Path:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o644)
        return file

    return make


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(data=tmp_path / "data", cache=tmp_path / "cache", config=tmp_path / "config")


@pytest.fixture
def grant(tmp_path: Path) -> Grant:
    (tmp_path / "work").mkdir()
    return Grant(name="work", folder=str(tmp_path / "work"), mode="rw")


class Nobody(Approver):
    async def approve(self, tool: object, arguments: object, why: str) -> bool | None:
        return None


def house(places: Places, *lines: tuple[tuple[str, Mapping[str, Any]], ...]) -> Host:
    sandbox = FakeSandbox({"lab": FakePlugin(), "other": FakePlugin()})
    return Host(places, sandbox=sandbox, model=ScriptedModel([*lines, "Done."]))


def test_without_a_file_nothing_is_forbidden(write: Write) -> None:
    assert read_organisation() == Organisation()
    assert read_organisation().lines == ()


def test_patterns_allow_and_all_else_is_refused_in_one_line(write: Write) -> None:
    write(
        '[plugins]\nallow=["legal", "acme-*"]\n[models]\nallow=["local:*"]\nservers=["127.0.0.1"]\n'
        '[hosts]\nallow=["*.example.com"]\n[connectors]\nallow=[]\n[hooks]\nallow=["acme-*"]\n[folders]\nmodes=["ro"]\n[apply]\nmodes=["review"]\n'
    )
    held = read_organisation()
    held.check_plugins(["legal", "acme-crm"])
    held.check_model("local:llama", ["127.0.0.1"])
    held.check_hosts([NetworkRule(host="api.example.com")])
    held.check_apply("review")
    held.check_hooks("acme-crm")
    grant = Grant(name="w", folder="/w", mode="ro")
    held.check_folders([grant])
    refusals: tuple[tuple[Callable[[], None], str], ...] = (
        (lambda: held.check_plugins(["legal", "hr"]), "the plugin hr; allowed: legal, acme-*"),
        (lambda: held.check_model("sonnet", []), "the model sonnet"),
        (lambda: held.check_model("local:x", ["far.example"]), "models at far.example"),
        (lambda: held.check_hosts([NetworkRule(host="example.com.evil")]), "requests to"),
        (lambda: held.check_connector("https://mcp.example.com"), "allowed: none"),
        (lambda: held.check_folders([replace(grant, mode="rw")]), "mode rw (/w)"),
        (lambda: held.check_apply("all"), "--apply all"),
        (lambda: held.check_hooks("legal"), "hooks of the plugin legal; allowed: acme-*"),
    )
    for check, words in refusals:
        with pytest.raises(UserError) as caught:
            check()
        assert words in caught.value.message
        assert "\n" not in caught.value.message
    rules = (NetworkRule(host="a.example.com"), NetworkRule(host="b.other"))
    assert held.within(rules) == rules[:1]
    assert len(held.lines) == 8


@pytest.mark.parametrize(
    "text",
    ['[plugin]\nallow=["x"]', '[plugins]\nallowed=["x"]', "[plugins]\nallow='x'", "[plugins]\nallow=[1]", "[[", "plugins=1"],
)  # fmt: skip
def test_what_is_not_understood_allows_nothing(write: Write, text: str) -> None:
    write(text)
    with pytest.raises(ConfigError) as caught:
        read_organisation()
    assert "\n" not in caught.value.message


def test_a_file_that_others_could_change_allows_nothing(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write("[plugins]\nallow=['legal']")
    file.chmod(0o666)
    with pytest.raises(ConfigError, match="could be changed by others"):
        read_organisation()
    file.chmod(0o644)
    monkeypatch.setattr(organisation, "OWNER", os.getuid() + 1)
    with pytest.raises(ConfigError, match="could be changed by others"):
        read_organisation()
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_organisation()


def test_models_are_held_to_their_servers(write: Write, places: Places) -> None:
    write('[models]\nservers=["127.0.0.1"]\n')
    environ = {"DESKMATE_MODEL_URL": "http://127.0.0.1:9", "ANTHROPIC_API_KEY": "k"}
    assert Adapters(places, environ=environ).model("local:x").name == "local:x"
    assert Adapters(places, environ={}).model("offline").name == "offline"
    for name, changed in (
        ("sonnet", environ),
        ("local:x", {**environ, "DESKMATE_MODEL_URL": "https://far.example"}),
        ("sonnet", {**environ, "ANTHROPIC_BASE_URL": "https://far.example"}),
    ):
        with pytest.raises(UserError, match="does not allow models at"):
            Adapters(places, environ=changed).model(name)


@pytest.mark.anyio
async def test_nothing_is_stored_for_an_order_that_is_not_allowed(
    write: Write, places: Places, grant: Grant
) -> None:
    write(
        '[plugins]\nallow=["lab"]\n[folders]\nmodes=["ro"]\n[hosts]\nallow=[]\n[apply]\nmodes=["review"]\n'
    )
    base = RunOrder(text="Go.", plugins=("lab",), grants=(replace(grant, mode="ro"),))
    for order in (
        replace(base, plugins=("lab", "other")),
        replace(base, grants=(grant,)),
        replace(base, hosts=(NetworkRule(host="example.com"),)),
        replace(base, apply="all"),
    ):
        with pytest.raises(UserError, match="Your organisation does not allow"):
            await house(places).run(order, None, observer=lambda item: None, approver=Nobody())
    assert not places.threads.exists()
    done = await house(places).run(base, None, observer=lambda item: None, approver=Nobody())
    assert done.reason == "done"


@pytest.mark.anyio
async def test_it_holds_for_threads_that_began_before_it(
    write: Write, places: Places, grant: Grant
) -> None:
    order = RunOrder(text="Go.", plugins=("other",), grants=(grant,), apply="all")
    call = (("workspace__write", {"path": "work/new.txt", "content": "new"}),)
    first = await house(places, call).run(
        order, None, observer=lambda item: None, approver=Nobody()
    )
    assert first.applied
    again = RunOrder(text="And again.")

    async def refused(text: str) -> str:
        write(text)
        with pytest.raises(UserError) as caught:
            await house(places).run(
                again, first.thread, observer=lambda item: None, approver=Nobody()
            )
        return caught.value.message

    assert "the plugin other" in await refused('[plugins]\nallow=["lab"]')
    assert "folders in the mode rw" in await refused('[folders]\nmodes=["ro"]')
    write('[plugins]\nallow=["lab"]')
    with pytest.raises(UserError, match="the plugin other"):
        await set_thread_plugins(places, first.thread, ["other"], lambda line: None)
    write('[apply]\nmodes=["review"]')
    other = (("workspace__write", {"path": "work/more.txt", "content": "more"}),)
    with pytest.raises(UserError, match="--apply all"):
        house(places, other).check(replace(again, apply="all"), new=False)
    async with open_thread(places.threads, first.thread, write=False) as store:
        applied = [e for e in await store.events() if isinstance(e.payload, ApplyFinished)]
    assert len(applied) == 1


@pytest.mark.anyio
async def test_hosts_of_earlier_are_reached_no_more(
    write: Write, places: Places, grant: Grant
) -> None:
    hosts = (NetworkRule(host="a.example"), NetworkRule(host="b.example"))
    order = RunOrder(text="Go.", grants=(grant,), hosts=hosts)
    first = await house(places).run(order, None, observer=lambda item: None, approver=Nobody())
    write('[hosts]\nallow=["a.*"]')
    heard: list[str] = []

    def hear(item: Event | Delta) -> None:
        if isinstance(item, Delta):
            heard.append(item.text)

    again = RunOrder(text="And again.")
    await house(places).run(again, first.thread, observer=hear, approver=Nobody())
    assert "your organisation does not allow requests to b.example" in heard
    assert not [line for line in heard if "a.example" in line]


def test_hooks_that_a_user_had_allowed_are_off_and_cannot_be_allowed_anew(
    write: Write, places: Places, tmp_path: Path
) -> None:
    hooks = json.dumps({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "true"}]}]}})
    folder = lay(tmp_path / "acme", plain(**{"hooks/hooks.json": hooks}))
    bring(BringOrder(what=str(folder)), PluginStore(places.plugins), lambda line: None)
    approvals = HookApprovals(places.plugins)
    approvals.allow("acme", hooks_digest(find_plugins([], store=places.plugins).get("acme")))
    adapters, heard = Adapters(places, environ={}), list[str]()
    assert [hook.plugin for hook in adapters.hooks(("acme",), heard.append)] == ["acme"]
    write('[hooks]\nallow=["other"]')
    assert adapters.hooks(("acme",), heard.append) == ()
    assert heard == ["your organisation does not allow hooks of acme"]
    session = Session(places=places)
    shown = CliRunner().invoke(hooks_command, ["acme"], obj=session)
    assert "your organisation does not allow them" in shown.output
    told = CliRunner().invoke(hooks_command, ["acme", "--json"], obj=session)
    assert json.loads(told.stdout)["allowed"] is False
    allowing = CliRunner().invoke(hooks_command, ["acme", "--allow", "--yes"], obj=session)
    assert isinstance(allowing.exception, UserError)
