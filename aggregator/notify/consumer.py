"""A consumer of notifications: where it is, and how it wants them written."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

from aggregator.contract import Http
from aggregator.errors import CollectError, SubscribeFailed
from aggregator.notify.refusal import is_refusal
from aggregator.wire.dialects import NOTIFY, Dialect
from aggregator.wire.envelope import SOAP11, addressing_headers, write_envelope
from aggregator.wire.epr import EndpointReference, as_header
from aggregator.wire.namespaces import NOTIFICATION
from aggregator.wire.notify import write_notification, write_notify

_SPACE = uuid.UUID("5b0ba2f8-24f1-4c8e-9d5e-6d6f7a3fb1c4")


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification, ready to send.

    ``id`` is the same whenever it is sent, and no other's. ``message`` is the element to publish
    and ``topic`` the Topic element, both in the consumer's dialect.
    """

    id: str
    message: bytes
    topic: bytes


@dataclass(frozen=True, slots=True)
class Consumer:
    """Whom to notify, and how: ``raw`` is without Notify around the message.

    ``producer`` and ``manager`` are the ready elements ProducerReference and
    SubscriptionReference.
    """

    reference: EndpointReference
    dialect: Dialect
    raw: bool = False
    producer: bytes = b""
    manager: bytes = b""

    def message(self, notices: Sequence[Notice]) -> bytes:
        """The envelope that holds notices; a raw one holds one only.

        Who is told the same again finds the same MessageID, and the same ids in our own header.
        """
        body = notices[0].message if self.raw else self._notify(notices)
        action = self.dialect.action(NOTIFY)
        headers = addressing_headers(
            self.dialect.wsa,
            To=self.reference.address,
            Action=action,
            MessageID=f"urn:uuid:{uuid.uuid5(_SPACE, ' '.join(one.id for one in notices))}",
        )
        told = "".join(f"<m:Notification id={quoteattr(one.id)}/>" for one in notices)
        headers += f'<m:Notifications xmlns:m="{NOTIFICATION}">{told}</m:Notifications>'.encode()
        headers += b"".join(as_header(one, self.dialect) for one in self.reference.references)
        return write_envelope(SOAP11, body, headers=headers)

    def notification(self, notice: Notice) -> bytes:
        """The NotificationMessage that holds one notice."""
        return write_notification(
            notice.message,
            dialect=self.dialect,
            topic=notice.topic,
            producer=self.producer,
            manager=self.manager,
        )

    def _notify(self, notices: Sequence[Notice]) -> bytes:
        return write_notify(map(self.notification, notices), dialect=self.dialect)


def check_consumer(address: str) -> None:
    """Refuse a consumer that can't be told anything; where it lies is seen when it is told."""
    try:
        parts = urlsplit(address)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise SubscribeFailed(
            f"the ConsumerReference {address[:200]!r} can't be notified; a http or https address "
            "is needed"
        )


async def send(http: Http, consumer: Consumer, notices: Sequence[Notice]) -> None:
    """Send notices; CollectError unless the consumer has taken them, with the code ``refused``
    where it finds fault with the message."""
    action = consumer.dialect.action(NOTIFY)
    headers = {"Content-Type": SOAP11.content_type, "SOAPAction": f'"{action}"'}
    reply = await http.post(consumer.reference.address, consumer.message(notices), headers=headers)
    if not 200 <= reply.status < 300:
        raise CollectError(
            f"the consumer answered with HTTP status {reply.status}",
            code="refused" if is_refusal(reply) else "http-status",
        )
