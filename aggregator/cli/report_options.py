"""What the commands about reports share: where the service is, and who we are."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import click

from aggregator.cli.toolkit import Toolkit, check_address
from aggregator.cli.toolkit_options import url_options
from aggregator.client.reports import Answer, ReportClient
from aggregator.client.security import find_credentials, tls_context
from aggregator.errors import ConfigError, RemoteError

Callback = Callable[..., Any]
DEFAULT_SERVICE = "http://127.0.0.1:8080"


def service_options(callback: Callback) -> Callback:
    """The options of the service, of our secret, and of TLS."""
    command = url_options(callback)
    for option in (
        click.option(
            "--token-file",
            default="",
            metavar="FILE",
            help="File with our secret; only we may read it. Without it our certificate counts.",
        ),
        click.option(
            "-s",
            "--service",
            default=DEFAULT_SERVICE,
            show_default=True,
            metavar="URL",
            help="Address of the service, without a path.",
        ),
    ):
        command = option(command)
    return command


def client_of(toolkit: Toolkit, token_file: str, *, longest: float = math.inf) -> ReportClient:
    """The client that the options describe, whose calls take at most `longest` seconds; raises
    ConfigError."""
    url = check_address(toolkit.service).rstrip("/")
    secret = read_secret(token_file) if token_file else ""
    credentials = None
    if not toolkit.anonymous:
        credentials = find_credentials(cert=toolkit.cert, key=toolkit.tls_key)
    if secret and _is_open(url):
        click.echo(f"Note: the secret goes to {url} unprotected; use https", err=True)
    tls = tls_context(credentials, ca=toolkit.ca, authorization=toolkit.authorization)
    return ReportClient(url, secret, tls, timeout=min(longest, toolkit.timeout))


def _is_open(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "http" and not (host in ("localhost", "::1") or host.startswith("127."))


def read_secret(path: str) -> str:
    """The secret in a file that only we may read; raises ConfigError, which does not tell it."""
    try:
        with open(path, encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(2000).strip()
    except OSError as error:
        raise ConfigError(
            f"{path} can't be read: {error.strerror}", element="--token-file"
        ) from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path} holds no secret of ASCII", element="--token-file") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"others may read {path}; chmod go= it", element="--token-file")
    if not text or len(text.split()) != 1:
        raise ConfigError(f"{path} holds no secret, which is one word", element="--token-file")
    return text


def good(answer: Answer) -> Answer:
    """The answer, if it was done; RemoteError in the service's words otherwise."""
    if not answer.is_good:
        raise RemoteError(f"the service refused: {answer.message}")
    return answer
