"""Skills as the model meets them: a prompt that stays small and the same, and texts that are filled in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deskmate.agent.context import build_request
from deskmate.agent.dispatch import Dispatcher
from deskmate.agent.skills import Reading, find_skill, is_paged, read_skill, search_skills
from deskmate.agent.uses import Use
from deskmate.errors import ToolInputError
from deskmate.types.events import Event, ModelReplied, ToolFinished, UserSaid
from deskmate.types.foreign import Category, ForeignText
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.messages import Text, ToolUse
from deskmate.types.policy import Rules
from deskmate.types.registry import Registry, SkillSpec

MakeLog = Callable[..., tuple[Event, ...]]
NONE = Digest("0" * 64)
TOPICS = (
    "invoice",
    "contract",
    "deck",
    "roadmap",
    "ticket",
    "vendor",
    "forecast",
    "campaign",
    "lead",
    "payroll",
)
JOBS = ("review", "write", "summarise", "compare", "check", "plan")


def foreign(
    name: str, description: str = "Does it.", body: str = "Text.", **about: Any
) -> SkillSpec:
    plugin = name.partition(":")[0]
    owner = f"/opt/plugins/brought/{plugin}"
    place = ForeignText(folder=f"{owner}/skills/x", owner=owner, **about)
    return SkillSpec(plugin=plugin, name=name, description=description, body=body, foreign=place)


def many(count: int = 300) -> Registry:
    skills = []
    for number in range(count):
        topic, job = TOPICS[number % 10], JOBS[number // 10 % 6]
        text = f"Use to {job} a {topic} of team {number}. " + "It covers all the usual cases. " * 8
        skills.append(foreign(f"kit-{number % 7}:{job}-{topic}-{number}", text))
    return Registry(lock=NONE, skills=tuple(skills))


def said(text: str) -> UserSaid:
    return UserSaid(run=RunId("r"), text=text, model="m")


def replied(text: str) -> ModelReplied:
    return ModelReplied(turn=1, model="m", content=(Text(text=text),), stop_reason="end_turn")


def test_up_to_fifty_skills_are_listed_by_name(make_log: MakeLog) -> None:
    registry = Registry(lock=NONE, skills=tuple(foreign(f"a:s{n}") for n in range(50)))
    request = build_request(make_log(said("Hi")), registry, "m")
    assert request.system[-1].count("\n- a:s") == 50
    assert [tool.name for tool in request.tools][2:] == ["skill__read"]
    assert "skill" not in str(request.messages[0].content[0])


def test_many_skills_leave_the_prompt_small_and_those_that_fit_are_named_with_the_request(
    make_log: MakeLog,
) -> None:
    request = build_request(make_log(said("Please compare the vendors")), many(5_000), "m")
    assert len("".join(request.system)) < 4_000
    assert [tool.name for tool in request.tools][2:] == ["skill__read", "skill__search"]
    circumstances, beside, words = [
        block.text for block in request.messages[0].content if isinstance(block, Text)
    ]
    assert words == "Please compare the vendors"
    lines = beside.splitlines()
    assert lines[0] == "[deskmate] Skills that may fit:"
    assert 1 < len(lines) <= 9
    assert all("compare-vendor" in line for line in lines[1:])
    assert len(beside) < 3_000
    assert circumstances.startswith("[deskmate] Today is")


def test_what_was_sent_before_stays_the_same_so_that_it_is_cached(make_log: MakeLog) -> None:
    registry = many()
    first = build_request(make_log(said("Review the contract")), registry, "m")
    later = build_request(
        make_log(said("Review the contract"), replied("Done."), said("Plan the campaign")),
        registry,
        "m",
    )
    turned = Registry(lock=NONE, skills=registry.skills[::-1])
    assert (first.system, first.tools) == (later.system, later.tools)
    assert later.messages[: len(first.messages)] == first.messages
    assert (
        build_request(make_log(said("Review the contract")), turned, "m").messages == first.messages
    )
    assert build_request(make_log(said("Review the contract")), turned, "m").system == first.system


def test_words_that_fit_nothing_add_nothing(make_log: MakeLog) -> None:
    request = build_request(make_log(said("the of and xyzzy")), many(), "m")
    assert len(request.messages[0].content) == 2


def test_own_skills_stay_in_the_prompt_beside_many_others(make_log: MakeLog) -> None:
    own = SkillSpec(plugin="legal", name="nda", description="Own.", body="Own text.")
    registry = Registry(lock=NONE, skills=(own, *many().skills))
    system = build_request(make_log(said("Hi")), registry, "m").system[-1]
    assert "- nda: Own." in system
    assert "kit-0 (43)" in system


def test_long_descriptions_alone_page_the_catalogue() -> None:
    assert is_paged(
        Registry(lock=NONE, skills=tuple(foreign(f"a:s{n}", "x " * 2_000) for n in range(49)))
    )
    assert not is_paged(
        Registry(lock=NONE, skills=tuple(foreign(f"a:s{n}", "x " * 100) for n in range(49)))
    )


def test_a_search_is_ranked_and_paged() -> None:
    first = search_skills(many(), "reviewing contracts", 1)
    assert first.startswith("Skills 1 to 20 of ")
    assert "; more on page 2:" in first.splitlines()[0]
    assert "review-contract" in first.splitlines()[1]
    assert search_skills(many(), "reviewing contracts", 1) == first
    assert search_skills(many(), "", 15).startswith("Skills 281 to 300 of 300")
    assert search_skills(many(), "", 99) == "No skill on this page; 300 of 300 skills fit."
    assert search_skills(many(), "xyzzy", 1) == "No skill fits; 0 of 300 skills fit."


def test_a_skill_for_the_user_alone_is_not_listed_and_can_be_called() -> None:
    registry = Registry(lock=NONE, skills=(foreign("a:open"), foreign("a:closed", listed=False)))
    assert "closed" not in search_skills(registry, "", 1)
    assert find_skill(registry.skills, "/a:closed") is not None


def test_a_name_without_its_plugins_does_where_only_one_has_it() -> None:
    registry = Registry(
        lock=NONE, skills=(foreign("a:start"), foreign("b:start"), foreign("b:stop"))
    )
    found = find_skill(registry.skills, "stop")
    assert found is not None
    assert found.name == "b:stop"
    with pytest.raises(ToolInputError, match="Several skills are called 'start': a:start, b:start"):
        read_skill(registry, "start", "", Reading())
    with pytest.raises(ToolInputError, match="There is no skill 'none'; there are: a:start"):
        read_skill(registry, "none", "", Reading())
    with pytest.raises(ToolInputError, match="find one with skill__search"):
        read_skill(many(), "none", "", Reading())


BODY = """\
Read ${CLAUDE_SKILL_DIR}/more.md and ${CLAUDE_PLUGIN_ROOT}/x, keep in ${CLAUDE_PLUGIN_DATA}. In ${user_config.region},
thread ${CLAUDE_SESSION_ID}. Open $1, not $2 million. Ask ~~CRM. !`touch pwned`
Use `Bash`.
"""


def test_a_text_is_filled_in_when_it_is_read() -> None:
    spec = foreign(
        "acme:go",
        body=BODY,
        takes=True,
        hint="<file>",
        categories=(Category(name="CRM", placeholder="CRM", included=("Hub",)),),
        setting_files=("acme.local.md",),
    )
    registry = Registry(lock=NONE, skills=(spec,))
    reading = Reading(connected={"hub": "hub"}, config={"acme": {"region": "EU"}}, thread="t-1")
    text = read_skill(registry, "acme:go", "nda.docx", reading)
    assert "Read /opt/plugins/brought/acme/skills/x/more.md and /opt/plugins/brought/acme/x" in text
    assert (
        "keep in /home/agent/plugin-data/acme. In EU,\nthread t-1. Open nda.docx, not $2 million."
        in text
    )
    assert "Ask CRM (connected: hub)." in text
    assert "(not run; run it in the shell where you need it: `touch pwned`)" in text
    assert "Bash is workspace__shell" in text
    assert "acme.local.md" in text
    unconnected = read_skill(registry, "acme:go", "", Reading())
    assert "CRM (not connected: ask the user for a file instead)" in unconnected


def test_both_tools_answer_without_a_machine_and_as_untrusted_text() -> None:
    registry = many()
    dispatcher = Dispatcher(
        registry=registry, rules=Rules(), now="2026-11-23T09:00:00Z", tools_off="no machine"
    )

    def call(name: str, /, **given: Any) -> Any:
        return dispatcher.prepare(Use(use=ToolUse(id=ToolUseId("u"), name=name, input=given)))

    found = call("skill__search", query="payroll")
    assert isinstance(found, ToolFinished)
    assert (found.outcome, found.untrusted) == ("ok", True)
    text = call("skill__read", name=registry.skills[0].name, arguments="x")
    assert (text.outcome, text.untrusted) == ("ok", True)
    assert text.text.endswith("ARGUMENTS: x\n")
    assert call("skill__search", query="x", page=0).outcome == "error"
