"""Two whole services, each as on a host of its own, on one PostgreSQL database."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import soap
from tests.misbehaving import MisbehavingServer
from tests.service import MANY_GROUPS, RunningService, start_service
from tests.soap import EntryReference

#: A machine that is busy with other tests is no reason to refuse a write.
#: A collector that is stopped in a transaction keeps the other from its place for so long.
PATIENT = "[store]\nwrite_timeout = '8s'\nbusy_timeout = '6s'\n"
NAMES = ("first", "second")
#: Polls the one property that misbehaving members have, once a second.
POLL = soap.get_property_config("w:foo", declare='xmlns:w="http://widgets.com"')


@dataclass(slots=True)
class Pair:
    """Both services by name, which is also what their collectors call themselves to members."""

    folder: Path
    database_url: str
    running: dict[str, RunningService]

    def start(self, name: str) -> RunningService:
        """Start a service, or start it again."""
        old = self.running.get(name)
        config = f"[collect]\nuser_agent = '{name}'\n{PATIENT}{MANY_GROUPS}"
        options = ["--database", self.database_url]
        port = int(old.url.rpartition(":")[2]) if old else 0
        self.running[name] = start_service(
            self.folder / name, config=config, options=options, port=port
        )
        return self.running[name]

    def group(self, number: int, name: str) -> str:
        """The address of a group as a service gives it."""
        return f"{self.running[name].url}/wsrf/services/Group{number}"

    def seen_by(self, name: str, entry: EntryReference) -> EntryReference:
        """An entry of either service as the other one names it."""
        path = entry.address.partition("/wsrf/")[2]
        return EntryReference(f"{self.running[name].url}/wsrf/{path}", entry.header, entry.key)

    def logs(self) -> str:
        """What both logged."""
        return "".join(service.logs() for service in self.running.values())


@contextlib.contextmanager
def pair(folder: Path, database_url: str) -> Iterator[Pair]:
    """Two services that run as long as the block; one that was ended may be started in it."""
    made = Pair(folder, database_url, {})
    try:
        for name in NAMES:
            made.start(name)
        yield made
    finally:
        for service in made.running.values():
            if service.process.poll() is None:
                service.stop()


@contextlib.contextmanager
def members(pair: Pair, server: MisbehavingServer, group: int, count: int) -> Iterator[set[str]]:
    """Members that are registered with the services in turn; the paths they are polled at."""
    entries = [
        soap.add(
            pair.group(group, NAMES[number % 2]),
            f"{server.url}/number/{group}-{number}",
            POLL,
            family="gt4",
        )
        for number in range(count)
    ]
    try:
        yield {f"/number/{group}-{number}" for number in range(count)}
    finally:
        living = next(n for n in NAMES if pair.running[n].process.poll() is None)
        for entry in entries:
            soap.destroy(pair.seen_by(living, entry), family="gt4")


def polls(server: MisbehavingServer, began: float, ended: float) -> Counter[str]:
    """How often each path was asked for between two instants of the steady clock."""
    return Counter(a.path for a in list(server.journal.asked) if began <= a.at < ended)


def pollers(server: MisbehavingServer, began: float, ended: float) -> set[str]:
    """Whose collectors polled between two instants."""
    asked = list(server.journal.asked)
    return {a.headers["user-agent"] for a in asked if began <= a.at < ended}
