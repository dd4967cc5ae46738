"""`deskmate image`: build, bring, list, verify and remove the virtual machine's images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deskmate.cli.output import Session, json_option, say, say_json, shown_progress
from deskmate.errors import CorruptData, UserError
from deskmate.ports import Flavour, Progress
from deskmate.sandbox.image import (
    Image,
    damaged_images,
    find_image,
    list_images,
    read_manifest,
    software_of,
    verify_image,
)
from deskmate.sandbox.recipes import DEFAULT_SUITE, FLAVOURS, find_recipe, recipe_digest, suites
from deskmate.sandbox.storage import (
    current_images,
    disk_usage,
    drop_stale,
    prune_images,
    prune_layers,
    taken,
)

_SUITE = click.option(
    "--suite",
    default=DEFAULT_SUITE,
    show_default=True,
    type=click.Choice(suites()),
    help="Debian suite.",
)
_FLAVOUR = click.argument("flavour", default="base", type=click.Choice(FLAVOURS))


@click.group()
def command() -> None:
    """Build, bring and look after the virtual machine's images.

    `base` is what every thread's machine runs. `office` adds LibreOffice, OCR, fonts, Chromium and Node; it is
    needed only where documents are rendered or recalculated.
    """


@command.command(short_help="Build an image from Debian packages, once.")
@_FLAVOUR
@_SUITE
@click.option("--force", is_flag=True, help="Build even if it is there: takes newer packages.")
@json_option
@click.pass_obj
def build(session: Session, flavour: Flavour, suite: str, force: bool, as_json: bool) -> None:
    """Build an image from Debian packages, once per recipe: base in two minutes, office in about six.

    The same packages give the same image, byte for byte. An older one stays for those who use it.
    """
    from deskmate.sandbox.build import build_image  # noqa: PLC0415

    with shown_progress(as_json=as_json) as progress:
        image = build_image(session.places, progress, flavour=flavour, suite=suite, force=force)
    if as_json:
        say_json(_row(image, current=True))
    else:
        _say_image(image)
        say(f"{_packages(image)} packages; see them with `deskmate image show {flavour}`")


@command.command("list", short_help="List images and what the cache takes on disk.")
@json_option
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List images with their sizes, and what the whole cache takes on disk; those in use are marked."""
    current = current_images(session.places)
    rows = [
        _row(image, current=image.folder.name in current) for image in list_images(session.places)
    ]
    if as_json:
        say_json(rows)
        return
    for row in rows:
        mark = "*" if row["current"] else " "
        say(
            f"{mark} {row['flavour']:6} {row['digest'][:12]}  {row['suite']}  {row['size_mib']} MiB  "
            f"built {row['built_at']}"
        )
    damaged = damaged_images(session.places)
    for message in damaged.values():
        say(f"! {message}")
    if not rows and not damaged:
        say("no image yet; build it with `deskmate image build`")
    for usage in disk_usage(session.places):
        cap = f" of at most {usage.cap_bytes >> 20}" if usage.cap_bytes else ""
        say(f"  {usage.name:10} {usage.bytes >> 20:6} MiB{cap}  {usage.folder}")


@command.command(short_help="Show an image's digest, recipe and packages.")
@_FLAVOUR
@_SUITE
@json_option
@click.pass_obj
def show(session: Session, flavour: Flavour, suite: str, as_json: bool) -> None:
    """Show an image's digest, recipe and packages, with versions and licences."""
    image = find_image(session.places, suite, flavour)
    packages = software_of(image)
    if as_json:
        say_json({**_row(image, current=True), "packages": packages})
        return
    _say_image(image)
    say(find_recipe(flavour, suite).summary)
    for row in packages:
        say(f"{row['kind']:5} {row['name']:40} {row['version']:32} {row['licence']}")


@command.command(short_help="Hash all files of an image anew.")
@_FLAVOUR
@_SUITE
@json_option
@click.pass_obj
def verify(session: Session, flavour: Flavour, suite: str, as_json: bool) -> None:
    """Hash all files of an image anew and compare them with what was built."""
    folders = [
        image.folder
        for image in list_images(session.places)
        if image.recipe == recipe_digest(suite, flavour)
    ]
    image = read_manifest(folders[0]) if folders else find_image(session.places, suite, flavour)
    damaged = verify_image(image)
    if as_json:
        say_json({"digest": image.digest, "recipe": image.recipe, "damaged": list(damaged)})
    elif not damaged:
        say(f"{flavour} sha256:{image.digest} is what was built")
    if damaged:
        raise CorruptData(
            f"{flavour} image {image.digest[:12]}: {', '.join(damaged)} changed since it was built",
            hint=f"build it again with `deskmate image build {flavour} --force`, or pull it again",
        )


