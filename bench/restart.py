"""``bench/run restart``: back after a kill with 100,000 entries, beside the bare load of them."""

from __future__ import annotations

import http.client
import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from bench import entries
from bench.figures import Figure, Result
from bench.processes import Missing
from bench.spread import INTERVAL, kill, spread_after_restart
from bench.spread import MANY as POLLED
from bench.stock import plain_groups, stocked
from tests import soap
from tests.service import RunningService, start_service

WHAT = "kill -9 with 100,000 entries, then serve; beside the load of the same rows by SQL"
MANY = 100_000
_GROUP = "Large"
_ROUNDS = 3


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    result = Result("restart", WHAT)
    result.columns = ("round", "ready, s", "complete, s", "bare load, s")
    store = stocked(folder / "store", {_GROUP: MANY})
    config = plain_groups([_GROUP])
    service = start_service(store, config=config)
    ready, complete, bare = [], [], []
    try:
        expected = _all_of(service)
        for number in range(_ROUNDS):
            kill(service)
            began = time.monotonic()
            service = start_service(store, config=config)
            ready.append(time.monotonic() - began)
            size = _size_of_all(service)
            complete.append(time.monotonic() - began - ready[-1])
            assert size == expected, (size, expected)
            bare.append(_load(store / "aggregator.db"))
            told = (f"{ready[-1]:.2f}", f"{complete[-1]:.2f}", f"{bare[-1]:.2f}")
            result.rows.append((str(number + 1), *told))
            advance(0.6 * (number + 1) / _ROUNDS)
    finally:
        kill(service)
    result.figures += [
        Figure("ready after", statistics.median(ready), "s", "at most", 5.0),
        Figure(
            "first reply with all of it, to the bare load",
            statistics.median(complete) / statistics.median(bare),
            "",
            "at most",
            3.0,
        ),
    ]
    _tell_spread(result, folder / "polled")
    return result


def _tell_spread(result: Result, folder: Path) -> None:
    try:
        found = spread_after_restart(folder)
    except Missing as missing:
        result.missing.append(f"how polls are spread: {missing}")
        return
    result.figures += [
        Figure("polls of the busiest half second to an even spread", found.busiest, "", "at most",
               1.5),
        Figure("members polled in the first 5.5 s", found.polled, "", "at least", POLLED),
    ]  # fmt: skip
    result.notes.append(
        f"Of a service that polls {POLLED:,} members every {INTERVAL} s and was killed, the first "
        f"poll came {found.first:.1f} s after the start."
    )


def _size_of_all(service: RunningService) -> int:
    """Bytes of the reply with all entries, which are taken and not looked at."""
    parts = urlsplit(service.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    path = f"/wsrf/services/{_GROUP}"
    connection.request("POST", path, entries.all_entries("oasis"), {"Content-Type": "text/xml"})
    reply = connection.getresponse()
    room, size = bytearray(2**20), 0
    while taken := reply.readinto(room):
        size += taken
    connection.close()
    return size


def _all_of(service: RunningService) -> int:
    """Bytes of the reply with all entries, which are counted."""
    url = f"{service.url}/wsrf/services/{_GROUP}"
    answer = soap.post(url, entries.all_entries("oasis"), timeout=120)
    assert answer.status == 200, answer.content[:1000]
    assert answer.content.count(b"</glue:Cluster>") == MANY
    return len(answer.content)


def _load(file: Path) -> float:
    """Seconds in which all rows of the entries are read by SQL."""
    began = time.monotonic()
    with sqlite3.connect(file) as connection:
        rows = connection.execute(
            "select * from entries join entry_state s on s.entry_id = entries.id"
            " join entry_health h on h.entry_id = entries.id"
            " join entry_data d on d.entry_id = entries.id order by entries.id"
        ).fetchall()
    connection.close()
    assert len(rows) == MANY
    return time.monotonic() - began
