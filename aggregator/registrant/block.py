"""One ServiceGroupRegistrationParameters block: a registration that is to be kept."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.client.resource import dialect_of
from aggregator.errors import ConfigError
from aggregator.registrant.file_names import local_name
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import Dialect
from aggregator.wire.epr import EndpointReference, read_epr
from aggregator.wire.parse import Element, serialise, text_of
from aggregator.wire.times import parse_datetime

ELEMENTS = (
    "ServiceGroupEPR",
    "RegistrantEPR",
    "InitialTerminationTime",
    "RefreshIntervalSecs",
    "SecurityDescriptorFile",
    "Content",
)
_MAX_INT = 2**31 - 1
_NIL = ns.clark(ns.XSI, "nil")


@dataclass(frozen=True, slots=True)
class Defaults:
    """The EPRs that stand in for those that a block leaves out.

    ``group_is_address`` says that the group came as a bare URL, in no WS-Addressing version.
    """

    group: EndpointReference | None = None
    member: EndpointReference | None = None
    group_is_address: bool = False


@dataclass(frozen=True, slots=True)
class RegistrationParameters:
    """One registration: ``member`` in ``group``, renewed every ``interval`` seconds.

    ``position`` counts the blocks of the file from 1. ``initial_termination`` is the instant that
    the first Add asks for (None: twice the interval from then on). ``content`` is the serialised
    Content with every namespace that was in scope.
    """

    position: int
    group: EndpointReference
    member: EndpointReference
    interval: int
    initial_termination: int | None
    content: bytes
    dialect: Dialect

    def __str__(self) -> str:
        return f"{self.member.address} to servicegroup at {self.group.address}"


def read_block(
    block: Element, position: int, namespace: str, defaults: Defaults, problems: list[str]
) -> RegistrationParameters | None:
    """The registration of a block, or None after naming in `problems` what is wrong with it."""
    reader = _Block(block, namespace)
    reader.check_names()
    own_group = reader.epr("ServiceGroupEPR", "defaultServiceGroupEPR or -s", defaults.group)
    member = reader.epr("RegistrantEPR", "defaultRegistrantEPR", defaults.member)
    interval = reader.interval()
    initial = reader.initial_termination()
    content = reader.child("Content")
    if content is None:
        reader.problems.append("no Content; it says what is to be collected of the member")
    where = f"registration {position} (member {member.address if member else 'unknown'})"
    problems.extend(f"{where}: {problem}" for problem in reader.problems)
    if reader.problems or own_group is None or member is None or content is None:
        return None
    # The group is whom we speak to; where only an address is known, the member's EPR must tell.
    bare = defaults.group_is_address and own_group is defaults.group
    return RegistrationParameters(
        position=position,
        group=own_group,
        member=member,
        interval=interval,
        initial_termination=initial,
        content=serialise(content),
        dialect=dialect_of(member if bare else own_group),
    )


class _Block:
    """Reads the children of a block and gathers what is wrong with them."""

    def __init__(self, block: Element, namespace: str) -> None:
        self.block = block
        self.namespace = namespace
        self.problems: list[str] = []

    def child(self, name: str) -> Element | None:
        return self.block.find(ns.clark(self.namespace, name))

    def epr(
        self, name: str, otherwise: str, default: EndpointReference | None
    ) -> EndpointReference | None:
        element = self.child(name)
        if element is None:
            if default is None:
                self.problems.append(f"no {name}, and no {otherwise} to stand in")
            return default
        try:
            return read_epr(element)
        except ConfigError as error:
            self.problems.append(str(error))
            return None

    def interval(self) -> int:
        element = self.child("RefreshIntervalSecs")
        if element is None:
            self.problems.append("no RefreshIntervalSecs; give the seconds between two renewals")
            return 0
        text = text_of(element).removeprefix("+")
        if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= _MAX_INT):
            self.problems.append(
                f"RefreshIntervalSecs is {text[:40]!r}, expected a whole number of seconds "
                f"from 1 to {_MAX_INT}"
            )
            return 0
        return int(text)

    def initial_termination(self) -> int | None:
        element = self.child("InitialTerminationTime")
        if element is None or element.get(_NIL, "").strip() in ("1", "true"):
            return None
        try:
            return parse_datetime(text_of(element))
        except ValueError as error:
            self.problems.append(f"InitialTerminationTime: {error}")
            return None

    def check_names(self) -> None:
        seen: set[str] = set()
        for child in self.block.iterchildren(tag="*"):
            name, problem = local_name(child, self.namespace, ELEMENTS)
            if not problem and name in seen:
                problem = f"{name} is given twice"
            self.problems.extend([problem] if problem else [])
            seen.add(name)
