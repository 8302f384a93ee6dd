"""The two that are asked: the service with a full group, and BaseX with that group's document."""

from __future__ import annotations

import contextlib
import http.client
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.peers.basex import basex
from bench.stock import plain_groups, stocked
from bench.xpath_answers import differ
from bench.xpath_queries import Query
from tests import soap
from tests.service import running_service

_GROUP = "Queried"
#: All clients are of one address here; a caller's share of the long expressions is not what counts.
_CONFIG = f"[query]\nmax_long_per_caller = 4\n{plain_groups([_GROUP])}"
_DESCRIPTION = re.compile(r"Description>([^<]*)<")


class Refused(RuntimeError):
    """A reply that is no answer: what it says, a fault its description."""

    def __init__(self, url: str, content: bytes) -> None:
        said = content.decode(errors="replace")
        described = _DESCRIPTION.search(said)
        super().__init__(described[1] if described else said[-500:])
        self.url = url


class Client:
    """One connection that is kept, to a URL that takes POSTs."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self._path = parts.path
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)

    def ask(self, body: bytes) -> bytes:
        """The content of the reply; Refused for another status than 200."""
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        self._connection.request("POST", self._path, body, headers)
        reply = self._connection.getresponse()
        content = reply.read()
        if reply.status != 200:
            raise Refused(self.url, content)
        return content


@dataclass(frozen=True, slots=True)
class Sides:
    """Where to ask."""

    ours: Client
    basex: Client

    def differ(self, query: Query) -> str:
        """In what the answers to a query differ; empty where they say the same."""
        return differ(query.kind, self.ours.ask(query.envelope), self.basex.ask(query.xquery))


@contextlib.contextmanager
def sides(folder: Path, *, count: int) -> Iterator[Sides]:
    """Both, with the same bytes of `count` entries. Raises Missing without BaseX."""
    store = stocked(folder / "store", {_GROUP: count})
    with running_service(store, config=_CONFIG) as service:
        url = f"{service.url}/wsrf/services/{_GROUP}"
        with basex(folder / "basex", _document(url)) as peer:
            yield Sides(Client(url), Client(peer))


def _document(url: str) -> bytes:
    """A group's resource property document, as it was sent."""
    reply = soap.query(url, "/").content
    return reply[reply.index(b"<doc:") : reply.rindex(b"</rp:QueryResourcePropertiesResponse>")]
