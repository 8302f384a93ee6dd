"""EndpointReferences: read from any WS-Addressing version, written in either dialect."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

from aggregator.errors import ConfigError, RequestTooLarge
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import Dialect
from aggregator.wire.parse import NO_LIMITS, Element, parse, serialise, serialise_all, text_of

#: Longer addresses are refused: no real service has one.
MAX_ADDRESS = 4096
#: Most bytes that the reference properties and further children of an EPR come to.
MAX_EXTENSIONS = 1024 * 1024
_NESTED = "{*}EndpointReference"
_ENTRY_KEY = ns.clark(ns.AGG, "EntryKey")
_MARKED = ns.clark(ns.WSA_2005_08, "IsReferenceParameter")
_GROUP_KEY = ns.clark(ns.AGG, "GroupKey")


@dataclass(frozen=True, slots=True)
class EndpointReference:
    """Where a WS-Resource is (WS-Addressing 2004/03 and 1.0, section 2).

    ``properties`` and ``parameters`` are the serialised children of ReferenceProperties and
    ReferenceParameters, ``others`` every further child (PortType, Metadata, extensions), each
    with the namespaces that were in scope; ``wsa`` is the version it was read from.
    """

    address: str
    properties: tuple[bytes, ...] = ()
    parameters: tuple[bytes, ...] = ()
    others: tuple[bytes, ...] = ()
    wsa: str = ns.WSA_2005_08

    @property
    def references(self) -> tuple[bytes, ...]:
        """What a caller copies into the SOAP header of each message to the resource."""
        return self.properties + self.parameters


def read_epr(element: Element) -> EndpointReference:
    """The EPR whose children `element` holds, or that is nested in it (WSRF::Lite's spelling).

    White space around the address is dropped. Raises ConfigError without an address that can be
    one: any scheme will do, white space and control characters inside it won't.
    """
    for holder in (element, *element.iterfind(_NESTED)):
        for wsa in ns.WSA_ALL:
            address = holder.find(ns.clark(wsa, "Address"))
            if address is not None:
                return _read(holder, wsa, text_of(address), name=_local(element))
    raise ConfigError(
        "the endpoint reference has no Address of a WS-Addressing version that is read here "
        f"({', '.join(ns.WSA_ALL)})",
        element=_local(element),
    )


def _read(element: Element, wsa: str, address: str, *, name: str) -> EndpointReference:
    _check_address(address, name)
    parts: dict[str, list[Element]] = {"ReferenceProperties": [], "ReferenceParameters": []}
    others: list[Element] = []
    for child in element.iterchildren(tag="*"):
        local = str(child.tag).removeprefix(f"{{{wsa}}}")
        if local == "Address":
            continue
        bucket = parts.get(local)
        if bucket is None:
            others.append(child)
        else:
            bucket.extend(child.iterchildren(tag="*"))
    properties, parameters = parts.values()
    try:
        pieces = serialise_all([*properties, *parameters, *others], limit=MAX_EXTENSIONS)
    except RequestTooLarge as error:
        raise ConfigError(f"the endpoint reference is too large: {error}", element=name) from error
    first, second = len(properties), len(properties) + len(parameters)
    return EndpointReference(
        address=address,
        properties=pieces[:first],
        parameters=pieces[first:second],
        others=pieces[second:],
        wsa=wsa,
    )


def _check_address(address: str, name: str) -> None:
    if not address or len(address) > MAX_ADDRESS:
        raise ConfigError(
            f"the Address has {len(address)} characters; 1 to {MAX_ADDRESS} are taken", element=name
        )
    if not address.isprintable() or " " in address:
        raise ConfigError(
            f"the Address {address[:200]!r} holds white space or control characters, which no "
            "address does",
            element=name,
        )


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def write_epr(epr: EndpointReference, *, name: str, namespace: str, dialect: Dialect) -> bytes:
    """The element `{namespace}name` of EndpointReferenceType in `dialect`.

    Reference properties and parameters become what the dialect has (the drafts keep both, the
    final standard has parameters alone); further children stay only where the WS-Addressing
    version is the same, since another version has no place for them.
    """
    return b"".join(
        (
            f'<e:{name} xmlns:e="{namespace}" xmlns:wsa="{dialect.wsa}">'.encode(),
            write_epr_content(epr, dialect=dialect),
            f"</e:{name}>".encode(),
        )
    )


def write_epr_content(epr: EndpointReference, *, dialect: Dialect) -> bytes:
    """The children of an EPR in `dialect`, with the prefix ``wsa`` taken as declared."""
    pieces = [f"<wsa:Address>{escape(epr.address)}</wsa:Address>".encode()]
    if dialect.family == "gt4":
        # The published draft schema has ReferenceProperties only; GT clients echo just those.
        pieces += _container("ReferenceProperties", epr.references)
    else:
        pieces += _container("ReferenceParameters", epr.references)
    if epr.wsa == dialect.wsa:
        pieces += epr.others
    return b"".join(pieces)


def _container(name: str, children: tuple[bytes, ...]) -> list[bytes]:
    if not children:
        return []
    return [f"<wsa:{name}>".encode(), *children, f"</wsa:{name}>".encode()]


def as_header(reference: bytes, dialect: Dialect) -> bytes:
    """A reference property or parameter as header (WS-Addressing 1.0, SOAP binding, 3.4)."""
    if dialect.wsa != ns.WSA_2005_08:
        return reference
    # It was within the limits when it came.
    header = parse(reference, limits=NO_LIMITS)
    header.set(_MARKED, "true")
    return serialise(header)


def entry_key(group: str, key: str) -> bytes:
    """The resource key of an entry: index:ServiceGroupEntryKey, an agg:PairedKeyType.

    Its prefixes are declared on its own element: suds, gSOAP and PHP lose outer ones when they
    send it back as a header.
    """
    return (
        f'<i:ServiceGroupEntryKey xmlns:i="{ns.INDEX}" xmlns:agg="{ns.AGG}">'
        f"<agg:GroupKey>{escape(group)}</agg:GroupKey>"
        f"<agg:EntryKey>{escape(key)}</agg:EntryKey></i:ServiceGroupEntryKey>"
    ).encode()


def read_entry_key(header: Element) -> tuple[str, str] | None:
    """GroupKey and EntryKey of a header block, whatever its own name; None where it has none.

    A ServiceGroupEntryKey that holds nothing but text, as somebody writes it by hand, is taken
    for the EntryKey.
    """
    entry = header.find(_ENTRY_KEY)
    if entry is None:
        is_key = _local(header) == "ServiceGroupEntryKey"
        is_plain = is_key and next(header.iterchildren(tag="*"), None) is None
        return ("", text_of(header)) if is_plain and text_of(header) else None
    group = header.find(_GROUP_KEY)
    return "" if group is None else text_of(group), text_of(entry)
