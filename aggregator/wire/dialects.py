"""The spoken dialects of WSRF as values: namespaces, Actions, where the resource key lives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from aggregator.wire import namespaces as ns

#: Which specification an operation or a fault belongs to; a dialect maps it to a namespace.
Spec = Literal["sg", "rp", "rl", "r", "nt", "bf", "tev", "trig", "arc"]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation on the wire; `port` is the portType that its final-dialect Action names."""

    name: str
    spec: Spec
    port: str
    dialects: tuple[str, ...] = ("gt4", "oasis")
    #: Whether it has no reply.
    one_way: bool = False


ADD = Operation("Add", "sg", "ServiceGroupRegistration")
GET_PROPERTY = Operation("GetResourceProperty", "rp", "GetResourceProperty")
GET_PROPERTIES = Operation("GetMultipleResourceProperties", "rp", "GetMultipleResourceProperties")
QUERY_PROPERTIES = Operation("QueryResourceProperties", "rp", "QueryResourceProperties")
GET_DOCUMENT = Operation(
    "GetResourcePropertyDocument", "rp", "GetResourcePropertyDocument", ("oasis",)
)
SET_TERMINATION_TIME = Operation("SetTerminationTime", "rl", "ScheduledResourceTermination")
DESTROY = Operation("Destroy", "rl", "ImmediateResourceTermination")
NOTIFY = Operation("Notify", "nt", "NotificationConsumer", one_way=True)
SUBSCRIBE = Operation("Subscribe", "nt", "NotificationProducer")
GET_CURRENT_MESSAGE = Operation("GetCurrentMessage", "nt", "NotificationProducer")
RENEW = Operation("Renew", "nt", "SubscriptionManager", ("oasis",))
UNSUBSCRIBE = Operation("Unsubscribe", "nt", "SubscriptionManager", ("oasis",))
PAUSE = Operation("PauseSubscription", "nt", "PausableSubscriptionManager")
RESUME = Operation("ResumeSubscription", "nt", "PausableSubscriptionManager")
CREATE_PULL_POINT = Operation("CreatePullPoint", "nt", "CreatePullPoint", ("oasis",))
GET_MESSAGES = Operation("GetMessages", "nt", "PullPoint", ("oasis",))
DESTROY_PULL_POINT = Operation("DestroyPullPoint", "nt", "PullPoint", ("oasis",))
CREATE_PULL_SUBSCRIPTION = Operation(
    "CreatePullPointSubscription", "tev", "EventPortType", ("oasis",)
)
GET_EVENT_PROPERTIES = Operation("GetEventProperties", "tev", "EventPortType", ("oasis",))
GET_EVENT_CAPABILITIES = Operation("GetServiceCapabilities", "tev", "EventPortType", ("oasis",))
PULL_MESSAGES = Operation("PullMessages", "tev", "PullPointSubscription", ("oasis",))
SET_PROPERTIES = Operation("SetResourceProperties", "rp", "SetResourceProperties")
# Its one body is that of both: WS-Addressing tells which dialect the reply is to be in.
CREATE_TRIGGER = Operation("CreateTrigger", "trig", "TriggerService", ("oasis",))
QUERY_ARCHIVE = Operation("QueryArchive", "arc", "ArchivePortType")
OPERATIONS = (
    ADD,
    GET_PROPERTY,
    GET_PROPERTIES,
    QUERY_PROPERTIES,
    GET_DOCUMENT,
    SET_TERMINATION_TIME,
    DESTROY,
    NOTIFY,
    SUBSCRIBE,
    GET_CURRENT_MESSAGE,
    RENEW,
    UNSUBSCRIBE,
    PAUSE,
    RESUME,
    CREATE_PULL_POINT,
    GET_MESSAGES,
    DESTROY_PULL_POINT,
    CREATE_PULL_SUBSCRIPTION,
    GET_EVENT_PROPERTIES,
    GET_EVENT_CAPABILITIES,
    PULL_MESSAGES,
    SET_PROPERTIES,
    CREATE_TRIGGER,
    QUERY_ARCHIVE,
)

