"""The first steps: what the page's API does about the model, its key, the sample and a cure that takes its time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.web.conftest import Serve

from deskmate.connectors import vault
from deskmate.host import health, model_choice, samples
from deskmate.sandbox.host_checks import Check
from deskmate.types.places import Places

SECRET = "sk-ant-secret-0123456789"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No keyring, no key, no settings in the environment, a home of its own."""
    monkeypatch.setattr(
        model_choice, "open_vault", lambda folder, to_read=False: vault.Vault(folder, None)
    )
    for name in ("ANTHROPIC_API_KEY", "DESKMATE_MODEL", "DESKMATE_MODEL_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_a_key_is_kept_never_shown_used_and_forgotten(serve: Serve) -> None:
    server = serve()
    assert server.ask("GET", "/api/model").json()["key"] == ""
    refused = server.ask("POST", "/api/model", {"name": "sonnet"})
    assert (refused.status_code, "needs an API key" in refused.json()["error"]) == (400, True)
    kept = server.ask("POST", "/api/model/key", {"value": f" {SECRET}\n"})
    assert (kept.json()["key"], kept.json()["name"]) == ("kept", "sonnet")
    assert "readable by you alone" in kept.json()["place"]
    models = server.ask("GET", "/api/desk").json()["models"]
    assert {one["lacks"] for one in models} == {""}
    for path in ("/api/model", "/api/desk"):
        assert SECRET not in server.ask("GET", path).text
    assert server.ask("POST", "/api/model", {"name": "opus"}).json()["name"] == "opus"
    assert server.ask("DELETE", "/api/model/key").json()["key"] == ""
    again = server.ask("DELETE", "/api/model/key")
    assert (again.status_code, again.json()["error"]) == (400, "No key is kept here.")
    for value in ("", "kurz", "zwei\nZeilen " * 3):
        assert server.ask("POST", "/api/model/key", {"value": value}).status_code == 400


def test_a_server_is_chosen_and_what_is_none_is_refused(serve: Serve) -> None:
    server = serve()
    body = {"name": "local:qwen", "url": "http://127.0.0.1:8080"}
    found = server.ask("POST", "/api/model", body).json()
    assert (found["name"], found["url"]) == (body["name"], body["url"])
    for wrong in ({"name": "local", "url": "ftp://x"}, {"name": "nonsense"}, {}, {"nom": 1}):
        assert server.ask("POST", "/api/model", wrong).status_code == 400
    assert server.ask("GET", "/api/model").json()["name"] == "local:qwen"
    assert server.ask("POST", "/api/model", {"name": "offline"}).json()["name"] == "offline"


def test_what_is_written_by_hand_is_not_overruled_by_a_button(
    serve: Serve, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    places.config.mkdir(parents=True)
    (places.config / "config.toml").write_text('model = "offline"  # mine\n')
    assert "config.toml" in server.ask("GET", "/api/model").json()["fixed"]
    refused = server.ask("POST", "/api/model", {"name": "local", "url": "http://127.0.0.1:1"})
    assert refused.json()["hint"] == "Change it there."
    (places.config / "config.toml").unlink()
    monkeypatch.setenv("DESKMATE_MODEL", "offline")
    assert "DESKMATE_MODEL" in server.ask("GET", "/api/model").json()["fixed"]


def test_a_model_is_asked_for_one_word(serve: Serve) -> None:
    found = serve(["ready"]).ask("POST", "/api/model/try").json()
    assert found["text"] == "ready"


def test_the_sample_is_made_where_it_is_in_nobodys_way(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    made = server.ask("POST", "/api/sample")
    folder = Path(made.json()["folder"])
    assert (made.status_code, folder) == (201, tmp_path / samples.NAME)
    assert sorted(path.name for path in folder.iterdir()) == sorted(samples.sample_files())
    assert server.ask("POST", "/api/sample").json()["folder"] == str(folder)
    (folder / "playbook.yaml").write_text("mine")
    assert server.ask("POST", "/api/sample").json()["folder"] == f"{folder} 2"
    assert (folder / "playbook.yaml").read_text() == "mine"


def test_a_cure_that_takes_its_time_says_how_far_it_is(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, go_on = threading.Event(), threading.Event()

    async def examined(places: Places, boot: object) -> tuple[Check, ...]:
        return (Check(name="image", state="fail", cause="not built"),)

    def cured(check: Check, places: Places, progress: object) -> str:
        assert callable(progress)
        progress("step 1 of 4")
        said.set()
        assert go_on.wait(30)
        return "built it"

    monkeypatch.setattr(health, "examine_all", examined)
    monkeypatch.setattr(health, "cure_check", cured)
    server, done = serve(), list[str]()

    def ask() -> None:
        done.append(server.ask("POST", "/api/health/cure", {"name": "image"}).json()["did"])

    asking = threading.Thread(target=ask)
    asking.start()
    assert said.wait(30)
    found = server.ask("GET", "/api/health/cure").json()
    assert found == {"name": "image", "line": "step 1 of 4"}
    go_on.set()
    asking.join(30)
    assert done == ["built it"]
    assert server.ask("GET", "/api/health/cure").json() == {"name": "", "line": ""}
