"""``bench/run notify-kills``: notifications while consumers and services are killed at random.

Each of some consumers is to be told of every Add, in order. Meanwhile consumers, collectors, web
workers and the whole service are killed (SIGKILL) and started again. What was acknowledged to the
client that adds must have been told to each consumer, once or with the same id again, in order.
"""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import click
import psutil
from rich.progress import Progress

from tests import soap
from tests.databases import database
from tests.notified import subscribe
from tests.service import RunningService, free_port, start_service
from tests.waiting import until

_CONFIG = "[groups.Plain]\nrequire_source = false\n[notifications]\nsuspend_after = '2s'\n"
#: Seconds between two kills.
_PAUSE = 0.7
#: Seconds between two Adds, so that many kills come between them.
_BETWEEN = 0.02


class Consumers:
    """Consumers as processes, each with its file of what it took."""

    def __init__(self, folder: Path, count: int) -> None:
        self._files = [folder / f"consumer-{number}" for number in range(count)]
        self._ports = [free_port() for _ in self._files]
        self._running: list[subprocess.Popen[bytes]] = []
        for number in range(count):
            self._running.append(self._start(number))

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "bench.peers.consumer"]
        return subprocess.Popen([*command, str(self._ports[number]), str(self._files[number])])

    def urls(self) -> list[str]:
        """Where they are."""
        return [f"http://127.0.0.1:{port}/" for port in self._ports]

    def kill_one(self, chance: random.Random) -> None:
        """Kill one and start it again."""
        number = chance.randrange(len(self._running))
        self._running[number].kill()
        self._running[number].wait()
        time.sleep(chance.random() / 2)
        self._running[number] = self._start(number)

    def told(self) -> list[list[tuple[str, str]]]:
        """What each took: pairs of an id and a member's address."""
        return [
            [tuple(line.split(" ", 1)) for line in file.read_text().splitlines()]  # type: ignore[misc]
            if file.exists()
            else []
            for file in self._files
        ]

    def close(self) -> None:
        """End them."""
        for process in self._running:
            process.kill()
            process.wait()


def _kill_something(service: RunningService, consumers: Consumers, chance: random.Random) -> str:
    """Kill a consumer or a process of the service, other than the supervisor; what it was."""
    if chance.random() < 0.4:
        consumers.kill_one(chance)
        return "consumer"
    with contextlib.suppress(psutil.Error):
        found = psutil.Process(service.process.pid).children(recursive=True)
        victims = [one for one in found if one.name() in ("mds-collector", "mds-web", "mds-query")]
        if victims:
            victim = chance.choice(victims)
            name = str(victim.name())
            victim.kill()
            return name
    return "nothing"


def _adding(service: RunningService, count: int, added: list[str]) -> None:
    group = f"{service.url}/wsrf/services/Plain"
    taken = 0
    while taken < count:
        time.sleep(_BETWEEN)
        address = f"http://m/{len(added)}"
        # Whether an Add without an answer was taken is not known: another address follows it.
        try:
            if soap.call(group, soap.add_body(address, "<x/>"), timeout=10).status == 200:
                added.append(address)
                taken += 1
                continue
        except OSError:
            pass
        added.append(f"?{address}")


def check(added: list[str], told: list[list[tuple[str, str]]]) -> list[str]:
    """What is wrong with what consumers were told: nothing, if all is well."""
    wrong = []
    sure = [address for address in added if not address.startswith("?")]
    for number, took in enumerate(told):
        by_id: dict[str, str] = {}
        for name, address in took:
            if by_id.setdefault(name, address) != address:
                wrong.append(f"consumer {number}: the id {name} tells two things")
        firsts = list(by_id.values())
        order = {address: place for place, address in enumerate(firsts)}
        lost = [address for address in sure if address not in order]
        if lost:
            wrong.append(f"consumer {number} was not told of {len(lost)}, such as {lost[0]}")
        places = [order[address] for address in sure if address in order]
        if places != sorted(places):
            wrong.append(f"consumer {number} was told in another order")
        if len(set(firsts)) != len(firsts):
            wrong.append(f"consumer {number} was told of one with two ids")
    return wrong


@click.command()
@click.option("--notifications", default=10_000, show_default=True)
@click.option("--consumers", "count", default=5, show_default=True)
@click.option("--seed", default=0, help="Of what is killed when; 0 draws one.")
@click.option("--postgresql", is_flag=True, help="On PostgreSQL instead of the embedded database.")
def main(notifications: int, count: int, seed: int, postgresql: bool) -> None:
    """Add members while consumers and services are killed at random; tell what was lost."""
    seed = seed or random.SystemRandom().randrange(1, 10**6)
    click.echo(f"seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        kind = "postgresql" if postgresql else "sqlite"
        with database(kind, Path(folder)) as url:
            wrong = play(Path(folder), url, notifications // count, count, random.Random(seed))
    for line in wrong:
        click.echo(line, err=True)
    sys.exit(bool(wrong))


def play(folder: Path, url: str, adds: int, count: int, chance: random.Random) -> list[str]:
    """One run; what was wrong in it."""
    options = ["--database", url, "--workers", "2"]
    service = start_service(folder / "service", config=_CONFIG, options=options)
    consumers = Consumers(folder, count)
    added: list[str] = []
    kills: dict[str, int] = {}
    try:
        for address in consumers.urls():
            subscribe(f"{service.url}/wsrf/services/Plain", address)
        adding = threading.Thread(target=_adding, args=(service, adds, added), daemon=True)
        adding.start()
        with Progress() as progress:
            task = progress.add_task("adding", total=adds)
            while adding.is_alive():
                time.sleep(_PAUSE * chance.uniform(0.5, 1.5))
                if chance.random() < 0.1:
                    service.kill()
                    port = int(service.url.rpartition(":")[2])
                    service = start_service(
                        folder / "service", config=_CONFIG, options=options, port=port
                    )
                    what = "service"
                else:
                    what = _kill_something(service, consumers, chance)
                kills[what] = kills.get(what, 0) + 1
                progress.update(task, completed=len(added))
        sure = {address for address in added if not address.startswith("?")}
        with contextlib.suppress(AssertionError):
            until(
                lambda: all(sure <= {one for _, one in took} for took in consumers.told()),
                within=150,
                every=0.5,
            )
    finally:
        service.kill()
        consumers.close()
    told = consumers.told()
    repeats = sum(len(took) - len(dict(took)) for took in told)
    click.echo(
        f"{len(sure)} of {len(added)} Adds were acknowledged; {sum(map(len, told))} notifications "
        f"came to {count} consumers, {repeats} of them again; killed: {kills}"
    )
    return check(added, told)
