"""`deskmate image`: build, list, verify and remove the virtual machine's image."""

from __future__ import annotations

from typing import Any

import click

from deskmate.cli.output import Session, json_option, say, say_json, shown_progress
from deskmate.errors import CorruptData
from deskmate.sandbox.image import (
    DEFAULT_SUITE,
    PYTHONS,
    Image,
    find_image,
    list_images,
    prune_images,
    recipe_digest,
    verify_image,
)

_SUITE = click.option(
    "--suite",
    default=DEFAULT_SUITE,
    show_default=True,
    type=click.Choice(sorted(PYTHONS)),
    help="Debian suite.",
)


@click.group()
def command() -> None:
    """Build and look after the virtual machine's image."""


@command.command(short_help="Build the image from Debian packages, once.")
@_SUITE
@click.option("--force", is_flag=True, help="Build even if it is there: takes newer packages.")
@json_option
@click.pass_obj
def build(session: Session, suite: str, force: bool, as_json: bool) -> None:
    """Build the image from Debian packages, once per recipe (about a minute)."""
    from deskmate.sandbox.build import build_image  # noqa: PLC0415

    with shown_progress(as_json=as_json) as progress:
        image = build_image(session.places, progress, suite=suite, force=force)
    if as_json:
        say_json(_row(image, current=True))
    else:
        say(f"{image.recipe[:12]}  {_size(image)} MiB  {image.folder}")


@command.command("list")
@json_option
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List built images; the one in use is marked."""
    rows = [
        _row(image, current=image.recipe == recipe_digest(image.suite))
        for image in list_images(session.places)
    ]
    if as_json:
        say_json(rows)
        return
    for row in rows:
        mark = "*" if row["current"] else " "
        say(
            f"{mark} {row['recipe'][:12]}  {row['suite']}  {row['size_mib']} MiB  built {row['built_at']}"
        )
    if not rows:
        say("no image yet; build it with `deskmate image build`")


@command.command()
@_SUITE
@json_option
@click.pass_obj
def verify(session: Session, suite: str, as_json: bool) -> None:
    """Hash the image's files anew and compare them with what was built."""
    image = find_image(session.places, suite)
    damaged = verify_image(image)
    if as_json:
        say_json({"recipe": image.recipe, "damaged": list(damaged)})
    elif not damaged:
        say(f"{image.recipe[:12]} is what was built")
    if damaged:
        raise CorruptData(
            f"image {image.recipe[:12]}: {', '.join(damaged)} changed since it was built",
            hint="build it again with `deskmate image build --force`",
        )


@command.command()
@click.option("--all", "everything", is_flag=True, help="Also the image in use.")
@json_option
@click.pass_obj
def prune(session: Session, everything: bool, as_json: bool) -> None:
    """Remove images of former recipes and unfinished builds."""
    keep = None if everything else recipe_digest(DEFAULT_SUITE)
    gone = [path.name for path in prune_images(session.places, keep=keep)]
    if as_json:
        say_json({"removed": gone})
    else:
        say(f"removed {len(gone)}")


def _size(image: Image) -> int:
    """Return MiB of the files that travel: the scratch disk is all holes."""
    return sum(size for name, size in image.sizes.items() if name != "scratch.ext4") >> 20


def _row(image: Image, *, current: bool) -> dict[str, Any]:
    return {
        "recipe": image.recipe,
        "digest": image.digest,
        "suite": image.suite,
        "python": image.python,
        "built_at": image.built_at,
        "size_mib": _size(image),
        "folder": str(image.folder),
        "current": current,
    }
