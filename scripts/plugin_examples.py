"""Writes the examples of the plugins' `checks/` that are no text: a small repository, patches, spoilt workbooks and documents.

Run it after a change of what the tools write; what it writes is committed. Usage: python scripts/plugin_examples.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from deskmate.plugin import ToolContext  # noqa: E402

CART = """def total(prices, discount=0):
    return sum(prices) - discount * len(prices)


def count(prices):
    return len(prices)
"""
MENDED = CART.replace("discount * len(prices)", "discount")
TEST = """import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from cart import count, total


def test_count():
    assert count([1, 2]) == 2


def test_discount_is_taken_once():
    assert total([10, 20], 5) == 25
"""
FEATURE = """import hashlib
import pickle
import subprocess


def load(path):
    return pickle.loads(open(path, "rb").read())


def send(name):
    subprocess.run("mail " + name, shell=True)
"""


def checks(plugin: str) -> Path:
    """Return a plugin's folder of examples."""
    return ROOT / "plugins" / plugin / "src" / f"deskmate_{plugin}" / "checks"


def desk(plugin: str) -> ToolContext:
    """Return a copy of a plugin's example files as a workspace."""
    top = Path(tempfile.mkdtemp(prefix="deskmate-examples-"))
    shutil.copytree(checks(plugin) / "files", top / "workspace")
    return ToolContext(workspace=top / "workspace", home=top, resources=top)


def keep(context: ToolContext, path: str, plugin: str, name: str) -> Path:
    """Copy a result to a plugin's `bad` examples; return the copy, which is spoilt next."""
    target = checks(plugin) / "bad" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(context.workspace / path, target)
    return target


