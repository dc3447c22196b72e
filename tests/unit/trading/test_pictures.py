"""Pictures are redrawn or refused; nothing of the upload survives."""

import contextlib
import io
import random
import struct
import zlib

import pytest
from PIL import Image

from engine.errors import Refusal
from engine.trading.pictures import ImageTooLarge, NotAnImage, redrawn


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    channels = len(mode)
    return Image.frombytes(mode, (width, height), random.Random(5).randbytes(width * height * channels))


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims and unpacks to a huge picture."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(min(width * height, 1_000_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_each_accepted_format_becomes_a_small_webp(kind: str) -> None:
    with Image.open(io.BytesIO(redrawn(encoded(noise(800, 400), kind)))) as drawn:
        assert (drawn.format, drawn.size) == ("WEBP", (256, 128))


def test_transparency_survives_and_a_small_picture_is_not_blown_up() -> None:
    with Image.open(io.BytesIO(redrawn(encoded(Image.new("RGBA", (10, 20), (255, 0, 0, 0)), "PNG")))) as drawn:
        assert (drawn.mode, drawn.size) == ("RGBA", (10, 20))
        assert drawn.getpixel((5, 5))[3] == 0  # type: ignore[index]


def test_only_the_first_frame_of_an_animation_is_kept() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "green")]
    animation = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with Image.open(io.BytesIO(redrawn(animation))) as drawn:
        assert getattr(drawn, "n_frames", 1) == 1
        red, _, blue = drawn.convert("RGB").getpixel((10, 10))  # type: ignore[misc]
        assert red > 200 > 50 > blue


def test_metadata_is_gone_and_the_picture_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a secret place"  # rotated by 90 degrees, and a description
    upload = encoded(noise(40, 20), "JPEG", exif=exif)
    assert b"a secret place" in upload
    body = redrawn(upload)
    assert b"a secret place" not in body
    with Image.open(io.BytesIO(body)) as drawn:
        assert drawn.size == (20, 40)


NO_IMAGES = [
    b"",
    b"hello",
    b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    b"<?xml version='1.0'?><svg/>",
    b"GIF89a<script>alert(1)</script>",
    b"%PDF-1.7",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\x00\x00\x00\x00WEBPVP8 ",
    encoded(Image.new("RGB", (4, 4)), "BMP"),
    encoded(Image.new("RGB", (4, 4)), "TIFF"),
    encoded(Image.new("RGB", (64, 64)), "ICO"),
]


@pytest.mark.parametrize("body", NO_IMAGES, ids=lambda body: repr(body[:12]))
def test_what_is_no_picture_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        redrawn(body)
    assert (refused.value.code, refused.value.status) == ("not_an_image", 422)


@pytest.mark.parametrize(
    "size", [(5001, 5000), (20_000, 1), (12_000, 12_000), (100_000, 100_000), (2**31 - 1, 2**31 - 1)]
)
def test_a_decompression_bomb_is_refused_before_it_unpacks(size: tuple[int, int]) -> None:
    with pytest.raises(Refusal) as refused:
        redrawn(png_bomb(*size))
    assert refused.value.code == "image_too_large"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_damaged_picture_is_redrawn_or_refused_and_never_a_crash(kind: str) -> None:
    whole, dice = encoded(noise(60, 60), kind), random.Random(7)
    for _ in range(150):
        body = bytearray(whole[: dice.randrange(len(whole))] if dice.random() < 0.3 else whole)
        for _ in range(dice.randrange(1, 20)):
            if body:
                body[dice.randrange(min(len(body), 400))] = dice.randrange(256)
        with contextlib.suppress(NotAnImage, ImageTooLarge):
            assert redrawn(bytes(body))[8:12] == b"WEBP"
