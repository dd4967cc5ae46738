"""Pictures that a tool shows: kept in the record, sent to a model that can see, named to one that cannot."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.agent.conftest import FlakySandbox, log

from deskmate.agent.asking import PICTURES_SHOWN, with_pictures
from deskmate.agent.conversation import messages_of
from deskmate.agent.window import PICTURE_CHARACTERS, blocks_size
from deskmate.models.anthropic import AnthropicModel
from deskmate.models.catalogue import ModelInfo, find_model
from deskmate.models.messages_api import MISSING, request_body
from deskmate.ports import ModelRequest, ToolOutcome
from deskmate.testing.fake_sandbox import FakePlugin
from deskmate.testing.memory import MemoryBlobs
from deskmate.testing.scripted_model import ScriptedModel
from deskmate.types.events import ModelReplied, ToolFinished
from deskmate.types.ids import Digest, ToolUseId
from deskmate.types.messages import Message, Picture, ToolResult, ToolUse
from deskmate.types.registry import ToolSpec

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Lab

    MakeLab = Callable[..., Lab]

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
DIGEST = Digest(hashlib.sha256(PNG).hexdigest())
PICTURE = Picture(media="image/png", sha256=DIGEST, bytes=len(PNG))


def camera() -> FakePlugin:
    spec = ToolSpec(
        plugin="lab",
        name="lab__look",
        title="",
        description="",
        input_schema={"type": "object"},
        risk="read",
    )

    def look(tree: Any, arguments: Mapping[str, Any]) -> ToolOutcome:
        return ToolOutcome(text="page 1", pictures=(PICTURE,), held={DIGEST: PNG})

    return FakePlugin(tools={"lab__look": (spec, look)})


async def test_a_picture_is_in_the_record_and_before_the_models_eyes(make_lab: MakeLab) -> None:
    model = ScriptedModel([(("lab__look", {}),), "A stamp."])
    lab = make_lab(model, sandbox=FlakySandbox({"lab": camera()}))
    assert (await lab.say("Is it stamped?")).reason == "done"
    (finished,) = lab.store.of(ToolFinished)
    assert finished.pictures == (PICTURE,)
    last = model.requests[-1]
    assert last.pictures == {DIGEST: PNG}
    (result,) = [b for m in last.messages for b in m.content if isinstance(b, ToolResult)]
    assert result.pictures == (PICTURE,)
    assert model.requests[0].pictures == {}


def request(*pictures: Picture, shown: Mapping[Digest, bytes] | None = None) -> ModelRequest:
    use = ToolUseId("toolu_1")
    result = ToolResult(tool_use_id=use, text="page 1", pictures=pictures)
    return ModelRequest(
        model="sonnet",
        system=("s",),
        tools=(),
        messages=(
            Message(role="assistant", content=(ToolUse(id=use, name="x", input={}),)),
            Message(role="user", content=(result,)),
        ),
        pictures=shown or {},
    )


def sent(request: ModelRequest, info: ModelInfo) -> list[dict[str, Any]]:
    content = request_body(request, info)["messages"][-1]["content"][0]["content"]
    assert isinstance(content, list)
    return content


def test_the_api_gets_the_picture_after_the_words() -> None:
    words, picture = sent(request(PICTURE, shown={DIGEST: PNG}), find_model("sonnet", {}))
    assert words == {"type": "text", "text": "page 1"}
    assert picture["type"] == "image"
    assert picture["source"] == {
        "type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode(),
    }  # fmt: skip


def test_who_sees_no_pictures_and_what_is_lost_is_told_in_words() -> None:
    shown = {DIGEST: PNG}
    blind = find_model("local-one", {})
    assert sent(request(PICTURE, shown=shown), blind)[1] == {"type": "text", "text": MISSING}
    seeing = find_model("local-one", {"local-one": {"pictures": True}})
    assert sent(request(PICTURE, shown=shown), seeing)[1]["type"] == "image"
    assert sent(request(PICTURE), seeing)[1] == {"type": "text", "text": MISSING}
    plain = request_body(request(), seeing)["messages"][-1]["content"][0]
    assert plain["content"] == "page 1"


def test_pictures_count_by_what_they_take_and_not_by_their_bytes() -> None:
    assert blocks_size(
        (ToolResult(tool_use_id=ToolUseId("t"), text="abc", pictures=(PICTURE,)),)
    ) == (3 + PICTURE_CHARACTERS)
    model = AnthropicModel(find_model("sonnet", {}), api_key="k")
    large = {DIGEST: PNG + bytes(90_000)}
    without = model.estimate_cost_usd(request())
    one = model.estimate_cost_usd(request(PICTURE, shown=large))
    assert without is not None
    assert one is not None
    price = model.info.price
    assert price is not None
    assert 1_600 <= (one - without) * 1_000_000 / price.cache_write <= 1_700


def test_of_very_many_pictures_the_newest_are_sent() -> None:
    blobs = MemoryBlobs()
    many = []
    for number in range(PICTURES_SHOWN + 5):
        content = PNG + bytes([number])
        many.append(Picture(media="image/png", sha256=blobs.put(content), bytes=len(content)))
    gone = Picture(media="image/png", sha256=Digest("0" * 64), bytes=3)
    found = with_pictures(request(*many, gone), blobs).pictures
    assert set(found) == {one.sha256 for one in many[-(PICTURES_SHOWN - 1) :]}


def test_a_result_is_told_with_its_pictures() -> None:
    use = ToolUseId("toolu_1")
    finished = ToolFinished(
        tool_use_id=use, tool="x", outcome="ok", text="page 1", pictures=(PICTURE,)
    )
    replied = ModelReplied(
        turn=1,
        model="m",
        content=(ToolUse(id=use, name="x", input={}),),
        stop_reason="tool_use",
    )
    messages = messages_of(log(replied, finished))
    (result,) = [b for m in messages for b in m.content if isinstance(b, ToolResult)]
    assert result.pictures == (PICTURE,)
