"""``perfsonar-client``: a message of the NMWG protocol, sent, and the one that is answered."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import click
from lxml import etree

from aggregator.cli.failing import FAILED, WRONG_USAGE
from aggregator.cli.one_line import OneLineCommand, fail
from aggregator.cli.showing import readable
from aggregator.cli.toolkit import Toolkit, check_address
from aggregator.cli.toolkit_options import url_options
from aggregator.client.nmwg import REPLY_LIMITS, NmwgClient
from aggregator.client.replies import describe
from aggregator.errors import ConfigError, RemoteError, RequestError
from aggregator.wire import namespaces as ns
from aggregator.wire.nmwg import errors_of, find_message
from aggregator.wire.nmwg_names import PREFIXES
from aggregator.wire.parse import Element, Limits, parse

#: Where perfSONAR's services have been.
PORT, ENDPOINT = 8085, "/perfSONAR_PS/services/pSB"
#: What a message may be that is sent: our user's own.
_LIMITS = Limits(size=64 * 2**20, nodes=4_000_000)
_PREFIXES = {**PREFIXES, "soapenv": ns.SOAP11, "soap12": ns.SOAP12}


@click.command(
    "perfsonar-client",
    cls=OneLineCommand,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  perfsonar-client "
    "http://host:8085/perfSONAR_PS/services/pSB EchoRequest.xml",
)
@url_options
@click.option("--server", default="", metavar="HOST", help="Host of the service.")
@click.option(
    "--port", type=click.IntRange(1, 65535), metavar="N", help=f"Its port [default: {PORT}]."
)
@click.option("--endpoint", default="", metavar="PATH", help=f"Its path [default: {ENDPOINT}].")
@click.option(
    "--filter",
    "xpath",
    default="",
    metavar="XPATH",
    help="Show what this XPath 1.0 finds in the reply; nmwg, nmwgt, nmwgr, select, iperf, owamp, "
    "summary and the prefixes of the reply are known.",
)
@click.option("--envelope", is_flag=True, help="Show the whole reply, not the message alone.")
@click.argument("given", nargs=-1, required=True, metavar="[URL] FILE")
def main(
    *,
    toolkit: Toolkit,
    server: str,
    port: int | None,
    endpoint: str,
    xpath: str,
    envelope: bool,
    given: tuple[str, ...],
) -> None:
    """Send the NMWG message in FILE (- for standard input) to the service at URL.

    A SOAP envelope is put around the message unless FILE holds one. What comes back is the message
    of the reply. --server, --port and --endpoint stand in for URL, or for parts of it. Ends with 1
    where the reply tells of an error, with 2 where nothing was sent or no message came back.
    """
    url, file = _places(given, server=server, port=port, endpoint=endpoint)
    request = _read(file)
    if xpath:
        _check_expression(xpath)
    client = NmwgClient(toolkit.call_settings(limits=REPLY_LIMITS))
    try:
        reply = client.exchange(url, request)
    except RemoteError as error:
        if toolkit.debug:
            traceback.print_exc()
        fail([describe(error)], WRONG_USAGE)
    message = find_message(reply)
    shown = _found(xpath, reply, message) if xpath else [reply if envelope else message]
    _show(shown)
    if results := errors_of(message):
        fail([str(result) for result in results], FAILED)


def _places(
    given: Sequence[str], *, server: str, port: int | None, endpoint: str
) -> tuple[str, str]:
    """The URL and the file; the options come before what the URL says."""
    if len(given) > 2:
        raise ConfigError(f"{len(given)} arguments; expected [URL] FILE")
    *urls, file = given
    if not urls and not server:
        raise ConfigError("no service is named: give its URL before the file, or --server")
    parts = urlsplit(check_address(urls[0] if urls else f"http://{_host(server)}:{PORT}{ENDPOINT}"))
    # What check_address took has a host.
    host = _host(server or parts.hostname or "")
    number = port or parts.port
    path = f"/{endpoint.lstrip('/')}" if endpoint else parts.path
    place = host if number is None else f"{host}:{number}"
    login = parts.netloc.rpartition("@")[0]
    query = "" if endpoint else parts.query
    where = f"{login}@{place}" if login else place
    return check_address(urlunsplit((parts.scheme, where, path, query, ""))), file


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name and not name.startswith("[") else name


def _read(file: str) -> Element:
    where = "standard input" if file == "-" else file
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        root = parse(data, limits=_LIMITS)
        find_message(root)
    except OSError as error:
        raise ConfigError(f"{where} can't be read: {error.strerror}") from error
    except RequestError as error:
        raise ConfigError(f"{where}: {error}") from error
    return root


def _check_expression(xpath: str) -> None:
    """ConfigError for a filter that can't be read; prefixes are looked at when it is used."""
    try:
        etree.XPath(xpath, namespaces=_PREFIXES)
    except etree.XPathSyntaxError as error:
        raise ConfigError(f"--filter {xpath[:100]!r} is no XPath 1.0: {error}") from error


def _found(xpath: str, reply: Element, message: Element) -> list[Element | str]:
    if xpath.strip() == "/":
        return [reply]
    known = {prefix: uri for prefix, uri in message.nsmap.items() if prefix} | _PREFIXES
    try:
        found = reply.getroottree().xpath(xpath, namespaces=known)
    except etree.XPathError as error:
        raise ConfigError(f"--filter {xpath[:100]!r} can't be evaluated: {error}") from error
    if not isinstance(found, list):
        return [_scalar(found)]
    return [_node(one) for one in found]


def _node(found: object) -> Element | str:
    """An element, or the text of whatever else was found; a comment is what it says."""
    if not isinstance(found, etree._Element):
        return str(found)
    return found if isinstance(found.tag, str) else found.text or ""


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _show(items: Sequence[Element | str]) -> None:
    for item in items:
        click.echo(item if isinstance(item, str) else readable(item))


if __name__ == "__main__":
    main()
