"""Reports in tests: a service that takes them, modules that tell what they were handed, nodes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aggregator.client.event_stream import StreamEvent, events_of
from tests.migrated import with_tables
from tests.service import RunningService, running_service, start_service
from tests.sources_read import ROOT
from tests.waiting import until

SHIPPED = ROOT / "modules"
SITE, GUI, ADMIN = (f"{who}-secret-0123456789" for who in ("site", "gui", "admin"))
TOKENS = f"""
[site]
secret = "{SITE}"
nodes = ["node*"]

[gui]
secret = "{GUI}"
requests = ["*"]
updates = ["*"]

[admin]
secret = "{ADMIN}"
status = true
"""
#: Writes down each report, so that what a process saw is known after its end.
LEDGER = """
    import os
    from aggregator.reports import Aggregator

    class Ledger(Aggregator):
        reporttype = "Load"
        requesttypes = "Seen", "Pid", "Nothing", "Slow", "Argument", "Fails", "Made"
        updatetype = "Count"

        def __init__(self):
            self.seen, self.told = 0, 0
            self.ledger = open(os.environ["LEDGER"], "a")
            self.made = self.restoreData(0) + 1
            self.saveData(self.made)

        def processReport(self, msg):
            self.ledger.write(f"{msg.node} {msg.id} {msg.data.decode()}\\n")
            self.ledger.flush()
            self.seen += 1

        def processREQUEST(self, msg):
            if msg.type == "Seen":
                return {"seen": self.seen}
            if msg.type == "Pid":
                return str(os.getpid())
            if msg.type == "Made":
                return self.made
            if msg.type == "Argument":
                return msg.name
            if msg.type == "Fails":
                raise ValueError("it can't be")
            return None

        def getUpdateMessage(self):
            if self.seen == self.told:
                return None
            self.told = self.seen
            return {"seen": self.seen}
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What the service answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    url: str,
    path: str,
    *,
    secret: str,
    data: bytes | None = None,
    method: str = "",
    headers: Mapping[str, str] | None = None,
) -> Said:
    """Send one request, on a connection of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=30)
    with contextlib.closing(connection):
        given = {"Authorization": f"Bearer {secret}"} if secret else {}
        method = method or ("GET" if data is None else "POST")
        connection.request(method, path, body=data, headers={**given, **(headers or {})})
        answer = connection.getresponse()
        return Said(answer.status, dict(answer.getheaders()), answer.read())


def report(url: str, node: str, id: str, data: bytes = b"", type: str = "Load") -> Said:
    """Send one report."""
    return call(url, f"/reports/nodes/{node}/{type}/{id}", secret=SITE, data=data)


def request(url: str, type: str, query: str = "") -> Said:
    """Send one REQUEST."""
    return call(url, f"/reports/requests/{type}{query}", secret=GUI)


def process_of(url: str) -> bytes:
    """The process of the Ledger, as its answer; empty while there is none."""
    answer = request(url, "Pid")
    return answer.body if answer.status == 200 else b""


def status(url: str, what: str = "") -> Any:
    """What is known of reports."""
    return call(url, f"/reports{f'/{what}' if what else ''}", secret=ADMIN).json


def is_up(url: str, name: str = "Ledger") -> bool:
    """Whether an aggregator runs."""
    return any(
        one["aggregator"] == name and one["state"] == "running"
        for one in status(url).get("aggregators", ())
    )


def modules(folder: Path, **texts: str) -> Path:
    """A folder with modules, by the names of their files."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for name, text in texts.items():
        file = folder / f"{name}.py"
        file.write_text(textwrap.dedent(text))
        file.chmod(0o644)
    return folder


def configured(
    folder: Path, *, names: Sequence[str], folders: Sequence[Path], more: str = ""
) -> str:
    """A configuration with the file of tokens beside it."""
    tokens = folder / "tokens.toml"
    tokens.write_text(TOKENS)
    tokens.chmod(0o600)
    places = [str(one) for one in folders]
    return (
        f'{more}\n[reports]\ntokens = "{tokens}"\nmodules = {json.dumps(list(names))}\n'
        f"folders = {json.dumps(places)}\n"
    )


@dataclass(slots=True)
class Reporting:
    """A service that takes reports, and the ledger of its aggregator."""

    service: RunningService
    ledger: Path
    config: str
    options: Sequence[str]

    @property
    def url(self) -> str:
        return self.service.url

    def seen(self) -> list[tuple[str, str]]:
        """Node and id of each report that an aggregator was handed."""
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        return [(line.split(" ")[0], line.split(" ")[1]) for line in lines]

    def start_again(self) -> None:
        """Start the service anew, where it was."""
        port = urlsplit(self.url).port or 0
        self.service = start_service(
            self.service.data_dir,
            config=self.config,
            options=self.options,
            port=port,
            environ=self.environ,
        )

    @property
    def environ(self) -> dict[str, str]:
        return {"LEDGER": str(self.ledger)}


@contextlib.contextmanager
def reporting(
    kind: str,
    folder: Path,
    *,
    names: Sequence[str] = ("Ledger",),
    settings: str = "",
    more: str = "",
    **texts: str,
) -> Iterator[Reporting]:
    """A service on a kind of database, with modules; `settings` are of ``[reports]``."""
    places = [modules(folder / "modules", **(texts or {"ledger": LEDGER}))]
    config = configured(folder, names=names, folders=places, more=more) + settings
    with with_tables(kind, folder) as url:
        options = ["--database", url]
        ledger = folder / "ledger"
        with running_service(
            folder / "service", config=config, options=options, environ={"LEDGER": str(ledger)}
        ) as running:
            found = Reporting(running, ledger, config, options)
            try:
                yield found
            finally:
                if found.service is not running and found.service.process.poll() is None:
                    found.service.stop()


@contextlib.contextmanager
def watching(
    url: str, *, after: str = "", query: str = "", timeout: float = 30
) -> Iterator[Iterator[StreamEvent]]:
    """The stream of updates, as long as the block."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=timeout)
    with contextlib.closing(connection):
        headers = {"Authorization": f"Bearer {GUI}"}
        if after:
            headers["Last-Event-ID"] = after
        connection.request("GET", f"/reports/updates{query}", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        pieces = iter(lambda: answer.read1(65536), b"")
        yield events_of(pieces, limit=2**24)


def wait_up(found: Reporting, name: str = "Ledger") -> None:
    """Wait until an aggregator runs."""
    until(lambda: is_up(found.url, name), what=f"{name} runs")


def clean_environment() -> dict[str, str]:
    """The environment without what would change where the commands look."""
    return {name: value for name, value in os.environ.items() if name != "XDG_STATE_HOME"}


def now() -> float:
    """A steady clock."""
    return time.monotonic()
