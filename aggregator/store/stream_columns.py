"""Columns of the tables of streams: which names and types may be given, and what becomes of them.

What is given comes from programs, and what they know of it may come from anywhere: nothing of it
is put into SQL that is not on the lists here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BigInteger, Boolean, Double, LargeBinary, String, Text
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT
from sqlalchemy.types import TypeEngine

from aggregator.errors import StreamRefused

Kind = Literal["text", "integer", "real", "boolean", "bytes", "date", "time", "datetime"]

#: The column of the number of a row, and that of its instant, in every table.
ROW, TIME = "stream_row", "time"
#: Characters of a name; PostgreSQL cuts off what is longer than 63.
_LONGEST_KEY, _LONGEST_NAME = 48, 63
#: Columns that a table may have, beside its own two.
MOST_COLUMNS = 200
#: Tables that are the streamer's own.
OWN = "mds_stream"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
#: What PostgreSQL has in every table.
_SYSTEM = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})
_TYPE = re.compile(
    r"\s*([A-Za-z]+(?:\s+[A-Za-z]+)?)\s*(?:\(\s*(\d{1,9})\s*(?:,\s*\d{1,9}\s*)?\))?\s*"
)

#: Names of types, as SQLite and PostgreSQL have them, and what is stored for each.
KINDS: dict[str, Kind] = {
    **dict.fromkeys(("VARCHAR", "CHAR", "CHARACTER", "CHARACTER VARYING", "NVARCHAR"), "text"),
    **dict.fromkeys(("TEXT", "CLOB", "STRING"), "text"),
    **dict.fromkeys(("INTEGER", "INT", "BIGINT", "SMALLINT", "TINYINT"), "integer"),
    **dict.fromkeys(("REAL", "FLOAT", "DOUBLE", "DOUBLE PRECISION"), "real"),
    **dict.fromkeys(("NUMERIC", "DECIMAL", "NUMBER"), "real"),
    **dict.fromkeys(("BOOLEAN", "BOOL"), "boolean"),
    **dict.fromkeys(("BLOB", "BYTEA", "BINARY", "VARBINARY"), "bytes"),
    "DATE": "date",
    "TIME": "time",
    **dict.fromkeys(("DATETIME", "TIMESTAMP", "TIMESTAMPTZ"), "datetime"),
}

# The same order and the same upper and lower case everywhere: that of the characters' numbers.
_MARIADB = "utf8mb4_nopad_bin"
#: A text of any length.
TEXT = Text().with_variant(Text(collation="C"), "postgresql")
TEXT = TEXT.with_variant(LONGTEXT(collation=_MARIADB), "mariadb")
#: A text that is a key, or a part of one, which MariaDB wants to know the length of.
KEY_TEXT = Text().with_variant(String(64, collation=_MARIADB), "mariadb")
_STORED: dict[Kind, TypeEngine[Any]] = {
    "text": TEXT,
    "integer": BigInteger(),
    "real": Double(),
    "boolean": Boolean(),
    "bytes": LargeBinary().with_variant(LONGBLOB(), "mariadb"),
    "date": TEXT,
    "time": TEXT,
    "datetime": TEXT,
}


@dataclass(frozen=True, slots=True)
class StreamColumn:
    """A column as it was declared; `longest` is in characters or bytes, None for no limit."""

    name: str
    type: str
    kind: Kind
    longest: int | None = None

    @property
    def stored(self) -> TypeEngine[Any]:
        """The type that the database is given."""
        if self.kind == "text" and self.longest is not None:
            narrow = String(self.longest)
            narrow = narrow.with_variant(String(self.longest, collation="C"), "postgresql")
            # The columns of a row of MariaDB have 64 KiB together, but those of this type.
            return narrow.with_variant(LONGTEXT(collation=_MARIADB), "mariadb")
        return _STORED[self.kind]


def check_key(key: object) -> str:
    """The table key, if a table can be named so; raises StreamRefused."""
    if not isinstance(key, str) or not _NAME.fullmatch(key) or len(key) > _LONGEST_KEY:
        raise StreamRefused(
            f"{shown(key)} can't name a table; expected are a letter or _ and then letters, digits,"
            f" _ and -, {_LONGEST_KEY} characters at most"
        )
    if key.lower().startswith((OWN, "sqlite_", "pg_")):
        raise StreamRefused(f"tables named {shown(key)} are not for rows; choose another table key")
    return key


def check_name(name: object) -> str:
    """The name of a stream; raises StreamRefused."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise StreamRefused(
            f"{shown(name)} can't name a stream; expected are a letter or _ and then letters,"
            f" digits, _ and -, {_LONGEST_NAME} characters at most"
        )
    return name


def declared(keys: Sequence[object], types: Sequence[object]) -> tuple[StreamColumn, ...]:
    """The columns of a table, of names and types in the same order; raises StreamRefused."""
    for given, what in ((keys, "keys"), (types, "types")):
        if isinstance(given, str | bytes) or not isinstance(given, Sequence):
            raise StreamRefused(f"{what} must be a list of texts; given was {shown(given)}")
    if len(keys) != len(types):
        raise StreamRefused(
            f"there are {len(keys)} keys and {len(types)} types; give a type for each key"
        )
    if len(keys) > MOST_COLUMNS:
        raise StreamRefused(f"{len(keys)} columns are too many; {MOST_COLUMNS} may be")
    columns = tuple(_column(key, kind) for key, kind in zip(keys, types, strict=True))
    seen = {ROW, TIME}
    for column in columns:
        # SQLite tells no upper from lower case in names.
        if column.name.lower() in seen:
            own = " (every table has it)" if column.name.lower() in (ROW, TIME) else ""
            raise StreamRefused(f"the column {column.name!r} is there already{own}")
        seen.add(column.name.lower())
    return columns


def _column(name: object, given: object) -> StreamColumn:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise StreamRefused(
            f"{shown(name)} can't name a column; expected are a letter or _ and then letters,"
            f" digits, _ and -, {_LONGEST_NAME} characters at most"
        )
    if name.lower() in _SYSTEM:
        raise StreamRefused(f"{name!r} is a column that PostgreSQL has in every table")
    found = _TYPE.fullmatch(given) if isinstance(given, str) else None
    named = " ".join(found[1].upper().split()) if found else ""
    if found is None or named not in KINDS:
        raise StreamRefused(
            f"{shown(given)}, the type of {name!r}, is none that is known; expected is one of "
            + ", ".join(KINDS)
        )
    kind = KINDS[named]
    longest = int(found[2]) if found[2] and kind in ("text", "bytes") else None
    if longest == 0 or (longest or 0) > 2**20:
        raise StreamRefused(
            f"{shown(given)}, the type of {name!r}, has no length from 1 to {2**20}"
        )
    return StreamColumn(name, f"{named}({longest})" if longest else named, kind, longest)


def shown(given: object) -> str:
    """What was given, for a message: shortened, whatever it is."""
    if isinstance(given, int) and given.bit_length() > 300:
        return f"a number of {given.bit_length()} bits"
    if isinstance(given, str | bytes):
        text = ascii(given[:100])
        return text if len(given) <= 100 else f"{text[:97]}..."
    return ascii(given) if isinstance(given, int | float | None) else type(given).__name__
