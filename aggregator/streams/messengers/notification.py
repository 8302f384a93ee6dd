"""By WS-Notification: each message is a Notify to a consumer."""

from __future__ import annotations

import base64
import re
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from aggregator.client.resource import dialect_of
from aggregator.client.security import Credentials
from aggregator.contract import HttpReply
from aggregator.errors import MessageNotSent, MessageRefused
from aggregator.notify.consumer import Consumer, Notice
from aggregator.notify.refusal import is_refusal
from aggregator.streams.batch import Batch
from aggregator.streams.destinations import split
from aggregator.streams.messenger import BatchMessenger
from aggregator.streams.messengers.posting import USER_AGENT, Post, as_bytes
from aggregator.wire.dialects import NOTIFY, Dialect
from aggregator.wire.envelope import SOAP11
from aggregator.wire.epr import EndpointReference
from aggregator.wire.namespaces import STREAMS, clark
from aggregator.wire.topics import write_topic

#: What no XML can hold, and what a reader of XML would give back as something else.
_NO_TEXT = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class NotificationMessenger(BatchMessenger):
    """Notifies a consumer, in the dialect of its reference or another one, on the topic
    ``{urn:mds-aggregator:streams}TABLEKEY``.

    The message is a StreamMessage (schemas/streams.xsd). Its id is the id of the batch, from which
    the MessageID is made, too: both are the same when it comes again. `timeout` is in seconds.
    """

    def __init__(
        self,
        consumer: EndpointReference | str,
        *,
        dialect: Dialect | None = None,
        timeout: float = 10.0,
        ca: str = "",
        credentials: Credentials | None = None,
    ) -> None:
        reference = EndpointReference(consumer) if isinstance(consumer, str) else consumer
        self._consumer = Consumer(reference, dialect or dialect_of(reference))
        self._post = Post(reference.address, timeout=timeout, ca=ca, credentials=credentials)

    def send_batch(self, message: Any, batch: Batch) -> None:
        """See BatchMessenger."""
        dialect = self._consumer.dialect
        # A message of no stream has no table.
        topic = write_topic((clark(STREAMS, batch.table_key or "message"),), dialect=dialect)
        notice = Notice(batch.id, stream_message(as_bytes(message), batch), topic)
        headers = {
            "Content-Type": SOAP11.content_type,
            "SOAPAction": f'"{dialect.action(NOTIFY)}"',
            "User-Agent": USER_AGENT,
        }
        reply = self._post(self._consumer.message([notice]), headers)
        if 200 <= reply.status < 300:
            return
        problem = f"{self._post.shown} answered with HTTP status {reply.status}"
        if is_refusal(HttpReply(reply.status, reply.content_type, reply.body)):
            raise MessageRefused(problem)
        raise MessageNotSent(problem)


def stream_message(payload: bytes, batch: Batch) -> bytes:
    """The element of a message; what XML can't hold goes into it as Base64."""
    parts = [
        f"<s:{name}>{escape(one)}</s:{name}>"
        for name, names in (
            ("Node", split(batch.to.nodes)),
            ("Group", split(batch.to.groups)),
            ("Dock", split(batch.to.docks)),
            ("Row", batch.row_ids),
        )
        for one in names
    ]
    return (
        f'<s:StreamMessage xmlns:s="{STREAMS}" id={quoteattr(batch.id)}'
        f" table={quoteattr(batch.table_key)} stream={quoteattr(batch.stream)}>"
        f"{''.join(parts)}{_payload(payload)}</s:StreamMessage>"
    ).encode()


def _payload(payload: bytes) -> str:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or _NO_TEXT.search(text):
        encoded = base64.b64encode(payload).decode()
        return f'<s:Payload encoding="base64">{encoded}</s:Payload>'
    return f"<s:Payload>{escape(text)}</s:Payload>"
