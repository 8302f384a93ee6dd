"""The database of the AMI, which perfSONARBUOY read before it had one of its own.

``nodes`` (node_id, node_name, addr), ``meshes`` (mesh_id, mesh_name) and ``node_mesh_map``
(mesh_id, node_id) say who measures; a table ``BW_<mesh>_<sender>_<receiver>`` (ti, time,
throughput, jitter, lost, sent) for each ordered pair of different nodes of one mesh, by their
names, says what was measured. `time` is NTP's 64 bits, `ti` the seconds of it. The settings of
tests are in a file of upstream's and are given by who opens the database. A mesh's id is the number
of its tests.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import NamedTuple

from aggregator.errors import AddressesUnknown, NothingMeasured
from aggregator.store.measured_connections import Connections
from aggregator.store.measured_finding import ordered
from aggregator.store.measured_instants import require_whole, stored
from aggregator.store.measured_limits import Budget
from aggregator.store.measured_ntp import ALL, SECOND, Bounds, bounds
from aggregator.store.measured_settings import Parameters
from aggregator.store.measured_values import Delay, MeasuredTest, Throughput, Within

#: Rows that are read at a time; seconds that a look for tests may take.
_SIZE, _FINDING = 2000, 600.0
_PREFIX = "BW_"


class _Pair(NamedTuple):
    """Two nodes of a mesh that have a table."""

    mesh: int
    mesh_name: str
    source: str
    destination: str
    table: str


class AmiDatabase:
    """Throughput between the nodes of meshes; `parameters` are those of each mesh, by its name."""

    def __init__(
        self, connections: Connections, parameters: Mapping[str, Sequence[tuple[str, str]]]
    ) -> None:
        self.name = connections.name
        self._connections = connections
        self._parameters = {name: tuple(given) for name, given in parameters.items()}

    def tests(self) -> Iterator[MeasuredTest]:
        """All pairs whose table has a row."""
        budget = Budget(_FINDING, self.name)
        numbers: dict[tuple[str, str, Parameters], set[int]] = defaultdict(set)
        for pair in self._pairs(budget):
            sql = f"SELECT ti FROM {self._connections.quoted(pair.table)} LIMIT 1"
            if self._connections.rows(sql, budget):
                told = self._parameters.get(pair.mesh_name, ())
                numbers[pair.source, pair.destination, told].add(pair.mesh)
        yield from ordered("bwctl", numbers)

    def throughput(
        self, test: MeasuredTest, within: Within, *, timeout: float
    ) -> Iterator[Throughput]:
        """Measurements in the order of their times."""
        budget = Budget(timeout, self.name)
        pairs = self._pairs(budget)
        if not pairs:
            raise NothingMeasured("No data in database")
        known = {address for pair in pairs for address in (pair.source, pair.destination)}
        if not known & {test.source, test.destination}:
            raise AddressesUnknown("", "")
        asked = bounds(within)
        of_test = [
            self._of_table(pair.table, asked, budget)
            for pair in pairs
            if (pair.source, pair.destination) == (test.source, test.destination)
            and pair.mesh in test.numbers
        ]
        yield from heapq.merge(*of_test, key=lambda one: one.timestamp)

    def delays(
        self, test: MeasuredTest, within: Within, *, buckets: bool, timeout: float
    ) -> Iterator[Delay]:
        """None: delays were not measured then."""
        return iter(())

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def _pairs(self, budget: Budget) -> list[_Pair]:
        """All ordered pairs of nodes with addresses that have a table, by its name."""
        rows, quoted = self._connections.rows, self._connections.quoted
        nodes = {
            number: (str(name), str(address))
            for number, name, address in rows(
                f"SELECT {quoted('node_id', 'node_name', 'addr')} FROM {quoted('nodes')}", budget
            )
            if name and address
        }
        meshes = {
            number: str(name)
            for number, name in rows(
                f"SELECT {quoted('mesh_id', 'mesh_name')} FROM {quoted('meshes')}", budget
            )
        }
        members: dict[int, list[int]] = defaultdict(list)
        for mesh, node in rows(
            f"SELECT {quoted('mesh_id', 'node_id')} FROM {quoted('node_mesh_map')}", budget
        ):
            if mesh in meshes and node in nodes:
                members[mesh].append(node)
        # A name that is there is written as it is; none is made up from what the rows hold.
        there = self._connections.table_names(_PREFIX, budget)
        found = []
        for mesh, among in members.items():
            for sender, receiver in permutations(sorted(set(among)), 2):
                (by, source), (to, destination) = nodes[sender], nodes[receiver]
                table = f"{_PREFIX}{meshes[mesh]}_{by}_{to}"
                if table in there:
                    found.append(_Pair(mesh, meshes[mesh], source, destination, table))
        return sorted(found)

    def _of_table(self, table: str, asked: Bounds, budget: Budget) -> Iterator[Throughput]:
        quoted = self._connections.quoted
        sql = (
            f"SELECT {quoted('ti', 'time', 'throughput', 'jitter', 'lost', 'sent')}"
            f" FROM {quoted(table)} WHERE ti > :after AND ti <= :until"
            f" AND {quoted('time')} >= :first AND {quoted('time')} <= :last ORDER BY ti, "
            f"{quoted('time')} LIMIT :most"
        )
        limits = stored(asked, is_sqlite=self._connections.is_sqlite)
        values = {"first": limits.first, "last": limits.last, "until": asked.last // SECOND + 1}
        after, most = asked.first // SECOND - 2, _SIZE
        while True:
            rows = self._connections.rows(sql, budget, **values, after=after, most=most)
            is_last = len(rows) < most
            whole = rows if is_last else [row for row in rows if row[0] < rows[-1][0]]
            # All rows of a second belong to one page, however many they are.
            most = _SIZE if whole or is_last else 2 * most
            for row in whole:
                if self._connections.is_sqlite:
                    require_whole(row[1], column=f"{table}.time", name=self.name)
                yield tuple.__new__(Throughput, (int(row[1]) % ALL, *row[2:]))
            if is_last:
                return
            after = whole[-1][0] if whole else after
