"""Write a folder with invented material for the jobs of operations: `python examples/make_operations.py FOLDER`.

An event log of orders (CSV), a list of risks, controls with evidence, vendors with marks, their costs by year, notes of a
runbook, capacity and demand, tasks and key figures, change requests and a calendar of freezes. All of it is made up; the same
every time.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

RISKS = """ID,Risk,Category,Likelihood,Impact,Owner,Treatment,Treatment due,Residual likelihood,Residual impact,Review date,Status
R1,Single supplier for the power unit,Supply,4,5,Dana Petrov,Qualify a second source,2040-03-31,2,4,2040-01-15,open
R2,Warehouse system out of support,IT,almost certain,major,,Migrate to the hosted version,2026-09-30,2,3,2026-10-01,open
R3,Key planner leaves,People,possible,moderate,Sam Okoye,Document the planning run,,2,3,2040-02-01,open
R4,Flood in the north depot,Site,1,5,Dana Petrov,,,,,2026-06-30,closed
R5,Customs rules change,Legal,,,Lee Marsh,,,,,,open
R6,Forklift accident,Safety,2,4,Site lead,Training twice a year,2040-05-01,3,4,2040-04-01,open
"""
VENDORS = """Vendor,Quality,Delivery,Support,Security
Northlight,4,3,5,4
Harbour Systems,5,4,3,3
Pine & Co,3,5,4,5
"""
COSTS = """Vendor,Item,Year,Amount,Currency
Northlight,Set-up,2027,12000,EUR
Northlight,Licence,2027,30000,EUR
Northlight,Licence,2028,30000,EUR
Northlight,Licence,2029,31000,EUR
Harbour Systems,Set-up,2027,40000,EUR
Harbour Systems,Licence,2028,18000,EUR
Harbour Systems,Licence,2029,18000,EUR
Pine & Co,Licence,2027,35000.50,EUR
Pine & Co,Licence,2028,36000,EUR
Pine & Co,Licence,2029,37000,EUR
"""
RUNBOOK = """# Database failover

Owner: Storage lead
Version: 3

1. Stop writes on the primary. (owner: DBA on call; check: no open transactions)
1. Wait until the replica has caught up.
   - Owner: DBA on call
   - Check: lag is 0
   - Roll-back: start writes again
1. Promote the replica.
   - Inform: support desk
