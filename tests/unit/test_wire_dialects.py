"""Dialects: what the published files say of namespaces and Actions, and which body means what."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import (
    BY_BODY,
    DIALECTS,
    FAMILIES,
    GET_DOCUMENT,
    GT4,
    LITE,
    NOTIFY,
    OASIS,
    OPERATIONS,
    QUERY_ARCHIVE,
    Dialect,
    Operation,
    family,
    spec_of,
)
from tests.onvif_schemas import ONVIF
from tests.shared import SHARED

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
SCHEMAS = SHARED / "schemas"

pytestmark_published = pytest.mark.skipif(
    not SCHEMAS.exists(), reason=f"the published schemas are not at {SCHEMAS}"
)

OF_OASIS = [operation for operation in OPERATIONS if operation.spec not in ("tev", "trig", "arc")]


@pytestmark_published
def test_actions_of_the_drafts_are_those_of_the_published_bindings() -> None:
    found = set()
    for path in (SCHEMAS / "gt4").rglob("*.wsdl"):
        found.update(re.findall(r'soapAction="([^"]+)"', path.read_text()))
    for operation in OPERATIONS:
        # The archive's WSDL is not among them.
        if "gt4" in operation.dialects and operation.spec != "arc":
            assert GT4.action(operation) in found
    assert GT4.action(NOTIFY) in found


@pytestmark_published
@pytest.mark.parametrize("operation", OF_OASIS, ids=lambda operation: operation.name)
def test_actions_of_the_final_standard_follow_its_rule(operation: Operation) -> None:
    """``[target namespace]/[portType]/[name of the message]`` (WS-Addressing 1.0 WSDL binding)."""
    found = {}
    for path in (SCHEMAS / "oasis").glob("*.wsdl"):
        root = etree.parse(str(path)).getroot()
        for port in root.iter(WSDL + "portType"):
            for declared in port.iter(WSDL + "operation"):
                ways = {"input": "Request", "output": "Response"}
                if declared.find(WSDL + "output") is None:
                    ways["input"] = ""
                for way, added in ways.items():
                    message = declared.find(WSDL + way)
                    reply = way == "output"
                    if message is not None:
                        # WSDL 1.1, section 2.4.5: the name of a message that has none.
                        name = message.get("name") or declared.get("name") + added
                        action = f"{root.get('targetNamespace')}/{port.get('name')}/{name}"
                        found[port.get("name"), declared.get("name"), reply] = action
    for reply in (False,) if operation.one_way else (False, True):
        wanted = found[operation.port, operation.name, reply]
        assert OASIS.action(operation, reply=reply) == wanted


@pytest.mark.parametrize("reply", [False, True])
def test_actions_of_onvif_are_those_of_its_wsdl(reply: bool) -> None:
    root = etree.parse(str(ONVIF / "events.wsdl")).getroot()
    action = "{http://www.w3.org/2006/05/addressing/wsdl}Action"
    way = WSDL + ("output" if reply else "input")
    told = {
        (port.get("name"), declared.get("name")): declared.find(way).get(action)
        for port in root.iter(WSDL + "portType")
        for declared in port.iter(WSDL + "operation")
    }
    for operation in (one for one in OPERATIONS if one.spec == "tev"):
        assert OASIS.action(operation, reply=reply) == told[operation.port, operation.name]


def test_actions_of_notifications_are_under_their_own_specification() -> None:
    base = "http://docs.oasis-open.org/wsn/bw-2/NotificationConsumer/Notify"
    assert OASIS.action(NOTIFY) == base


def test_wsrf_lite_writes_its_actions_with_a_hash() -> None:
    actions = {operation.name: LITE.action(operation) for operation in OPERATIONS}
    assert actions["Add"] == "http://docs.oasis-open.org/wsrf/sg-2#Add"
    assert actions["Destroy"] == "http://docs.oasis-open.org/wsrf/rl-2#Destroy"
    assert (
        LITE.action(OPERATIONS[0], reply=True) == "http://docs.oasis-open.org/wsrf/sg-2#AddResponse"
    )


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_no_two_messages_share_an_action(dialect: Dialect) -> None:
    actions = [
        dialect.action(operation, reply=reply)
        for operation in OPERATIONS
        if dialect.family in operation.dialects
        for reply in ((False,) if operation.one_way else (False, True))
    ]
    assert len(set(actions)) == len(actions)
    assert dialect.fault_action not in actions


def test_body_names_operation_and_dialect() -> None:
    assert BY_BODY[ns.clark(ns.GT4_SG, "Add")][1] is GT4
    assert BY_BODY[ns.clark(ns.OASIS_SG, "Add")][1] is OASIS
    assert BY_BODY[ns.clark(ns.OASIS_RP, "GetResourcePropertyDocument")] == (GET_DOCUMENT, OASIS)
    assert ns.clark(ns.GT4_RP, "GetResourcePropertyDocument") not in BY_BODY
    # The archive's is of no dialect.
    assert len(BY_BODY) == sum(len(operation.dialects) for operation in OPERATIONS) - 1
    assert BY_BODY[ns.clark(ns.ARCHIVE, "QueryArchive")] == (QUERY_ARCHIVE, OASIS)
    for name, (operation, dialect) in BY_BODY.items():
        assert name == ns.clark(dialect.namespace(operation.spec), operation.name)


@pytest.mark.parametrize(("name", "found"), [("gt4", GT4), ("oasis", OASIS), ("wsrf-lite", OASIS)])
def test_family_is_the_dialect_of_documents(name: str, found: Dialect) -> None:
    assert family(name) is found
    assert found in FAMILIES


def test_unknown_dialect_has_no_family() -> None:
    with pytest.raises(KeyError):
        family("draft-05")


@pytest.mark.parametrize("dialect", FAMILIES, ids=lambda dialect: dialect.name)
def test_namespaces_tell_dialect_and_specification(dialect: Dialect) -> None:
    for spec in ("sg", "rp", "rl"):
        assert spec_of(dialect.namespace(spec)) == (dialect, spec)
    assert spec_of("http://mds.globus.org/aggregator/types") is None
    assert spec_of("") is None
