"""Pictures by the hash of their bytes: written once, never changed."""

from sqlalchemy import Connection, Table, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from engine.persistence.tables import ImageRow

_IMAGES: Table = SQLModel.metadata.tables[str(ImageRow.__tablename__)]


class ImageAlreadyThere(Exception):
    """Somebody stored the same bytes first; the transaction must be rolled back."""


def exists(connection: Connection, image: str) -> bool:
    """Whether a picture with that hash is kept."""
    return bool(connection.execute(select(func.count()).where(_IMAGES.c.image == image)).scalar_one())


def add(connection: Connection, image: str, media_type: str, body: bytes, now_ms: int) -> None:
    """Keep a picture.

    Raises:
        ImageAlreadyThere: it is kept already.
    """
    row = {"image": image, "media_type": media_type, "body": body, "created_at_ms": now_ms}
    try:
        connection.execute(insert(_IMAGES), [row])
    except IntegrityError as error:
        raise ImageAlreadyThere(image) from error


def image(connection: Connection, image: str) -> tuple[str, bytes] | None:
    """The picture's media type and bytes, or None."""
    row = connection.execute(select(_IMAGES.c.media_type, _IMAGES.c.body).where(_IMAGES.c.image == image)).first()
    return None if row is None else (row.media_type, bytes(row.body))