_ACTION_BASE_OASIS = {
    "sg": "http://docs.oasis-open.org/wsrf/sgw-2/",
    "rp": "http://docs.oasis-open.org/wsrf/rpw-2/",
    "rl": "http://docs.oasis-open.org/wsrf/rlw-2/",
    "nt": "http://docs.oasis-open.org/wsn/bw-2/",
    "tev": f"{ns.ONVIF_EVENTS}/",
    "trig": f"{ns.TRIGGER_MORE}/",
    "arc": f"{ns.ARCHIVE}/",
}
_ACTION_BASE_GT4 = {
    "sg": "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ServiceGroup-1.2/",
    "rp": "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ResourceProperties/",
    "rl": "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ResourceLifetime/",
    "nt": "http://docs.oasis-open.org/wsn/2004/06/wsn-WS-BaseNotification/",
    "trig": f"{ns.TRIGGER_MORE}/TriggerService/",
    "arc": f"{ns.ARCHIVE}/",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to write WSRF: the drafts that GT4 speaks, or the final OASIS standards.

    ``reference`` is the element of an EPR that holds the resource key; ``family`` names the
    dialect whose documents this one reads and writes (the WSRF::Lite spelling is of the final
    family and differs in its Actions alone).
    """

    name: str
    family: Literal["gt4", "oasis"]
    wsa: str
    sg: str
    rp: str
    rl: str
    r: str
    bf: str
    nt: str
    reference: Literal["ReferenceProperties", "ReferenceParameters"]
    #: ONVIF's events, which stand on the final standard alone.
    tev: str = ns.ONVIF_EVENTS
    #: Of MDS4's triggers no message is known: how one is made is our own, in both.
    trig: str = ns.TRIGGER_MORE
    #: MDS4's archive, whose messages are the same in every dialect.
    arc: str = ns.ARCHIVE

    def namespace(self, spec: Spec) -> str:
        """The namespace in which this dialect writes a specification's elements."""
        return str(getattr(self, spec))

    def action(self, operation: Operation, *, reply: bool = False) -> str:
        """The wsa:Action of a request, or of its reply."""
        if self.name == "wsrf-lite" and operation.spec not in ("tev", "trig", "arc"):
            return f"{self.namespace(operation.spec)}#{operation.name}{'Response' if reply else ''}"
        if self.family == "gt4":
            name = operation.name + ("Response" if reply else "")
            return _ACTION_BASE_GT4[operation.spec] + name
        base = _ACTION_BASE_OASIS[operation.spec] + operation.port
        if operation.one_way:
            return f"{base}/{operation.name}"
        return f"{base}/{operation.name}{'Response' if reply else 'Request'}"

    @property
    def fault_action(self) -> str:
        """The wsa:Action of a fault (WS-BaseFaults 1.2, section 3; WS-Addressing 2004/03)."""
        if self.family == "gt4":
            return self.wsa + "/fault"
        return "http://docs.oasis-open.org/wsrf/fault"


GT4 = Dialect(
    name="gt4",
    family="gt4",
    wsa=ns.WSA_2004_03,
    sg=ns.GT4_SG,
    rp=ns.GT4_RP,
    rl=ns.GT4_RL,
    # The drafts have no WS-Resource specification: each declares ResourceUnknownFault itself.
    r=ns.GT4_RP,
    bf=ns.GT4_BF,
    nt=ns.GT4_NT,
    reference="ReferenceProperties",
)
OASIS = Dialect(
    name="oasis",
    family="oasis",
    wsa=ns.WSA_2005_08,
    sg=ns.OASIS_SG,
    rp=ns.OASIS_RP,
    rl=ns.OASIS_RL,
    r=ns.OASIS_R,
    bf=ns.OASIS_BF,
    nt=ns.OASIS_NT,
    reference="ReferenceParameters",
)
LITE = replace(OASIS, name="wsrf-lite")

#: The dialects in which documents are written.
FAMILIES = (GT4, OASIS)
DIALECTS = {dialect.name: dialect for dialect in (GT4, OASIS, LITE)}
#: Body element (Clark name) to its operation and dialect: the whole of dispatch.
BY_BODY: dict[str, tuple[Operation, Dialect]] = {
    ns.clark(dialect.namespace(operation.spec), operation.name): (operation, dialect)
    for dialect in FAMILIES
    for operation in OPERATIONS
    if dialect.name in operation.dialects
}
#: Property namespaces of the one dialect to those of the other, for reads across dialects.
_SPECS: tuple[Spec, ...] = ("sg", "rp", "rl")


def family(name: str) -> Dialect:
    """The dialect of documents for any dialect's name; raises KeyError for an unknown one."""
    return GT4 if DIALECTS[name].family == "gt4" else OASIS


def spec_of(namespace: str) -> tuple[Dialect, Spec] | None:
    """Which dialect and specification a namespace belongs to, None where it is no WSRF one."""
    for dialect in FAMILIES:
        for spec in _SPECS:
            if dialect.namespace(spec) == namespace:
                return dialect, spec
    return None
