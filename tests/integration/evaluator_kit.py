"""A store with entries and a query evaluator as a process, for tests."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import pytest

from aggregator.config import Settings
from aggregator.config.server import ServerSettings
from aggregator.config.storage import QuerySettings, StoreSettings
from aggregator.model import Caller, Registration
from aggregator.store.engine import Store, open_store
from aggregator.store.entries import add_entry, remove_entry, renew_entries
from aggregator.store.groups import declare_groups, sequence
from aggregator.store.migrate import migrate
from aggregator.view.query_client import QueryClient, QueryRequest, QueryResult
from aggregator.wire import namespaces as ns

GROUP = "DefaultIndexService"
PREFIXES = {"sg": ns.GT4_SG, "o": ns.OASIS_SG, "agg": ns.AGG, "rl": ns.GT4_RL, "w": "urn:widgets"}

_SERVE = """
import pickle, sys
from pathlib import Path
from aggregator.view.evaluator import serve
def settings():
    return pickle.loads(Path(sys.argv[1]).read_bytes())
sys.exit(serve(settings(), Path(sys.argv[2]), reload=settings))
"""

MEMBER = (
    f'<s:MemberEPR xmlns:s="{ns.GT4_SG}" xmlns:a="{ns.WSA_2004_03}">'
    "<a:Address>http://site/wsrf/services/Widgets</a:Address></s:MemberEPR>"
).encode()
CONFIG = (
    f'<c:AggregatorConfig xmlns:c="{ns.AGG}" xmlns:own="{ns.GT4_SG}">'
    "<c:GetResourcePropertyPollType><c:PollIntervalMillis>60000</c:PollIntervalMillis>"
    "<c:ResourcePropertyName>own:Entry</c:ResourcePropertyName></c:GetResourcePropertyPollType>"
    "</c:AggregatorConfig>"
).encode()


def settings_of(folder: Path, url: str = "", **query: object) -> Settings:
    """Settings of a service with its files in `folder`."""
    return Settings(
        server=replace(ServerSettings(), data_dir=folder, public_url="http://index:8080"),
        store=replace(StoreSettings(), url=url),
        query=replace(QuerySettings(), **query),
    )


@dataclass
class Evaluated:
    """A store, and an evaluator that may be started, killed and asked."""

    settings: Settings
    store: Store
    group_id: int
    path: Path
    process: subprocess.Popen[bytes] | None = None
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    client: QueryClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = QueryClient(self.path, timeout=self.settings.query.timeout)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the evaluator; the client waits for it by itself."""
        file = self.settings.server.data_dir / "settings.pickle"
        file.write_bytes(pickle.dumps(self.settings))
        command = [sys.executable, "-c", _SERVE, str(file), str(self.path)]
        self.process = subprocess.Popen(command)
        self.started.append(self.process)
        return self.process

    def reload(self, settings: Settings) -> None:
        """Have it read other settings, as the supervisor does."""
        assert self.process is not None
        file = self.settings.server.data_dir / "settings.pickle"
        file.write_bytes(pickle.dumps(settings))
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int | None:
        """End it as the supervisor does; its status."""
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)

    def children(self) -> list[psutil.Process]:
        """The evaluations that run."""
        assert self.process is not None
        found = []
        for child in psutil.Process(self.process.pid).children():
            # One may end while it is looked at.
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE:
                    found.append(child)
        return found

    def add(
        self, count: int = 1, *, termination: int | None = None, data: Sequence[bytes] = ()
    ) -> list[str]:
        """Add entries, durably; their keys."""
        keys = [uuid.uuid4().hex for _ in range(count)]
        given = tuple(data) or (b'<w:widget xmlns:w="urn:widgets" size="3">w:blue</w:widget>',)
        registration = Registration(
            group=GROUP,
            member=MEMBER,
            address="http://site/wsrf/services/Widgets",
            dialect="gt4",
            config=CONFIG,
            content=given,
            plan=None,
            sink_plans={},
            termination=termination,
            fingerprint="",
            caller=Caller(),
        )
        for start in range(0, count, 500):
            self.store.writer.run(
                lambda write, part=keys[start : start + 500]: [
                    add_entry(write, registration, group_id=self.group_id, due=None, key=key)
                    for key in part
                ]
            )
        return keys

    def remove(self, key: str) -> None:
        """Destroy an entry."""
        self.store.writer.run(lambda write: remove_entry(write, self.group_id, key))

    def renew(self, key: str, termination: int | None) -> None:
        """Give an entry a new termination time."""
        self.store.writer.run(
            lambda write: renew_entries(write, [(self.group_id, key, termination)])
        )

    def request(
        self,
        expression: str,
        *,
        entry: str | None = None,
        family: str = "gt4",
        caller: str = "one",
        prefixes: Mapping[str, str] = PREFIXES,
    ) -> QueryRequest:
        """A request that must know all that was acknowledged up to now."""
        with self.store.read() as connection:
            seen = sequence(connection, self.group_id)
        return QueryRequest(GROUP, entry, family, expression, prefixes, seen, caller)

    def ask(self, expression: str, **options: object) -> QueryResult:
        """What an expression gives."""
        return self.client.query(self.request(expression, **options))  # type: ignore[arg-type]

    def text(self, expression: str, **options: object) -> str:
        """What an expression gives that gives text."""
        result = self.ask(expression, **options)
        assert result.is_text
        return b"".join(result.chunks).decode()

    def xml(self, expression: str, **options: object) -> bytes:
        """What an expression gives that gives elements."""
        result = self.ask(expression, **options)
        assert not result.is_text
        return b"".join(result.chunks)


@contextmanager
def evaluated(folder: Path, url: str = "", **query: object) -> Iterator[Evaluated]:
    """A migrated store and a running evaluator, both gone at the end."""
    settings = settings_of(folder, url, **query)
    store = open_store(
        url=settings.database_url, data_dir=folder, pool_size=4, busy_timeout=4, write_timeout=30
    )
    try:
        migrate(store)
        group_id = declare_groups(store, list(settings.groups))[GROUP]
        running = Evaluated(settings, store, group_id, folder / "query.sock")
        running.start()
        try:
            yield running
        finally:
            for process in running.started:
                process.kill()
                process.wait(10)
    finally:
        store.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Evaluated]:
    """An evaluator of the test's own, with three seconds for an expression."""
    with evaluated(tmp_path, timeout=3.0) as running:
        yield running


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluated]:
    """An evaluator with three entries that no test of it changes."""
    with evaluated(tmp_path_factory.mktemp("evaluator")) as running:
        running.add(3)
        yield running


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE and os.kill(pid, 0) is None
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
