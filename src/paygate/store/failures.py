"""What a failing database means to whoever called: the drivers' errors as those of paygate."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ..errors import (
    ChangedMeanwhile,
    ConfigurationError,
    InvalidValue,
    PaygateError,
    SaveUnknown,
    StoreDamaged,
    StoreError,
    StoreUnavailable,
)
from .database import file_of, where

__all__ = ["is_driver_error", "reachable", "translated"]

_NOTHING = "nothing of this step was saved"

#: SQLite's result codes (https://www.sqlite.org/rescode.html), by their primary names.
_SQLITE = {
    "SQLITE_BUSY": "another process keeps it locked; try again in a moment",
    "SQLITE_LOCKED": "it is locked; try again in a moment",
    "SQLITE_PROTOCOL": "it is locked; try again in a moment",
    "SQLITE_FULL": "the disk is full; make room, then try again",
    "SQLITE_READONLY": "its file or directory cannot be written; see to its permissions and to the file system",
    "SQLITE_PERM": "its file cannot be used by this user; see to its permissions",
    "SQLITE_AUTH": "its file cannot be used by this user; see to its permissions",
    "SQLITE_CANTOPEN": "its file cannot be opened; see that the directory is there and permitted",
    "SQLITE_IOERR": "reading or writing its file failed; see to the disk",
    "SQLITE_NOMEM": "there is no memory left",
    "SQLITE_INTERRUPT": "it was interrupted",
    "SQLITE_NOLFS": "its file is too large for the file system",
}
_SQLITE_DAMAGED = {"SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT", "SQLITE_EMPTY", "SQLITE_SCHEMA", "SQLITE_ERROR"}
_SQLITE_VALUE = {"SQLITE_TOOBIG", "SQLITE_MISMATCH", "SQLITE_RANGE"}

#: PostgreSQL's classes of SQLSTATE (appendix A of its manual), and single states where a class is mixed.
_POSTGRESQL = {
    "08": "the connection was lost; try again",
    "25006": "the server takes no changes at present (a standby?); point paygate at the primary",
    "28": "the server does not let this user in; see to user, password and pg_hba.conf",
    "3D": "the server has no such database; create it, then run `paygate db create`",
    "40": "another transaction was in the way; try again",
    "42501": "this user may not use its tables; grant the rights",
    "53": "the server is out of disk, memory or connections; make room, then try again",
    "54": "the server's limits were reached",
    "55": "what was asked for is locked; try again in a moment",
    "57": "the server is shutting down, starting, or cancelled the work; try again",
    "58": "the server had an input or output error; see to its disk",
}


def is_driver_error(error: BaseException, dialect: sa.Dialect) -> bool:
    """Whether *error* comes from the database's driver or from SQLAlchemy."""
    return isinstance(error, sa.exc.SQLAlchemyError | dialect.loaded_dbapi.Error)


def translated(error: Exception, engine: sa.Engine, *, committing: bool = False) -> PaygateError:
    """The error of paygate for *error*, which the driver or SQLAlchemy raised.

    :param committing: it was raised by the COMMIT of a transaction that writes, which then may have taken effect.
    """
    original = getattr(error, "orig", None) or error
    place = f"the database {where(engine.url)}"
    if isinstance(error, sa.exc.TimeoutError):
        return StoreUnavailable(f"{place}: all its connections are in use; {_NOTHING}")
    if engine.dialect.name == "sqlite":
        return _sqlite(original, place, committing=committing)
    return _postgresql(original, place, committing=committing)


def _sqlite(error: Any, place: str, *, committing: bool) -> PaygateError:
    extended = getattr(error, "sqlite_errorname", None) or ""
    name = "_".join(extended.split("_")[:2])
    if name == "SQLITE_CONSTRAINT":
        unique = extended in {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID"}
        return _constraint(place, _line(error), unique=unique)
    if name in _SQLITE_VALUE:
        return _value(place, _line(error))
    if committing and name == "SQLITE_IOERR":  # the journal may be complete all the same
        return _save_unknown(place, _line(error))
    if name in _SQLITE:
        return _unavailable(place, _SQLITE[name], _line(error))
    if name in _SQLITE_DAMAGED:
        return _damaged(place, _line(error))
    if not name and isinstance(error, sqlite3.OperationalError):
        return (
            _save_unknown(place, _line(error)) if committing else _unavailable(place, "it cannot be used", _line(error))
        )
    return StoreError(f"{place}: {_line(error)}; {_NOTHING}")


def _postgresql(error: Any, place: str, *, committing: bool) -> PaygateError:
    state = getattr(error, "sqlstate", None) or ""
    text = _line(error)
    if state.startswith("22") or (not state and type(error).__name__ == "DataError"):
        return _value(place, text)
    if state.startswith("23"):
        return _constraint(place, text, unique=state == "23505")
    lost = not state or state[:2] in {"08", "57", "58", "XX"}
    if committing and lost:
        return _save_unknown(place, text)
    known = _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])
    if known or not state:
        return _unavailable(place, known or "it cannot be reached; try again", text)
    if state[:2] in {"42", "XX", "0A", "F0"}:
        return _damaged(place, text)
    return StoreError(f"{place}: {text}; {_NOTHING}")


def _unavailable(place: str, why: str, text: str) -> PaygateError:
    return StoreUnavailable(f"{place}: {why} ({text}); {_NOTHING}")


def _line(error: Exception) -> str:
    """The first line of the driver's text: further ones quote rows."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _constraint(place: str, text: str, *, unique: bool) -> PaygateError:
    if unique:
        return ChangedMeanwhile(f"{place}: somebody else wrote the same at the same moment; read it again ({text})")
    return StoreError(f"{place} refused a row ({text}); {_NOTHING}")


def _value(place: str, text: str) -> PaygateError:
    return InvalidValue(f"{place} cannot hold one of the values given ({text}); {_NOTHING}")


def _damaged(place: str, text: str) -> PaygateError:
    return StoreDamaged(
        f"{place} is damaged or not one of paygate's ({text}); {_NOTHING}. Restore it from a backup, or have "
        "`paygate db upgrade` look at it"
    )


def _save_unknown(place: str, text: str) -> PaygateError:
    return SaveUnknown(
        f"{place} gave no answer to the last step of saving ({text}): it may have been saved or not. Look before you repeat it"
    )


@contextlib.contextmanager
def reachable(engine: sa.Engine) -> Iterator[None]:
    """A database that cannot be opened is a matter of the set-up, but for one that is only busy at the moment."""
    file = file_of(engine.url)
    if file is not None and not file.parent.is_dir():
        raise ConfigurationError(
            f"cannot open the database {file}: the directory {file.parent} does not exist; make it, or correct the place"
        )
    try:
        yield
    except Exception as exc:
        if not is_driver_error(exc, engine.dialect):
            raise
        error = translated(exc, engine)
        if isinstance(error, StoreUnavailable) and "locked" in str(error):
            raise error from exc
        cause = str(getattr(exc, "orig", None) or exc).strip()
        raise ConfigurationError(f"cannot open the database {where(engine.url)}: {cause}") from exc
