"""SOAP faults: which WS-BaseFault tells which error, in each dialect and SOAP version."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from aggregator import errors
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import Dialect, Operation, Spec
from aggregator.wire.envelope import SOAP11, SOAP12, SoapVersion
from aggregator.wire.fault_details import more_of
from aggregator.wire.text import xml_text
from aggregator.wire.times import format_datetime

#: Longest description sent; what a client wrote may be quoted in it.
MAX_DESCRIPTION = 2000
#: Most headers that are named one by one as not understood.
MAX_HEADERS = 5


@dataclass(frozen=True, slots=True)
class FaultKind:
    """The WS-BaseFault element for a class of errors, and whose mistake it was."""

    spec: Spec
    name: str
    client: bool = True
    has_detail: bool = True
    #: Its name in the drafts, where that is another; BaseFault where they have none for it.
    draft: str = ""


_NOT_MADE = "SubscribeCreationFailedFault"

#: The first class of the error that is listed decides.
KINDS: dict[type[Exception], FaultKind] = {
    errors.ContentRefused: FaultKind("sg", "ContentCreationFailedFault"),
    errors.MemberInterfaceUnsupported: FaultKind("sg", "UnsupportedMemberInterfaceFault"),
    errors.AddRefused: FaultKind("sg", "AddRefusedFault"),
    errors.ConfigError: FaultKind("sg", "AddRefusedFault"),
    errors.ResourceUnknown: FaultKind("r", "ResourceUnknownFault"),
    errors.InvalidPropertyName: FaultKind("rp", "InvalidResourcePropertyQNameFault"),
    errors.InvalidModification: FaultKind(
        "rp",
        "InvalidModificationFault",
        draft="InvalidSetResourcePropertiesRequestContentFault",
    ),
    errors.NotModifiable: FaultKind("rp", "UnableToModifyResourcePropertyFault"),
    errors.InvalidQuery: FaultKind("rp", "InvalidQueryExpressionFault"),
    errors.UnknownQueryDialect: FaultKind("rp", "UnknownQueryExpressionDialectFault"),
    errors.QueryFailed: FaultKind("rp", "QueryEvaluationErrorFault"),
    errors.TerminationTimeRejected: FaultKind("rl", "TerminationTimeChangeRejectedFault"),
    errors.TopicDialectUnknown: FaultKind(
        "nt", "TopicExpressionDialectUnknownFault", draft="TopicPathDialectUnknownFault"
    ),
    errors.InvalidTopicExpression: FaultKind("nt", "InvalidTopicExpressionFault"),
    errors.TopicNotSupported: FaultKind("nt", "TopicNotSupportedFault"),
    errors.InvalidFilter: FaultKind("nt", "InvalidFilterFault", draft=_NOT_MADE),
    errors.InvalidProducerProperties: FaultKind(
        "nt", "InvalidProducerPropertiesExpressionFault", draft=_NOT_MADE
    ),
    errors.InvalidMessageContent: FaultKind(
        "nt", "InvalidMessageContentExpressionFault", draft=_NOT_MADE
    ),
    errors.UnacceptableTime: FaultKind("nt", "UnacceptableTerminationTimeFault", draft="BaseFault"),
    errors.UnacceptableInitialTime: FaultKind(
        "nt", "UnacceptableInitialTerminationTimeFault", draft=_NOT_MADE
    ),
    errors.UnrecognizedPolicy: FaultKind("nt", "UnrecognizedPolicyRequestFault", draft=_NOT_MADE),
    errors.UnsupportedPolicy: FaultKind("nt", "UnsupportedPolicyRequestFault", draft=_NOT_MADE),
    errors.SubscribeFailed: FaultKind("nt", _NOT_MADE),
    errors.NoCurrentMessage: FaultKind("nt", "NoCurrentMessageOnTopicFault"),
    errors.MultipleTopics: FaultKind(
        "nt", "MultipleTopicsSpecifiedFault", draft="InvalidTopicExpressionFault"
    ),
    errors.PullFailed: FaultKind("nt", "UnableToGetMessagesFault", draft="BaseFault"),
    errors.PullPointNotCreated: FaultKind("nt", "UnableToCreatePullPointFault", draft="BaseFault"),
    errors.NotifyRefused: FaultKind("r", "ResourceUnknownFault"),
    # No mistake of the producer: it is to come again.
    errors.InboxFull: FaultKind("r", "ResourceUnavailableFault", client=False),
    errors.StoreUnavailable: FaultKind("r", "ResourceUnavailableFault", client=False),
    # SOAP forbids a detail for faults that concern headers alone.
    errors.NotUnderstood: FaultKind("bf", "BaseFault", has_detail=False),
    errors.VersionMismatch: FaultKind("bf", "BaseFault", has_detail=False),
    errors.RequestError: FaultKind("bf", "BaseFault"),
}
_INTERNAL = FaultKind("bf", "BaseFault", client=False)


@dataclass(frozen=True, slots=True)
class SoapFault:
    """A fault ready to send: the Body's child as bytes, its HTTP status and wsa:Action.

    ``headers`` are the SOAP header blocks that the fault asks for, ``retry_after`` the seconds
    after which to try again, 0 where that would not help.
    """

    body: bytes
    status: int
    action: str
    name: str
    headers: bytes = b""
    retry_after: int = 0


def fault_kind(error: Exception) -> FaultKind:
    """The kind of fault for an error; errors that are not ours on purpose are internal ones."""
    for cls in type(error).__mro__:
        if cls in KINDS:
            return KINDS[cls]
    return _INTERNAL


def write_fault(
    error: Exception,
    *,
    version: SoapVersion,
    dialect: Dialect,
    now: int,
    operation: Operation | None = None,
) -> SoapFault:
    """The SOAP fault for an error, never with a traceback; `now` is its Timestamp."""
    kind = fault_kind(error)
    text = _description(error, kind)
    detail = b""
    if kind.has_detail:
        causes = tuple(getattr(error, "causes", ()))
        detail = base_fault(
            kind,
            text,
            dialect=dialect,
            now=now,
            operation=operation,
            causes=causes,
            more=more_of(error, dialect),
        )
    write = _soap11 if version is SOAP11 else _soap12
    return SoapFault(
        body=write(_code(error, kind, version), text, detail),
        status=400 if version is not SOAP11 and kind.client and kind.has_detail else 500,
        action=dialect.fault_action,
        name=kind.name,
        headers=_headers(error, version),
        retry_after=getattr(error, "retry_after", 0),
    )


def _headers(error: Exception, version: SoapVersion) -> bytes:
    """The header blocks that tell what was not understood (SOAP 1.2 part 1, section 5.4)."""
    if isinstance(error, errors.VersionMismatch):
        known = "".join(
            f'<u:SupportedEnvelope xmlns:e="{supported.namespace}" qname="e:Envelope"/>'
            for supported in (SOAP12, SOAP11)
        )
        return f'<u:Upgrade xmlns:u="{ns.SOAP12}">{known}</u:Upgrade>'.encode()
    if isinstance(error, errors.NotUnderstood) and version is SOAP12:
        named = [header for header in error.headers if len(header) <= MAX_DESCRIPTION]
        return "".join(map(_not_understood, named[:MAX_HEADERS])).encode()
    return b""


def _not_understood(header: str) -> str:
    namespace, _, local = header.rpartition("}")
    declared, prefix = "", ""
    if namespace:
        declared, prefix = f" xmlns:h={quoteattr(namespace[1:])}", "h:"
    return f'<n:NotUnderstood xmlns:n="{ns.SOAP12}"{declared} qname="{prefix}{local}"/>'


def _description(error: Exception, kind: FaultKind) -> str:
    if kind is _INTERNAL:
        return "an internal error; the service's log tells more"
    text = error.message if isinstance(error, errors.StoreUnavailable) else str(error)
    return text[:MAX_DESCRIPTION]


def fault_name(kind: FaultKind, dialect: Dialect, operation: Operation | None) -> tuple[str, str]:
    """Namespace and local name of the detail element.

    The drafts declare ResourceUnknownFault in each specification and have no
    ResourceUnavailableFault: the plain BaseFault stands for it.
    """
    if dialect.family == "gt4" and kind.spec == "r":
        if kind.name != "ResourceUnknownFault":
            return dialect.bf, "BaseFault"
        spec = operation.spec if operation is not None else "rp"
        # Those that declare none have that of what they query, or add to.
        spec = "rp" if spec in ("sg", "arc", "trig") else spec
        return dialect.namespace(spec), kind.name
    name = kind.draft if kind.draft and dialect.family == "gt4" else kind.name
    return dialect.bf if name == "BaseFault" else dialect.namespace(kind.spec), name


def base_fault(
    kind: FaultKind,
    text: str,
    *,
    dialect: Dialect,
    now: int,
    operation: Operation | None = None,
    causes: tuple[str, ...] = (),
    more: str = "",
) -> bytes:
    """The typed WS-BaseFault element (WS-BaseFaults 1.2, section 2; the draft's likewise)."""
    namespace, name = fault_name(kind, dialect, operation)
    stamp = f"<bf:Timestamp>{format_datetime(now)}</bf:Timestamp>"
    told = "".join(_cause(cause, stamp, dialect) for cause in causes)
    if dialect.family == "oasis" and causes:
        # The final standard takes one cause and no element of its own namespace in it.
        told = _cause("; ".join(causes), stamp, dialect)
    return (
        f'<f:{name} xmlns:f="{namespace}" xmlns:bf="{dialect.bf}">{stamp}'
        f"<bf:Description>{xml_text(text)}</bf:Description>{told}{more}</f:{name}>"
    ).encode()


def _cause(text: str, stamp: str, dialect: Dialect) -> str:
    inner = f"{stamp}<bf:Description>{xml_text(text[:MAX_DESCRIPTION])}</bf:Description>"
    if dialect.family == "gt4":
        return f"<bf:FaultCause>{inner}</bf:FaultCause>"
    return f'<bf:FaultCause><c:Cause xmlns:c="{ns.FAULT}">{inner}</c:Cause></bf:FaultCause>'


def _code(error: Exception, kind: FaultKind, version: SoapVersion) -> str:
    if isinstance(error, errors.NotUnderstood):
        return "MustUnderstand"
    if isinstance(error, errors.VersionMismatch):
        return "VersionMismatch"
    return version.client if kind.client else version.server


def _soap11(code: str, text: str, detail: bytes) -> bytes:
    """A Fault of SOAP 1.1 (section 4.4), whose children are in no namespace."""
    inner = b"<detail>" + detail + b"</detail>" if detail else b""
    head = (
        f"<soapenv:Fault><faultcode>soapenv:{code}</faultcode>"
        f"<faultstring>{xml_text(text)}</faultstring>"
    )
    return head.encode() + inner + b"</soapenv:Fault>"


def _soap12(code: str, text: str, detail: bytes) -> bytes:
    """A Fault of SOAP 1.2 (part 1, section 5.4)."""
    inner = b"<soapenv:Detail>" + detail + b"</soapenv:Detail>" if detail else b""
    head = (
        f"<soapenv:Fault><soapenv:Code><soapenv:Value>soapenv:{code}</soapenv:Value>"
        f'</soapenv:Code><soapenv:Reason><soapenv:Text xml:lang="en">{xml_text(text)}'
        f"</soapenv:Text></soapenv:Reason>"
    )
    return head.encode() + inner + b"</soapenv:Fault>"
