"""`deskmate changes pages`: what the pages of a staged document look like, as pictures in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import click

from deskmate.cli.output import Session, json_option, progress, say, say_json
from deskmate.errors import UserError

if TYPE_CHECKING:
    from deskmate.host.page_images import Page
    from deskmate.types.ids import Digest


@click.command("pages", short_help="Draw the pages of a staged document as pictures.")
@click.argument("path")
@click.option("--thread", "-t", help="Without it: the one that changed last.")
@click.option("--run", "run", default="", help="The change set of this run.")
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the pictures go: page-0001.png and so on; what is there is not replaced.",
)
@click.option("--pages", default="1-20", show_default=True, help="Such as 1-3,8; at most 40.")
@click.option("--dpi", type=click.IntRange(24, 300), default=60, show_default=True)
@json_option
@click.pass_obj
def pages(
    session: Session,
    path: str,
    thread: str | None,
    run: str,
    folder: Path,
    pages: str,
    dpi: int,
    as_json: bool,
) -> None:
    """Draw pages of the document at PATH, as the change set has it, into a folder of yours.

    A machine of its own draws them, without network or grants. Office files need the office image.
    """

    async def work() -> list[Path]:
        from deskmate.host.adapters import Adapters  # noqa: PLC0415
        from deskmate.host.page_images import page_images  # noqa: PLC0415

        adapters = Adapters(session.places)
        digest, blobs = await _content(session, path, thread, run), adapters.blobs()
        sandbox = adapters.sandbox()
        found = await page_images(sandbox, blobs, digest, pages=pages, dpi=dpi, progress=progress())
        return [_write(folder, page, blobs.read(page.image)) for page in found]

    written = anyio.run(work)
    if as_json:
        say_json([str(file) for file in written])
        return
    for file in written:
        say(str(file))


async def _content(session: Session, path: str, thread: str | None, run: str) -> Digest:
    from deskmate.cli.opening import open_for_reading  # noqa: PLC0415
    from deskmate.host.viewing import version_in  # noqa: PLC0415

    async with open_for_reading(session, thread) as (store, blobs):
        return version_in(await store.events(), blobs, path, run).sha256


def _write(folder: Path, page: Page, image: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / Path(page.name).name
    try:
        with file.open("xb") as stream:
            stream.write(image)
    except FileExistsError as error:
        raise UserError(f"{file} is there already.", hint="Give --to an empty folder.") from error
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}.") from error
    return file
