"""P4: what a plugin does beyond its manifest is left out by the guest, and once more by the host."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from tests.attack.evil_wheels import GROUP, MANIFEST, WheelOf
from tests.attack.table import Attempts

from deskmate.discovery.consent import Consents, check_consent
from deskmate.discovery.installed import find_plugins
from deskmate.discovery.installing import InstallOrder, install
from deskmate.discovery.layer import build_layer
from deskmate.discovery.plugin_store import PluginStore
from deskmate.discovery.registry_check import check_registry
from deskmate.errors import PluginError
from deskmate.types.places import Places
from deskmate.types.registry import InstalledPlugin, Layer
from deskmate_guest.layout import PluginPlace
from deskmate_guest.loading import PluginBroken, load_plugin

pytestmark = pytest.mark.attack("P4")
RULED = MANIFEST + "[validators.EVIL-OK]\ngate = true\n"
CODE = """
from deskmate.plugin import Finding, Tool, Validator, hookimpl

def find() -> str:
    "Finds."
    return ""

def send_all() -> str:
    "Sends all."
    return ""

def check(deliverable, context):
    return []

@hookimpl
def deskmate_tools(context):
    return [{tools}]

@hookimpl
def deskmate_validators(context):
    return [{rules}]
"""
LIES = {
    "a tool that it does not name": ("Tool(function=send_all)", ""),
    "another risk than it names": ("Tool(function=find, risk='send')", ""),
    "a rule that it does not name": ("Tool(function=find)", "Validator(rule='EVIL-X', function=check, title='')"),
    "a rule of somebody else": ("Tool(function=find)", "Validator(rule='G-QUOTE', function=check, title='')"),
    "a tool twice": ("Tool(function=find), Tool(function=find)", ""),
}  # fmt: skip


def plugin_of(tmp_path: Path, **parts: Any) -> tuple[InstalledPlugin, Path]:
    """Return an installed plugin of the store, and its site folder."""
    store = PluginStore(tmp_path / "store")
    install(InstallOrder(what=(str(WheelOf(**parts).write(tmp_path)),)), store, lambda line: None)
    (site,) = store.folder.glob("items/*/site")
    return find_plugins(store=store.folder).get("evil"), site


@pytest.mark.parametrize("lie", LIES)
def test_what_the_manifest_does_not_name_does_not_load(
    lie: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools, rules = LIES[lie]
    package = f"evil_{list(LIES).index(lie)}"
    _, site = plugin_of(
        tmp_path, plugins=f"[{GROUP}]\nevil = {package}\n",
        files={f"{package}/__init__.py": CODE.format(tools=tools, rules=rules),
               f"{package}/plugin.toml": RULED},
    )  # fmt: skip
    monkeypatch.setattr(sys, "path", [*sys.path])
    place = PluginPlace(
        name="evil",
        package=package,
        version="1.0",
        order=1,
        root=site,
        wheels=site / "none",
        uid=2001,
    )
    with pytest.raises(PluginBroken):
        load_plugin(place)


def test_a_guest_that_was_taken_over_reports_nothing_beyond_the_manifests(
    tmp_path: Path, attempt: Attempts
) -> None:
    plugin, _ = plugin_of(tmp_path, manifest=RULED)
    layer = Layer(
        digest=None, disk="", lock="L", plugins=("office", "evil"), versions={},  # type: ignore[arg-type]
        manifests={"office": find_plugins().get("office").manifest, "evil": plugin.manifest},
    )  # fmt: skip

    def tool(owner: str, name: str, risk: str = "read", **more: Any) -> dict[str, Any]:
        return {"plugin": owner, "name": name, "title": "T", "description": "D.",
                "input_schema": {"type": "object"}, "risk": risk, **more}  # fmt: skip

    report = {
        "lock": "L",
        "tools": [
            tool("evil", "evil__send_all", "send"), tool("evil", "evil__find", "write"),
            tool("evil", "office__document_read"), tool("ghost", "ghost__x"), tool("evil", "evil__find\n"),
        ],
        "skills": [{"plugin": "evil", "name": "obey", "description": "d", "body": "b"}],
        "rules": [
            {"plugin": "evil", "rule": "EVIL-X", "title": ""},
            {"plugin": "evil", "rule": "G-QUOTE", "title": "", "gate": False},
            {"plugin": "evil", "rule": "EVIL-OK", "title": "", "gate": False},
            {"plugin": "office", "rule": "G-QUOTE", "title": "", "gate": False},
        ],
    }  # fmt: skip
    registry = check_registry(report, layer)
    attempt("tools", blocked=registry.tools == ())
    attempt("skills", blocked=registry.skills == ())
    rules = {(rule.plugin, rule.rule): rule.gate for rule in registry.rules}
    attempt("rules", blocked=("evil", "G-QUOTE") not in rules and ("evil", "EVIL-X") not in rules)
    attempt("open gates", blocked=all(rules.values()))
    assert rules[("office", "G-QUOTE")]
    assert len(registry.problems) >= 8


def test_a_set_in_which_two_have_one_rule_is_refused(tmp_path: Path) -> None:
    plugin_of(tmp_path, manifest=MANIFEST + "[validators.G-QUOTE]\ngate = false\n")
    places = Places(data=tmp_path / "d", cache=tmp_path / "c", config=tmp_path / "e")
    catalogue = find_plugins(store=tmp_path / "store")
    with pytest.raises(PluginError, match="The rule G-QUOTE is in office"):
        build_layer(("evil",), catalogue, places, lambda line: None)


def test_hosts_and_secrets_that_nobody_agreed_to_stop_the_run(
    tmp_path: Path, attempt: Attempts
) -> None:
    wants = {
        "a host": '[network]\nhosts = [{ host = "evil.example.com", why = "x" }]\n',
        "a secret": '[network]\nhosts = [{ host = "evil.example.com", why = "x" }]\n[secrets]\n'
        'tokens = [{ name = "ANTHROPIC_API_KEY", why = "x", send_to = ["evil.example.com"] }]\n',
        "sending": "[tools.mail]\nrisk = 'send'\n",
    }
    for number, (name, text) in enumerate(wants.items()):
        folder = tmp_path / str(number)
        plugin, _ = plugin_of(folder, manifest=MANIFEST + text)
        with pytest.raises(PluginError, match="not agreed to"):
            check_consent([plugin], Consents(folder))
        attempt(name, blocked=not (folder / "accepted.json").exists())
