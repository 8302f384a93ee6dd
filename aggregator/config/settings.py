"""The settings of the service as one value, and the table that describes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aggregator.config.actions import ActionSettings
from aggregator.config.collection import CollectSettings, ProbeSettings
from aggregator.config.events import EventsSettings
from aggregator.config.groups import GroupSettings, default_groups
from aggregator.config.kinds import choice
from aggregator.config.measurement import MeasurementSettings
from aggregator.config.names import variable_name
from aggregator.config.notifications import NotificationSettings
from aggregator.config.reports import ReportsSettings
from aggregator.config.server import ServerSettings
from aggregator.config.setting import Setting, setting, settings_of
from aggregator.config.storage import QuerySettings, StoreSettings
from aggregator.config.triggers import TriggerSettings

DATABASE_FILE = "aggregator.db"
GROUP_SECTION = "groups"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """``[log]``: what is logged, and how."""

    level: str = setting(
        "info",
        choice("debug", "info", "warning", "error", "critical"),
        "Least severity that is logged.",
    )
    format: str = setting(
        "auto",
        choice("auto", "text", "json"),
        "Form of log lines; auto writes text at a terminal and JSON elsewhere.",
    )


SECTIONS: Mapping[str, type[Any]] = {
    "server": ServerSettings,
    "store": StoreSettings,
    "query": QuerySettings,
    "collect": CollectSettings,
    "probes": ProbeSettings,
    "triggers": TriggerSettings,
    "notifications": NotificationSettings,
    "events": EventsSettings,
    "actions": ActionSettings,
    "reports": ReportsSettings,
    "measurement": MeasurementSettings,
    "log": LogSettings,
}


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as documents and ``--help`` show it.

    ``unit`` is that of the value in code; the section of a group's setting is ``groups.NAME``.
    """

    section: str
    key: str
    type: str
    unit: str
    default: str
    help: str
    environment: str
    restart: bool

    @property
    def name(self) -> str:
        """The dotted name, as options and messages use it: ``server.port``."""
        return f"{self.section}.{self.key}"


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked; ``Settings()`` holds the defaults.

    ``groups`` holds the groups that are offered, by name.
    """

    server: ServerSettings = field(default_factory=ServerSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    query: QuerySettings = field(default_factory=QuerySettings)
    collect: CollectSettings = field(default_factory=CollectSettings)
    probes: ProbeSettings = field(default_factory=ProbeSettings)
    triggers: TriggerSettings = field(default_factory=TriggerSettings)
    notifications: NotificationSettings = field(default_factory=NotificationSettings)
    events: EventsSettings = field(default_factory=EventsSettings)
    actions: ActionSettings = field(default_factory=ActionSettings)
    reports: ReportsSettings = field(default_factory=ReportsSettings)
    measurement: MeasurementSettings = field(default_factory=MeasurementSettings)
    log: LogSettings = field(default_factory=LogSettings)
    groups: Mapping[str, GroupSettings] = field(default_factory=default_groups)

    @property
    def database_url(self) -> str:
        """The database to use: ``store.url``, or the SQLite file in ``server.data_dir``."""
        return self.store.url or f"sqlite:///{self.server.data_dir / DATABASE_FILE}"

    @staticmethod
    def describe() -> tuple[SettingRow, ...]:
        """Return a row for each setting, in the order in which documents show them."""
        return tuple(_rows())


def option_help(name: str) -> str:
    """Return the help of the command line option that sets ``name`` (``server.port``)."""
    row = next((row for row in Settings.describe() if row.name == name), None)
    if row is None:
        raise KeyError(f"no setting is named {name}")
    return f"{row.help}  [{row.environment}; default: {row.default}]"


def _rows() -> Iterator[SettingRow]:
    for section, declared in SECTIONS.items():
        for key, entry in settings_of(declared).items():
            yield _row(section, key, entry)
    for key, entry in settings_of(GroupSettings).items():
        yield _row(f"{GROUP_SECTION}.NAME", key, entry)


def _row(section: str, key: str, declared: Setting) -> SettingRow:
    from_file_only = declared.kind.from_text is None
    return SettingRow(
        section=section,
        key=key,
        type=declared.kind.name,
        unit=declared.kind.unit,
        default=declared.default_text,
        help=declared.help,
        environment="" if from_file_only else variable_name((*section.split("."), key)),
        restart=declared.restart,
    )
