"""Which tests a perfSONARBUOY database has rows of.

Nothing that upstream's tables have an index on tells that without a look at every entry of one: so
each DATA table is looked through once, in the index alone where the database can, and from then on
in what is newer. What was looked through a day ago is looked through again, for the sake of rows
that came late.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from aggregator.store.measured_instants import require_whole
from aggregator.store.measured_pages import Reading
from aggregator.store.measured_periods import TableSet
from aggregator.store.measured_settings import Parameters
from aggregator.store.measured_values import MeasuredTest

#: Seconds before the newest row within which others may have come meanwhile.
_LATE = 3600
#: Seconds after which a table is looked through again.
_WHOLE = 86400.0
_IDS = "send_id, recv_id, tspec_id"

Named = tuple[str, str, Parameters, int]


@dataclass(slots=True)
class _Seen:
    """What one set of tables was found to have."""

    newest: int
    looked: float
    ids: set[tuple[int, int, int]]
    named: set[Named] = field(default_factory=set)


class Finding:
    """Finds tests, and remembers what each set of tables had."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._turn = threading.Lock()

    def tests(self, reading: Reading, sets: Sequence[TableSet]) -> Iterator[MeasuredTest]:
        """Those with rows in any of the sets; their numbers are those of all sets."""
        numbers: dict[tuple[str, str, Parameters], set[int]] = defaultdict(set)
        with self._turn:
            for gone in self._seen.keys() - {one.prefix for one in sets}:
                del self._seen[gone]
            for one in sets:
                for source, destination, parameters, number in self._named(reading, one):
                    numbers[source, destination, parameters].add(number)
        return ordered(reading.tables.kind, numbers)

    def _named(self, reading: Reading, tables: TableSet) -> set[Named]:
        newest = _newest(reading, tables)
        seen = self._seen.get(tables.prefix)
        if newest is None:
            self._seen.pop(tables.prefix, None)
            return set()
        if seen is None or monotonic() - seen.looked > _WHOLE or newest < seen.newest:
            if reading.connections.is_sqlite:
                _require_whole(reading, tables)
            seen = _Seen(newest, monotonic(), _ids(reading, tables, None))
            seen.named = _with_names(reading, tables, seen.ids)
            self._seen[tables.prefix] = seen
        elif newest > seen.newest:
            found = _ids(reading, tables, seen.newest - _LATE)
            if found - seen.ids or len(seen.named) < len(seen.ids):
                seen.ids |= found
                seen.named = _with_names(reading, tables, seen.ids)
            seen.newest = newest
        return seen.named


def ordered(
    kind: str, numbers: Mapping[tuple[str, str, Parameters], set[int]]
) -> Iterator[MeasuredTest]:
    """Tests in the order of their addresses, then of the lowest number of their settings."""
    for key in sorted(numbers, key=lambda one: (*one[:2], min(numbers[one]), one[2])):
        yield MeasuredTest(kind, *key, tuple(sorted(numbers[key])))  # type: ignore[arg-type]


def _newest(reading: Reading, tables: TableSet) -> int | None:
    quoted = reading.connections.quoted
    column, table = quoted(reading.tables.second), quoted(tables.table("DATA"))
    rows = reading.connections.rows(f"SELECT max({column}) FROM {table}", reading.budget)
    return None if rows[0][0] is None else int(rows[0][0])


def _ids(reading: Reading, tables: TableSet, since: int | None) -> set[tuple[int, int, int]]:
    """The ids of nodes and settings in DATA. All are in the keys of upstream's indexes."""
    quoted = reading.connections.quoted
    sql = f"SELECT DISTINCT {_IDS} FROM {quoted(tables.table('DATA'))}"
    values = {}
    if since is not None:
        sql, values = f"{sql} WHERE {quoted(reading.tables.second)} >= :since", {"since": since}
    rows = reading.connections.rows(sql, reading.budget, **values)
    return {(sender, receiver, number) for sender, receiver, number in rows}


def _require_whole(reading: Reading, tables: TableSet) -> None:
    table, column = tables.table("DATA"), reading.tables.begins
    quoted = reading.connections.quoted
    sql = f"SELECT {quoted(column)} FROM {quoted(table)} LIMIT 1"
    for (value,) in reading.connections.rows(sql, reading.budget):
        require_whole(value, column=f"{table}.{column}", name=reading.connections.name)


def _with_names(reading: Reading, tables: TableSet, ids: set[tuple[int, int, int]]) -> set[Named]:
    """The addresses and settings behind ids; one that is nowhere, or has no address, is none."""
    quoted = reading.connections.quoted
    nodes = dict(
        (row[0], row[1])
        for row in reading.connections.rows(
            f"SELECT node_id, addr FROM {quoted(tables.table('NODES'))}", reading.budget
        )
        if row[1]
    )
    columns = quoted("tspec_id", *reading.tables.settings)
    rows = reading.connections.rows(
        f"SELECT {columns} FROM {quoted(tables.table('TESTSPEC'))}", reading.budget
    )
    settings = {row[0]: reading.tables.parameters(row[1:]) for row in rows}
    return {
        (str(nodes[sender]), str(nodes[receiver]), settings[number], number)
        for sender, receiver, number in ids
        if sender in nodes and receiver in nodes and number in settings
    }
