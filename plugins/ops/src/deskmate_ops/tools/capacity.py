"""The tool that plans capacity against demand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from deskmate.plugin import ToolAnswer, ToolContext, ToolInputError
from deskmate_documents.delivery import deliver_book, deliver_picture, target_of
from deskmate_documents.tables import read_table
from deskmate_ops.capacity import (
    SETTINGS,
    Limits,
    Load,
    Scenario,
    bottleneck,
    load_of,
    read_entries,
    read_scenarios,
    usual_scenarios,
)
from deskmate_ops.capacity_book import capacity_pages, capacity_scene, summary_row
from deskmate_ops.tools.picking import picked

BOOK = "capacity-plan.xlsx"
STRESS = "0.1"


def capacity_plan(
    context: ToolContext,
    capacity: str = "",
    demand: str = "",
    output: str = "",
    scenarios: list[dict[str, str]] | None = None,
    settings: dict[str, str] | None = None,
    request: str = "",
) -> ToolAnswer:
    """Plan capacity against demand by team and period: utilisation, gaps, the bottleneck, and what-ifs.

    Writes a workbook in which every figure follows from the source rows by formulas, scenarios differ in blue cells only,
    with native charts and colours; and the heat map of utilisation as pictures. No figure is assumed.

    Args:
        context: filled in by Deskmate.
        capacity: workspace path of what is available (CSV or XLSX; a row a person or team): team, period, hours; or team
            and a column a period. Empty: the one that is called so.
        demand: workspace path of what is asked for, in the same unit, long or wide as well; may be another sheet of
            the same workbook. Empty: the one that is called so.
        output: workspace path of the workbook. Empty: capacity-plan.xlsx beside the capacity.
        scenarios: what-ifs, each {name, team (empty: all), demand (factor, such as 1.2), capacity (added a period)}.
            Empty: more demand by the share that the request names, else by the setting; and the bottleneck relieved.
        settings: column names `team`, `period`, `capacity`, `demand` where they cannot be told; `unit`; `capacity sheet`
            and `demand sheet` of a workbook.
        request: the user's words; files and a percentage of more or less demand named there are taken.

    Returns:
        `teams`: list of {team, capacity, demand, utilisation, highest, periods_over, lacking, state}; `bottleneck`;
        `scenarios`: lines; `files`.

    Raises:
        ToolInputError: a file, column or figure cannot be used, or capacity and demand do not fit together.
    """
    sources = _sources(context, capacity, demand, request)
    options = dict(settings or {})
    files = {role: context.file(name) for role, name in sources.items()}
    load = load_from(files, sources, options)
    limits = Limits.of(context.config)
    stress = asked_stress(request) or str(context.config.get("capacity_stress", STRESS))
    chosen = scenarios_of(load, scenarios or (), stress)
    target = target_of(context, files["capacity"], output, BOOK, ".xlsx")
    if target == files["demand"].resolve():
        raise ToolInputError(f"{target.name} is a source; give the result a name of its own.")
    data = {"settings": options, "scenarios": list(scenarios or ()), "stress": stress}
    about: dict[str, Any] = {"sources": sources, "data": data}
    pages = capacity_pages(load, chosen, limits, list(sources.values()))
    scene = capacity_scene(load, limits, PurePosixPath(sources["demand"]).name)
    results = (
        deliver_book(context, target, pages, role="capacity_plan", **about),
        *deliver_picture(
            context, target.with_name(target.stem), scene, role="capacity_map", **about
        ),
    )
    result = {
        "source": ", ".join(dict.fromkeys(sources.values())),
        "files": [one.path for one in results],
        **_told(load, chosen, limits),
    }
    return ToolAnswer(result=result, deliverables=results)


def load_from(
    files: Mapping[str, Path], names: Mapping[str, str], options: Mapping[str, str]
) -> Load:
    """Return the load that two files give. Raises ToolInputError."""
    unknown = set(options) - SETTINGS
    if unknown:
        raise ToolInputError(
            f"Setting {min(unknown)!r} is unknown; use {', '.join(sorted(SETTINGS))}."
        )
    read = []
    for kind in ("capacity", "demand"):
        sheet = options.get(f"{kind} sheet") or options.get("sheet", "")
        if not sheet and names["capacity"] == names["demand"]:
            sheet = kind.capitalize()
        table = read_table(files[kind], name=names[kind], sheet=sheet)
        read.append(read_entries(table, options, kind))
    return load_of(read[0], read[1], [names["capacity"], names["demand"]])


def scenarios_of(load: Load, given: Sequence[Mapping[str, str]], stress: str) -> list[Scenario]:
    """Return the scenarios of a call, or the usual ones. Raises ToolInputError."""
    if given:
        return read_scenarios(given, load)
    if not re.fullmatch(r"[+-]?\d{1,2}(?:\.\d{1,4})?", stress):
        raise ToolInputError("The setting capacity_stress is a share such as 0.1.")
    return usual_scenarios(load, max(Decimal(stress), Decimal(-1)))


def asked_stress(request: str) -> str:
    """Return the share by which a request wants demand changed, empty if it names none."""
    found = re.search(
        r"([+-]?)\s*(\d{1,3}(?:\.\d)?)\s*(?:%|percent)\s*(more|less|fewer)?", request, re.IGNORECASE
    )
    if found is None or "demand" not in request.lower():
        return ""
    down = found[1] == "-" or (found[3] or "").lower() in ("less", "fewer")
    return f"{Decimal(found[2]) / 100 * (-1 if down else 1):f}"


def _sources(context: ToolContext, capacity: str, demand: str, request: str) -> dict[str, str]:
    hints = {
        "capacity": ("capacity", "supply", "availab", "staffing"),
        "demand": ("demand", "workload", "backlog", "forecast"),
    }
    given = {"capacity": capacity, "demand": demand}
    found = {}
    for kind, words in hints.items():
        path = given[kind] or picked(context, what=kind, hints=words, request=request)
        found[kind] = context.name_of(context.file(path))
    return found


def _told(load: Load, scenarios: Sequence[Scenario], limits: Limits) -> dict[str, Any]:
    teams, lines = [], []
    for team in load.teams:
        capacity, demand, share, highest, over, lacking, state = summary_row(load, team, limits)
        words = percent(share)
        teams.append(
            {
                "team": team,
                "capacity": f"{capacity:f}",
                "demand": f"{demand:f}",
                "utilisation": words,
                "highest": percent(highest),
                "periods_over": over,
                "lacking": f"{lacking:f}",
                "state": state,
            }
        )
        lines.append(
            f"{team}: {demand:f} of {capacity:f} {load.unit}, {words}; highest {percent(highest)}; "
            f"{over} of {len(load.periods)} periods over, at most {lacking:f} lacking; {state or 'no work'}"
        )
    tight = bottleneck(load)
    tried = [scenario_line(load, change, limits) for change in scenarios]
    return {
        "summary": f"Bottleneck: {tight}.\n" + "\n".join(lines),
        "bottleneck": tight,
        "teams": teams,
        "scenarios": tried,
        "what_if": "\n".join(tried),
    }


def percent(share: Any) -> str:
    """Return a share in words."""
    return f"{share:.1%}" if isinstance(share, Decimal) else str(share or "none")


def scenario_line(load: Load, change: Scenario, limits: Limits) -> str:
    """Return in a line how many teams and periods are over the limit under a scenario."""
    shares = {
        (team, period): load.utilisation(team, period, change)
        for team in load.teams
        for period in load.periods
    }
    over = [
        key
        for key, share in shares.items()
        if (share is None and load.sum("demand", *key) * change.factor > 0)
        or (share is not None and share > limits.full)
    ]
    teams = sorted({team for team, _ in over})
    return f"{change.name}: {len(over)} of {len(shares)} cells over {limits.full:.0%}" + (
        f" ({', '.join(teams)})" if teams else ""
    )
