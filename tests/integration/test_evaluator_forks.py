"""The evaluator and those who ask it, each met where the other has died meanwhile."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aggregator.view.query_socket import listen
from tests.integration.evaluator_kit import evaluated

_ANSWER = """
import os, socket
from aggregator.errors import QueryFailed
from aggregator.view.evaluation import ANSWERING, start
from aggregator.view.query_messages import QueryRequest

def no_document():
    raise QueryFailed("as good as any answer")

ours, theirs = socket.socketpair()
theirs.close()
request = QueryRequest("DefaultIndexService", None, "gt4", "1", {}, 0, "one")
child = start(request, no_document, ours, memory=2**29, max_result=1000)
os.set_blocking(child.pipe, True)
assert os.read(child.pipe, 1) == ANSWERING
assert os.read(child.pipe, 1) == b""
print("wait status", child.reap())
"""


def test_a_result_that_nobody_takes_is_no_error_of_ours() -> None:
    found = subprocess.run(
        [sys.executable, "-c", _ANSWER], capture_output=True, text=True, timeout=60, check=True
    )
    assert (found.stdout, found.stderr) == ("wait status 0\n", "")


def test_one_that_dies_and_still_takes_connections_is_not_the_next(tmp_path: Path) -> None:
    with evaluated(tmp_path) as service:
        service.text("1")
        assert service.stop() == 0
        with ThreadPoolExecutor(1) as pool:
            with listen(service.path) as dying:
                waiting = pool.submit(service.text, "count(//*)")
                for _ in range(2):
                    connection, _ = dying.accept()
                    connection.recv(1)
                    connection.close()
            service.start()
            assert waiting.result(40).isdigit()
