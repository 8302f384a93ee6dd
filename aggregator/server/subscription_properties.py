"""The properties of a subscription, as its manager tells them."""

from __future__ import annotations

import json

from aggregator.store.subscriptions import Subscription
from aggregator.view import properties
from aggregator.view.fragments import health_element
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import Dialect
from aggregator.wire.epr import read_epr, write_epr
from aggregator.wire.parse import NO_LIMITS, parse
from aggregator.wire.subscribing import write_topic_expression
from aggregator.wire.times import format_datetime
from aggregator.wire.topics import parse_topic_expression


def subscription_properties(found: Subscription, *, now: int, dialect: Dialect) -> dict[str, bytes]:
    """The properties by Clark name (WS-BaseNotification 1.3, section 5; the draft's likewise).

    Beside those of the standard: how the consumer does, as ``health``.
    """
    asked = json.loads(found.request)
    consumer = read_epr(parse(found.consumer, limits=NO_LIMITS))
    nt = dialect.nt
    created = f'<n:CreationTime xmlns:n="{nt}">{format_datetime(found.created)}</n:CreationTime>'
    termination = properties.termination_time(found.termination, dialect=dialect)
    return {
        ns.clark(dialect.rl, "CurrentTime"): properties.current_time(now, dialect=dialect),
        ns.clark(dialect.rl, "TerminationTime"): termination,
        ns.clark(nt, "ConsumerReference"): write_epr(
            consumer, name="ConsumerReference", namespace=nt, dialect=dialect
        ),
        **_filter(asked, dialect),
        ns.clark(nt, "CreationTime"): created.encode(),
        ns.clark(ns.HEALTH, "health"): _health(found),
    }


def _filter(asked: dict[str, object], dialect: Dialect) -> dict[str, bytes]:
    nt = dialect.nt
    topics: object = asked["topics"]
    assert isinstance(topics, list)
    written = b"".join(
        write_topic_expression(
            parse_topic_expression(text, dialect=address, scope=scope), dialect=dialect
        )
        for text, address, scope in topics
    )
    if dialect.family == "oasis":
        filters = f'<n:Filter xmlns:n="{nt}">'.encode() + written + b"</n:Filter>"
        return {ns.clark(nt, "Filter"): filters}
    notify = "false" if asked["raw"] else "true"
    use = f'<n:UseNotify xmlns:n="{nt}">{notify}</n:UseNotify>'.encode()
    return {ns.clark(nt, "TopicExpression"): written, ns.clark(nt, "UseNotify"): use}


def _health(found: Subscription) -> bytes:
    state = "suspended" if found.suspended else "paused" if found.paused else "active"
    return health_element(
        state=state,
        consecutiveFailures=found.failures,
        lastError=found.error or None,
        since=found.error_since,
        dropped=found.dropped,
    )
