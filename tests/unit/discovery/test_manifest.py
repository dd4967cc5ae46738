"""plugin.toml is read strictly, and every error names file, key and what is wrong."""

import re
import tomllib
from pathlib import Path

import pytest

from deskmate.discovery.manifest import MANIFEST_LIMIT_BYTES, read_manifest, settings_of
from deskmate.errors import ConfigError

MINIMAL = 'api = ">=1,<2"\ntitle = "Acme"\nsummary = "Does things."\n'
ROOT = Path(__file__).parents[3]


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_manifest(text.encode(), "acme/plugin.toml")
    assert caught.value.message.startswith("acme/plugin.toml")
    return caught.value.message


def test_the_smallest_manifest_has_the_documented_defaults() -> None:
    manifest = read_manifest(MINIMAL.encode(), "x")
    assert manifest.order == 100
    assert (manifest.memory_mib, manifest.timeout_s) == (384, 120)
    assert not manifest.tools
    assert not manifest.hosts


def test_the_reference_page_is_itself_a_valid_manifest() -> None:
    page = (ROOT / "docs/reference/plugin-toml.md").read_text()
    match = re.search(r"```toml\n(.*?)```", page, re.S)
    assert match
    manifest = read_manifest(match[1].encode(), "docs")
    assert manifest.tools == {"contract_parse": "read"}
    assert manifest.validators == {"LEGAL-REJECT-ALL": True}
    assert manifest.skills == ("review-contract",)
    assert manifest.hosts[0].host == "api.example.com"
    assert manifest.secrets[0].send_to == ("api.example.com",)
    assert manifest.config["playbook"]["default"] == ""
    assert manifest.guest_packages == ("eyecite",)
    assert manifest.connectors == ("document storage",)
    assert manifest.data_classes == ("confidential",)


def test_the_schema_knows_every_table_of_the_reference_page_and_no_other() -> None:
    page = (ROOT / "docs/reference/plugin-toml.md").read_text()
    match = re.search(r"```toml\n(.*?)```", page, re.S)
    assert match
    import json

    schema = json.loads((ROOT / "core/src/deskmate/discovery/plugin.schema.json").read_text())
    assert set(tomllib.loads(match[1])) == set(schema["properties"])


def test_a_misspelt_key_is_named_with_what_was_meant() -> None:
    assert "unknown key sumary, did you mean summary" in refusal(
        'api = ">=1"\ntitle = "A"\nsumary = "x"\n'
    )


def test_a_misspelt_key_in_a_table_is_named_with_its_table() -> None:
    assert "unknown key tools.find.riks, did you mean risk" in refusal(
        MINIMAL + '[tools.find]\nriks = "read"\n'
    )


def test_a_missing_key_is_named() -> None:
    assert "title is missing" in refusal('api = ">=1"\nsummary = "x"\n')


def test_an_unknown_risk_is_answered_with_the_choices() -> None:
    text = refusal(MINIMAL + '[tools.find]\nrisk = "delete"\n')
    assert "tools.find.risk is 'delete', expected one of read, write, send" in text


def test_a_tool_name_that_cannot_go_on_the_wire_is_refused() -> None:
    assert "'a b'" in refusal(MINIMAL + '[tools."a b"]\nrisk = "read"\n')


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "localhost",
        "*.example.com",
        "example.com:80",
        "https://example.com",
        "Example.com",
        "[::1]",
        "2130706433",
    ],
)
def test_a_host_is_a_plain_name_and_never_an_address(host: str) -> None:
    assert "network.hosts.0.host" in refusal(
        MINIMAL + f'[network]\nhosts = [{{ host = "{host}", why = "w" }}]\n'
    )


