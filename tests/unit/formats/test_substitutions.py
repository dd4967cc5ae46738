"""What is put into a text: arguments, places, categories; and money stays money."""

from __future__ import annotations

import pytest

from deskmate.formats.categories import fill_categories
from deskmate.formats.substitutions import Filling, fill, has_shell, without_shell
from deskmate.formats.tools import aliases_in
from deskmate.types.foreign import Category

TAKES = Filling(arguments='"my file.docx" second', takes=True)


@pytest.mark.parametrize(
    ("text", "filling", "becomes"),
    [
        ("All: $ARGUMENTS.", TAKES, 'All: "my file.docx" second.'),
        ("$ARGUMENTS[0] and $ARGUMENTS[1]", TAKES, "my file.docx and second"),
        ("From $1 to $2, $3", TAKES, "From my file.docx to second, $3"),
        ("From $0 to $1", TAKES, "From my file.docx to second"),
        ("Read @$1", Filling(arguments="a.md"), "Read @a.md"),
        ("See $file", Filling(arguments="a.md", names=("file",)), "See a.md"),
        (r"Costs \$1 for $1", TAKES, "Costs $1 for my file.docx"),
        ("$1 million, $2.5bn, $1,000, $10 and $1k", TAKES, "$1 million, $2.5bn, $1,000, $10 and $1k\n\nARGUMENTS: \"my file.docx\" second\n"),
        ("Costs $1 or $2", Filling(), "Costs $1 or $2"),
        ("Costs $1", Filling(arguments="x"), "Costs $1\n\nARGUMENTS: x\n"),
        ("No place", Filling(arguments="x y"), "No place\n\nARGUMENTS: x y\n"),
        ("${CLAUDE_PLUGIN_ROOT}/a ${HOME} $HOME ${X:-y}", Filling(variables={"CLAUDE_PLUGIN_ROOT": "/p"}), "/p/a ${HOME} $HOME ${X:-y}"),
        ("${user_config.region}", Filling(variables={"user_config.region": "EU"}), "EU"),
        ("$ARGUMENTS", Filling(arguments="$1 ${CLAUDE_PLUGIN_ROOT}", variables={"CLAUDE_PLUGIN_ROOT": "/p"}, takes=True), "$1 ${CLAUDE_PLUGIN_ROOT}"),
        ("It's '$1'", Filling(arguments="don't stop", takes=True), "It's 'don't'"),
    ],
)  # fmt: skip
def test_a_text_is_filled_in_once(text: str, filling: Filling, becomes: str) -> None:
    assert fill(text, filling) == becomes


def test_commands_that_would_run_before_the_model_reads_are_shown_as_not_run() -> None:
    text = "State: !`git status`\n```!\ngit log\n```\nKeep `!x` and wow!`no` and\n```md\n!`teaching`\n```\n"
    assert has_shell(text)
    assert without_shell(text) == (
        "State: (not run; run it in the shell where you need it: `git status`)\n"
        "(not run; run it in the shell where you need it:)\n```\ngit log\n```\n"
        "Keep `!x` and wow!`no` and\n```md\n!`teaching`\n```\n"
    )
    assert not has_shell("Say hello!\n```sh\n!`inside`\n```\n")


TABLE = (
    Category(
        name="Project tracker",
        placeholder="project tracker",
        included=("Boards",),
        alternatives=("Tickets",),
    ),
    Category(name="Project", placeholder="project"),
    Category(name="CRM", placeholder="CRM", included=("Acme CRM (Cloud/Server)",)),
    Category(name="Curves", placeholder="ir-curves"),
    Category(name="CI/CD", placeholder="CI/CD"),
)
NOT = "(not connected: ask the user for a file instead)"


@pytest.mark.parametrize(
    ("text", "connected", "becomes"),
    [
        (
            "Ask ~~project tracker for open tickets",
            (),
            f"Ask project tracker {NOT} for open tickets",
        ),
        ("Ask ~~Project Tracker.", ("boards",), "Ask Project Tracker (connected: boards)."),
        ("Ask ~~project plans", (), f"Ask project {NOT} plans"),
        ("~~crm, ~~CRM", ("acme-crm",), "crm (connected: acme-crm), CRM (connected: acme-crm)"),
        ("~~CRM-driven work", (), f"CRM {NOT}-driven work"),
        ("~~ir-curves and ~~CI/CD", (), f"ir-curves {NOT} and CI/CD {NOT}"),
        ("~~your-team-channel and ~~Jira", (), "~~your-team-channel and ~~Jira"),
        ("~~struck~~ and ~~CRM~~ too", (), "~~struck~~ and ~~CRM~~ too"),
        ("~~ CRM, a~~~b", (), "~~ CRM, a~~~b"),
    ],
)
def test_a_category_is_what_is_connected_or_says_that_nothing_is(
    text: str, connected: tuple[str, ...], becomes: str
) -> None:
    called = {name: name for name in connected}
    assert fill_categories(text, TABLE, called) == becomes


@pytest.mark.timeout(60)  # what hurts takes minutes
@pytest.mark.parametrize(
    "text",
    [
        "~~a-" * 60_000,
        "~~" + "a-" * 120_000,
        "$" * 250_000,
        "$1" * 120_000,
        "!`" * 120_000,
        "```!\n" * 50_000,
        "~~" * 120_000,
        "`" * 250_000,
        "~~CRM " * 40_000,
        "\\$" * 120_000,
        "${" * 120_000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    fill(fill_categories(without_shell(text), TABLE, {}), TAKES)


def test_tools_that_a_text_names_as_claude_does_are_found() -> None:
    assert aliases_in("Use `Bash` and the Read tool. Read on, and write.") == (
        ("Bash", "workspace__shell"), ("Read", "workspace__read"),
    )  # fmt: skip
