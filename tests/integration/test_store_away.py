"""What web workers do while the store is away: none ends, and none says what it can't know."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from tests import soap
from tests.integration import own_postgresql
from tests.integration.processes import workers
from tests.integration.test_serve import get
from tests.service import running_service
from tests.waiting import until

CONFIG = "[store]\nwrite_timeout = '1s'\nbusy_timeout = '1s'\n[server]\nworkers = 2\n"


def test_a_worker_that_starts_waits_for_the_store_and_ends_nobody(tmp_path: Path) -> None:
    with running_service(tmp_path, config=CONFIG) as service:
        until(lambda: len(workers(service)) == 2, what="two workers")
        soap.add(service.group, "http://127.0.0.1:1/a")
        stays, goes = workers(service)
        held = sqlite3.connect(tmp_path / "aggregator.db")
        held.execute("BEGIN IMMEDIATE")
        try:
            goes.kill()
            until(lambda: "waits for the store" in service.logs(), what="a worker that waits")
            ends = time.monotonic() + 3
            while time.monotonic() < ends:
                assert len(soap.entries(service.group)) == 1
            assert stays.is_running()
        finally:
            held.close()
        assert soap.add(service.group, "http://127.0.0.1:1/b").key
        assert stays in workers(service)
        assert "Worker failed to boot" not in service.logs()


@pytest.mark.postgresql
def test_an_entry_that_was_added_just_before_is_not_called_unknown(tmp_path: Path) -> None:
    with own_postgresql.started() as server:
        options = ["--database", server.url]
        # Long, so that the worker does not look again by itself just now.
        config = "[server]\nworkers = 1\n[store]\nstale_reads = '10m'\n"
        with running_service(tmp_path, config=config, options=options) as service:
            before = soap.add(service.group, "http://127.0.0.1:1/before")
            assert len(soap.entries(service.group)) == 1
            after = soap.add(service.group, "http://127.0.0.1:1/after")
            server.stop()

            def ask(entry: soap.EntryReference) -> soap.Answer:
                return soap.get_property(entry.address, "rl:TerminationTime", header=entry.header)

            known, unseen = ask(before), ask(after)
            assert (known.status, known.headers["Warning"][:3]) == (200, "110")
            assert unseen.fault[0] == "ResourceUnavailableFault"
            assert unseen.headers["Retry-After"]
            server.start()
            until(lambda: ask(after).status == 200, what="the entry once the store is back")


@pytest.mark.postgresql
def test_groups_that_nobody_read_for_long_are_there_when_the_store_goes_away(
    tmp_path: Path,
) -> None:
    with own_postgresql.started() as server:
        config = "[server]\nworkers = 2\n[store]\nstale_reads = '12s'\n[groups.Quiet]\n"
        with running_service(
            tmp_path, config=config, options=["--database", server.url]
        ) as service:
            quiet = f"{service.url}/wsrf/services/Quiet"
            key = soap.add(quiet, "http://127.0.0.1:1/quiet").key
            time.sleep(15)
            server.stop()
            for _ in range(10):
                # Each on a connection of its own: by either worker.
                assert get(f"{service.url}/readyz")[0] == 200
                answer = soap.get_property(quiet, "sg:Entry")
                assert (answer.status, answer.headers["Warning"][:3]) == (200, "110")
                assert key.encode() in answer.content
            server.start()
