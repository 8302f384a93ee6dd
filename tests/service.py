"""A real service for tests: ``aggregator serve`` as a process, on a free port, gone at the end."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests import soap
from tests.loaded import Copy, Loaded

READY_WITHIN = 90
_loaded = Loaded("service", module="aggregator")
#: Set where services may begin as copies: benchmarks look at whole processes.
copies = False
#: How variables begin that are looked at before a program does.
_EARLY = ("LD_", "PYTHON", "MALLOC_")


def groups(count: int) -> str:
    """The configuration of groups for tests that share a service, each for one of them."""
    return "".join(
        f"[groups.Group{number}]\nsinks = ['index']\nmin_interval_millis = 100\n"
        for number in range(count)
    )


#: Enough for the tests of a module.
MANY_GROUPS = groups(60)


@dataclass(slots=True)
class RunningService:
    """A service that runs; `url` has no slash at its end."""

    url: str
    data_dir: Path
    process: subprocess.Popen[bytes] | Copy
    log: Path
    _unused: list[str] = field(default_factory=list)
    _taken: list[str] = field(default_factory=list)

    def next_group(self) -> str:
        """The address of a group of `groups` that was not given out before."""
        assert self._unused, "more tests than groups: configure more"
        self._taken.append(f"{self.url}/wsrf/services/{self._unused.pop(0)}")
        return self._taken[-1]

    def end_entries(self) -> None:
        """End what the groups given out so far hold: it would be polled as long as we run."""
        while self._taken:
            for entry in soap.entries(self._taken.pop()):
                address = entry.findtext("{*}ServiceGroupEntryEPR/{*}Address") or ""
                soap.destroy(soap.EntryReference(address, "", ""))

    @property
    def group(self) -> str:
        """The address of the default group."""
        return f"{self.url}/wsrf/services/DefaultIndexService"

    def kill(self) -> None:
        """End the supervisor as a power cut would; all that it started ends with it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        # Its workers end a moment later, and might answer for the service that is started next.
        deadline = time.monotonic() + 10
        while _is_listened_on(self.url) and time.monotonic() < deadline:
            time.sleep(0.01)

    def stop(self, *, within: float = 15) -> int:
        """End the service as an operator would; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)

    def logs(self) -> str:
        """What the service logged so far."""
        return self.log.read_text(errors="replace")


def _is_listened_on(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname, parts.port), timeout=1):
            return True
    except OSError:
        return False


def free_port() -> int:
    """A port that is free now; `serve` itself takes port 0, tests need to know the number."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_service(
    data_dir: Path,
    *,
    config: str = "",
    options: Sequence[str] = (),
    port: int = 0,
    environ: dict[str, str] | None = None,
    scheme: str = "http",
) -> RunningService:
    """Start a service and wait until it is ready; the caller ends it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    args = ["serve", "--port", str(port), "--data-dir", str(data_dir), "--log-format", "text"]
    args += options
    if config:
        file = data_dir / "aggregator.toml"
        file.write_text(config)
        args += ["--config", str(file)]
    log = data_dir / "service.log"
    process = _started(args, log, environ or {})
    unused = re.findall(r"^\[groups\.(Group\d+)\]$", config, re.MULTILINE)
    service = RunningService(f"{scheme}://127.0.0.1:{port}", data_dir, process, log, unused)
    if "--no-web" not in options and scheme == "http":
        wait_until_ready(service)
    return service


def _started(
    args: Sequence[str], log: Path, environ: Mapping[str, str]
) -> subprocess.Popen[bytes] | Copy:
    with log.open("ab") as stream:
        early = any(name.startswith(_EARLY) for name in environ)
        begin = _loaded.play if copies and not early else _loaded.start
        return begin(args, out=stream.fileno(), log=stream.fileno(), environ=environ)


def wait_until_ready(service: RunningService) -> None:
    """Wait until /readyz answers 200; fails with the log otherwise."""
    deadline = time.monotonic() + READY_WITHIN
    last = "no answer"
    while time.monotonic() < deadline:
        if service.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{service.url}/readyz", timeout=5) as answer:
                last = json.loads(answer.read())
                return
        except urllib.error.HTTPError as error:
            last = error.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            last = str(error)
        time.sleep(0.05)
    if service.process.poll() is None:
        service.stop()
    raise AssertionError(f"the service is not ready ({last}); it logged:\n{service.logs()}")


@contextlib.contextmanager
def running_service(
    data_dir: Path,
    *,
    config: str = "",
    options: Sequence[str] = (),
    environ: dict[str, str] | None = None,
) -> Iterator[RunningService]:
    """A service that runs as long as the block."""
    service = start_service(data_dir, config=config, options=options, environ=environ)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            try:
                service.stop()
            except subprocess.TimeoutExpired:
                service.kill()