@command.command(short_help="Write an image to one file, for other machines.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--flavour", default="base", type=click.Choice(FLAVOURS), show_default=True)
@_SUITE
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@json_option
@click.pass_obj
def export(
    session: Session,
    file: Path | None,
    flavour: Flavour,
    suite: str,
    force: bool,
    as_json: bool,
) -> None:
    """Write an image to one FILE, for machines that cannot build: `deskmate image pull FILE` reads it.

    Tell its digest to those who get it, by another way than the file.
    """
    from deskmate.sandbox.exchange import archive_name, export_image  # noqa: PLC0415

    image = find_image(session.places, suite, flavour)
    target = file or Path(archive_name(image))
    if target.is_dir():
        target /= archive_name(image)
    if target.exists() and not force:
        raise UserError(f"{target} is there already", hint="name another file, or add --force")
    with shown_progress(as_json=as_json) as progress:
        export_image(image, target, progress)
    if as_json:
        say_json({"file": str(target), "digest": image.digest, "bytes": target.stat().st_size})
    else:
        say(f"{target}  {target.stat().st_size >> 20} MiB  --digest sha256:{image.digest}")


@command.command(short_help="Bring an exported image from a file or URL.")
@click.argument("source", metavar="FILE|URL")
@click.option("--digest", default="", help="sha256:… of the image, as its maker told it.")
@json_option
@click.pass_obj
def pull(session: Session, source: str, digest: str, as_json: bool) -> None:
    """Bring an exported image from a FILE, a file:// or a http(s) URL.

    Every byte is checked before anything is used. Without --digest that shows damage, not who made it; plain
    http needs --digest. A download that broke off goes on with the same command.
    """
    from deskmate.sandbox.exchange import read_digest  # noqa: PLC0415

    wanted = read_digest(digest)
    with shown_progress(as_json=as_json) as progress:
        image = _pulled(session, source, wanted or "", progress)
    if as_json:
        say_json({**_row(image, current=True), "pinned": wanted is not None})
        return
    _say_image(image)
    if wanted is None:
        say("no --digest was given: compare this one with what the image's maker says")


def _pulled(session: Session, source: str, digest: str, progress: Progress) -> Image:
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415

    from deskmate.sandbox.exchange import ARCHIVE_LIMIT_BYTES, import_image  # noqa: PLC0415

    scheme = urlsplit(source).scheme.lower() if "://" in source else ""
    if scheme in ("", "file"):
        path = Path(unquote(urlsplit(source).path)) if scheme else Path(source)
        if not path.is_file():
            raise UserError(f"{path} is no file", hint="give an exported image or its URL")
        return import_image(path, session.places, progress, digest=digest)
    if scheme == "http" and not digest:
        raise UserError(
            "over plain http anybody on the way may change the image",
            hint="give --digest sha256:…, or an https URL",
        )
    from deskmate.sandbox.download import fetch, shown_url  # noqa: PLC0415

    part = fetch(source, session.places, progress, limit_bytes=ARCHIVE_LIMIT_BYTES)
    try:
        return import_image(part, session.places, progress, digest=digest)
    except (UserError, CorruptData) as error:  # they know the file by the name it has here
        message = error.message.replace(part.name, shown_url(source))
        raise type(error)(message, hint=error.hint) from error
    finally:
        part.unlink(missing_ok=True)


@command.command(short_help="Remove images that are no longer used.")
@click.option("--all", "everything", is_flag=True, help="Also the images that would be used next.")
@json_option
@click.pass_obj
def prune(session: Session, everything: bool, as_json: bool) -> None:
    """Remove former images with their templates, what was left unfinished, and layers that nothing uses.

    What a running machine uses stays.
    """
    done = prune_images(session.places, everything=everything)
    layers = prune_layers(session.places, cap_bytes=-1 if everything else 0)
    drop_stale(session.places)
    if as_json:
        say_json(
            {
                "removed": list(done.removed),
                "in_use": list(done.kept),
                "templates": list(done.templates),
                "layers": list(layers),
                "bytes": done.bytes,
            }
        )
        return
    say(
        f"removed {len(done.removed)} images ({done.bytes >> 20} MiB), {len(done.templates)} of their "
        f"templates, {len(layers)} layers"
    )
    if done.kept:
        say(f"kept {len(done.kept)} that running machines use")


def _say_image(image: Image) -> None:
    say(
        f"{image.flavour} sha256:{image.digest}  {image.bytes >> 20} MiB  "
        f"built in {image.build_s:.0f} s  {image.folder}"
    )


def _packages(image: Image) -> int:
    return len(software_of(image))


def _row(image: Image, *, current: bool) -> dict[str, Any]:
    return {
        "flavour": image.flavour,
        "recipe": image.recipe,
        "digest": image.digest,
        "suite": image.suite,
        "architecture": image.architecture,
        "python": image.python,
        "built_at": image.built_at,
        "build_s": image.build_s,
        "size_mib": image.bytes >> 20,
        "disk_mib": taken(image.folder) >> 20,
        "folder": str(image.folder),
        "current": current,
    }
