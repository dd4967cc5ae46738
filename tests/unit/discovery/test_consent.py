"""What a plugin wants is agreed to once; what it wants beyond that is asked again, and a file that lies asks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deskmate.discovery.consent import Consents, check_consent, permissions_digest
from deskmate.errors import PluginError
from deskmate.types.registry import HostRule, InstalledPlugin, Manifest, SecretRule

INSIDE = Manifest(api=">=1", title="A", summary="s", tools={"find": "read", "put": "write"})
HOST = HostRule(host="api.example.com", methods=("GET",), why="to look")
SECRET = SecretRule(name="KEY", why="yours", send_to=("api.example.com",))


def acme(manifest: Manifest = INSIDE, **more: Any) -> InstalledPlugin:
    plugin = InstalledPlugin(
        name="acme", package="acme", distribution="deskmate-acme", version="1.0",
        manifest=manifest, files={},
    )  # fmt: skip
    return replace(plugin, **more)


def test_who_names_a_plugin_agrees_to_what_stays_in_the_machine(tmp_path: Path) -> None:
    consents = Consents(tmp_path)
    assert consents.missing(acme()) == ()
    check_consent([acme()], consents)
    assert consents.missing(acme()) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hosts": (HOST,)}, "to reach api.example.com (GET)"),
        ({"hosts": (HOST,), "secrets": (SECRET,)}, "your secret KEY sent to api.example.com"),
        ({"tools": {"find": "read", "mail": "send"}}, "the tool mail (send)"),
        ({"connectors": ("mail",)}, "connectors to mail"),
    ],
)
def test_what_reaches_out_of_the_machine_is_asked_for(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    plugin = acme(replace(INSIDE, **change))
    consents = Consents(tmp_path)
    assert words in consents.missing(plugin)
    with pytest.raises(PluginError, match="not agreed to") as caught:
        check_consent([plugin], consents)
    assert "plugin enable acme" in caught.value.hint
    assert consents.missing(plugin), "a refusal is no answer"
    consents.accept([plugin])
    assert consents.missing(plugin) == ()
    check_consent([plugin], consents)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tools": {**INSIDE.tools, "more": "read"}}, "the tool more (read)"),
        ({"tools": {"find": "write", "put": "write"}}, "the tool find (write)"),
        ({"hosts": (replace(HOST, methods=("GET", "POST")),)}, "to reach api.example.com (POST)"),
        ({"hosts": (HOST, replace(HOST, host="x.org"))}, "to reach x.org (GET)"),
        ({"secrets": (replace(SECRET, send_to=("api.example.com", "x.org")),)},
         "your secret KEY sent to x.org"),
        ({"secrets": (SECRET, replace(SECRET, name="B"))}, "your secret B sent to api.example.com"),
        ({"memory_mib": 1024}, "1024 MiB of memory"),
        ({"timeout_s": 900}, "900 seconds a call"),
        ({"data_classes": ("secret",)}, "data of the class secret"),
    ],
)  # fmt: skip
def test_any_widening_asks_again_and_a_narrowing_does_not(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    base = replace(INSIDE, hosts=(HOST,), secrets=(SECRET,))
    consents = Consents(tmp_path)
    consents.accept([acme(base)])
    wide = acme(replace(base, **change), version="1.1")
    assert consents.missing(wide) == (words,)
    with pytest.raises(PluginError, match="not agreed to"):
        check_consent([wide], consents)
    consents.accept([wide])
    assert consents.missing(acme(base)) == ()
    check_consent([acme(base)], consents)
    assert consents.missing(wide) == (words,), "what was given up is asked for again"


def test_another_distribution_of_the_same_name_inherits_nothing(tmp_path: Path) -> None:
    consents = Consents(tmp_path)
    consents.accept([acme()])
    assert consents.missing(acme(distribution="deskmate_ACME")) == ()
    assert "the tool find (read)" in consents.missing(acme(distribution="other"))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"format": 1}', '{"format": 1, "accepted": {"acme": 3}}',
             '{"format": 1, "accepted": {"acme": {"distribution": "deskmate-acme"}}}'],
)  # fmt: skip
def test_a_damaged_file_is_no_answer(text: str, tmp_path: Path) -> None:
    (tmp_path / "accepted.json").write_text(text)
    wide = acme(replace(INSIDE, hosts=(HOST,)))
    consents = Consents(tmp_path)
    assert consents.missing(wide)
    consents.accept([wide])
    assert consents.missing(wide) == ()


def test_a_built_in_plugin_is_never_asked_for(tmp_path: Path) -> None:
    own = acme(replace(INSIDE, hosts=(HOST,)), origin="deskmate", distribution="deskmate")
    assert Consents(tmp_path).missing(own) == ()
    Consents(tmp_path).accept([own])
    assert (
        "acme" not in (tmp_path / "accepted.json").read_text() if list(tmp_path.iterdir()) else True
    )


def test_a_store_plugin_that_calls_its_distribution_deskmate_is_not_built_in(
    tmp_path: Path,
) -> None:
    fake = acme(replace(INSIDE, hosts=(HOST,)), origin="store", distribution="deskmate")
    assert Consents(tmp_path).missing(fake)


def test_the_digest_changes_with_any_permission() -> None:
    digests = {
        permissions_digest(acme(manifest))
        for manifest in (INSIDE, replace(INSIDE, hosts=(HOST,)), replace(INSIDE, timeout_s=5))
    }
    assert len(digests) == 3
    assert permissions_digest(acme()) == permissions_digest(acme(replace(INSIDE, summary="other")))
