"""Write a folder with invented material for the four jobs of operations: `python examples/make_operations.py FOLDER`.

An event log of orders (CSV), a list of risks, vendors with marks, their costs by year, and notes of a runbook. All of it
is made up; the same every time.
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
    }
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write_folder(Path(sys.argv[1]))
    print(f"Written to {sys.argv[1]}.")
