"""``bench/run notify``: from a member's change to the index and to a subscriber of the index, and
notifications to many consumers, beside the bare HTTP client posting the same bytes."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

from aggregator.collect.http import HttpClient
from aggregator.config.collection import CollectSettings
from bench.figures import Figure, Result
from bench.notified import Notified, change, notified
from bench.processes import cpu_seconds
from tests import soap
from tests.notified import subscribe_body, subscription_config
from tests.service import RunningService, start_service

WHAT = "500 changes a second from members to the index to a subscriber; 50 consumers of a group"
_MEMBERS, _RATE, _SECONDS, _WARM = 500, 500, 20.0, 3.0
_CONSUMERS, _CHANGES, _ROUNDS = 50, 400, 3
_SIZE = 1500
_CHANGED = '<m:ChangedEntries xmlns:m="urn:mds-aggregator:notification"/>'
_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
_MESSAGE = b"</n:NotificationMessage>"
_MARK = re.compile(rb'mark="([\d.]+)"')


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure; `advance` is told the share that is done."""
    result = Result("notify", WHAT)
    result.columns = ("what", "rate/s", "p50, ms", "p99, ms", "CPU, ms each")
    asyncio.run(_latency(folder / "latency", result))
    advance(0.5)
    asyncio.run(_fan_out(folder / "fan-out", result, lambda share: advance(0.5 + share / 2)))
    return result


async def _latency(folder: Path, result: Result) -> None:
    async with notified() as peers:
        service = await asyncio.to_thread(start_service, folder, options=["--workers", "2"])
        client = HttpClient(CollectSettings(connections_per_host=64))
        try:
            await asyncio.to_thread(_register, service, peers)
            await _measure(service, peers, client, result)
        finally:
            client.close()
            await asyncio.to_thread(service.stop)


def _register(service: RunningService, peers: Notified) -> None:
    for number in range(_MEMBERS):
        soap.add(service.group, f"{peers.url}/member/{number}", subscription_config())
    body = subscribe_body(f"{peers.url}/consumer/index", more=_CHANGED)
    assert soap.call(service.group, body).status == 200


async def _measure(
    service: RunningService, peers: Notified, client: HttpClient, result: Result
) -> None:
    posting: set[asyncio.Task[object]] = set()
    addresses = list(peers.consumers.values())
    seen: dict[str, float] = {}
    shown: list[float] = []
    looking = asyncio.create_task(_look(service, client, shown))
    began = time.perf_counter()
    before, measured_from = cpu_seconds(service.process.pid), began + _WARM
    sent = 0
    while (now := time.perf_counter()) < began + _WARM + _SECONDS:
        while sent < (now - began) * _RATE:
            body = change(f"{time.perf_counter():.6f}", size=_SIZE)
            task = asyncio.create_task(
                client.post(addresses[sent % _MEMBERS], body, headers=_HEADERS)
            )
            posting.add(task)
            task.add_done_callback(posting.discard)
            sent += 1
        await asyncio.sleep(0.002)
    await asyncio.sleep(2.0)
    looking.cancel()
    cost = (cpu_seconds(service.process.pid) - before) / sent
    for at, _, body in peers.came:
        for mark in _MARK.findall(body):
            seen.setdefault(mark.decode(), at)
    delays = sorted(at - float(mark) for mark, at in seen.items() if float(mark) > measured_from)
    wanted = _RATE * _SECONDS
    if len(delays) < 0.98 * wanted:
        result.notes.append(f"only {len(delays)} of {wanted:.0f} changes were told in time")
    _row(result, "to a subscriber of the index", len(delays) / _SECONDS, delays, cost)
    _row(result, "to the index", _RATE, sorted(shown), cost)
    result.figures.append(
        Figure(
            "p99 of a change to a subscriber of the index", _at(delays, 0.99), "s", "at most", 1.0
        )
    )


