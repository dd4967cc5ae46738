"""`deskmate bench`: this machine against the figures Deskmate holds itself to."""

from __future__ import annotations

import anyio
import click

from deskmate.cli.doctor import qemu_sandbox
from deskmate.cli.output import Session, json_option, say, say_json, shown_progress
from deskmate.ports import Progress
from deskmate.types.codec import to_json


@click.group()
def command() -> None:
    """Measure this machine against the figures Deskmate holds itself to."""


def remembered(session: Session, bench: str, figures: object, *, as_json: bool) -> bool:
    """Keep a run's figures, say what is slower than usual, and write JSON; True if that is all."""
    from deskmate.host.adapters import SystemClock  # noqa: PLC0415
    from deskmate.host.bench_history import remember  # noqa: PLC0415

    slower = remember(session.places.data, bench, figures, SystemClock().now())
    for one in slower:
        line = f"worse than usual here: {one.figure} {one.now:g}, usually {one.usual:g}"
        click.echo(f"deskmate: {line}", err=True)
    if as_json:
        say_json({**to_json(figures, defaults=True), "slower": slower})
    return as_json


@command.command("history", short_help="List what was measured on this machine before.")
@json_option
@click.pass_obj
def history(session: Session, as_json: bool) -> None:
    """List earlier runs of all benches, the last one first."""
    from deskmate.host.bench_history import read_history  # noqa: PLC0415

    runs = tuple(reversed(read_history(session.places.data)))
    if as_json:
        say_json(runs)
        return
    for run in runs:
        figures = (
            f"{name} {value:g}" for name, value in run.figures.items() if isinstance(value, float)
        )
        say(f"{run.at[:16].replace('T', ' ')}Z  {run.bench:8} {run.version}  {', '.join(figures)}")
    if not runs:
        say("nothing was measured yet; try: deskmate bench sandbox")


@command.command("sandbox", short_help="Time cold boot, restore and calls; measure memory.")
@click.option("--plugin", "plugins", multiple=True, help="Measure with these plugins' layer.")
@click.option("--restores", default=20, show_default=True, type=click.IntRange(3, 500))
@click.option("--vms", default=4, show_default=True, type=click.IntRange(1, 400))
@json_option
@click.pass_obj
def sandbox_(
    session: Session, plugins: tuple[str, ...], restores: int, vms: int, as_json: bool
) -> None:
    """Cold boot, restore to the first tool result, a small call, memory of an untouched machine."""
    from deskmate.sandbox.bench import Figures, bench_sandbox  # noqa: PLC0415

    async def measure(progress: Progress) -> Figures:
        sandbox = qemu_sandbox(session)
        try:
            return await bench_sandbox(
                sandbox, session.places, plugins, progress, restores=restores, vms=vms
            )
        finally:
            sandbox.close()

    with shown_progress(as_json=as_json) as progress:
        figures = anyio.run(measure, progress)
    if remembered(session, "sandbox", figures, as_json=as_json):
        return
    say(f"cold boot to first tool result   {figures.cold_boot_s:.2f} s")
    say(f"restore to first tool result     {figures.restore_s:.3f} s (median of {restores})")
    say(
        f"  of which launcher              {figures.launcher_s:.3f} s (its interpreter waits ready)"
    )
    say(f"ratio                            {figures.ratio:.0f} times faster")
    say(f"the same out of the pool         {figures.pool_s:.3f} s")
    if figures.miss_s is not None:
        say(f"a set that was never used here   {figures.miss_s:.1f} s")
    say(f"small tool call, median          {figures.call_ms:.1f} ms")
    say(f"memory of an untouched machine   {figures.memory_mib:.0f} MiB ({vms} measured)")
    say(f"all of them awake                {figures.awake_cpu_percent:.1f} % of one core")
    say(f"all of them idle, and so stopped {figures.idle_cpu_percent:.1f} % of one core")
    say(f"a stopped one's call             {figures.wake_ms:.1f} ms")
    say(f"isolation                        {figures.isolation}")


@command.command(
    "store", short_help="Time appends, a log of 10,000 events, search over 5,000 threads."
)
@click.option("--threads", default=5000, show_default=True, type=click.IntRange(1, 50_000))
@json_option
@click.pass_obj
def store_(session: Session, threads: int, as_json: bool) -> None:
    """Append beside bare durable inserts, open and show a long log, search threads; on the disk threads are on."""
    from deskmate.cli.lines import log_line  # noqa: PLC0415
    from deskmate.store.bench import StoreFigures, bench_store  # noqa: PLC0415

    async def measure(progress: Progress) -> StoreFigures:
        return await bench_store(session.places.data, progress, log_line, many=threads)

    with shown_progress(as_json=as_json) as progress:
        figures = anyio.run(measure, progress)
    if remembered(session, "store", figures, as_json=as_json):
        return
    say(f"append of one event              {figures.append_ms:.2f} ms")
    say(f"bare durable insert              {figures.insert_ms:.2f} ms")
    say(f"ratio                            {figures.append_ratio:.2f}")
    say(f"opening {figures.events:,} events            {figures.open_s:.3f} s")
    say(f"fetching and hashing their rows  {figures.rows_s:.3f} s")
    say(f"ratio                            {figures.open_ratio:.1f}")
    say(f"showing them, to the last line   {figures.show_s:.3f} s")
    say(
        f"search over {figures.threads:,} threads        {figures.search_s:.3f} s (the slowest of a few)"
    )
    say(f"their catalogue, made anew       {figures.index_s:.1f} s")
    say(f"targets                          {'met' if figures.targets_met else 'not met'}")


