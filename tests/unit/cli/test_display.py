"""What a live display shows of a run, on a narrow and a wide terminal, and what it never does."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable

import pytest
from rich.console import Console

from deskmate.changes.review import Item
from deskmate.cli.display import Display, seconds, terminal
from deskmate.cli.output import is_live
from deskmate.cli.tables import change_table
from deskmate.host.wording import sentence_of
from deskmate.ports import Delta
from deskmate.types.events import (
    ChangesStaged,
    Event,
    ModelAsked,
    ModelReplied,
    Payload,
    RunFinished,
    SandboxOpened,
    ToolFinished,
    ToolStarted,
    Validated,
)
from deskmate.types.files import Change, Entry
from deskmate.types.findings import Finding
from deskmate.types.ids import Digest, RunId, ToolUseId
from deskmate.types.messages import Text, ToolUse
from deskmate.types.progress import Counted, Note

EVIL = "a\x1b[2J\x07[red]b[/red]:smile:\x9b31m\u202ec.txt"
SAFE = r"a\x1b[2J\x07[red]b[/red]:smile:\x9b31m\x202ec.txt"
USE = ToolUseId("u-1")


class Watch:
    """A clock that the test sets, and the console that records."""

    def __init__(self, width: int) -> None:
        self.now = 0.0
        self.console = Console(
            record=True, file=io.StringIO(), width=width, force_terminal=True, markup=False
        )
        self.display = Display(console=self.console, clock=lambda: self.now)

    def tell(self, *payloads: Payload, after: float = 0.0) -> None:
        self.now += after
        for payload in payloads:
            self.display(Event(seq=1, time="", payload=payload, prev_hash="", hash=""))

    def lines(self) -> list[str]:
        """What stays, line by line."""
        return [line.rstrip() for line in self.console.export_text(clear=False).splitlines()]

    def live(self) -> list[str]:
        """What is shown of now."""
        console = Console(record=True, file=io.StringIO(), width=self.console.width)
        console.print(self.display.view())
        return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.fixture(params=[60, 120])
def watch(request: pytest.FixtureRequest) -> Watch:
    return Watch(request.param)


def reply(*content: Text | ToolUse) -> ModelReplied:
    return ModelReplied(turn=1, model="sonnet", content=content, stop_reason="")


def test_a_tool_call_is_one_sentence_while_it_runs_and_when_it_is_done(watch: Watch) -> None:
    call = ToolUse(id=USE, name="workspace__read", input={"path": "contracts/nda.docx"})
    watch.tell(ModelAsked(turn=1, model="sonnet", request=Digest("d")))
    assert watch.live() == ["◐ turn 1: sonnet is thinking  0 s"]
    watch.tell(reply(Text(text="I read it."), call), after=12)
    watch.tell(ToolStarted(tool_use_id=USE, tool="workspace__read", key="k"))
    watch.display(Delta(kind="progress", text="page 3 of 9"))
    watch.now += 65
    assert watch.live()[0][2:] == "reading contracts/nda.docx · page 3 of 9  1 min 05 s"
    watch.tell(ToolFinished(tool_use_id=USE, tool="workspace__read", outcome="ok", text="…"))
    assert watch.live() == []
    assert watch.lines() == [
        "✓ turn 1: sonnet answered  12 s",
        "  I read it.",
        "✓ reading contracts/nda.docx  1 min 05 s",
    ]


def test_steps_stay_as_lines_and_a_known_end_gives_a_bar(watch: Watch) -> None:
    watch.display.progress(Counted("Debian trixie", done=1, total=4))
    assert "1/4" in watch.live()[0]
    assert watch.live()[0].count("━") * 3 == pytest.approx(watch.live()[0].count("╌"), abs=3)
    watch.display.progress(Counted("copying", done=0, total=50_000_000, unit="bytes"))
    watch.now += 2
    watch.display.progress(Counted("copying", done=25_000_000, total=50_000_000, unit="bytes"))
    row = watch.live()[0]
    assert "50 %" in row
    assert "12.5 MB/s" in row
    assert row.count("━") == row.count("╌")
    assert row.endswith("2 s")
    watch.tell(SandboxOpened(machine="m", template=Digest("d"), isolation="hardware"))
    assert watch.lines() == [
        "✓ Debian trixie",
        "✓ copying  2 s",
        "✓ virtual machine ready, isolation: hardware",
    ]


def test_a_note_stays_while_the_step_goes_on(watch: Watch) -> None:
    watch.display.begin("turn 1: sonnet is thinking")
    watch.display.progress(Note("no answer from the model server for 30 s"))
    assert watch.lines() == ["! no answer from the model server for 30 s"]
    assert "thinking" in watch.live()[0]


def test_live_lines_never_wrap(watch: Watch) -> None:
    watch.display.progress(Counted("long " * 60, done=3, total=4))
    watch.display(Delta(kind="text", text="word\n" * 400 + "the end"))
    row, tail = watch.live()
    assert len(row) < watch.console.width
    assert "…" in row
    assert "3/4" in row
    assert len(tail) < watch.console.width
    assert tail.endswith("the end")


def test_the_answer_itself_is_left_to_stdout(watch: Watch) -> None:
    watch.display(Delta(kind="text", text="The contract"))
    assert "The contract" in watch.live()[0]
    watch.tell(reply(Text(text="The contract is sound.")))
    watch.tell(RunFinished(run=RunId("r"), reason="done"), after=90)
    assert watch.live() == []
    assert watch.lines() == ["■ done  1 min 30 s"]


def test_findings_are_a_table_and_nothing_of_them_is_cut(watch: Watch) -> None:
    message = "Rejecting all changes does not give the original back. " * 3
    findings = (
        Finding(rule="G-PLACEHOLDER", level="warning", message="One is left.", path="a.docx"),
        Finding(rule="LEGAL-REJECT-ALL", level="error", message=message, path=EVIL, fix="Mend it."),
    )
    run = RunId("r")
    watch.tell(Validated(run=run, inputs=Digest("d"), rules=("G",), findings=findings))
    text = "".join(watch.lines())
    assert "the output checks found 1 error(s)" in watch.lines()[0]
    assert text.index("LEGAL-REJECT-ALL") < text.index("G-PLACEHOLDER")
    packed = re.sub(r"\s", "", text)
    assert re.sub(r"\s", "", SAFE) in packed or watch.console.width >= 80  # a column may break it
    assert text.count("original") == 3
    assert "Mend it." in re.sub(r"\s+", " ", text)
    assert max(map(len, watch.lines())) <= watch.console.width
    watch.tell(Validated(run=run, inputs=Digest("d"), rules=("G-A", "G-B"), passed=True))
    assert "✓ checked in a clean room: G-A, G-B" in watch.lines()


def test_a_change_set_is_a_table_with_whole_names(watch: Watch) -> None:
    name = "contracts/" + "A long name of a contract " * 4 + "[bold].docx"
    entry = Entry(path=name, kind="file", mode=0o644, size=12_345)
    new = Item(change=Change(path=name, operation="create", before=None, after=entry))
    taken = Item(
        change=Change(path="b.txt", operation="modify", before=entry, after=entry),
        standing="conflict",
        why="changed meanwhile",
    )
    watch.console.print(change_table([new, taken], watch.console.width))
    packed = re.sub(r"\s", "", "".join(watch.lines()))
    assert "[bold].docx" in packed
    assert "12,345→12,345" in packed
    assert "[conflict:changedmeanwhile]" in packed
    assert max(map(len, watch.lines())) <= watch.console.width


@pytest.mark.parametrize(
    "show",
    [
        lambda watch: watch.display.progress(EVIL),
        lambda watch: watch.display.progress(Note(EVIL)),
        lambda watch: watch.display(Delta(kind="text", text=EVIL)),
        lambda watch: watch.tell(
            reply(Text(text=EVIL), ToolUse(id=USE, name="p__t", input={"path": EVIL})),
            ToolStarted(tool_use_id=USE, tool="p__t", key="k"),
        ),
        lambda watch: watch.tell(
            ToolStarted(tool_use_id=USE, tool="p__t", key="k"),
            ToolFinished(tool_use_id=USE, tool="p__t", outcome="error", text=EVIL),
        ),
        lambda watch: watch.tell(
            ChangesStaged(
                run=RunId("r"),
                difference=Digest("d"),
                created=0,
                modified=0,
                deleted=0,
                refused={EVIL: EVIL},
            )
        ),
    ],
)
def test_no_name_and_no_output_commands_the_terminal(show: Callable[[Watch], None]) -> None:
    watch = Watch(120)
    show(watch)
    shown = "\n".join(watch.lines() + watch.live())
    assert SAFE in shown
    assert not set("\x1b\x07\x9b\u202e") & set(shown)


def test_a_question_has_the_terminal_for_itself() -> None:
    stream = io.StringIO()
    with Display(console=terminal(stream)) as display:
        display.begin("a step")
        with display.paused():
            before = stream.getvalue()
            assert display._live is None
            assert stream.getvalue() == before
        assert display._live is not None
    assert stream.getvalue() == "✓ a step\n"


def test_a_step_that_an_error_ended_is_marked(watch: Watch) -> None:
    def interrupted() -> None:
        with watch.display:
            watch.display.begin("a step")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert "✗ a step" in watch.lines()


@pytest.mark.parametrize(
    ("environ", "as_json", "tty", "live"),
    [
        ({"TERM": "xterm"}, False, True, True),
        ({"TERM": "xterm"}, False, False, False),
        ({"TERM": "xterm"}, True, True, False),
        ({"TERM": "dumb"}, False, True, False),
        ({}, False, True, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False, True, False),
    ],
)
def test_it_is_live_only_on_a_terminal_that_wants_it(
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    as_json: bool,
    tty: bool,
    live: bool,
) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return tty

    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert is_live(as_json=as_json, stream=Stream()) is live


def test_calls_are_worded_by_what_they_are_about() -> None:
    files = [{"path": "a.docx", "role": "memo"}, {"path": "b.docx"}]
    assert sentence_of("workspace__present", {"files": files}) == "presenting a.docx and 1 more"
    assert sentence_of("workspace__grep", {"path": "x", "pattern": "cap"}) == "searching for cap"
    assert sentence_of("workspace__shell", {"command": "ls\n-l"}) == "running ls -l"
    assert sentence_of("workspace__python", {"code": "1"}) == "running a Python program"
    assert sentence_of("hr__people_report", {"path": "e.csv"}) == "hr: people report, e.csv"
    assert sentence_of("finance__match", {"bank": "w/b.csv"}) == "finance: match, w/b.csv"
    assert sentence_of("x__y", {"data": {"deep": 1}}) == "x: y"
    assert len(sentence_of("workspace__shell", {"command": "x" * 500})) == 100


def test_time_is_told_as_people_say_it() -> None:
    assert [seconds(s) for s in (0.9, 59.9, 60, 725)] == [
        "0 s",
        "59 s",
        "1 min 00 s",
        "12 min 05 s",
    ]


def test_the_live_lines_are_drawn_while_somebody_prints(watch: Watch) -> None:
    """The thread that draws holds the live display's lock, which who prints waits for, holding our own."""
    watch.display.begin("opening the thread")
    drawn: list[list[str]] = []
    thread = threading.Thread(target=lambda: drawn.append(watch.live()), daemon=True)
    with watch.display._lock:
        thread.start()
        thread.join(20)
    assert [line[2:] for line in drawn[0]] == ["opening the thread  0 s"]