async def _look(service: RunningService, client: HttpClient, shown: list[float]) -> None:
    """How old the newest data is that the index shows of the member that changed last, less what
    it may be by itself: each changes once a second."""
    entries = await asyncio.to_thread(soap.entries, service.group)
    url = entries[0].findtext("{*}ServiceGroupEntryEPR/{*}Address")
    sg, rp = soap.NS["oasis"]["sg"], soap.NS["oasis"]["rp"]
    asked = f'<rp:GetResourceProperty xmlns:rp="{rp}" xmlns:sg="{sg}">sg:Content'
    body = soap.envelope(f"{asked}</rp:GetResourceProperty>")
    last = ""
    while True:
        reply = await client.post(url, body, headers=_HEADERS)
        found = _MARK.search(reply.body)
        if found and (mark := found[1].decode()) != last:
            if last:
                shown.append(time.perf_counter() - float(mark))
            last = mark
        await asyncio.sleep(0.005)


async def _fan_out(folder: Path, result: Result, advance: Callable[[float], None]) -> None:
    ratios = []
    for number in range(_ROUNDS):
        async with notified() as peers:
            rate, cost = await _drained(folder / str(number), peers)
            bare = await _bare(peers)
        ratios.append(rate / bare)
        result.rows.append(("to 50 consumers", f"{rate:,.0f}", "", "", f"{cost * 1e3:.2f}"))
        result.rows.append(("the same bytes, posted barely", f"{bare:,.0f}", "", "", ""))
        advance((number + 1) / _ROUNDS)
    ratio = sorted(ratios)[len(ratios) // 2]
    result.figures.append(Figure("to the bare HTTP client", ratio, "", "at least", 0.5))


async def _drained(folder: Path, peers: Notified) -> tuple[float, float]:
    """Notifications a second while what waited is sent, and seconds of CPU for each."""
    config = "[groups.Plain]\nrequire_source = false\n"
    options = ["--no-collector"]
    service = await asyncio.to_thread(start_service, folder, config=config, options=options)
    group = f"{service.url}/wsrf/services/Plain"
    port = int(service.url.rpartition(":")[2])

    def fill() -> None:
        for number in range(_CONSUMERS):
            body = subscribe_body(f"{peers.url}/consumer/{number}")
            assert soap.call(group, body).status == 200
        content = f'<x:y xmlns:x="urn:x">{"x" * _SIZE}</x:y>'
        for number in range(_CHANGES):
            soap.add(group, f"http://m/{number}", content)
        service.stop()

    await asyncio.to_thread(fill)
    service = await asyncio.to_thread(start_service, folder, config=config, port=port)
    try:
        before = cpu_seconds(service.process.pid)
        wanted = _CONSUMERS * _CHANGES
        told = looked_at = 0
        while told < wanted:
            await asyncio.sleep(0.1)
            came = peers.came[looked_at:]
            looked_at += len(came)
            told += sum(body.count(_MESSAGE) for _, _, body in came)
        cost = cpu_seconds(service.process.pid) - before
    finally:
        await asyncio.to_thread(service.stop)
    seconds = peers.came[-1][0] - peers.came[0][0]
    return wanted / seconds, cost / wanted


async def _bare(peers: Notified) -> float:
    """Notifications a second, the same bodies posted to the same consumers by the same client."""
    bodies: dict[str, list[bytes]] = {}
    for _, path, body in peers.came:
        bodies.setdefault(path, []).append(body)
    told = sum(body.count(_MESSAGE) for all_ in bodies.values() for body in all_)
    client = HttpClient(CollectSettings(connections_per_host=8))

    async def post(path: str, all_: list[bytes]) -> None:
        for body in all_:
            await client.post(f"{peers.url}{path}", body, headers=_HEADERS)

    began = time.perf_counter()
    await asyncio.gather(*(post(path, all_) for path, all_ in bodies.items()))
    seconds = time.perf_counter() - began
    client.close()
    return told / seconds


def _row(result: Result, what: str, rate: float, delays: list[float], cost: float) -> None:
    p50, p99 = (f"{_at(delays, share) * 1e3:,.0f}" for share in (0.5, 0.99))
    result.rows.append((what, f"{rate:,.0f}", p50, p99, f"{cost * 1e3:.2f}"))


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")
