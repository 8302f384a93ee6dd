"""Settings of the service: declared once, read from all sources, checked as a whole."""

from aggregator.config.changes import (
    changed_needing_restart,
    restart_values,
    with_restart_values,
)
from aggregator.config.crosschecks import Clash
from aggregator.config.errors import ConfigurationError, Problem
from aggregator.config.groups import DEFAULT_GROUP, GroupSettings, MembershipRule
from aggregator.config.load import Further, load_settings
from aggregator.config.names import OPTIONS, closest, unknown
from aggregator.config.secrets import without_passwords
from aggregator.config.settings import SettingRow, Settings, option_help

__all__ = [
    "DEFAULT_GROUP",
    "OPTIONS",
    "Clash",
    "ConfigurationError",
    "Further",
    "GroupSettings",
    "MembershipRule",
    "Problem",
    "SettingRow",
    "Settings",
    "changed_needing_restart",
    "closest",
    "load_settings",
    "option_help",
    "restart_values",
    "unknown",
    "with_restart_values",
    "without_passwords",
]
