"""The migrations as Oracle's SQL, made without a server."""

from io import StringIO
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config

from engine.persistence.database import MIGRATIONS

GOLDEN: Final = Path(__file__).parent / "oracle_migrations.sql"


def oracle_sql() -> str:
    """What a database administrator would run."""
    text = StringIO()
    config = Config(output_buffer=text)
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", "oracle+oracledb://")
    command.upgrade(config, "head", sql=True)
    return text.getvalue()
