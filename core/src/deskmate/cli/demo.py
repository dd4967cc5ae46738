"""`deskmate demo`: the main job with the ordinary commands, each shown before it runs."""

from __future__ import annotations

import hashlib
import shlex
import shutil
from pathlib import Path

import click

from deskmate.cli.output import Session, plain, say
from deskmate.errors import UserError

REQUEST = (
    "Review this contract against our playbook. Redline what deviates and write a one-page memo."
)
_KINDS = (".docx", ".pdf", ".txt")


@click.command("demo")
@click.option(
    "--contract",
    required=True,
    type=click.Path(path_type=Path),
    help="The contract to review: DOCX is redlined, PDF and text get a memo.",
)
@click.option("--playbook", type=click.Path(path_type=Path), help="Your playbook (YAML).")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    help="Where the demo works on copies of them.",
    show_default=True,
)
@click.option("--model", "-m", help="As in `run`.")
@click.pass_obj
def command(
    session: Session, contract: Path, playbook: Path | None, folder: Path, model: str | None
) -> int:
    """Watch the main job: a contract reviewed in a virtual machine, applied, undone, applied again."""
    work = _prepare(folder, contract, playbook)
    before = _digests(work)
    asked = ["run", REQUEST, "--plugin", "legal", "--folder", f"{work}:rw"]
    code = _show(session, [*asked, *(["--model", model] if model else [])])
    if code:
        return code
    _show(session, ["changes", "show"])
    _show(session, ["changes", "apply"])
    applied = _digests(work)
    _show(session, ["changes", "undo"])
    if _digests(work) != before:
        raise UserError(f"{work} is not what it was before: please report this.")
    say(f"Undone: all {len(before)} file(s) in {work} are byte for byte what they were.")
    _show(session, ["changes", "apply"])
    new = sorted(applied.keys() - before.keys())
    say(f"The results in {work}: {', '.join(new)}")
    return 0


def _prepare(folder: Path, contract: Path, playbook: Path | None) -> Path:
    if not contract.is_file():
        raise UserError(
            f"{contract} is not a file.", hint="Give --contract a DOCX, PDF or text file."
        )
    if contract.suffix.lower() not in _KINDS:
        raise UserError(f"{contract} is not one of {', '.join(_KINDS)}.")
    work = folder.absolute() / contract.stem
    work.mkdir(parents=True, exist_ok=True)
    for old in work.iterdir():
        if old.is_file():
            old.unlink()
    for file in (contract, playbook):
        if file is not None:
            shutil.copy2(file, work / file.name)
    return work


def _digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _show(session: Session, arguments: list[str]) -> int:
    """Print a command as one would type it, then run it in this process."""
    from deskmate.cli import root  # noqa: PLC0415

    click.secho(plain(f"$ deskmate {shlex.join(arguments)}"), bold=True)
    code = root.main(args=arguments, standalone_mode=False, prog_name="deskmate")
    return code if isinstance(code, int) else 0
