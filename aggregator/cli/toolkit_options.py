"""The options that all client commands share: those of the Globus toolkit, and TLS files."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import click

from aggregator.cli.toolkit import Toolkit

Callback = Callable[..., Any]

_TLS = (
    click.option(
        "-a", "--anonymous", is_flag=True, help="Present no certificate, even where one is named."
    ),
    click.option("--cert", default="", metavar="FILE", help="Our certificate chain, PEM."),
    click.option("--key", "tls_key", default="", metavar="FILE", help="Its private key, PEM."),
    click.option(
        "--ca",
        default="",
        metavar="FILE|DIR",
        help="Authorities to trust [default: X509_CERT_DIR, else the system's].",
    ),
    click.option(
        "-z",
        "--authorization",
        type=click.Choice(["self", "host", "none"]),
        default="host",
        show_default=True,
        help="Whom the server's certificate must name: us, its host, or anybody.",
    ),
    click.option(
        "-t",
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=600.0,
        show_default=True,
        metavar="SECONDS",
        help="Longest time for one call; a connection has 10 s of it.",
    ),
    click.option(
        "-d",
        "--debug",
        is_flag=True,
        help="Log each call on standard error, and show tracebacks of errors.",
    ),
)
_PROTECTION = (
    click.option(
        "-m",
        "--securityMech",
        "message_security",
        type=click.Choice(["msg", "conv"]),
        default=None,
        help="GSI message security, which is not spoken here: accepted for an https address, where "
        "TLS protects as much, and refused for any other.",
    ),
    click.option(
        "-p",
        "--protection",
        type=click.Choice(["sig", "enc"]),
        default=None,
        help="Sign or encrypt messages: accepted for an https address, refused for any other.",
    ),
)
_BASE = click.option(
    "-b",
    "--baseURL",
    "base",
    required=True,
    metavar="URL",
    help="Address of the services, without the name of one: http://host:8080/wsrf/services.",
)
_TOOLKIT = (
    click.option("-s", "--service", default="", metavar="URL", help="Address of the service."),
    click.option(
        "-e", "--eprFile", "epr_file", default="", metavar="FILE", help="File with its EPR."
    ),
    click.option(
        "-k",
        "--resource-key",
        "keys",
        nargs=2,
        multiple=True,
        metavar='"{NS}NAME" VALUE',
        help="Reference property that names the resource.",
    ),
    *_TLS[:-2],
    *_PROTECTION,
    *_TLS[-2:],
)
_DIALECT = click.option(
    "--dialect",
    type=click.Choice(["auto", "gt4", "oasis"]),
    default="auto",
    show_default=True,
    help="The drafts that Globus 4.0 speaks, or the final standards; auto goes by the EPR file, "
    "else asks in the final standard and then in the drafts.",
)


def toolkit_options(callback: Callback) -> Callback:
    """Give a command the toolkit's options, as the keyword argument `toolkit`."""
    return _collected(callback, _TOOLKIT)


def url_options(callback: Callback) -> Callback:
    """Give a command whose argument ``url`` is the service those of them that are left."""
    return _collected(callback, _TLS)


def base_options(callback: Callback) -> Callback:
    """Give a command whose services lie under one address those that are left, and ``-b``."""
    return _collected(callback, (_BASE, *_TLS[:-2], *_PROTECTION, *_TLS[-2:]))


def dialect_option(callback: Callback) -> Callback:
    """Give a command the option ``--dialect``."""
    return _DIALECT(callback)


def _collected(callback: Callback, options: Iterable[Callable[[Callback], Callback]]) -> Callback:
    names = set(Toolkit.__dataclass_fields__)

    @wraps(callback)
    def wrapper(**given: Any) -> Any:
        shared = {name: given.pop(name) for name in names & given.keys()}
        shared.setdefault("service", given.pop("base", None) or given.get("url", ""))
        toolkit = Toolkit(
            service=shared["service"],
            epr_file=shared.get("epr_file", ""),
            keys=tuple(shared.get("keys", ())),
            anonymous=shared["anonymous"],
            authorization=shared["authorization"],
            message_security=shared.get("message_security") or "",
            protection=shared.get("protection") or "",
            timeout=shared["timeout"],
            debug=shared["debug"],
            cert=shared["cert"],
            tls_key=shared["tls_key"],
            ca=shared["ca"],
        )
        log_to_stderr(debug=toolkit.debug)
        return callback(toolkit=toolkit, **given)

    command: Callback = wrapper
    for option in reversed(list(options)):
        command = option(command)
    return command


def log_to_stderr(*, debug: bool) -> None:
    """Show warnings of the libraries, and with `debug` what we do."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("aggregator").setLevel(logging.DEBUG if debug else logging.WARNING)
