"""Settings of the actions of triggers: what each may reach, and by which means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aggregator.config.kinds import Fault, Kind, Refused, choice, listing, not_a, text, whole_number
from aggregator.config.measures import duration, size
from aggregator.config.places import file_name, host, web_address
from aggregator.config.setting import derived, setting

if TYPE_CHECKING:
    from aggregator.config.settings import Settings

LOG_FILE = "alerts.log"
#: Ports of SMTP (RFC 5321), of submission (RFC 6409), and of that within TLS (RFC 8314).
MAIL_PORTS = {"none": 25, "starttls": 587, "tls": 465}
#: Kinds of events that an alert may be: another state of something, what is critical, an error.
EVENT_IDS = (1112, 3001, 3002)
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"


def _or_empty(kind: Kind[str]) -> Kind[str]:
    return Kind(kind.name, lambda value: "" if value == "" else kind.read(value))


def _mail_address(name: str = "mail address") -> Kind[str]:
    return text("a mail address such as operators@example.org", pattern=_ADDRESS, name=name)


def _event_id() -> Kind[int]:
    *few, last = map(str, EVENT_IDS)
    expected = f"one of {', '.join(few)} and {last}"

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value not in EVENT_IDS:
            raise not_a(value, expected)
        return value

    def from_text(given: str) -> object:
        return int(given) if re.fullmatch(r"\s*[0-9]{1,9}\s*", given) else given

    return Kind(expected, read, from_text=from_text)


def _hook_url() -> Kind[str]:
    """The kind of an address to post to, empty for none; never repeated: it may be a secret."""

    def read(value: object) -> str:
        if value == "":
            return ""
        if not isinstance(value, str) or not _is_hook(value):
            expected = "an address such as https://hooks.example.org/alerts, without user and #"
            raise Refused(Fault(f"not {expected}"))
        return value

    return Kind("http or https address", read)


def _is_hook(value: str) -> bool:
    if not re.fullmatch(r"[\x21-\x7e]+", value) or re.search(r"[#\"<>\\]", value):
        return False
    try:
        parts = urlsplit(value)
        wrong_port = parts.port == 0
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and not wrong_port
    )


@dataclass(frozen=True, slots=True)
class ActionSettings:
    """``[actions]``: durations in seconds, sizes in bytes."""

    log_file: str = setting(
        "",
        file_name(),
        "File to which the action log appends a line for each alert; its folder has to exist."
        f" Empty: {LOG_FILE} in server.data_dir.",
    )
    mail_server: str = setting(
        "", _or_empty(host()), "SMTP server of the action mail. Empty: no mail is sent."
    )
    mail_port: int = setting(
        0,
        whole_number(0, 65535),
        "Its port; 0: 587 with starttls, 465 with tls, 25 with none.",
    )
    mail_security: str = setting(
        "starttls",
        choice("none", "starttls", "tls"),
        "How the connection to it is encrypted: after STARTTLS, from its beginning (tls), or not"
        " at all. The server's certificate is verified.",
    )
    mail_user: str = setting(
        "",
        text("a name of visible characters", pattern=r"[^\x00-\x20\x7f]{0,200}"),
        "User at the SMTP server. Empty: it asks for none.",
    )
    mail_password_file: str = setting(
        "",
        file_name(),
        "File with the user's password. Only its owner may read it.",
    )
    mail_ca_file: str = setting(
        "",
        file_name(),
        "PEM file of the authorities that vouch for the server's certificate. Empty: the system's.",
    )
    mail_from: str = setting("", _or_empty(_mail_address()), "Address that mails come from.")
    mail_to: tuple[str, ...] = setting(
        (), listing(_mail_address("mail addresses")), "Addresses that they go to."
    )
    mail_subject: str = setting(
        "[mds-aggregator]",
        text("at most 80 characters on one line", pattern=r"[^\x00-\x1f\x7f-\x9f]{0,80}"),
        "What the subject of each mail begins with.",
    )
    mail_timeout: float = setting(20.0, duration(1, 300), "Time that sending a mail may take.")
    webhook_url: str = derived(
        lambda _: "",
        _hook_url(),
        "Address that the action webhook posts alerts to. Empty: to none. One that holds a secret"
        " is best given in the environment.",
        default_text='""',
        secret=True,
    )
    webhook_format: str = setting(
        "json",
        choice("json", "xml"),
        "What is posted: an object of JSON, or the input of the action as it came.",
    )
    webhook_token_file: str = setting(
        "",
        file_name(),
        "File with the token that the receiver is shown (Authorization: Bearer). Only its owner"
        " may read it. Empty: none.",
    )
    webhook_ca_file: str = setting(
        "",
        file_name(),
        "PEM file of the authorities that vouch for the receiver's certificate. Empty: the"
        " system's.",
    )
    webhook_proxy: str = setting(
        "", web_address(), "Address of the proxy that alerts are posted through. Empty: none."
    )
    webhook_timeout: float = setting(
        10.0, duration(0.1, 300), "Time that posting may take, with what is tried again at once."
    )
    event_id: int = setting(
        EVENT_IDS[0],
        _event_id(),
        "Kind of event that the action event publishes on the event bus.",
    )
    max_data: int = setting(
        2**16,
        size(0, 8 * 2**20),
        "Largest data of a member that mails, webhooks (as JSON) and events carry along.",
    )


def settings_for(settings: Settings, action: str) -> dict[str, object]:
    """What an action is told in AGGREGATOR_ACTION_SETTINGS: its own settings, and no other's.

    Names of files stand for what is secret, but for the broker's and the database's URL, which the
    action ``event`` alone is given. An action of the site is told nothing.
    """
    given = settings.actions
    bounded: dict[str, object] = {"max_data": given.max_data}
    if action in ("log", "trigger-action-default"):
        return {"log_file": given.log_file or str(settings.server.data_dir / LOG_FILE)}
    if action == "mail":
        port = given.mail_port or MAIL_PORTS[given.mail_security]
        return {**_beginning_with("mail_", given), "mail_port": port, **bounded}
    if action == "webhook":
        return {**_beginning_with("webhook_", given), **bounded}
    if action == "event":
        events = settings.events
        return {
            "event_id": given.event_id,
            "broker": events.broker or _from_anywhere(settings.database_url),
            "sys_name": events.sys_name,
            "durable": events.durable,
            "broker_timeout": events.broker_timeout,
            "max_message": events.max_message,
            **bounded,
        }
    return {}


def _beginning_with(start: str, given: ActionSettings) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in ActionSettings.__slots__:
        if name.startswith(start):
            value = getattr(given, name)
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def _from_anywhere(url: str) -> str:
    """A database's URL as the bus knows it, for a process that runs in another folder."""
    scheme, _, place = url.partition("://")
    database = scheme.partition("+")[0]
    if database == "sqlite":
        return f"{database}:///{Path(place.removeprefix('/')).absolute()}"
    return f"{database}://{place}"


