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
from aggregator.notify.granting import asked_until, granted_until
from aggregator.server.request import Reply, Request, reply
from aggregator.server.site import Site
from aggregator.server.subscription_properties import subscription_properties
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
from aggregator.wire.parse import Element, text_of
from aggregator.wire.qnames import read_qname
from aggregator.wire.subscription_replies import (
    empty_response,
    renew_response,
    termination_response,
)

log = logging.getLogger(__name__)


def _key(request: Request) -> str:
    key = request.target.key
    if not key or not key.isprintable():
        raise ResourceUnknown("the address names no subscription; its reference tells where it is")
    return key


def renew(site: Site, request: Request) -> Writing[Reply]:
    """Renew: let a subscription last until another time (section 6.1.1)."""
    asked = _time(request, "TerminationTime")
    longest = site.settings.notifications.max_lifetime

    def unit(write: Write) -> tuple[int, int | None]:
        found = find_subscription(write.connection, _key(request), write.now)
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
        found = find_subscription(write.connection, _key(request), write.now)
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
        do(write, find_subscription(write.connection, _key(request), write.now))

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


def get_property(site: Site, request: Request) -> Reply:
    """One property of a subscription."""
    return _told(site, request, [_name(request.envelope.body)])


def get_properties(site: Site, request: Request) -> Reply:
    """Several properties of a subscription."""
    asked = request.envelope.body.iterchildren("{*}ResourceProperty")
    return _told(site, request, list(dict.fromkeys(map(_name, asked))))


def get_document(site: Site, request: Request) -> Reply:
    """All properties of a subscription."""
    return _told(site, request, None)


def _name(element: Element) -> str:
    try:
        return read_qname(element)
    except ConfigError as error:
        raise InvalidPropertyName(str(error)) from error


def _told(site: Site, request: Request, names: list[str] | None) -> Reply:
    store = site.registry.store
    now = store.clock.now()
    found = store.query(lambda connection: find_subscription(connection, _key(request), now))
    made = subscription_properties(found, now=now, dialect=request.dialect)
    for name in names or ():
        if name not in made:
            raise InvalidPropertyName(
                f"{name[:200]!r} is no property of a subscription; it has {', '.join(made)}"
            )
    values = [made[name] for name in (made if names is None else names)]
    rp, operation = request.dialect.rp, request.operation.name
    head = f'<rp:{operation}Response xmlns:rp="{rp}">'.encode()
    return reply(head, *values, f"</rp:{operation}Response>".encode())
