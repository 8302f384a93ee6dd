"""What tests of the collector share: a store, registrations in it, and what became of them."""

from __future__ import annotations

import json
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aggregator.collect.probe_settings import probe_folder
from aggregator.config import Settings, load_settings
from aggregator.contract import ConfigBlock, Group
from aggregator.model import Caller, Entry, Registration
from aggregator.registry.opening import store_of
from aggregator.registry.plugins import find_plugins
from aggregator.registry.selection import select_source
from aggregator.store.collection import prune_changes
from aggregator.store.engine import Store
from aggregator.store.entries import add_entry, remove_entry
from aggregator.store.groups import declare_groups
from aggregator.store.migrate import migrate
from aggregator.store.reading import load_entries
from aggregator.wire.epr import read_epr
from aggregator.wire.namespaces import AGG, WSA_2004_03
from aggregator.wire.parse import parse
from tests.waiting import until as until_within

GROUP = "DefaultIndexService"
POLL = """<agg:GetResourcePropertyPollType xmlns:w="http://widgets.com">
<agg:PollIntervalMillis>{interval}</agg:PollIntervalMillis>
<agg:ResourcePropertyName>w:foo</agg:ResourcePropertyName></agg:GetResourcePropertyPollType>"""
PROBE = """<agg:ExecutionPollType><agg:PollIntervalMillis>{interval}</agg:PollIntervalMillis>
<agg:ProbeName>{name}</agg:ProbeName></agg:ExecutionPollType>"""
SECOND = 1_000_000
SETTINGS: dict[str, dict[str, object]] = {
    "collect": {
        "timeout": "1s",
        "connect_timeout": "1s",
        "max_response": "2MiB",
        "lease_ttl": "1500ms",
        "housekeeping_interval": "200ms",
    },
    "probes": {"timeout": "1s"},
    "groups.DefaultIndexService": {"min_interval_millis": 50},
}


#: Seconds that anything may take on a machine that is busy with other tests.
PATIENCE = 45
until = partial(until_within, within=PATIENCE)


@dataclass(slots=True)
class Bench:
    """A store on an empty database, the settings of a collector on it, and both together."""

    config: Path
    store: Store
    tables: dict[str, dict[str, object]]
    settings: Settings = field(default_factory=Settings)
    groups: dict[str, int] = field(default_factory=dict)

    def configure(self, more: str) -> None:
        """Write the configuration anew, with further settings; read it here too."""
        for section, keys in _flat(tomllib.loads(more)).items():
            self.tables.setdefault(section, {}).update(keys)
        self.config.write_text(
            "".join(
                f"[{section}]\n" + "".join(f"{key} = {json.dumps(keys[key])}\n" for key in keys)
                for section, keys in self.tables.items()
            )
        )
        self.settings = load_settings(self.config, environ={}, options={})
        self.groups = declare_groups(self.store, list(self.settings.groups))

    def log(self) -> str:
        """What collectors of this configuration logged."""
        return self.config.with_suffix(".log").read_text(errors="replace")

    def register(
        self,
        address: str,
        block: str = POLL,
        *,
        interval: int = 200,
        group: str = GROUP,
        lifetime: float | None = None,
        wsa: str = WSA_2004_03,
        name: str = "",
        references: str = "",
    ) -> Entry:
        """Register a member as the web side would."""
        text = block.format(interval=interval, name=name)
        config = f'<agg:AggregatorConfig xmlns:agg="{AGG}">{text}</agg:AggregatorConfig>'.encode()
        member = (
            f'<m:MemberEPR xmlns:m="urn:m" xmlns:wsa="{wsa}"><wsa:Address>{address}'
            f"</wsa:Address>{references}</m:MemberEPR>"
        ).encode()
        root, epr = parse(config), read_epr(parse(member))
        selected = select_source(root, find_plugins())
        assert selected is not None
        facts = Group(
            group, 50, resolve_probe=lambda asked: probe_folder(self.settings).resolve(asked).name
        )
        plan = selected[0].source.check(ConfigBlock(selected[1], root, epr, "gt4"), group=facts)
        now = self.store.clock.now()
        registration = Registration(
            group=group,
            member=member,
            address=address,
            dialect="gt4",
            config=config,
            content=(),
            plan=plan,
            sink_plans={},
            termination=None if lifetime is None else now + int(lifetime * 1_000_000),
            fingerprint="",
            caller=Caller(),
        )
        key = uuid.uuid4().hex
        return self.store.writer.run(
            lambda write: add_entry(
                write, registration, group_id=self.groups[group], due=now, key=key
            )
        )

    def entry(self, entry: Entry) -> Entry | None:
        """The entry as it is now, None when it was removed."""
        with self.store.read() as connection:
            return next(iter(load_entries(connection, [entry.id])), None)

    def remove(self, entry: Entry) -> None:
        """Destroy an entry."""
        group = self.groups[entry.group]
        assert self.store.writer.run(lambda write: remove_entry(write, group, entry.key))

    def forget_changes(self) -> None:
        """Drop the whole log of changes."""
        self.store.writer.run(lambda write: prune_changes(write, write.now + SECOND, 1_000_000))

    def wait_data(self, entry: Entry, *, within: float = PATIENCE) -> Entry:
        """The entry once it has data."""

        def found() -> Entry | None:
            now = self.entry(entry)
            return now if now is not None and now.data else None

        return until(found, within=within, what="no data")

    def wait_error(self, entry: Entry, *, within: float = PATIENCE) -> Entry:
        """The entry once its collection has failed."""

        def found() -> Entry | None:
            now = self.entry(entry)
            return now if now is not None and now.health.error_code else None

        return until(found, within=within, what="no error")


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, dict[str, object]]:
    """The tables of a TOML document by their dotted names."""
    found: dict[str, dict[str, object]] = {}
    for name, content in tree.items():
        if all(isinstance(value, dict) for value in content.values()):
            found |= _flat(content, f"{prefix}{name}.")
        else:
            found[prefix + name] = content
    return found


def make_bench(url: str, folder: Path) -> Bench:
    """A bench on the database at `url`; the caller closes its store."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    settings = load_settings(None, environ={}, options={"store.url": url})
    settings = replace(settings, server=replace(settings.server, data_dir=data))
    store = store_of(settings)
    migrate(store)
    tables = {name: dict(keys) for name, keys in SETTINGS.items()}
    tables |= {"server": {"data_dir": str(data)}, "store": {"url": url}}
    made = Bench(folder / "aggregator.toml", store, tables)
    made.configure("")
    return made


@pytest.fixture
def bench(database_url: str, tmp_path: Path) -> Iterator[Bench]:
    """A bench, once on each kind of database."""
    made = make_bench(database_url, tmp_path)
    try:
        yield made
    finally:
        made.store.close()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Bench]:
    """A bench on the embedded database alone."""
    made = make_bench(f"sqlite:///{tmp_path / 'aggregator.sqlite'}", tmp_path)
    try:
        yield made
    finally:
        made.store.close()
