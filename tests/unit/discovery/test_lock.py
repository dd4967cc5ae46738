"""The lock names everything that makes a set, and nothing that does not."""

import dataclasses
import json

from deskmate.discovery.lock import guest_lock, lock_plugin, make_lock, permissions
from deskmate.types.ids import Digest
from deskmate.types.registry import HostRule, InstalledPlugin, Manifest


def plugin(**changes: object) -> InstalledPlugin:
    manifest = Manifest(api=">=1", title="Acme", summary="s", tools={"find": "read"})
    return InstalledPlugin(
        name="acme",
        package="acme",
        distribution="deskmate-acme",
        version="1.0",
        manifest=dataclasses.replace(manifest, **changes),  # type: ignore[arg-type]
        files={},
    )


def digest_of(one: InstalledPlugin, **files: str) -> str:
    hashes = {name: Digest(value) for name, value in files.items()}
    return make_lock([lock_plugin(one, "plugins/acme", hashes)]).digest


def test_the_order_of_files_does_not_matter() -> None:
    assert digest_of(plugin(), a="1", b="2") == digest_of(plugin(), b="2", a="1")


def test_a_changed_file_version_or_permission_is_another_set() -> None:
    first = digest_of(plugin(), a="1")
    newer = dataclasses.replace(plugin(), version="1.1")
    wider = plugin(hosts=(HostRule(host="a.example", why="w"),))
    riskier = plugin(tools={"find": "send"})
    digests = {first, digest_of(plugin(), a="2"), digest_of(newer, a="1")}
    assert len(digests | {digest_of(wider, a="1"), digest_of(riskier, a="1")}) == 5


def test_what_a_host_path_is_does_not_matter() -> None:
    moved = dataclasses.replace(plugin(), files={"a": "/elsewhere"}, editable=True)
    assert digest_of(plugin(), a="1") == digest_of(moved, a="1")


def test_permissions_are_what_the_user_agrees_to() -> None:
    agreed = permissions(plugin(hosts=(HostRule(host="a.example", why="w"),)).manifest)
    assert agreed == {"tools": {"find": "read"}, "hosts": [{"host": "a.example", "why": "w"}]}


def test_the_guest_gets_names_places_and_the_digest() -> None:
    lock = make_lock([lock_plugin(plugin(), "plugins/acme", {})])
    assert json.loads(guest_lock(lock, Digest("c" * 64))) == {
        "lock": lock.digest,
        "code": "c" * 64,
        "plugins": [
            {
                "name": "acme",
                "package": "acme",
                "version": "1.0",
                "order": 100,
                "root": "plugins/acme",
            }
        ],
    }
