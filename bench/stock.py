"""Groups that are full from the start: copies of one registration, written into a store at rest.

A service writes the first registration; the rows of the others are that one's, with what differs
from member to member put in. So there are a hundred thousand in seconds, in the form that the
service itself gave them.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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
#: The columns in which something differs from member to member.
_DIFFERING = ("address", "member", "plan", "data")
Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Kind:
    """What the entries are.

    `body` is the Add of the member of a number; `texts` are those in it that differ by number.
    """

    body: Callable[[int], str]
    texts: Callable[[int], tuple[str, ...]]


#: Published as they are registered, and not polled.
PLAIN = Kind(entries.add_body, lambda number: (entries.member(number), entries.content(number)))


def plain_groups(names: Iterable[str]) -> str:
    """The configuration of groups that publish what is registered, and poll nothing."""
    return "".join(f"[groups.{name}]\nrequire_source = false\n" for name in names)


def stocked(
    folder: Path,
    counts: dict[str, int],
    *,
    termination: int | None = None,
    kind: Kind = PLAIN,
    config: str = "",
) -> Path:
    """A folder with a store whose groups have so many entries each; give it to a service.

    `termination` is when all of them end, microseconds since 1970, None for never. A folder that
    has such a store already is given so many more. `config` is what the registrations need beside
    their groups.
    """
    config += "".join(
        plain_groups([name]) + "min_interval_millis = 1\nmax_entries = 10000000\n"
        for name in counts
    )
    # Nothing is to be polled before it is measured.
    with running_service(folder, config=config, options=["--no-collector"]) as service:
        for name in counts:
            answer = soap.call(f"{service.url}/wsrf/services/{name}", kind.body(0))
            assert answer.status == 200, answer.content
    with sqlite3.connect(folder / "aggregator.db") as connection:
        connection.row_factory = sqlite3.Row
        for name, count in counts.items():
            _multiply(connection, name, count, termination, kind)
    connection.close()
    return folder


def paths(store: Path, group: str) -> list[str]:
    """The paths of the entries of a group, in the order of their numbers."""
    with sqlite3.connect(store / "aggregator.db") as connection:
        found = connection.execute(
            "select key from entry_state s join groups on groups.id = s.group_id where name = ?"
            " order by entry_id",
            [group],
        )
        keys = [key for (key,) in found]
    connection.close()
    return [f"/wsrf/services/{group}Entry/{key}" for key in keys]


def _multiply(
    connection: sqlite3.Connection, group: str, count: int, termination: int | None, kind: Kind
) -> None:
    """Copy the last entry of a group, so that there are `count` of it."""
    [group_id] = connection.execute("select id from groups where name = ?", [group]).fetchone()
    [first] = connection.execute(
        "select max(id) from entries where group_id = ?", [group_id]
    ).fetchone()
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
        _insert(connection, table, _copies(pattern[table], key, last, count, kind))
    for table in ("groups", "owners"):
        where = "id" if table == "groups" else "group_id"
        connection.execute(
            f"update {table} set entries = entries + ? where {where} = ?", [count - 1, group_id]
        )


def _copies(pattern: Row, key: str, last: int, count: int, kind: Kind) -> Iterator[Row]:
    present = [name for name in _DIFFERING if pattern.get(name)]
    first = kind.texts(0)
    for number in range(1, count):
        row = {**pattern, key: last + number}
        if "key" in row:
            row["key"] = f"{last + number:014x}{uuid.uuid4().hex}"
            row["slot"] = slot_of(str(row["key"]))
        for name in present:
            row[name] = _with(row[name], first, kind.texts(number))
        yield row


def _with(stored: object, old: tuple[str, ...], new: tuple[str, ...]) -> str | bytes:
    """A column with the texts of another member; they are as long, since lengths are stored too."""
    assert isinstance(stored, str | bytes)
    given = text = stored if isinstance(stored, str) else stored.decode()
    for before, after in zip(old, new, strict=True):
        assert len(before) == len(after)
        text = text.replace(before, after)
    assert text != given
    return text if isinstance(stored, str) else text.encode()


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    columns = [found[1] for found in connection.execute(f"pragma table_info({table})")]
    names = ", ".join(f'"{name}"' for name in columns)
    places = ", ".join(f":{name}" for name in columns)
    connection.executemany(f"insert into {table} ({names}) values ({places})", rows)
