"""Pages and pictures that the model looks at itself: small enough, upright, on white, and never a host's business."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from PIL import ImageDraw
from tests.unit.documents.pdfs import write_pdf

from deskmate.errors import ToolError, ToolInputError
from deskmate.plugin import ToolContext
from deskmate.types.messages import PICTURE_LIMIT_BYTES, media_of
from deskmate_documents.office import look_tool
from deskmate_documents.office.look_tool import pages_look


def opened(content: bytes) -> PIL.Image.Image:
    assert media_of(content) is not None
    assert len(content) <= PICTURE_LIMIT_BYTES
    return PIL.Image.open(io.BytesIO(content))


def noise(size: tuple[int, int]) -> PIL.Image.Image:
    return PIL.Image.effect_noise(size, 90).convert("RGB")


def test_pages_of_a_pdf_are_shown(context: ToolContext) -> None:
    write_pdf(context.workspace / "a.pdf", [[(50, 500, f"Page {n}")] for n in range(1, 5)])
    answer = pages_look("a.pdf", context, pages="2,4")
    assert [row["page"] for row in answer.result["pages"]] == [2, 4]
    assert answer.result["of"] == 4
    for row, content in zip(answer.result["pages"], answer.pictures, strict=True):
        page = opened(content)
        assert page.size == (row["width"], row["height"])
        assert (page.width * page.height) == pytest.approx(look_tool.AREA, rel=0.01)
        assert page.convert("L").getextrema() == (0, 255)
    with pytest.raises(ToolInputError, match="more than 3"):
        pages_look("a.pdf", context, pages="1-4")
    with pytest.raises(ToolInputError, match="not there"):
        pages_look("a.pdf", context, pages="9")


@pytest.mark.parametrize(
    ("name", "mode", "colour", "shown"),
    [
        ("bits.png", "1", 1, 255),
        ("grey.png", "L", 120, 120),
        ("palette.gif", "P", 0, None),
        ("see-through.png", "RGBA", (0, 0, 0, 0), (255, 255, 255)),
        ("print.tif", "CMYK", (0, 255, 255, 0), (254, 0, 0)),
        ("photo.jpg", "RGB", (200, 30, 30), (200, 30, 30)),
        ("small.webp", "RGB", (30, 200, 30), (30, 200, 30)),
        ("old.bmp", "RGB", (1, 2, 3), (1, 2, 3)),
    ],
)
def test_pictures_of_every_kind_are_shown(
    context: ToolContext, name: str, mode: str, colour: Any, shown: Any
) -> None:
    PIL.Image.new(mode, (40, 30), colour).save(context.workspace / name)
    answer = pages_look(name, context)
    assert answer.result == {
        "path": name, "pages": [{"page": 1, "width": 40, "height": 30}], "of": 1,
    }  # fmt: skip
    picture = opened(answer.pictures[0])
    found: Any = picture.getpixel((20, 15))
    if shown is not None:
        near = zip(
            found if isinstance(found, tuple) else (found,),
            shown if isinstance(shown, tuple) else (shown,),
            strict=True,
        )
        assert all(abs(one - other) <= 4 for one, other in near), found


def test_what_is_darker_stays_darker_with_sixteen_bits(context: ToolContext) -> None:
    deep = PIL.Image.new("I;16", (64, 64), 900)
    deep.paste(40_000, (0, 0, 32, 64))
    deep.save(context.workspace / "scan.png")
    picture = opened(pages_look("scan.png", context).pictures[0])
    assert picture.getpixel((10, 30)) == 255
    assert picture.getpixel((50, 30)) == 0


def test_a_large_photograph_is_made_small_and_upright(context: ToolContext) -> None:
    photo = noise((6_000, 4_000))
    ImageDraw.Draw(photo).rectangle((0, 0, 6_000, 600), fill="red")
    exif = photo.getexif()
    exif[0x0112] = 6  # the camera was held upright
    photo.save(context.workspace / "p.jpg", quality=80, exif=exif)
    picture = opened(pages_look("p.jpg", context).pictures[0])
    assert picture.width < picture.height
    assert max(picture.size) <= look_tool.EDGE
    red = picture.convert("RGB").getpixel((picture.width - 20, picture.height // 2))
    assert isinstance(red, tuple)
    assert red[0] > 180 > red[1] + 80


def test_a_picture_that_does_not_fit_is_made_smaller_until_it_does(context: ToolContext) -> None:
    noise((1_500, 760)).save(context.workspace / "n.png")
    answer = pages_look("n.png", context)
    picture = opened(answer.pictures[0])
    assert picture.size == (answer.result["pages"][0]["width"], answer.result["pages"][0]["height"])


def test_pages_of_a_tiff_are_its_frames(context: ToolContext) -> None:
    frames = [PIL.Image.new("L", (20, 20), shade) for shade in (10, 90, 200)]
    frames[0].save(context.workspace / "fax.tiff", save_all=True, append_images=frames[1:])
    answer = pages_look("fax.tiff", context, pages="3,1")
    assert answer.result["of"] == 3
    assert [opened(one).getpixel((5, 5)) for one in answer.pictures] == [200, 10]


def test_what_is_no_picture_says_so(context: ToolContext, tmp_path: Path) -> None:
    (context.workspace / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(ToolError, match="cannot be read as a picture"):
        pages_look("a.png", context)
    (context.workspace / "b.jpg").write_bytes(b"")
    with pytest.raises(ToolError, match="cannot be read"):
        pages_look("b.jpg", context)
    whole = io.BytesIO()
    noise((300, 300)).save(whole, "JPEG")
    (context.workspace / "c.jpg").write_bytes(whole.getvalue()[:2_000])
    with pytest.raises(ToolError, match="cannot be read"):
        pages_look("c.jpg", context)
    (context.workspace / "d.docx").write_bytes(b"PK")
    with pytest.raises(ToolInputError, match="render_pages"):
        pages_look("d.docx", context)
    (context.workspace / "e.txt").write_text("x")
    with pytest.raises(ToolInputError):
        pages_look("e.txt", context)


def test_a_bomb_is_not_decoded(context: ToolContext) -> None:
    PIL.Image.new("1", (9_000, 9_000)).save(context.workspace / "bomb.png")
    with pytest.raises(ToolError, match="9000 × 9000 pixels"):
        pages_look("bomb.png", context)
    PIL.Image.new("1", (20_000, 20_000)).save(context.workspace / "worse.png")
    with pytest.raises(ToolError):
        pages_look("worse.png", context)
