"""Groups that are full from the start: copies of one registration, written into a store at rest.

A service writes the first registration; the rows of the others are that one's, with what differs
from member to member put in. So there are a hundred thousand in seconds, in the form that the
service itself gave them.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from aggregator.store.shards import slot_of
from bench import entries
from tests import soap
from tests.service import running_service

#: By table, the column that names the entry.
_TABLES = {
    "entries": "id",
    "entry_state": "entry_id",
    "entry_health": "entry_id",
    "entry_data": "entry_id",
}
Row = dict[str, object]


def plain_groups(names: Iterable[str]) -> str:
    """The configuration of groups that publish what is registered, and poll nothing."""
    return "".join(f"[groups.{name}]\nrequire_source = false\n" for name in names)


def stocked(folder: Path, counts: dict[str, int], *, termination: int | None = None) -> Path:
    """A folder with a store whose groups have so many entries each; give it to a service.

    `termination` is when all of them end, microseconds since 1970, None for never.
    """
    with running_service(folder, config=plain_groups(counts)) as service:
        for name in counts:
            answer = soap.call(f"{service.url}/wsrf/services/{name}", entries.add_body(0))
            assert answer.status == 200, answer.content
    with sqlite3.connect(folder / "aggregator.db") as connection:
        connection.row_factory = sqlite3.Row
        for name, count in counts.items():
            _multiply(connection, name, count, termination)
    connection.close()
    return folder


def paths(store: Path, group: str) -> list[str]:
    """The paths of the entries of a store's one group."""
    with sqlite3.connect(store / "aggregator.db") as connection:
        keys = [key for (key,) in connection.execute("select key from entry_state")]
    connection.close()
    return [f"/wsrf/services/{group}Entry/{key}" for key in keys]


def _multiply(
    connection: sqlite3.Connection, group: str, count: int, termination: int | None
) -> None:
    [group_id] = connection.execute("select id from groups where name = ?", [group]).fetchone()
    [first] = connection.execute("select id from entries where group_id = ?", [group_id]).fetchone()
    pattern = {
        table: dict(
            connection.execute(f"select * from {table} where {key} = ?", [first]).fetchone()
        )
        for table, key in _TABLES.items()
    }
    [last] = connection.execute("select max(id) from entries").fetchone()
    pattern["entry_state"]["termination"] = termination
    connection.execute(
        "update entry_state set termination = ? where entry_id = ?", [termination, first]
    )
    for table, key in _TABLES.items():
        _insert(connection, table, _copies(pattern[table], key, last, count))
    for table in ("groups", "owners"):
        where = "id" if table == "groups" else "group_id"
        connection.execute(f"update {table} set entries = ? where {where} = ?", [count, group_id])


def _copies(pattern: Row, key: str, last: int, count: int) -> Iterator[Row]:
    for number in range(1, count):
        row = {**pattern, key: last + number}
        if "key" in row:
            row["key"] = f"{last + number:014x}{uuid.uuid4().hex}"
            row["slot"] = slot_of(str(row["key"]))
        if "data" in row:
            row["data"] = _with(row["data"], entries.content(0), entries.content(number))
        if "address" in row:
            row["address"] = entries.member(number)
            row["member"] = _with(row["member"], entries.member(0), entries.member(number))
        yield row


def _with(stored: object, old: str, new: str) -> bytes:
    assert isinstance(stored, bytes)
    assert old.encode() in stored
    assert len(old) == len(new)
    return stored.replace(old.encode(), new.encode())


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    columns = [found[1] for found in connection.execute(f"pragma table_info({table})")]
    names = ", ".join(f'"{name}"' for name in columns)
    places = ", ".join(f":{name}" for name in columns)
    connection.executemany(f"insert into {table} ({names}) values ({places})", rows)
