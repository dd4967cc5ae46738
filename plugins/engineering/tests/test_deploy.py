from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deskmate.plugin import Sources, ToolContext, ToolInputError, ValidationContext
from deskmate_engineering.tools.deploy import deploy_gate
from deskmate_engineering.validators.deploy_rules import deploy_true

COMMIT = "4f2a9c1d00aa"
FILES = {
    "ci checks.csv": f"check,run id,commit,result,finished\nunit,101,{COMMIT},passed,2026-11-28\nlint,102,{COMMIT[:8]},success,2026-11-28\n",
    "migrations.csv": "migration,rollback,rollback tested,approver\n0012 orders,drop column,2026-11-20,Bo\n",
    "approvals.csv": f"approver,date,role,commit\nBo,2026-11-28,code,{COMMIT}\n",
}
DAY = "2026-11-29"


def desk(tmp_path: Path, **changes: tuple[str, str]) -> ToolContext:
    for name, text in FILES.items():
        old, new = changes.get(name.split(".")[0].split()[-1], ("", ""))
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new, 1) if old else text)
    return ToolContext(workspace=tmp_path, home=tmp_path, resources=tmp_path)


def gate(context: ToolContext, **options: Any) -> Any:
    return deploy_gate(context, **{"commit": COMMIT, "author": "Ann", "as_of": DAY, **options})


def verdict(context: ToolContext, made: Any, **facts: Any) -> list[str]:
    names = [name for name in FILES if (context.workspace / name).exists()]
    room = ValidationContext(
        file=context.workspace / made.path,
        sources=Sources({name: context.workspace / name for name in names}, {}),
        config=context.config,
        facts=facts,
    )
    return [finding.message for finding in deploy_true(made, room)]


def test_every_box_is_ticked_by_its_record(tmp_path: Path) -> None:
    context = desk(tmp_path)
    answer = gate(context)
    assert answer.result["verdict"] == "every box has its record"
    text = (tmp_path / answer.result["output"]).read_text()
    assert "- [x] unit: run 101 on 2026-11-28: passed (ci checks.csv, row 2)" in text
    assert verdict(context, answer.deliverables[0], date=DAY) == []


@pytest.mark.parametrize(
    ("changes", "options", "config", "says"),
    [
        ({"checks": ("passed", "failed")}, {}, {}, "run 101 says failed"),
        ({"checks": (f"101,{COMMIT}", "101,aaaaaaaaaaaa")}, {}, {}, "no run of it for"),
        ({"checks": ("101", "")}, {}, {}, "its run has no id"),
        ({"checks": (f"101,{COMMIT}", "101,")}, {}, {}, "its run names no commit"),
        ({}, {}, {"deploy_checks": ["e2e"]}, "it never ran"),
        ({"migrations": ("2026-11-20", "")}, {}, {}, "its rollback was never tested"),
        ({"migrations": ("2026-11-20", "2026-01-20")}, {}, {}, "more than 90 days ago"),
        ({"migrations": ("2026-11-20", "2026-12-20")}, {}, {}, "has not come yet"),
        ({"migrations": ("drop column", "")}, {}, {}, "no rollback is described"),
        ({"migrations": ("Bo", "Ann")}, {}, {}, "Ann wrote the change and approved it"),
        ({"approvals": ("Bo", "ann")}, {}, {}, "0 of 1 people"),
        ({"approvals": ("2026-11-28", "2026-12-28")}, {}, {}, "0 of 1 people"),
        ({"approvals": (COMMIT, "bbbbbbbbbbbb")}, {}, {}, "0 of 1 people"),
        ({}, {}, {"deploy_approvers": 2}, "1 of 2 people"),
    ],
)
def test_each_lack_leaves_its_box_open(
    changes: Any, options: Any, config: Any, says: str, tmp_path: Path
) -> None:
    context = replace(desk(tmp_path, **changes), config=config)
    answer = gate(context, **options)
    assert answer.result["verdict"] == "not ready"
    assert answer.result["open"] == 1
    assert says in answer.result["list"]
    assert verdict(context, answer.deliverables[0], date=DAY) == []


def test_a_kind_without_a_list_stays_open(tmp_path: Path) -> None:
    context = desk(tmp_path)
    (tmp_path / "migrations.csv").unlink()
    assert "no list of migrations was given" in gate(context).result["list"]


def test_a_box_ticked_by_hand_or_left_out_is_refused(tmp_path: Path) -> None:
    context = desk(tmp_path, checks=("passed", "failed"))
    made = gate(context).deliverables[0]
    file = tmp_path / made.path
    whole = file.read_text()
    for text in (
        whole.replace("[ ] unit", "[x] unit"),
        "\n".join(line for line in whole.split("\n") if "unit" not in line),
        whole.replace("Not ready", "Every box has its record"),
    ):
        file.write_text(text)
        assert verdict(context, made, date=DAY)
    file.write_text(whole)
    assert verdict(context, made, date=DAY) == []
    assert "neither today nor" in verdict(context, made, date="2027-03-01")[0]
    (tmp_path / "approvals.csv").unlink()
    assert "UNVERIFIED" in verdict(context, made, date=DAY)[0]


@pytest.mark.parametrize(
    ("changes", "options", "says"),
    [
        ({}, {"commit": "", "request": "Deploy."}, "Name the commit"),
        ({}, {"as_of": "today"}, "is no day"),
        ({}, {"output": "a.docx"}, "must end in .md"),
        ({"checks": ("run id", "number")}, {}, "needs a column run id"),
        ({"migrations": ("2026-11-20", "soon")}, {}, "'soon' is no day"),
    ],
)
def test_what_cannot_be_read_is_refused(
    changes: Any, options: Any, says: str, tmp_path: Path
) -> None:
    with pytest.raises(ToolInputError, match=says):
        gate(desk(tmp_path, **changes), **options)
