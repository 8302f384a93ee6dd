"""An archive that is filled as it would be by members that say something else each minute."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aggregator.config import Settings
from aggregator.store.archive_packing import base_of, deflate
from aggregator.store.content import pack
from aggregator.store.engine import open_store
from aggregator.store.groups import declare_groups
from aggregator.store.migrate import migrate

GROUP = "ArchiveService"
MEMBERS = 1000
BORN = 1_700_006_400_000_000
MINUTE = 60_000_000
GLUE = 'xmlns:glue="http://mds.globus.org/glue/ce/1.1"'
#: Different documents of a member, which come again in turn.
_TURN = 5


class Filled:
    """A store with an archive that grows; each member brings a document a minute."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "aggregator.db"
        self.store = open_store(
            url=f"sqlite:///{self.path}",
            data_dir=folder,
            pool_size=2,
            busy_timeout=60,
            write_timeout=60,
        )
        migrate(self.store)
        names = [*Settings().groups]
        self.group_id = declare_groups(self.store, names)[GROUP]
        self.filled = 0
        chance = random.Random(1)
        self._packed = [
            [pack((glue(number, chance),)) for _ in range(_TURN + 1)] for number in range(MEMBERS)
        ]
        self.document = len(self._packed[0][0])
        self.bases = [base_of(packed[0]) for packed in self._packed]
        self._deflated = [
            [deflate(one, base) for one in packed[1:]]
            for packed, base in zip(self._packed, self.bases, strict=True)
        ]

    def __enter__(self) -> Filled:
        with self.store.database.writing.connect() as connection:
            cursor = connection.connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            _insert(
                cursor,
                "archive_streams",
                (
                    (n + 1, self.group_id, f"key{n}", member(n), "", b"", BORN, BORN, BORN, 1,
                     "-", n + 1, 2 * self.document)
                    for n in range(MEMBERS)
                ),
            )  # fmt: skip
            _insert(
                cursor,
                "archive_bases",
                ((n + 1, n + 1, None, deflate(self.bases[n], b"")) for n in range(MEMBERS)),
            )
            cursor.execute("COMMIT")
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    @property
    def last(self) -> int:
        """The instant after the last delivery."""
        return BORN + self.filled // MEMBERS * MINUTE

    def fill(self, size: int, progress: Callable[[float], None]) -> None:
        """Go on until there are so many deliveries, as they would have come: in turn."""
        with self.store.database.writing.connect() as connection:
            cursor = connection.connection.cursor()
            while self.filled < size:
                more = min(500_000, size - self.filled)
                cursor.execute("BEGIN IMMEDIATE")
                _insert(cursor, "archive_spans", self._spans(self.filled, more))
                self.filled += more
                cursor.execute("UPDATE archive_streams SET first = ?, last = ?", (self.last,) * 2)
                cursor.execute("COMMIT")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                progress(self.filled)

    def _spans(self, begin: int, count: int) -> Iterator[tuple[object, ...]]:
        for number in range(begin, begin + count):
            turn, one = divmod(number, MEMBERS)
            first = BORN + turn * MINUTE + one * 1000
            content = self._deflated[one][turn % _TURN]
            size = len(self._packed[one][1 + turn % _TURN])
            yield one + 1, first, self.group_id, first, 1, one + 1, size, len(content), content


def _insert(cursor: Any, table: str, rows: Iterator[tuple[object, ...]]) -> None:
    found = list(rows)
    marks = ", ".join("?" * len(found[0]))
    cursor.executemany(f"INSERT INTO {table} VALUES ({marks})", found)


def member(number: int) -> str:
    """The address of a member."""
    return f"http://node{number}.example.org:9080/wsrf/services/HostService"


def glue(number: int, chance: random.Random) -> bytes:
    """What a site says of its hosts and its queue: a document of 3 KB whose numbers differ."""
    free = chance.randrange(128)
    hosts = "".join(
        f'<glue:Host glue:Name="node{number}-{host}" glue:UniqueID="node{number}-{host}">'
        '<glue:Processor glue:CacheL1="0" glue:CacheL2="0" glue:ClockSpeed="2400" '
        'glue:InstructionSet="x86"/>'
        f'<glue:MainMemory glue:RAMAvailable="{chance.randrange(4096)}" glue:RAMSize="4096" '
        f'glue:VirtualAvailable="{chance.randrange(6144)}" glue:VirtualSize="6144"/>'
        '<glue:OperatingSystem glue:Name="Linux" glue:Release="2.6.9"/>'
        '<glue:Architecture glue:SMPSize="2"/>'
        f'<glue:FileSystem glue:AvailableSpace="{chance.randrange(100_000)}" '
        'glue:Name="entire-system" glue:ReadOnly="false" glue:Root="/" glue:Size="100000"/>'
        f'<glue:NetworkAdapter glue:IPAddress="10.0.{number % 250}.{host}" glue:MTU="1500" '
        'glue:Name="eth0" glue:InboundIP="true" glue:OutboundIP="true"/>'
        f'<glue:ProcessorLoad glue:Last15Min="{chance.randrange(200)}" '
        f'glue:Last1Min="{chance.randrange(300)}" glue:Last5Min="{chance.randrange(250)}"/>'
        "</glue:Host>"
        for host in range(3)
    )
    return (
        f'<glue:GLUECE {GLUE}><glue:Cluster glue:Name="site{number}">{hosts}</glue:Cluster>'
        '<glue:ComputingElement glue:Name="default"><glue:Info glue:LRMSType="PBS" '
        f'glue:TotalCPUs="128"/><glue:State glue:FreeCPUs="{free}" glue:Status="enabled" '
        f'glue:RunningJobs="{128 - free}" glue:WaitingJobs="{chance.randrange(50)}"/>'
        "</glue:ComputingElement></glue:GLUECE>"
    ).encode()
