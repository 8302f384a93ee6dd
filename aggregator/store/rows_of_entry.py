"""The four rows of a new entry.

In the embedded database, where there is one writer at a time, they are numbered here and inserted
together with those of the transaction's other entries. On a server each statement is a journey
there and back, and an Add with one instead of four is done in half the time; SQLite has no such
statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, column, insert, select
from sqlalchemy import table as table_of

from aggregator.store.many_rows import ManyRows, inserting
from aggregator.store.statement import Statement
from aggregator.store.tables import entries, entry_data, entry_health, entry_state
from aggregator.store.write import Write

_COLD = [column.name for column in entries.columns if column is not entries.c.id]

# SQLite's own, in which it keeps the largest number that each table ever gave away.
_numbers = table_of("sqlite_sequence", column("name"), column("seq"))
LAST_ID = Statement(select(_numbers.c.seq).where(_numbers.c.name == entries.name))
#: Each with the names of its columns, the entry's id first.
_ADDS: list[tuple[ManyRows, list[str]]] = [
    (inserting(table), [column.name for column in table.columns][1:])
    for table in (entries, entry_state, entry_health, entry_data)
]


def _add_all() -> Statement:
    cold = {name: _bound(entries, name) for name in _COLD}
    added = insert(entries).values(cold).returning(entries.c.id).cte("added")
    statement = select(added.c.id)
    for table in (entry_state, entry_health, entry_data):
        names = [column.name for column in table.columns if not column.primary_key]
        row = select(added.c.id, *(_bound(table, name) for name in names))
        rest = insert(table).from_select(["entry_id", *names], row)
        statement = statement.add_cte(rest.cte(f"added_{table.name}"))
    return Statement(statement)


def _bound(table: Table, name: str) -> Any:
    # The tables share column names; the parameters must not.
    return bindparam(f"{table.name}_{name}", type_=table.c[name].type)


ADD_ALL = _add_all()


def insert_entry(
    write: Write,
    *,
    cold: dict[str, Any],
    state: dict[str, Any],
    health: dict[str, Any],
    data: bytes,
) -> int:
    """Insert the rows, each given without its entry's id; the id."""
    if write.is_sqlite:
        return _put_off(write, (cold, state, health, {"data": data}))
    values = {f"entries_{name}": value for name, value in cold.items()}
    values |= {f"entry_state_{name}": value for name, value in state.items()}
    values |= {f"entry_health_{name}": value for name, value in health.items()}
    [(number,)] = write.rows(ADD_ALL, **values, entry_data_data=data)
    return int(number)


def _put_off(write: Write, rows: Sequence[Mapping[str, Any]]) -> int:
    tally = write.tally
    if tally.last_id is None:
        found = LAST_ID.row(write.connection)
        tally.last_id = found[0] if found else 0
    tally.last_id += 1
    for (insert_rows, names), row in zip(_ADDS, rows, strict=True):
        write.put_off(insert_rows, (tally.last_id, *(row[name] for name in names)))
    return tally.last_id
