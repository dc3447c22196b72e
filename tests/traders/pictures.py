"""Token pictures for simulated launches: a small symmetric pattern drawn from the symbol."""

import hashlib
import io

from PIL import Image, ImageDraw

SIDE_PX = 256
CELLS = 8


def picture(symbol: str) -> bytes:
    """A PNG that is the same for the same symbol."""
    digest = hashlib.sha256(symbol.encode()).digest()
    ground, ink = _color(digest[0], dark=True), _color(digest[1], dark=False)
    image = Image.new("RGB", (SIDE_PX, SIDE_PX), ground)
    draw = ImageDraw.Draw(image)
    cell = SIDE_PX // CELLS
    bits = int.from_bytes(digest[2:10])
    for row in range(1, CELLS - 1):
        for column in range(1, CELLS // 2):
            if bits >> (row * CELLS + column) & 1:
                for x in (column, CELLS - 1 - column):
                    draw.rectangle((x * cell, row * cell, (x + 1) * cell - 1, (row + 1) * cell - 1), fill=ink)
    encoded = io.BytesIO()
    image.save(encoded, "PNG")
    return encoded.getvalue()


def _color(hue: int, *, dark: bool) -> tuple[int, int, int]:
    return Image.new("HSV", (1, 1), (hue, 140, 60 if dark else 230)).convert("RGB").getpixel((0, 0))  # type: ignore[return-value]
