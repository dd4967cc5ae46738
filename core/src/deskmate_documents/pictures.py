"""A changed picture: what kind it is, how large, its digest, and how much of it differs."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

from deskmate.errors import ToolInputError

KINDS = frozenset({".png", ".jpg", ".gif", ".bmp", ".tiff", ".webp"})
PIXELS_LIMIT = 40_000_000
Lines = tuple[str, ...]


def picture_changes(before: Path, after: Path) -> tuple[Lines, ...]:
    """Return one piece: both pictures in a line each, and the share of pixels that differ.

    Raises:
        ToolInputError: one of them is no picture, or has more than 40 million pixels.
    """
    old, new = _open(before), _open(after)
    lines = [f"-{_about(before, old)}", f"+{_about(after, new)}"]
    if old.size == new.size:
        many = max(getattr(picture, "n_frames", 1) for picture in (old, new)) > 1
        where = " of its first picture" if many else ""
        lines.append(f"~{_share(old, new)} of the pixels{where} differ")
    return (("@@ the picture @@ change 1", *lines),)


def _open(path: Path) -> Any:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(path.read_bytes()))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise ToolInputError(f"{path.name} is no picture that can be read.") from error
    if picture.width * picture.height > PIXELS_LIMIT:
        raise ToolInputError(
            f"{path.name} has more than {PIXELS_LIMIT // 1_000_000} million pixels."
        )
    return picture


def _about(path: Path, picture: Any) -> str:
    data = path.read_bytes()
    frames = getattr(picture, "n_frames", 1)
    more = f", {frames} frames" if frames > 1 else ""
    digest = hashlib.sha256(data).hexdigest()
    return f"{picture.format} {picture.width} × {picture.height}{more}, {len(data):,} bytes, sha256 {digest}"


def _share(old: Any, new: Any) -> str:
    from PIL import ImageChops  # noqa: PLC0415

    try:
        difference = ImageChops.difference(old.convert("RGBA"), new.convert("RGBA"))
    except (OSError, ValueError) as error:
        raise ToolInputError("A picture is damaged; its pixels cannot be compared.") from error
    bands = [band.point(lambda level: 255 if level else 0) for band in difference.split()]
    mask = bands[0]
    for band in bands[1:]:
        mask = ImageChops.lighter(mask, band)
    count = mask.histogram()[255]
    share = 100 * count / (old.width * old.height)
    return "none" if not count else "under 0.1 %" if share < 0.1 else f"{share:.1f} %"
