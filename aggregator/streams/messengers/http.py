"""By HTTP: each message is posted to an address."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from aggregator.client.security import Credentials
from aggregator.errors import MessageNotSent, MessageRefused, StreamRefused
from aggregator.streams.batch import Batch
from aggregator.streams.destinations import Names, split
from aggregator.streams.messenger import BatchMessenger
from aggregator.streams.messengers.posting import PASSING, USER_AGENT, Post, as_bytes

# What may stand in a header as it is.
_PLAIN = " !#$&'()*+-./:;<=>?@[]^_`{|}~"


class HttpMessenger(BatchMessenger):
    """Posts each message, and takes any answer of the kind 2xx for its delivery.

    The header ``Idempotency-Key`` holds the id of the batch, the same when it is sent again;
    ``Stream-Nodes``, ``Stream-Groups`` and ``Stream-Docks`` to whom it goes, percent-encoded, with
    commas between them; ``Stream-Rows`` how many rows it carries. `token` is sent as a bearer's.
    Redirects are not followed. `timeout` is in seconds, for all of one message; `ca` is a file or
    folder of trusted authorities, the system's by default.
    """

    def __init__(
        self,
        url: str,
        *,
        content_type: str = "application/octet-stream",
        token: str = "",
        timeout: float = 10.0,
        ca: str = "",
        credentials: Credentials | None = None,
    ) -> None:
        for value, what in ((content_type, "content_type"), (token, "token")):
            if not value.isascii() or not value.isprintable():
                raise StreamRefused(f"{what} must be printable ASCII, for it stands in a header")
        self._post = Post(url, timeout=timeout, ca=ca, credentials=credentials)
        self._headers = {"Content-Type": content_type, "User-Agent": USER_AGENT}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def send_batch(self, message: Any, batch: Batch) -> None:
        """See BatchMessenger. What the receiver answers with 4xx is refused, but what may pass."""
        headers = self._headers | {
            "Idempotency-Key": batch.id,
            "Stream-Rows": str(len(batch.row_ids)),
            **_told("Stream-Nodes", batch.to.nodes),
            **_told("Stream-Groups", batch.to.groups),
            **_told("Stream-Docks", batch.to.docks),
        }
        reply = self._post(as_bytes(message), headers)
        if 200 <= reply.status < 300:
            return
        problem = f"{self._post.shown} answered with HTTP status {reply.status}"
        if 400 <= reply.status < 500 and reply.status not in PASSING:
            raise MessageRefused(problem)
        raise MessageNotSent(problem)


def _told(name: str, names: Names) -> dict[str, str]:
    told = ",".join(quote(one, safe=_PLAIN) for one in split(names))
    return {name: told} if told else {}