@command.command("files", short_help="Time a large folder: listing, first answer, full copy-in.")
@click.option(
    "--files", "count", default=10_000, show_default=True, type=click.IntRange(2, 100_000)
)
@click.option("--mib", default=1024, show_default=True, type=click.IntRange(1, 6144))
@json_option
@click.pass_obj
def files_(session: Session, count: int, mib: int, as_json: bool) -> None:
    """List a large folder, read one file of it, copy all of it in; beside tar, on the disk threads are on."""
    from deskmate.host.bench_files import FileFigures, bench_files  # noqa: PLC0415

    async def measure(progress: Progress) -> FileFigures:
        sandbox = qemu_sandbox(session)
        try:
            return await bench_files(
                sandbox, session.places.data, progress, files=count, size_mib=mib
            )
        finally:
            sandbox.close()

    with shown_progress(as_json=as_json) as progress:
        figures = anyio.run(measure, progress)
    if remembered(session, "files", figures, as_json=as_json):
        return
    say(f"listing on the host              {figures.list_s:.2f} s")
    say(f"  again, digests known           {figures.list_again_s:.2f} s")
    say(f"machine up to first listing      {figures.glob_s:.2f} s")
    say(f"one file, read and brought in    {figures.read_s:.2f} s")
    say(f"everything copied in             {figures.full_copy_s:.1f} s")
    say(f"  into the next machine          {figures.again_s:.1f} s")
    say(f"tar of the same                  {figures.tar_s:.1f} s")
    say(f"ratio                            {figures.copy_ratio:.1f}")


@command.command("documents", short_help="Time outline, lint, patch and pages of generated files.")
@click.option("--sheets", default=6, show_default=True, type=click.IntRange(1, 100))
@click.option("--rows", default=400, show_default=True, type=click.IntRange(10, 2000))
@json_option
@click.pass_obj
def documents_(session: Session, sheets: int, rows: int, as_json: bool) -> None:
    """Build a workbook and one of twice the sheets; outline, lint and edit both; render a deck where that works."""
    from deskmate.host.bench_documents import DocumentFigures, bench_documents  # noqa: PLC0415

    async def measure(progress: Progress) -> DocumentFigures:
        sandbox = qemu_sandbox(session)
        try:
            return await bench_documents(sandbox, progress, sheets=sheets, rows=rows)
        finally:
            sandbox.close()

    with shown_progress(as_json=as_json) as progress:
        figures = anyio.run(measure, progress)
    if remembered(session, "documents", figures, as_json=as_json):
        return
    say(f"a call that does nothing         {figures.call_ms:.1f} ms")
    say(f"outline of {figures.sheets:3} sheets            {figures.outline_s:.2f} s")
    say(f"outline with lint                {figures.lint_s:.2f} s")
    say(f"  lint of twice the sheets       {figures.lint_growth:.1f} times")
    say(f"one cell edited                  {figures.patch_s:.2f} s")
    say(f"  with twice the sheets          {figures.patch_growth:.1f} times")
    if figures.render_s is not None:
        say(f"three pages of a deck            {figures.render_s:.1f} s")
        say(f"  two more                       {figures.render_again_s:.1f} s")
    say(f"targets                          {'met' if figures.targets_met else 'not met'}")


@command.command("skills", short_help="Time 5,000 skills in one folder: adding, listing, ranking.")
@click.option(
    "--skills", "count", default=5_000, show_default=True, type=click.IntRange(60, 10_000)
)
@json_option
@click.pass_obj
def skills_(session: Session, count: int, as_json: bool) -> None:
    """Add generated skills, list them as a command of its own, read, rank and prompt them. No machine is used."""
    from deskmate.host.bench_skills import bench_skills  # noqa: PLC0415

    with shown_progress(as_json=as_json) as progress:
        figures = bench_skills(session.places.cache, progress, count=count)
    if remembered(session, "skills", figures, as_json=as_json):
        return
    say(f"adding {figures.skills:,} skills             {figures.add_s:.2f} s")
    say(f"listing them, a whole command    {figures.list_s:.2f} s (median of three)")
    say(f"reading and checking all texts   {figures.read_s:.2f} s")
    say(f"ranking them for one request     {figures.rank_s:.3f} s")
    say(f"what the prompt has of them      {figures.prompt_characters:,} characters")
    say(f"targets                          {'met' if figures.targets_met else 'not met'}")