def repository() -> None:
    """Write `shop.git`: three commits on main, one more on feature, dates and names fixed."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch, "shop")
        work.mkdir()

        def git(*words: str, when: str = "2025-03-03T10:00:00Z") -> None:
            fixed = {
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CONFIG_SYSTEM": os.devnull,
                "GIT_AUTHOR_DATE": when,
                "GIT_COMMITTER_DATE": when,
            }
            who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
            subprocess.run(
                ["git", *who, *words],
                cwd=work,
                env={**os.environ, **fixed},
                check=True,
                capture_output=True,
            )

        def commit(files: dict[str, str], message: str, when: str) -> None:
            for name, text in files.items():
                (work / name).write_text(text)
            git("add", "-A")
            git("commit", "-q", "-m", message, when=when)

        git("init", "-q", "-b", "main")
        commit(
            {"cart.py": MENDED, "README.md": "# Shop\n"},
            "Add the cart",
            "2025-03-03T10:00:00Z",
        )
        commit(
            {"cart.py": CART, "test_cart.py": TEST},
            "Take the discount off each price",
            "2025-03-04T10:00:00Z",
        )
        git("checkout", "-q", "-b", "feature")
        commit({"export.py": FEATURE}, "Export carts", "2025-03-05T10:00:00Z")
        git("checkout", "-q", "main")
        git("pack-refs", "--all")
        git("repack", "-adq")
        target = checks("engineering") / "files" / "shop.git"
        shutil.rmtree(target, ignore_errors=True)
        (target / "objects" / "pack").mkdir(parents=True)
        for name in ("HEAD", "packed-refs"):
            shutil.copyfile(work / ".git" / name, target / name)
        for file in (work / ".git" / "objects" / "pack").glob("*"):
            if file.suffix in (".pack", ".idx"):
                shutil.copyfile(file, target / "objects" / "pack" / file.name)
                (target / "objects" / "pack" / file.name).chmod(0o644)


def patches() -> None:
    """Write patches that do not apply, weaken a test, and mend nothing."""
    from deskmate_engineering.tools.fix import fix_propose  # noqa: PLC0415

    context = desk("engineering")
    mend = [{"file": "cart.py", "find": "discount * len(prices)", "replace": "discount"}]
    test = "test_cart.py::test_discount_is_taken_once"
    made = fix_propose(
        context,
        mend,
        [test],
        "The discount was taken once an item.",
        path="shop.git",
        output="fix.patch",
    )
    data: Any = made.deliverables[0].data
    print(
        "base =",
        data["base"],
        "files =",
        data["files"],
        "tests =",
        data["tests"],
        "scope =",
        data["scope"],
    )
    text = (context.workspace / "fix.patch").read_text()
    bad = checks("engineering") / "bad"
    bad.mkdir(exist_ok=True)
    (bad.parent / "good").mkdir(exist_ok=True)
    (bad.parent / "good" / "fix.patch").write_text(text)
    (bad / "elsewhere.patch").write_text(
        text.replace("sum(prices) - discount * len", "sum(prices) - discount / len")
    )
    (bad / "idle.patch").write_text(
        text.replace(
            "+    return sum(prices) - discount\n",
            "+    return sum(prices) - len(prices) * discount\n",
        )
    )
    weaker = text.replace("File: cart.py", "File: cart.py\nFile: test_cart.py")
    weaker += (
        "diff --git a/test_cart.py b/test_cart.py\n--- a/test_cart.py\n+++ b/test_cart.py\n@@ -11,4 +11,4 @@ def test_count():\n \n \n"
        " def test_discount_is_taken_once():\n-    assert total([10, 20], 5) == 25\n+    assert total([10, 20], 5)\n"
    )
    (bad / "weaker.patch").write_text(weaker)


def searched() -> None:
    """Write reports of a bisect and of a page, which take long to make: good ones, and each with one line changed."""
    from deskmate_engineering.tools.bisecting import bisect_run  # noqa: PLC0415
    from deskmate_engineering.tools.page import page_check  # noqa: PLC0415

    context = desk("engineering")
    test = "test_cart.py::test_discount_is_taken_once"
    bisect = bisect_run(context, [test], good="main~1", path="shop.git", output="bisect.md")
    page = page_check(context, "site/index.html", width=400, height=400)
    for made, name, find, put in (
        (bisect.deliverables[0], "bisect.md", "Take the discount off each price", "Add the cart"),
        (page.deliverables[0], "index check.md", "console-error", "console-warning"),
    ):
        print(made.role, dict(made.sources), dict(made.data))
        text = (context.workspace / made.path).read_text()
        (checks("engineering") / "good" / name).write_text(text)
        (checks("engineering") / "bad" / name).write_text(text.replace(find, put))


def model() -> None:
    """Write a model of four years in which one formula holds a typed growth."""
    import openpyxl  # noqa: PLC0415

    book = openpyxl.Workbook()
    sheet: Any = book.active
    sheet.title = "Model"
    years = "BCDE"
    sheet.append(["Line", *(f"FY{year}" for year in range(2024, 2028))])
    sheet.append(["Units", 100, 110, 120, 130])
    sheet.append(["Price", 10, 10, 11, 11])
    sheet.append(["Revenue", *(f"={c}2*{c}3" for c in years)])
    sheet["D4"] = "=D2*D3*1.07"
    (checks("finance") / "files").mkdir(parents=True, exist_ok=True)
    book.save(checks("finance") / "files" / "model.xlsx")


def put(
    file: Path, sheet: str, title: str, column: str, value: Any, *, result: bool = False
) -> None:
    """Put another value into the row of a title, or another stored result; everything else keeps what it shows."""
    import openpyxl  # noqa: PLC0415

    from deskmate_documents.xlsx.book import Workbook  # noqa: PLC0415
    from deskmate_documents.xlsx.calculate import write_results  # noqa: PLC0415
    from deskmate_documents.xlsx.edit import edit_workbook  # noqa: PLC0415
    from deskmate_documents.xlsx.engines import Answer  # noqa: PLC0415
    from deskmate_documents.xlsx.refs import parse_area  # noqa: PLC0415

    rows = openpyxl.load_workbook(file)[sheet].iter_rows(max_col=1)
    cell = f"{column}{next(cells[0].row for cells in rows if str(cells[0].value) == title)}"
    if result:
        area = parse_area(cell)
        write_results(
            Workbook(file),
            file,
            {(sheet, (area.top, area.left)): Answer("number", str(value))},
            complete=True,
        )
        return
    edit_workbook(file, file, [{"op": "set", "cells": f"'{sheet}'!{cell}", "value": value}])


def finance() -> None:
    """Write a workbook for each gate that it must refuse, each spoilt in one place."""
    from deskmate_finance.tools.analytics import je_analytics  # noqa: PLC0415
    from deskmate_finance.tools.audit import model_audit  # noqa: PLC0415
    from deskmate_finance.tools.close import close_plan  # noqa: PLC0415
    from deskmate_finance.tools.dcf import dcf_build  # noqa: PLC0415
    from deskmate_finance.tools.journal import je_build  # noqa: PLC0415
    from deskmate_finance.tools.recon import recon_match  # noqa: PLC0415
    from deskmate_finance.tools.sampling import sox_sample  # noqa: PLC0415
    from deskmate_finance.tools.statements import statements_build  # noqa: PLC0415
    from deskmate_finance.tools.translation import tb_translate  # noqa: PLC0415
    from deskmate_finance.tools.variance import variance_bridge  # noqa: PLC0415
    from deskmate_finance.tools.xbrl import xbrl_facts  # noqa: PLC0415

    model()
    context = desk("finance")
    recon = recon_match(context, "bank.csv", "ledger.csv").deliverables[0]
    statements = statements_build(context, "trial balance 2025.csv").deliverables[0]
    bridge, picture = variance_bridge(context, "sales budget.csv").deliverables
    audit = model_audit(context, "model.xlsx").deliverables[0]
    journal, upload = je_build(context, "march records.csv", "2025-03").deliverables
    analysis = je_analytics(context, "journal q1.csv").deliverables[0]
    close = close_plan(context, "close tasks.csv", "2025-03-31").deliverables[0]
    valuation = dcf_build(context, "dcf inputs.csv").deliverables[0]
    facts = xbrl_facts(context, "report.xhtml").deliverables[0]
    sample = sox_sample(context, "payment approvals.csv", "weekly", "2025-Q1").deliverables[0]
    group = tb_translate(
        context, "group/balances.csv", rates="group/fx rates.csv", currency="EUR"
    ).deliverables[0]
    results = facts, group, valuation, sample, recon, statements, bridge, picture, audit
    for made in (*results, journal, upload, analysis, close):
        print(made.path, made.role, dict(made.sources), dict(made.data))
    spoilt = (
        (recon, "reconciliation.xlsx", "Summary", "Unexplained", "B", 0.5, True),
        (statements, "trial balance.xlsx", "Trial balance", "1000", "D", 48550, False),
        (statements, "balance sheet.xlsx", "Balance sheet", "Total assets", "B", 195201.01, True),
        (statements, "cash.xlsx", "Cash flow", "Cash at the end", "B", 48550.76, True),
        (statements, "statements.xlsx", "Cash flow", "Trade payables", "B", 600.5, True),
        (statements, "typed.xlsx", "Balance sheet", "Total assets", "B", 195201, False),
        (bridge, "bridge.xlsx", "Items", "Beta", "D", 14261, False),
        (audit, "audit.xlsx", "Scope", "Model", "D", 25, False),
        (group, "group trial balance.xlsx", "Rates", "USD", "C", 0.91, False),
        (valuation, "valuation.xlsx", "DCF", "Enterprise value", "B", 2500, True),
        (facts, "xbrl facts.xlsx", "Facts", "ifrs-full:ProfitLoss", "E", 12345, False),
        (sample, "sample.xlsx", "Sample", "1", "C", "PV-2002", False),
        (close, "close plan.xlsx", "Plan", "C6", "M", 1, True),
        (analysis, "journal analysis.xlsx", "Summary", "Entries", "B", 63, False),
        (journal, "journal.xlsx", "Journal entries", "JE-2025-03-001", "F", 4501, True),
    )
    for made, name, sheet, title, column, value, result in spoilt:
        file = keep(context, made.path, "finance", name)
        put(file, sheet, title, column, value, result=result)
    lines = keep(context, upload.path, "finance", "journal upload.csv")
    lines.write_text(lines.read_text().replace("6100", "6200", 1))
    _spoil_pixel(keep(context, picture.path, "finance", "bridge.png"))


def _spoil_pixel(file: Path) -> None:
    from PIL import Image  # noqa: PLC0415

    with Image.open(file) as opened:
        other = opened.convert("RGB")
    other.putpixel((300, 300), (1, 2, 3))
    other.save(file)


def legal() -> None:
    """Write a short agreement, and a redline and a memo of it that are spoilt."""
    import docx  # noqa: PLC0415

    from deskmate_documents.opc import without_times  # noqa: PLC0415
    from deskmate_legal.tools.memo import memo_write  # noqa: PLC0415
    from deskmate_legal.tools.redline import contract_redline  # noqa: PLC0415

    subprocess.run(
        [sys.executable, ROOT / "examples/make_contract.py", checks("legal") / "files"], check=True
    )
    context = desk("legal")
    name = "Northlight - Harbour mutual NDA.docx"
    second = docx.Document(str(context.workspace / name))
    second.paragraphs[2].runs[0].text += " They meet monthly."
    version = checks("legal") / "files" / "version 2.docx"
    second.save(str(version))
    without_times(version)
    edit: Any = {
        "paragraph": 7, "find": "a duty of confidentiality,", "replace": "a duty of secrecy,",
        "reason": "Our playbook says secrecy.",
    }  # fmt: skip
    redline = contract_redline(name, [edit], context).deliverables[0]
    print(dict(redline.data))
    memo = memo_write(name, context).deliverables[0]
    print(memo.role, dict(memo.sources), dict(memo.data), memo.path)
    for part, path in (("untracked", redline.path), ("memo", memo.path)):
        file = keep(context, path, "legal", f"{part}.docx")
        document = docx.Document(str(file))
        if part == "untracked":
            document.paragraphs[2].runs[-1].text += " Secretly."
        else:
            for row in document.tables[0].rows:
                if row.cells[0].text.startswith("Governing law"):
                    row._element.getparent().remove(row._element)
        document.save(str(file))
        without_times(file)


def spoilt_listings() -> None:
    """Write tables of the legal plugin in which one cell is not what the document says, and redactions that are none."""
    import docx  # noqa: PLC0415

    from deskmate_documents.opc import without_times  # noqa: PLC0415
    from deskmate_legal.tools.cite import authorities_write  # noqa: PLC0415
    from deskmate_legal.tools.deadlines import deadlines_write  # noqa: PLC0415
    from deskmate_legal.tools.preflight import signature_preflight  # noqa: PLC0415
    from deskmate_legal.tools.privilege import privilege_screen  # noqa: PLC0415

    for plugin, original, name in (
        ("legal", "version 2.docx", "redacted.docx"),
        ("hr", "policies/expenses.docx", "hr-redacted.docx"),
    ):
        keep(desk(plugin), original, plugin, name)  # nothing was taken out of it
    context = desk("legal")
    listed = authorities_write("brief.txt", context).deliverables[0]
    days = deadlines_write("order.txt", context, rule="frcp-6", calendar="us-federal")
    signing = signature_preflight("final.txt", context)
    screen = privilege_screen(
        context, "mails", counsel=["hale-law.example"], own_domains=["northlight.example"]
    )
    for part, path, table, column, text in (
        ("authorities", listed.path, 2, 1, "Marlow v. Denning, 513 U.S. 218"),
        ("deadlines", days.deliverables[0].path, 0, 2, "2026-03-24"),
        ("signature check", signing.deliverables[0].path, 1, 2, "look"),
        ("privilege screen", screen.deliverables[0].path, 0, 7, "no sign found"),
    ):
        file = keep(context, path, "legal", f"{part}.docx")
        document = docx.Document(str(file))
        document.tables[table].rows[1].cells[column].text = text
        document.save(str(file))
        without_times(file)


if __name__ == "__main__":
    repository()
    patches()
    searched()
    finance()
    legal()
    spoilt_listings()
