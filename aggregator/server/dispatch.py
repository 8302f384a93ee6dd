"""Dispatch: the body's QName names the operation and the dialect, the SOAPAction never does."""

from __future__ import annotations

from itertools import islice

from aggregator.errors import UnknownOperation
from aggregator.wire.dialects import (
    BY_BODY,
    FAMILIES,
    GET_DOCUMENT,
    GT4,
    LITE,
    OASIS,
    Dialect,
    Operation,
)
from aggregator.wire.envelope import Envelope
from aggregator.wire.parse import Element

_LOCAL_NAMES = sorted({operation.name for operation, _ in BY_BODY.values()})

#: So many elements are looked at for a sign of a dialect: headers and the operation come first.
_LOOKED_AT = 200


def dispatch(envelope: Envelope, soap_action: str) -> tuple[Operation, Dialect]:
    """The operation and the dialect of a request; raises UnknownOperation, naming what is known.

    The WSRF::Lite spelling has the bodies of the final dialect and writes its Actions with '#'.
    """
    name = str(envelope.body.tag)
    found = BY_BODY.get(name)
    if found is None:
        raise UnknownOperation(f"{name[:200]} is no operation {_what_there_is(name)}")
    operation, dialect = found
    if operation.spec == "arc" and envelope.addressing.namespace == GT4.wsa:
        # Its body is of no dialect; the headers may be.
        dialect = GT4
    lite = dialect is OASIS and ("#" in envelope.addressing.action or "#" in soap_action)
    return operation, LITE if lite else dialect


def _what_there_is(name: str) -> str:
    """The operations that can be meant: those of the dialect whose namespace the name is in."""
    namespace, _, local = name[1:].partition("}")
    spoken = next((one for one in FAMILIES if namespace in (one.sg, one.rp, one.rl, one.nt)), None)
    if spoken is None:
        return (
            f"here; there are {', '.join(_LOCAL_NAMES)} in the namespaces of {OASIS.sg} and its "
            "like, and of the 2004/06 drafts"
        )
    names = sorted(one.name for one, dialect in BY_BODY.values() if dialect is spoken)
    told = f"of the dialect {spoken.name}; there are {', '.join(names)}"
    if local == GET_DOCUMENT.name and local not in names:
        told += "; ask for the whole document with QueryResourceProperties and the expression /"
    return told


def fault_dialect(root: Element | None) -> Dialect:
    """The dialect in which to refuse a message that could not be dispatched.

    Whatever namespace of a dialect it shows decides; the final standard is the default.
    """
    if root is None:
        return OASIS
    for element in islice(root.iter("*"), _LOOKED_AT):
        namespace = str(element.tag)[1:].partition("}")[0]
        for dialect in FAMILIES:
            if namespace in (dialect.wsa, dialect.sg, dialect.rp, dialect.rl, dialect.nt):
                return dialect
    return OASIS