def action_faults(given: ActionSettings) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong between settings of actions: the keys at fault, and words."""
    if given.mail_server:
        for key in ("mail_from", "mail_to"):
            if not getattr(given, key):
                yield ("mail_server", key), f"mail_server needs {key}, which is not set"
    elif key := next((key for key in ("mail_to", "mail_from") if getattr(given, key)), ""):
        yield (key, "mail_server"), f"{key} needs mail_server, which is not set"
    for one, other in (("mail_user", "mail_password_file"), ("mail_password_file", "mail_user")):
        if getattr(given, one) and not getattr(given, other):
            yield (one, other), f"{one} needs {other}, which is not set"
    if given.mail_user and given.mail_security == "none" and given.mail_server not in _HERE:
        told = "a password is not sent over the network unencrypted; set starttls or tls"
        yield ("mail_security", "mail_user"), told
    if given.webhook_token_file and not given.webhook_url:
        yield ("webhook_token_file",), "webhook_token_file needs webhook_url, which is not set"
    elif given.webhook_token_file and _is_open(given):
        told = "a token is not sent over the network unencrypted; write https://"
        yield ("webhook_url", "webhook_token_file"), told


def _is_open(given: ActionSettings) -> bool:
    """Whether others can read what is posted."""
    parts = urlsplit(given.webhook_url)
    return parts.scheme == "http" and (bool(given.webhook_proxy) or parts.hostname not in _HERE)
