"""What a database's errors mean to those above it: away for now, outcome unknown, or a bug in a statement."""

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from engine.errors import Unavailable, last_words

_BUGS = (IntegrityError, DataError, ProgrammingError, NotSupportedError)


class CommitUnknown(SQLAlchemyError):
    """The connection broke while a transaction was committed: it may have been, or not."""


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, does not let us in, is full, or takes no writes now."""

    code = "database_unavailable"


def is_outage(error: SQLAlchemyError) -> bool:
    """Whether the server could not do it now and may do it later; False for what is wrong with a statement or row."""
    return isinstance(error, PoolTimeout) or (isinstance(error, DBAPIError) and not isinstance(error, _BUGS))


def told(error: SQLAlchemyError) -> str:
    """The server's own words on one line, for a log."""
    return last_words(getattr(error, "orig", None) or error)
