"""The operations of groups and entries as Spyne operations, dispatched to plain functions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from aggregator.errors import AggregatorException, UnknownOperation
from aggregator.server import (
    archive_operations,
    consumer_operations,
    entry_operations,
    group_operations,
    metrics,
    producer_operations,
    pull_operations,
    subscription_operations,
    trigger_operations,
)
from aggregator.server.protocol import TARGET_NAMESPACE, WsrfFault, WsrfSoap11, WsrfSoap12
from aggregator.server.request import Reply, Request
from aggregator.server.site import Site
from aggregator.store.writing import Writing, write_now
from aggregator.wire.envelope import SOAP11, SOAP12
from aggregator.wire.faults import write_fault

from spyne import AnyXml, Application, Service, rpc  # isort: skip
from spyne.server.wsgi import WsgiApplication  # isort: skip

log = logging.getLogger(__name__)

Handler = Callable[[Site, Request], Reply | Writing[Reply]]

#: What each operation does at a group's address and at an entry's.
HANDLERS: dict[tuple[str, str], Handler] = {
    ("group", "Add"): group_operations.add,
    ("group", "GetResourceProperty"): group_operations.get_property,
    ("group", "GetMultipleResourceProperties"): group_operations.get_properties,
    ("group", "QueryResourceProperties"): group_operations.query,
    ("group", "GetResourcePropertyDocument"): group_operations.get_document,
    ("group", "QueryArchive"): archive_operations.query_archive,
    # Some clients know the group's address alone and send the entry's key along.
    ("group", "SetTerminationTime"): entry_operations.set_termination_time,
    ("group", "Destroy"): entry_operations.destroy,
    ("group", "Subscribe"): producer_operations.subscribe,
    ("group", "GetCurrentMessage"): producer_operations.get_current_message,
    ("entry", "Subscribe"): producer_operations.subscribe,
    ("entry", "GetCurrentMessage"): producer_operations.get_current_message,
    ("consumer", "Notify"): consumer_operations.notify,
    ("group", "CreatePullPointSubscription"): pull_operations.create_pull_subscription,
    ("group", "GetEventProperties"): pull_operations.event_properties,
    ("group", "GetServiceCapabilities"): pull_operations.event_capabilities,
    ("entry", "CreatePullPointSubscription"): pull_operations.create_pull_subscription,
    ("entry", "GetEventProperties"): pull_operations.event_properties,
    ("entry", "GetServiceCapabilities"): pull_operations.event_capabilities,
    ("pullpoint", "CreatePullPoint"): pull_operations.create_pull_point,
    ("pullpoint", "GetMessages"): pull_operations.get_messages,
    ("pullpoint", "DestroyPullPoint"): pull_operations.destroy,
    ("pullpoint", "Notify"): pull_operations.notify,
    ("triggers", "CreateTrigger"): trigger_operations.create,
    ("triggers", "GetResourceProperty"): trigger_operations.read_properties,
    ("triggers", "GetMultipleResourceProperties"): trigger_operations.read_properties,
    ("triggers", "GetResourcePropertyDocument"): trigger_operations.read_properties,
    ("triggers", "SetResourceProperties"): trigger_operations.set_properties,
    ("triggers", "Destroy"): trigger_operations.destroy,
    ("subscription", "PullMessages"): pull_operations.pull_messages,
    ("subscription", "Renew"): subscription_operations.renew,
    ("subscription", "Unsubscribe"): subscription_operations.unsubscribe,
    ("subscription", "PauseSubscription"): subscription_operations.pause,
    ("subscription", "ResumeSubscription"): subscription_operations.resume,
    ("subscription", "SetTerminationTime"): subscription_operations.set_termination_time,
    ("subscription", "Destroy"): subscription_operations.unsubscribe,
    ("subscription", "GetResourceProperty"): subscription_operations.read_properties,
    ("subscription", "GetMultipleResourceProperties"): subscription_operations.read_properties,
    ("subscription", "GetResourcePropertyDocument"): subscription_operations.read_properties,
    ("entry", "GetResourceProperty"): entry_operations.get_property,
    ("entry", "GetMultipleResourceProperties"): entry_operations.get_properties,
    ("entry", "QueryResourceProperties"): entry_operations.query,
    ("entry", "GetResourcePropertyDocument"): entry_operations.get_document,
    ("entry", "SetTerminationTime"): entry_operations.set_termination_time,
    ("entry", "Destroy"): entry_operations.destroy,
}


class Stepwise:
    """A context for who calls the function of an operation himself, and takes it in steps.

    `app` is Spyne's application, as in its own contexts.
    """

    def __init__(self, app: Any) -> None:
        self.app = app


def _perform(ctx: Any, request: Request) -> Reply | Writing[Reply]:
    """The reply; for `Stepwise` the steps that lead to it. Raises WsrfFault."""
    site: Site = ctx.app.config
    steps = _steps(site, request)
    return steps if isinstance(ctx, Stepwise) else write_now(site.registry.store.writer, steps)


def _steps(site: Site, request: Request) -> Writing[Reply]:
    try:
        handler = HANDLERS.get((request.target.kind, request.operation.name))
        if handler is None:
            raise UnknownOperation(_elsewhere(site, request))
        found = handler(site, request)
        return found if isinstance(found, Reply) else (yield from found)
    except AggregatorException as error:
        metrics.observe_failure(error)
        raise _fault(site, request, error) from error
    except Exception as error:
        log.exception("bug in %s", request.operation.name, extra={"group": request.target.group})
        raise _fault(site, request, error) from error


def _elsewhere(site: Site, request: Request) -> str:
    name, target = request.operation.name, request.target
    if target.kind == "entry":
        address = site.registry.group(target.group).address
        return f"{name} is no operation of a service group entry; send it to the group, {address}"
    offered = sorted(known for kind, known in HANDLERS if kind == target.kind)
    return f"{name} is no operation of this service; it offers {', '.join(offered)}"


def _fault(site: Site, request: Request, error: Exception) -> WsrfFault:
    return WsrfFault(
        write_fault(
            error,
            version=request.envelope.version,
            dialect=request.dialect,
            now=site.registry.store.clock.now(),
            operation=request.operation,
        )
    )


class WsrfService(Service):  # type: ignore[misc]  # Spyne has no types
    """Every operation of every dialect, by its name."""

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def Add(ctx, request):  # type: ignore[no-untyped-def]
        """WS-ServiceGroup: register a member."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def GetResourceProperty(ctx, request):  # type: ignore[no-untyped-def]
        """WS-ResourceProperties: one property."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def GetMultipleResourceProperties(ctx, request):  # type: ignore[no-untyped-def]
        """WS-ResourceProperties: several properties."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def QueryResourceProperties(ctx, request):  # type: ignore[no-untyped-def]
        """WS-ResourceProperties: an XPath on the property document."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def GetResourcePropertyDocument(ctx, request):  # type: ignore[no-untyped-def]
        """WS-ResourceProperties 1.2: the whole property document."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def SetTerminationTime(ctx, request):  # type: ignore[no-untyped-def]
        """WS-ResourceLifetime: renew, shorten or end a registration."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def Destroy(ctx, request):  # type: ignore[no-untyped-def]
        """WS-ResourceLifetime: end a registration at once."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def Notify(ctx, request):  # type: ignore[no-untyped-def]
        """WS-BaseNotification: take notifications of one of our own subscriptions."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def Subscribe(ctx, request):  # type: ignore[no-untyped-def]
        """WS-BaseNotification: tell a consumer of what changes."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def GetCurrentMessage(ctx, request):  # type: ignore[no-untyped-def]
        """WS-BaseNotification: what was told last."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def Renew(ctx, request):  # type: ignore[no-untyped-def]
        """WS-BaseNotification: let a subscription last longer."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def Unsubscribe(ctx, request):  # type: ignore[no-untyped-def]
        """WS-BaseNotification: end a subscription."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def PauseSubscription(ctx, request):  # type: ignore[no-untyped-def]
        """WS-BaseNotification: tell nothing for a while."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def ResumeSubscription(ctx, request):  # type: ignore[no-untyped-def]
        """WS-BaseNotification: tell again."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def CreatePullPoint(ctx, request):  # type: ignore[no-untyped-def]
        """WS-BaseNotification: make a place where messages wait."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def GetMessages(ctx, request):  # type: ignore[no-untyped-def]
        """WS-BaseNotification: take what waits there."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def DestroyPullPoint(ctx, request):  # type: ignore[no-untyped-def]
        """WS-BaseNotification: end such a place."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def CreatePullPointSubscription(ctx, request):  # type: ignore[no-untyped-def]
        """ONVIF: subscribe, to come for the messages."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def PullMessages(ctx, request):  # type: ignore[no-untyped-def]
        """ONVIF: wait for messages, and take them."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def GetEventProperties(ctx, request):  # type: ignore[no-untyped-def]
        """ONVIF: what can be subscribed to."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def QueryArchive(ctx, request):  # type: ignore[no-untyped-def]
        """MDS4's archive: an XPath on what was delivered in a time."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def GetServiceCapabilities(ctx, request):  # type: ignore[no-untyped-def]
        """ONVIF: what there is of its events."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def SetResourceProperties(ctx, request):  # type: ignore[no-untyped-def]
        """WS-ResourceProperties: change properties."""
        return _perform(ctx, request)

    @rpc(AnyXml, _body_style="bare", _returns=AnyXml)
    def CreateTrigger(ctx, request):  # type: ignore[no-untyped-def]
        """MDS4's trigger service: make a trigger."""
        return _perform(ctx, request)


def soap_applications(site: Site) -> dict[str, Any]:
    """One WSGI application for each SOAP version, by the name of the version."""
    protocols = {SOAP11.name: WsrfSoap11, SOAP12.name: WsrfSoap12}
    return {
        name: WsgiApplication(
            Application(
                [WsrfService],
                tns=TARGET_NAMESPACE,
                name="Aggregator",
                in_protocol=protocol(),
                out_protocol=protocol(),
                config=site,
            )
        )
        for name, protocol in protocols.items()
    }
