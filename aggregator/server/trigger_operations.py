"""TriggerService: triggers are made, read, changed and removed (MDS4 of GT 4.2)."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence

from aggregator.errors import (
    ConfigError,
    InvalidModification,
    InvalidPropertyName,
    NotModifiable,
    RequestError,
)
from aggregator.server.request import Reply, Request, reply
from aggregator.server.site import Site
from aggregator.server.trigger_requests import (
    asked,
    key_of,
    monitored,
    steps_of,
    unknown_trigger,
)
from aggregator.store.rule_actions import ActionTold, latest_actions
from aggregator.store.rule_states import RuleState, change_state, forget_rule
from aggregator.store.triggers import (
    StoredTrigger,
    change_trigger,
    count_triggers,
    find_trigger,
    make_trigger,
    members_feeding,
    remove_trigger,
    triggers_after,
)
from aggregator.store.write import Overtaken, Write
from aggregator.store.writing import Writing
from aggregator.triggers.resource import (
    DEFAULT_RULE,
    Trigger,
    changed,
    check,
    opened,
    state_after,
    trigger_properties,
    written,
)
from aggregator.view.properties import document_tags
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import GET_DOCUMENT, GT4, Dialect
from aggregator.wire.epr import EndpointReference, read_epr, write_epr
from aggregator.wire.parse import parse

log = logging.getLogger(__name__)

SERVICE = "/wsrf/services/TriggerService"
#: The root of a trigger's property document, and what a trigger is in the service's own.
ROOT, TRIGGER = ns.clark(ns.TRIGGER_MORE, "TriggerRP"), "Trigger"
#: Triggers of one question to the store.
_PAGE = 200


def create(site: Site, request: Request) -> Writing[Reply]:
    """CreateTrigger: a trigger with the defaults of GT 4.2, disabled, that watches an URL."""
    address = monitored(request.envelope.body)
    most = site.settings.triggers.max_triggers
    trigger = Trigger("", False, DEFAULT_RULE)

    def unit(write: Write) -> StoredTrigger:
        if count_triggers(write.connection) >= most:
            raise RequestError(f"there are {most} triggers, which is the limit here; destroy some")
        blank = StoredTrigger(
            id=str(uuid.uuid4()),
            address=address,
            member=b"",
            name="",
            enabled=False,
            rule="",
            owner=request.caller.owner,
            created=write.now,
            version=1,
        )
        made = written(blank, trigger)
        make_trigger(write, made)
        return made

    made: StoredTrigger = yield unit
    log.info("made a trigger", extra={"trigger": made.id, "member": address})
    drafts = request.envelope.addressing.namespace == GT4.wsa
    dialect = GT4 if drafts else request.dialect
    epr = _epr(site, made.id, dialect, name="TriggerEPR", namespace=ns.TRIGGER_MORE)
    head = f'<t:CreateTriggerResponse xmlns:t="{ns.TRIGGER_MORE}">'.encode()
    return reply(head, epr, b"</t:CreateTriggerResponse>")


def read_properties(site: Site, request: Request) -> Reply:
    """One property, several or all: of a trigger, or of the service, which has all Triggers."""
    key = key_of(request)
    if not key:
        return _of_service(site, request)
    names = asked(request)
    stored, state = _found(site, key)
    known = _described(site, request.dialect, [(stored, state)])[0]
    pieces = [b"".join(known.values())]
    if request.operation is GET_DOCUMENT:
        head, tail = document_tags(ROOT)
        pieces = [head, *pieces, tail]
    else:
        pieces = [known[_local_of(name, known)] for name in names]
    return _response(request, pieces)


def set_properties(site: Site, request: Request) -> Writing[Reply]:
    """SetResourceProperties (WS-ResourceProperties 1.2, section 6.4): all of it or nothing."""
    key = key_of(request)
    if not key:
        raise NotModifiable("the service has no property that can be set; address a trigger")
    steps = list(steps_of(request.envelope.body))

    def unit(write: Write) -> None:
        found = find_trigger(write.connection, key)
        if found is None:
            raise unknown_trigger(key)
        stored, _ = found
        before = after = opened(stored)
        for kind, name, texts in steps:
            after = changed(after, name, texts, adds=kind == "Insert")
        _check(site, before, after)
        if not change_trigger(write, written(stored, after)):
            raise Overtaken("somebody changed the trigger meanwhile")
        if (before.enabled, before.rule) != (after.enabled, after.rule):
            # It may have fired since it was read; from the change on nobody else writes its state.
            _, state = find_trigger(write.connection, key) or found
            change_state(write, key, state_after(state, before, after))

    yield unit
    log.info("changed", extra={"trigger": key})
    return reply(f'<rp:SetResourcePropertiesResponse xmlns:rp="{request.dialect.rp}"/>'.encode())


def destroy(site: Site, request: Request) -> Writing[Reply]:
    """Destroy: remove a trigger, and what is known of it."""
    key = key_of(request)

    def unit(write: Write) -> None:
        if not key or not remove_trigger(write, key):
            raise unknown_trigger(key)
        forget_rule(write, key)

    yield unit
    log.info("destroyed", extra={"trigger": key})
    return reply(f'<rl:DestroyResponse xmlns:rl="{request.dialect.rl}"/>'.encode())


def _check(site: Site, before: Trigger, after: Trigger) -> None:
    """Raise InvalidModification where a trigger can't work; its action may be missing while it is
    disabled and nobody chose another one."""
    check(after)
    if after.enabled or after.rule.action_script != before.rule.action_script:
        try:
            site.registry.resolve_action(after.rule.action_script)
        except ConfigError as error:
            raise InvalidModification(f"ActionScript: {error.message}") from error


def _of_service(site: Site, request: Request) -> Reply:
    for name in asked(request):
        if name.rpartition("}")[2] != TRIGGER:
            raise InvalidPropertyName(
                f"{name[:200]!r} is no property of the service; it has {TRIGGER}, once for each"
            )
    pieces = list(_all(site, request.dialect))
    if request.operation is GET_DOCUMENT:
        head, tail = document_tags(ns.clark(ns.TRIGGER_MORE, "TriggerServiceRP"))
        pieces = [head, *pieces, tail]
    return _response(request, pieces)


def _all(site: Site, dialect: Dialect) -> Iterable[bytes]:
    after = ""
    store = site.registry.store
    while page := store.query(
        lambda connection, after=after: triggers_after(connection, after, most=_PAGE)  # type: ignore[misc]
    ):
        for known in _described(site, dialect, page):
            yield f'<t:{TRIGGER} xmlns:t="{ns.TRIGGER_MORE}">'.encode()
            yield b"".join(known.values())
            yield f"</t:{TRIGGER}>".encode()
        after = page[-1][0].id


def _described(
    site: Site, dialect: Dialect, found: Sequence[tuple[StoredTrigger, RuleState]]
) -> list[dict[str, bytes]]:
    """The properties of triggers, with how their last actions stand and whom they watch."""
    keys = [stored.id for stored, _ in found]

    def read(connection: object) -> tuple[dict[str, ActionTold], dict[str, bytes]]:
        return latest_actions(connection, keys), members_feeding(connection, keys)  # type: ignore[arg-type]

    last, members = site.registry.store.query(read)
    return [
        trigger_properties(
            stored,
            state,
            last.get(stored.id),
            member=_member(stored, members.get(stored.id), dialect),
        )
        for stored, state in found
    ]


def _member(stored: StoredTrigger, member: bytes | None, dialect: Dialect) -> bytes:
    """The MemberEPR: that of the registration that feeds the trigger, if there is one."""
    epr = EndpointReference(stored.address) if member is None else read_epr(parse(member))
    return write_epr(epr, name="MemberEPR", namespace=ns.TRIGGER, dialect=dialect)


def _epr(site: Site, key: str, dialect: Dialect, *, name: str, namespace: str) -> bytes:
    reference = f'<k:TriggerResourceKey xmlns:k="{ns.TRIGGER_KEY}">{key}</k:TriggerResourceKey>'
    epr = EndpointReference(f"{site.public_url}{SERVICE}/{key}", parameters=(reference.encode(),))
    return write_epr(epr, name=name, namespace=namespace, dialect=dialect)


def _local_of(name: str, known: Iterable[str]) -> str:
    """The property of that local name: the namespace of MDS4's own is not known for sure."""
    local = name.rpartition("}")[2]
    if local not in known:
        raise InvalidPropertyName(
            f"{name[:200]!r} is no property of a trigger; it has {', '.join(known)}"
        )
    return local


def _response(request: Request, pieces: Sequence[bytes]) -> Reply:
    name = f"{request.operation.name}Response"
    head = f'<rp:{name} xmlns:rp="{request.dialect.rp}">'.encode()
    return reply(head, *pieces, f"</rp:{name}>".encode())


def _found(site: Site, key: str) -> tuple[StoredTrigger, RuleState]:
    found = site.registry.store.query(lambda connection: find_trigger(connection, key))
    if found is None:
        raise unknown_trigger(key)
    return found
