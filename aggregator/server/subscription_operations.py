"""What the service does with subscriptions that there are: its WS-BaseNotification manager."""

from __future__ import annotations

import logging
from collections.abc import Callable

from aggregator.errors import (
    ConfigError,
    InvalidPropertyName,
    ResourceUnknown,
    TerminationTimeRejected,
)
from aggregator.notify.described import (
    subscription_health,
    subscription_properties,
    write_properties,
)
from aggregator.notify.granting import asked_until, granted_until
from aggregator.notify.subscription import load_request
from aggregator.server.request import Reply, Request, reply
from aggregator.server.site import Site
from aggregator.store.subscriptions import (
    Subscription,
    end_subscription,
    find_subscription,
    pause_subscription,
    renew_subscription,
    resume_subscription,
)
from aggregator.store.write import Write
from aggregator.store.writing import Writing
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import GET_PROPERTIES, GET_PROPERTY
from aggregator.wire.parse import Element, text_of
from aggregator.wire.qnames import read_qname
from aggregator.wire.subscription_replies import (
    empty_response,
    renew_response,
    termination_response,
)

log = logging.getLogger(__name__)


def key_of(request: Request) -> str:
    """The key of the subscription that a request addresses; raises ResourceUnknown without one."""
    key = request.target.key
    if not key or not key.isprintable():
        raise ResourceUnknown("the address names no subscription; its reference tells where it is")
    return key


def renew(site: Site, request: Request) -> Writing[Reply]:
    """Renew: let a subscription last until another time (section 6.1.1)."""
    asked = _time(request, "TerminationTime")
    longest = site.settings.notifications.max_lifetime

    def unit(write: Write) -> tuple[int, int | None]:
        found = find_subscription(write.connection, key_of(request), write.now)
        until = granted_until(asked, now=write.now, longest=longest, renewing=True)
        renew_subscription(write, found, until)
        return write.now, until

    now, until = yield unit
    return reply(renew_response(dialect=request.dialect, now=now, termination=until))


def set_termination_time(site: Site, request: Request) -> Writing[Reply]:
    """SetTerminationTime: how the drafts renew a subscription; a time that is over ends it."""
    asked = _time(request, "RequestedTerminationTime", "RequestedLifetimeDuration")
    longest = site.settings.notifications.max_lifetime

    def unit(write: Write) -> tuple[int, int | None]:
        found = find_subscription(write.connection, key_of(request), write.now)
        try:
            until = asked_until(asked, now=write.now, longest=longest)
        except ValueError as error:
            raise TerminationTimeRejected(str(error)) from error
        if until is not None and until <= write.now:
            end_subscription(write, found)
        else:
            renew_subscription(write, found, until)
        return write.now, until

    now, until = yield unit
    return reply(termination_response(dialect=request.dialect, now=now, termination=until))


def unsubscribe(site: Site, request: Request) -> Writing[Reply]:
    """Unsubscribe, and Destroy: end a subscription."""
    return _done(request, end_subscription, "unsubscribed")


def pause(site: Site, request: Request) -> Writing[Reply]:
    """PauseSubscription: tell nothing until it is resumed; what comes meanwhile is not kept."""
    return _done(request, pause_subscription, "paused")


def resume(site: Site, request: Request) -> Writing[Reply]:
    """ResumeSubscription: tell what comes from now on."""
    return _done(request, resume_subscription, "resumed")


def _done(request: Request, do: Callable[[Write, Subscription], None], said: str) -> Writing[Reply]:
    def unit(write: Write) -> None:
        do(write, find_subscription(write.connection, key_of(request), write.now))

    yield unit
    log.info(said, extra={"subscription": request.target.key})
    return reply(empty_response(request.operation, dialect=request.dialect))


def _time(request: Request, *names: str) -> str:
    """The time that is asked for, as it was written; empty for ever (nil)."""
    for element in request.envelope.body.iterchildren(tag="*"):
        if str(element.tag).rpartition("}")[2] in names:
            is_nil = element.get(ns.clark(ns.XSI, "nil"), "").strip() in ("true", "1")
            return "" if is_nil else text_of(element) or " "
    raise TerminationTimeRejected(f"the request holds no {' or '.join(names)}")


def read_properties(site: Site, request: Request) -> Reply:
    """One property of a subscription, several, or the whole property document."""
    operation, dialect, body = request.operation, request.dialect, request.envelope.body
    names: list[str] = []
    if operation is GET_PROPERTY:
        names = [_name(body)]
    elif operation is GET_PROPERTIES:
        names = list(dict.fromkeys(map(_name, body.iterchildren("{*}ResourceProperty"))))
        if not names:
            raise InvalidPropertyName(
                "the request names no property; it needs one ResourceProperty at least"
            )
    store = site.registry.store
    now = store.clock.now()
    found = store.query(lambda connection: find_subscription(connection, key_of(request), now))
    known = subscription_properties(
        load_request(found.request, found.consumer),
        created=found.created,
        termination=found.termination,
        health=subscription_health(
            "suspended" if found.suspended else "paused" if found.paused else "active",
            failures=found.failures,
            error=found.error,
            since=found.error_since,
            dropped=found.dropped,
        ),
        now=now,
        dialect=dialect,
    )
    return reply(write_properties(operation, names, known, dialect=dialect))


def _name(element: Element) -> str:
    try:
        return read_qname(element)
    except ConfigError as error:
        raise InvalidPropertyName(str(error)) from error
