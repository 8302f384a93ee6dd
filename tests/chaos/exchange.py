"""One request and its reply, or the reason why there is none, with what is needed to judge it."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.chaos.ledger import now
from tests.soap import Answer, envelope

#: Seconds after which a client calls a service hung.
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was not answered well. Instants as in the ledger; `port` is the client's."""

    operation: str
    began: int
    ended: int
    port: int
    what: str
    #: What was answered, where that is no success.
    answer: Answer | None = None

    def overlaps(self, began: float, ended: float) -> bool:
        """Whether it was under way at some instant from `began` to `ended`."""
        return self.began <= ended and self.ended >= began


class Unanswered(Exception):
    """No reply, or half of one. `sent`: whether the request may have reached the service."""

    def __init__(self, failure: Failure, *, sent: bool) -> None:
        super().__init__(failure.what)
        self.failure = failure
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, whatever it says."""

    answer: Answer
    operation: str
    began: int
    ended: int
    port: int

    @property
    def since(self) -> int:
        """From when on the state may be that it shows: it says so where that is not its start."""
        if "Warning" not in self.answer.headers:
            return self.began
        return self.began - (int(self.answer.headers["Age"]) + 1) * 1_000_000

    def failure(self) -> Failure:
        """This reply as one that should have been another."""
        said = f"HTTP {self.answer.status} {self.answer.content[-700:]!r}"
        return Failure(self.operation, self.began, self.ended, self.port, said, self.answer)


def ask(url: str, operation: str, body: str, *, header: str = "") -> Reply:
    """Send a body on a connection of its own. Raises Unanswered."""
    parts = urlsplit(url)
    assert parts.hostname
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
    began, port, sent = now(), 0, True
    try:
        try:
            connection.connect()
        except ConnectionRefusedError:
            sent = False
            raise
        port = connection.sock.getsockname()[1]
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        connection.request("POST", parts.path, envelope(body, header=header), headers)
        reply = connection.getresponse()
        answer = Answer(reply.status, dict(reply.getheaders()), reply.read())
    except (OSError, http.client.HTTPException) as error:
        said = f"{type(error).__name__}: {error}"
        raise Unanswered(Failure(operation, began, now(), port, said), sent=sent) from error
    finally:
        connection.close()
    return Reply(answer, operation, began, now(), port)