def test_a_secret_may_only_go_to_a_host_that_is_named() -> None:
    text = (
        MINIMAL + '[secrets]\ntokens = [{ name = "KEY", why = "w", send_to = ["evil.example"] }]\n'
    )
    assert "KEY goes to evil.example" in refusal(text)


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ("integer", '"1"'),
        ("integer", "true"),
        ("string", "1"),
        ("boolean", "0"),
        ("number", "false"),
    ],
)
def test_a_default_of_the_wrong_type_is_refused(kind: str, default: str) -> None:
    text = MINIMAL + f'[config.x]\ntype = "{kind}"\ndefault = {default}\n'
    assert "config.x.default" in refusal(text)


def test_a_setting_without_a_default_is_refused() -> None:
    assert "config.x.default is missing" in refusal(MINIMAL + '[config.x]\ntype = "string"\n')


@pytest.mark.parametrize("api", [">=2", "<1", "==0.9"])
def test_a_plugin_for_another_api_version_says_both_versions(api: str) -> None:
    text = refusal(MINIMAL.replace(">=1,<2", api))
    assert api in text
    assert "this Deskmate has 1.0" in text


def test_a_nonsense_api_range_is_refused() -> None:
    assert "expected a version range" in refusal(MINIMAL.replace(">=1,<2", "newest"))


def test_a_guest_package_is_a_name_and_not_an_address() -> None:
    assert "guest.packages.0" in refusal(MINIMAL + '[guest]\npackages = ["git+https://x"]\n')


def test_a_control_character_in_a_title_is_refused() -> None:
    assert "title" in refusal(MINIMAL.replace('"Acme"', '"Ac\\u001bme"'))


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe", b"api = ", b"x" * (MANIFEST_LIMIT_BYTES + 1), b"a=" + b"[" * 20_000, b"\x00"],
)
def test_what_is_no_manifest_is_one_clear_error(content: bytes) -> None:
    with pytest.raises(ConfigError):
        read_manifest(content, "acme/plugin.toml")


def test_many_problems_are_counted_and_three_are_shown() -> None:
    text = MINIMAL + "".join(f'[tools.t{n}]\nrisk = "x"\n' for n in range(5))
    assert "and 2 more" in refusal(text)


def test_every_manifest_of_this_checkout_is_valid() -> None:
    found = [
        file
        for top in ("core/src", "plugins", "examples")
        for file in (ROOT / top).rglob("plugin.toml")
    ]
    assert found
    for file in found:
        read_manifest(file.read_bytes(), str(file))


HEAD = 'api=">=1,<2"\ntitle="T"\nsummary="S"\n'


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "[" + ".".join(["a"] * 20_000) + "]\n",
        HEAD + ".".join(["a"] * 30_000) + "=1",
        HEAD + ".".join(['"a"'] * 10_000) + "=1",
        HEAD + "[config.x]\ndefault=" + "[" * 30_000,
        HEAD + "order=" + "9" * 60_000,
        HEAD + '[tools."x\\n"]\nrisk="read"\n',
        HEAD + '[validators."LEGAL-X\\n"]\n',
        'api=">=1,<2"\ntitle="T\\n"\nsummary="S"\n',
    ],
)
def test_a_hostile_manifest_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError):
        read_manifest(text.encode(), "plugin.toml")


AUTHOR = MINIMAL + '[config.author]\ntype = "string"\ndefault = "Acme"\nhelp = "Whose name."\n'


def test_a_setting_that_the_user_did_not_give_has_its_default() -> None:
    manifest = read_manifest(AUTHOR.encode(), "x")
    assert settings_of("acme", manifest, {}) == {"author": "Acme"}
    assert settings_of("acme", manifest, {"author": "Me"}) == {"author": "Me"}


@pytest.mark.parametrize("given", [{"author": 3}, {"auhtor": "Me"}])
def test_a_setting_that_does_not_fit_is_named(given: dict[str, object]) -> None:
    manifest = read_manifest(AUTHOR.encode(), "x")
    with pytest.raises(ConfigError, match=rf"plugins\.acme\.{next(iter(given))} is"):
        settings_of("acme", manifest, given)