@command.command(
    "tables", short_help="Time the durable engine of tables, an item beside a plain loop."
)
@click.option("--rows", default=1_000, show_default=True, type=click.IntRange(20, 100_000))
@json_option
@click.pass_obj
def tables_(session: Session, rows: int, as_json: bool) -> None:
    """Store the cells of many small rows in a plain loop and through the engine; on the disk threads are on."""
    from deskmate.host.bench_tables import TableFigures, bench_tables  # noqa: PLC0415

    async def measure(progress: Progress) -> TableFigures:
        return await bench_tables(session.places.data, progress, rows=rows)

    with shown_progress(as_json=as_json) as progress:
        figures = anyio.run(measure, progress)
    if remembered(session, "tables", figures, as_json=as_json):
        return
    say(f"a row stored in a plain loop     {figures.store_ms:.2f} ms")
    say(f"put in the queue                 {figures.submit_ms:.2f} ms")
    say(f"the same through the engine      {figures.item_ms:.2f} ms")
    say(f"ratio                            {figures.overhead_ratio:.1f}")
    say(f"last tenth over the first        {figures.growth:.2f} times")
    say(f"memory at most                   {figures.memory_mib:.0f} MiB")
    say(f"  more than after a tenth        {figures.memory_growth_mib:.1f} MiB")
    say(f"{figures.rows:,} rows as JSON             {figures.export_s:.2f} s")
    say(f"targets                          {'met' if figures.targets_met else 'not met'}")


@command.command("fleet", short_help="Time a pool's engine: items put in, handed out, begun.")
@click.option("--items", default=500, show_default=True, type=click.IntRange(20, 100_000))
@click.option("--slots", default=4, show_default=True, type=click.IntRange(1, 64))
@click.option("--engine", metavar="URL", help="An empty database for it; without it a file.")
@json_option
@click.pass_obj
def fleet_(session: Session, items: int, slots: int, engine: str | None, as_json: bool) -> None:
    """Let one worker do items that do nothing; what is measured is the engine alone."""
    from deskmate.host.fleet.bench import FleetFigures, bench_fleet  # noqa: PLC0415

    async def measure(progress: Progress) -> FleetFigures:
        return await bench_fleet(
            session.places.data, progress, items=items, slots=slots, url=engine
        )

    with shown_progress(as_json=as_json) as progress:
        figures = anyio.run(measure, progress)
    if remembered(session, "fleet", figures, as_json=as_json):
        return
    say(f"engine                           {figures.engine}, one worker of {figures.slots} slots")
    say(f"put in                           {figures.submit_ms:.2f} ms an item")
    say(
        f"handed out and recorded          {figures.items_per_s:.1f} items a second (they do nothing)"
    )
    say(f"begun in an idle pool after      {figures.begin_ms:.0f} ms")


@command.command("agent", short_help="Time a thread's turns beside the bare SDK; cached tokens.")
@click.option("--turns", default=50, show_default=True, type=click.IntRange(5, 1_000))
@click.option(
    "--first-token-ms",
    default=300.0,
    show_default=True,
    type=click.FloatRange(0, 10_000),
    help="How long the server takes to begin to answer.",
)
@json_option
@click.pass_obj
def agent_(session: Session, turns: int, first_token_ms: float, as_json: bool) -> None:
    """Let a thread read files, turn by turn, from a server on this machine that caches prompts; no machine is used."""
    from deskmate.testing.bench_agent import AgentFigures, bench_agent  # noqa: PLC0415

    async def measure(progress: Progress) -> AgentFigures:
        return await bench_agent(
            session.places.data, progress, turns=turns, first_token_ms=first_token_ms
        )

    with shown_progress(as_json=as_json) as progress:
        figures = anyio.run(measure, progress)
    if remembered(session, "agent", figures, as_json=as_json):
        return
    say(f"prompt tokens of {figures.turns} turns        {figures.prompt_tokens:,}")
    say(f"  of them read from the cache    {100 * figures.read_share:.1f} %")
    say(f"a call by the SDK alone          {figures.bare_ms:.1f} ms")
    say(f"a turn with its tool call        {figures.turn_ms:.1f} ms")
    say(f"what the agent adds              {figures.overhead_ms:.1f} ms")
    say(f"first text by the SDK alone      {figures.bare_first_ms:.1f} ms")
    say(
        f"first text after a result        {figures.first_ms:.1f} ms, {figures.first_ratio:.3f} times"
    )
    say(f"targets                          {'met' if figures.targets_met else 'not met'}")
