"""The member as a process: everything put together, from the listening socket to the end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from aggregator.collect.http import HttpClient
from aggregator.collect.probe_client import ProbeClient
from aggregator.config.collection import CollectSettings
from aggregator.errors import AggregatorException
from aggregator.member.application import MemberApplication
from aggregator.member.evaluator import Evaluator
from aggregator.member.http_server import HttpServer, bind
from aggregator.member.names import MANAGER_PATH, SERVICE_PATH
from aggregator.member.pages import Pages
from aggregator.member.producers import Producer
from aggregator.member.producing import Producer as NotificationProducer
from aggregator.member.resource import Resource
from aggregator.member.service import HostService
from aggregator.member.settings import MemberSettings
from aggregator.member.subscription_manager import SubscriptionManager
from aggregator.member.subscriptions import Subscriptions
from aggregator.member.upkeep import Upkeep
from aggregator.notify.filters import Filters
from aggregator.registry.this_host import is_anywhere, url_of

logger = logging.getLogger(__name__)

#: The first requests wait so long for the first values.
_FIRST_ROUND = 3.0
_LAST_REPLIES = 4.0
#: A consumer may take so long to take a notification.
_NOTIFY_PATIENCE = 10.0
_NO_PUBLIC_URL = (
    "listening on %s without a public URL: %s is made of this host's name; set public_url to the "
    "address under which clients reach the member"
)


class CannotListen(AggregatorException):
    """Raised when the address is taken, or none of this host's."""


def serve(settings: MemberSettings, *, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is told the service's address once it answers."""
    try:
        listener = bind(settings.host, settings.port)
    except OSError as error:
        raise CannotListen(
            f"can't listen on {settings.host} port {settings.port}: {error.strerror or error}"
        ) from error
    asyncio.run(_serve(settings, listener, announce))


async def _serve(
    settings: MemberSettings, listener: socket.socket, announce: Callable[[str], None]
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    public_url = settings.public_url or url_of(listener, scheme="http")
    if is_anywhere(settings.host) and not settings.public_url:
        logger.warning(_NO_PUBLIC_URL, settings.host, public_url)
    async with _application(settings, public_url) as application:
        server = HttpServer(application, max_body=settings.max_body)
        await server.start(listener)
        announce(public_url.rstrip("/") + SERVICE_PATH)
        await stopping.wait()
        logger.info("stopping")
        await server.stop(within=_LAST_REPLIES)


@asynccontextmanager
async def _application(
    settings: MemberSettings, public_url: str
) -> AsyncIterator[MemberApplication]:
    """The application with its producers at work, and all of their processes ended after it."""
    started = _now()
    resource = Resource(settings.producers, started=started, release=version("mds-aggregator"))
    evaluator = Evaluator(timeout=settings.query_timeout)
    evaluator.start()
    probes = await ProbeClient.start(max_concurrent=16)
    producers = [Producer(one, probes=probes, transformer=evaluator) for one in settings.producers]
    upkeep = Upkeep(resource, producers, now=_now)
    tasks = upkeep.start()
    base = public_url.rstrip("/")
    http = HttpClient(CollectSettings(timeout=_NOTIFY_PATIENCE))
    filters = Filters()
    subscriptions = Subscriptions(
        address=base + SERVICE_PATH, manager=base + MANAGER_PATH, http=http, now=_now
    )
    notifying = NotificationProducer(resource, subscriptions, filters=filters, now=_now)
    resource.on_change = notifying.publish
    tasks.append(asyncio.create_task(subscriptions.sweep()))
    try:
        await upkeep.first_round(within=_FIRST_ROUND)
        service = HostService(
            resource,
            evaluator=evaluator,
            producer=notifying,
            manager=SubscriptionManager(subscriptions, now=_now),
            now=_now,
        )
        yield MemberApplication(service, Pages(public_url), max_body=settings.max_body)
    finally:
        for task in tasks:
            task.cancel()
        subscriptions.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        http.close()
        filters.close()
        await probes.close()
        evaluator.close()


def _now() -> int:
    return time.time_ns() // 1000
