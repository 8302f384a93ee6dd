"""What settings must be together, and what they name must be on this machine."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Iterator
from typing import NamedTuple

from aggregator.config.actions import action_faults
from aggregator.config.groups import GROUP_NAME, GroupSettings
from aggregator.config.logins import read_logins
from aggregator.config.measurement_faults import measurement_faults
from aggregator.config.measures import show_duration
from aggregator.config.report_tokens import read_report_tokens
from aggregator.config.secrets import read_secret
from aggregator.config.settings import GROUP_SECTION, Settings

RESERVED_NAMES = (
    "NotificationConsumerService",
    "PullPointService",
    "SubscriptionManagerService",
    "TriggerService",
)

#: Settings that name a file of authorities, and a file that holds a secret.
_AUTHORITIES = (
    ("server", "client_ca"),
    ("collect", "ca_file"),
    ("actions", "mail_ca_file"),
    ("actions", "webhook_ca_file"),
)
_SECRETS = ("mail_password_file", "webhook_token_file")

SettingPath = tuple[str, ...]


class Clash(NamedTuple):
    """A contradiction between the settings at ``paths``; the first that was given is to blame.

    ``below`` leads from there to the part at fault, such as a list's item. Without a path it is
    the settings as a whole that can't be used.
    """

    paths: tuple[SettingPath, ...]
    text: str
    below: tuple[str | int, ...] = ()


def clashes(settings: Settings, groups: dict[str, GroupSettings]) -> Iterator[Clash]:
    """Yield what is wrong between settings; ``groups`` holds those switched off as well."""
    yield from _limits(settings)
    yield from _tls(settings)
    yield from _files(settings)
    yield from _actions(settings)
    yield from _measurement(settings)
    for group in groups.values():
        yield from _group(group, groups)
    if not settings.groups:
        paths = tuple((GROUP_SECTION, name, "enabled") for name in groups)
        yield Clash(paths, "no group is left; leave one enabled")


def _measurement(settings: Settings) -> Iterator[Clash]:
    found = measurement_faults(settings.measurement, public_url=settings.server.public_url)
    for keys, text in found:
        yield Clash(tuple(("measurement", key) for key in keys), text)


def _limits(settings: Settings) -> Iterator[Clash]:
    collect, query, store = settings.collect, settings.query, settings.store
    if collect.connect_timeout > collect.timeout:
        yield _above("collect", "connect_timeout", "timeout", settings)
    if store.busy_timeout > store.write_timeout:
        yield _above("store", "busy_timeout", "write_timeout", settings)
    if query.max_long_per_caller > query.max_evaluations:
        yield Clash(
            (("query", "max_long_per_caller"), ("query", "max_evaluations")),
            f"max_long_per_caller ({query.max_long_per_caller}) is above"
            f" max_evaluations ({query.max_evaluations})",
        )


def _above(section: str, smaller: str, larger: str, settings: Settings) -> Clash:
    values = getattr(settings, section)
    below, limit = (show_duration(getattr(values, key)) for key in (smaller, larger))
    text = f"{smaller} ({below}) is above {larger} ({limit})"
    return Clash(((section, smaller), (section, larger)), text)


def _tls(settings: Settings) -> Iterator[Clash]:
    server = settings.server
    cert = ("server", "tls_cert")
    for key in ("tls_key", "client_ca"):
        if getattr(server, key) and not server.tls_cert:
            yield Clash((("server", key), cert), f"{key} needs tls_cert, which is not set")
    if server.tls_cert and (fault := _certificate_fault(server.tls_cert, server.tls_key)):
        yield Clash((cert, ("server", "tls_key")), fault)
    for section, key in _AUTHORITIES:
        name = getattr(getattr(settings, section), key)
        if name and (fault := _authorities_fault(name)):
            yield Clash(((section, key),), fault)


def _certificate_fault(cert: str, key: str) -> str:
    for name in filter(None, (cert, key)):
        if fault := _unreadable(name):
            return fault
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password at hand OpenSSL would ask for one at the terminal.
        context.load_cert_chain(cert, key or None, password=lambda: b"")
    except (OSError, ValueError) as error:
        pair = f"{cert} with key {key}" if key else f"{cert}, alone,"
        reason = getattr(error, "reason", None) or error
        return f"{pair} is not a certificate with its unencrypted key: {reason}"
    return ""


def _authorities_fault(name: str) -> str:
    if fault := _unreadable(name):
        return fault
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=name)
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        return f"{name} holds no certificates in PEM form: {reason}"
    return ""


def _unreadable(name: str) -> str:
    try:
        with open(name, "rb"):
            return ""
    except OSError as error:
        return f"{name} can't be read: {os.strerror(error.errno or 0)}"


def _files(settings: Settings) -> Iterator[Clash]:
    folder = settings.probes.folder
    if folder and (fault := _probe_folder_fault(folder)):
        yield Clash((("probes", "folder"),), fault)
    if name := settings.collect.logins:
        try:
            read_logins(name)
        except ValueError as error:
            yield Clash((("collect", "logins"),), str(error))
    if name := settings.reports.tokens:
        try:
            read_report_tokens(name)
        except ValueError as error:
            yield Clash((("reports", "tokens"),), str(error))
    elif settings.reports.modules:
        text = "modules get no reports without tokens, which is not set"
        yield Clash((("reports", "modules"), ("reports", "tokens")), text)
    data_dir = settings.server.data_dir
    if data_dir.exists() and not data_dir.is_dir():
        yield Clash((("server", "data_dir"),), f"{data_dir} is not a folder")


def _actions(settings: Settings) -> Iterator[Clash]:
    for keys, text in action_faults(settings.actions):
        yield Clash(tuple(("actions", key) for key in keys), text)
    for key in _SECRETS:
        if name := getattr(settings.actions, key):
            try:
                read_secret(name)
            except ValueError as error:
                yield Clash((("actions", key),), str(error))


def _probe_folder_fault(folder: str) -> str:
    try:
        mode = os.stat(folder).st_mode
    except OSError as error:
        return f"{folder} can't be read: {os.strerror(error.errno or 0)}"
    if not stat.S_ISDIR(mode):
        return f"{folder} is not a folder"
    if mode & stat.S_IWOTH:
        return f"others may write to {folder} and so choose what runs here; chmod o-w it"
    return ""


def _group(group: GroupSettings, groups: dict[str, GroupSettings]) -> Iterator[Clash]:
    path = (GROUP_SECTION, group.name)
    if not GROUP_NAME.fullmatch(group.name):
        yield Clash((path,), "a group's name has letters, digits, _ and -, a letter first")
    if group.name in RESERVED_NAMES:
        yield Clash((path,), "this name is that of another service; choose another")
    if group.name.endswith("Entry") and group.name.removesuffix("Entry") in groups:
        other = group.name.removesuffix("Entry")
        yield Clash((path,), f"the entries of group {other} have this address; choose another name")
    if 0 < group.max_lifetime < group.min_lifetime:
        yield Clash(
            ((*path, "min_lifetime"), (*path, "max_lifetime")),
            f"min_lifetime ({show_duration(group.min_lifetime)}) is above"
            f" max_lifetime ({show_duration(group.max_lifetime)})",
        )
    if 86400 % group.series_bucket or group.series_bucket % 1:
        yield Clash(
            ((*path, "series_bucket"),),
            f"series_bucket ({show_duration(group.series_bucket)}) does not divide a day into whole"
            " seconds; 1m, 5m, 1h and 1d do",
        )
    if group.min_interval_millis > group.max_interval_millis:
        yield Clash(
            ((*path, "min_interval_millis"), (*path, "max_interval_millis")),
            f"min_interval_millis ({group.min_interval_millis}) is above"
            f" max_interval_millis ({group.max_interval_millis})",
        )
