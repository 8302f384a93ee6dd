"""The properties of a subscription, and the reads of them, as every manager answers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aggregator.errors import InvalidPropertyName
from aggregator.view import properties
from aggregator.view.fragments import health_element
from aggregator.view.properties import document_tags
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import GET_DOCUMENT, Dialect, Operation
from aggregator.wire.epr import write_epr
from aggregator.wire.subscribing import (
    CHANGED_ENTRIES,
    Subscribe,
    write_conditions,
    write_topic_expression,
)
from aggregator.wire.times import format_datetime

#: The root of a subscription's property document: those of the standards have no place for all.
ROOT = ns.clark(ns.NOTIFICATION, "SubscriptionRP")


def subscription_properties(
    asked: Subscribe,
    *,
    created: int,
    termination: int | None,
    health: bytes,
    now: int,
    dialect: Dialect,
) -> dict[str, bytes]:
    """The properties by Clark name (WS-BaseNotification 1.3, section 5; the draft's likewise).

    `created` and `termination` are instants, None for ever. Beside those of the standard:
    `health`, which tells how the consumer does. What was not asked for is there and empty.
    """
    nt = dialect.nt
    time = f'<n:CreationTime xmlns:n="{nt}">{format_datetime(created)}</n:CreationTime>'
    return {
        ns.clark(dialect.rl, "CurrentTime"): properties.current_time(now, dialect=dialect),
        ns.clark(dialect.rl, "TerminationTime"): properties.termination_time(
            termination, dialect=dialect
        ),
        ns.clark(nt, "ConsumerReference"): write_epr(
            asked.consumer, name="ConsumerReference", namespace=nt, dialect=dialect
        ),
        **_filter(asked, dialect),
        ns.clark(nt, "SubscriptionPolicy"): _policy(asked, dialect),
        ns.clark(nt, "CreationTime"): time.encode(),
        ns.clark(ns.HEALTH, "health"): health,
    }


def subscription_health(
    state: str, *, failures: int, error: str = "", since: int | None = None, dropped: int = 0
) -> bytes:
    """How the consumer of a subscription does, since the first of its failures in a row."""
    return health_element(
        state=state,
        since=since,
        consecutiveFailures=failures,
        lastError=error or None,
        dropped=dropped,
    )


def _filter(asked: Subscribe, dialect: Dialect) -> dict[str, bytes]:
    nt = dialect.nt
    topics = b"".join(write_topic_expression(one, dialect=dialect) for one in asked.topics)
    selectors, preconditions = write_conditions(asked, dialect=dialect)
    if dialect.family == "oasis":
        inner = topics + preconditions + selectors
        head = f'<n:Filter xmlns:n="{nt}">'.encode()
        return {ns.clark(nt, "Filter"): head + inner + b"</n:Filter>" if inner else b""}
    notify = "false" if asked.raw else "true"
    use = f'<n:UseNotify xmlns:n="{nt}">{notify}</n:UseNotify>'.encode()
    return {
        ns.clark(nt, "TopicExpression"): topics,
        ns.clark(nt, "UseNotify"): use,
        ns.clark(nt, "Precondition"): preconditions,
        ns.clark(nt, "Selector"): selectors,
    }


def _policy(asked: Subscribe, dialect: Dialect) -> bytes:
    inner = "<n:UseRaw/>" if asked.raw and dialect.family == "oasis" else ""
    if CHANGED_ENTRIES in asked.policies:
        inner += f'<m:ChangedEntries xmlns:m="{ns.NOTIFICATION}"/>'
    if not inner:
        return b""
    head = f'<n:SubscriptionPolicy xmlns:n="{dialect.nt}">'
    return f"{head}{inner}</n:SubscriptionPolicy>".encode()


def write_properties(
    operation: Operation, names: Sequence[str], known: Mapping[str, bytes], *, dialect: Dialect
) -> bytes:
    """The response to a read of the properties of these Clark names, of all for the document.

    Raises InvalidPropertyName.
    """
    found = [b"".join(known.values())]
    if operation is GET_DOCUMENT:
        head, tail = document_tags(ROOT)
        found = [head, *found, tail]
    else:
        for name in names:
            if name not in known:
                raise InvalidPropertyName(
                    f"{name[:200]!r} is no property of a subscription; it has {', '.join(known)}"
                )
        found = [known[name] for name in names]
    head = f'<rp:{operation.name}Response xmlns:rp="{dialect.rp}">'.encode()
    return b"".join((head, *found, f"</rp:{operation.name}Response>".encode()))
