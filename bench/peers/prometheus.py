"""Prometheus with its defaults: what one would pick to poll many members for numbers."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.processes import program, running
from tests.service import free_port

PACKAGE = "prometheus"
_CONFIG = """
global:
  scrape_interval: {interval}s
  scrape_timeout: {interval}s
scrape_configs:
  - job_name: members
    file_sd_configs:
      - files: [targets.json]
"""
_READY = 60.0


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that runs: its URL and its process."""

    url: str
    pid: int

    def ask(self, expression: str) -> dict[str, str]:
        """The present values of an expression by the label ``number``."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=60) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return {one["metric"].get("number", ""): one["value"][1] for one in found["data"]["result"]}


@contextlib.contextmanager
def prometheus(
    folder: Path, targets: Iterable[tuple[str, str]], *, interval: int
) -> Iterator[Prometheus]:
    """Prometheus that scrapes `targets`, each a host with its port and a path, every so often.

    Each has the label ``number``, counted from 0.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (folder / "prometheus.yml").write_text(_CONFIG.format(interval=interval))
    groups = [
        {"targets": [host], "labels": {"__metrics_path__": path, "number": str(number)}}
        for number, (host, path) in enumerate(targets)
    ]
    (folder / "targets.json").write_text(json.dumps(groups))
    command = [program("prometheus", package=PACKAGE), "--log.level", "warn"]
    command += ["--config.file", "prometheus.yml", "--storage.tsdb.path", "data"]
    command += ["--web.listen-address", f"127.0.0.1:{port}"]
    with running(command, folder=folder, port=port) as process:
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/-/ready")
        yield Prometheus(url, process.pid)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _READY
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)
