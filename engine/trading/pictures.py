"""Token pictures: decoded with suspicion, drawn anew, kept by the hash of what was drawn.

Nothing of the uploaded file survives, neither metadata nor anything a browser could take for a script.
"""

import asyncio
import hashlib
import io
import re
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final

from PIL import Image, ImageOps

from engine.errors import NotFound, Refusal
from engine.persistence import images as rows
from engine.services import Services

MAX_BYTES: Final = 5 * 1024 * 1024
SIZE_PX: Final = 256
MEDIA_TYPE: Final = "image/webp"
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_MAX_PIXELS: Final = 25_000_000
_MAX_SIDE: Final = 16_384
_QUALITY: Final = 85
_HASH: Final = re.compile(r"[0-9a-f]{64}\Z")
_BROKEN: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What decoders of damaged files have been seen to raise."""

_drawing = ThreadPoolExecutor(2, "pictures")  # a large picture takes 100 MB for a moment: two at a time


class NotAnImage(Refusal):
    """Not a picture in one of the accepted formats, or a damaged one."""

    code = "not_an_image"
    status = 422


class ImageTooLarge(Refusal):
    """A small file that unpacks to a huge picture, or simply a huge picture."""

    code = "image_too_large"
    status = 422


class UnknownImage(NotFound):
    """No picture with that hash has been uploaded."""

    code = "unknown_image"


class ImageRefused(Refusal):
    """The picture that a launch names was never uploaded."""

    code = "unknown_image"
    status = 422


def redrawn(body: bytes) -> bytes:
    """The picture's first frame as WebP, at most 256 pixels a side, upright, without any metadata.

    Raises:
        NotAnImage: not a PNG, JPEG, WebP or GIF, or a damaged one.
        ImageTooLarge: more than 25 million pixels, decoded or not.
    """
    try:
        with Image.open(io.BytesIO(body), formats=_FORMATS) as picture:
            width, height = picture.size
            if width * height > _MAX_PIXELS or max(width, height) > _MAX_SIDE:
                raise ImageTooLarge(f"The picture is {width} x {height} pixels, more than 25 million or too long.")
            picture.draft("RGB", (2 * SIZE_PX, 2 * SIZE_PX))
            upright = ImageOps.exif_transpose(picture)
            drawn = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
            drawn.thumbnail((SIZE_PX, SIZE_PX), Image.Resampling.LANCZOS)
            out = io.BytesIO()
            drawn.save(out, "WEBP", quality=_QUALITY, exif=b"", xmp=b"", icc_profile=b"")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge("The picture unpacks to far too many pixels.") from error
    except _BROKEN as error:
        raise NotAnImage("This is not a PNG, JPEG, WebP or GIF picture, or it is damaged.") from error
    return out.getvalue()


async def store(services: Services, body: bytes) -> str:
    """Keep an uploaded picture and return the hash it is found under.

    Raises:
        NotAnImage, ImageTooLarge: as for `redrawn`.
    """
    drawn = await asyncio.get_running_loop().run_in_executor(_drawing, redrawn, body)
    image = hashlib.sha256(drawn).hexdigest()
    if not await services.database.read(partial(rows.exists, image=image)):
        added = partial(rows.add, image=image, media_type=MEDIA_TYPE, body=drawn, now_ms=services.clock.now_ms())
        with suppress(rows.ImageAlreadyThere):
            await services.database.write(added)
    return image


async def load(services: Services, image: str) -> tuple[str, bytes]:
    """A picture's media type and bytes.

    Raises:
        UnknownImage: no such picture.
    """
    found = await services.database.read(partial(rows.image, image=image)) if _HASH.match(image) else None
    if found is None:
        raise UnknownImage("There is no picture under this hash.")
    return found


async def read_image(services: Services, value: object) -> str | None:
    """The hash of an uploaded picture that a launch names; None where it names none.

    Raises:
        ImageRefused: no picture under that hash.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _HASH.match(value):
        raise ImageRefused("image is the hash that the upload of a picture answered with.")
    if not await services.database.read(partial(rows.exists, image=value)):
        raise ImageRefused("No picture with this hash has been uploaded.")
    return value