"""
CONTROLS = """Control ID,Control,Risks,Owner,Frequency,Last tested,Result,Evidence
C1,Second source reviewed,R1,Dana Petrov,quarterly,2026-10-15,passed,review-2026-10-15.txt
C2,Backups restored,R2; R4,Sam Okoye,quarterly,2026-05-02,passed,restore-2026-05-02.txt
C3,Planning run documented,R3,Lee Marsh,monthly,2026-11-10,passed,planning-2026-11-10.txt; missing.txt
C4,Forklift training,R6,TBD,yearly,2026-03-02,failed,
C5,Insurance checked,R9,Lee Marsh,yearly,,,
"""
EVIDENCE = (
    "review-2026-10-15.txt",
    "restore-2026-05-02.txt",
    "planning-2026-11-10.txt",
    "stray.txt",
)
TASKS = """ID,Task,Workstream,Owner,Due date,Status
T1,Qualify the second supplier,Supply,Dana Petrov,2026-10-30,In progress
T2,Sign the framework contract,Supply,Dana Petrov,2040-12-15,Open
T3,Cut over the warehouse system,Systems,Lee Marsh,2040-12-20,Blocked
T4,Train the shift leads,Systems,Ada Okafor,2040-11-30,In progress
T5,Write the roll-back plan,Systems,Lee Marsh,2026-11-10,Done
T6,Hire two planners,People,TBD,,Open
"""
KPIS = """KPI,Value,Target,Better,Date,Source,Unit
On-time delivery,93.4,95,higher,2026-11-24,ERP report 12,%
Stock-outs,14,8,lower,2026-11-24,ERP report 12,
Cost per order,4.10,4.20,lower,2026-11-01,Finance cube,EUR
"""
CHANGES = """Change ID,Title,Requester,Approvers,Systems,Impact,Likelihood,Risk class,Start,End,Plan,Rollback plan,Rollback tested,Test evidence,Communication
CR-1,Upgrade the warehouse database,Lee Marsh,Dana Petrov; Sam Okoye,Warehouse DB,high,medium,high,2040-12-05 20:00,2040-12-06 04:00,run it,restore the snapshot,2040-11-20,TR-77,by mail
CR-2,Patch the application servers,Lee Marsh,Lee Marsh,Warehouse DB; Order desk,medium,low,low,2040-12-06 02:00,2040-12-06 05:00,rolling patch,previous image,yes on staging,TR-78,banner
CR-3,New price list format,Ada Okafor,Dana Petrov,Order desk,low,low,medium,2040-12-19 18:00,2040-12-19 20:00,load script,TBD,,TR-80,by mail
CR-5,Rotate certificates,Sam Okoye,Dana Petrov,Network,low,medium,low,2040-12-08 10:00,2040-12-08 11:00,script,old one kept,2040-11-15,TR-81,by mail
"""
FREEZES = "Name,From,To,Systems\nYear-end closing,2040-12-18,2041-01-03,Order desk; Ledger\n"
CAPACITY = {
    "Assembly": (38, 36, 40, 36),
    "Welding": (36, 40),
    "Paint shop": (40, 32),
    "Quality": (36,),
}
WORK = {"Assembly": 120, "Welding": 82, "Paint shop": 45, "Quality": 31, "Logistics": 9}


def capacity() -> str:
    """Return hours a week of each person, a column a week."""
    weeks = [f"2027-W{n:02}" for n in range(1, 7)]
    rows = [f"Team,Person,{','.join(weeks)}"]
    for team, people in CAPACITY.items():
        rows += [
            f"{team},{team} {n},{','.join([str(h)] * len(weeks))}" for n, h in enumerate(people, 1)
        ]
    return "\n".join(rows) + "\n"


def demand() -> str:
    """Return hours of work by team and week, a row each."""
    chance = random.Random(6)  # noqa: S311 - invented material
    rows = ["Team,Work,Week,Hours"]
    for team, hours in WORK.items():
        rows += [
            f"{team},Order {n},2027-W{n:02},{round(hours * chance.uniform(0.75, 1.25), 1)}"
            for n in range(1, 7)
        ]
    return "\n".join(rows) + "\n"


def event_log(cases: int) -> str:
    """Return a log of orders with loops, rejections and a slow approval."""
    chance = random.Random(5)  # noqa: S311 - invented material
    rows = []
    for number in range(cases):
        at = datetime(2026, 3, 2, 8, tzinfo=UTC) + timedelta(hours=5 * number)
        path = ["Receive order", "Check credit"]
        path += ["Request documents", "Check credit"] * chance.choice([0, 0, 0, 1, 2])
        if chance.random() < 0.12:
            path.append("Reject")
        else:
            path += [
                "Approve",
                "Pick goods",
                *chance.choice([["Ship", "Invoice"], ["Invoice", "Ship"]]),
            ]
        for name in path:
            begin = at + timedelta(minutes=chance.randint(5, 2400 if name == "Approve" else 500))
            at = begin + timedelta(minutes=chance.randint(5, 90))
            rows.append(f"O-{1000 + number},{name},{begin:%Y-%m-%dT%H:%M},{at:%Y-%m-%dT%H:%M}")
    chance.shuffle(rows)
    return "Case ID,Activity,Start Timestamp,Complete Timestamp\n" + "\n".join(rows) + "\n"


def write_folder(folder: Path) -> None:
    """Write all files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "orders event log.csv": event_log(120),
        "risk list.csv": RISKS,
        "vendors.csv": VENDORS,
        "vendor costs.csv": COSTS,
        "failover runbook.md": RUNBOOK,
        "controls.csv": CONTROLS,
        "capacity.csv": capacity(),
        "demand.csv": demand(),
        "task list.csv": TASKS,
        "kpis.csv": KPIS,
        "change requests.csv": CHANGES,
        "freeze calendar.csv": FREEZES,
        **{f"evidence/{name}": f"Evidence: {name}\n" for name in EVIDENCE},
    }
    (folder / "evidence").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write_folder(Path(sys.argv[1]))
    print(f"Written to {sys.argv[1]}.")
