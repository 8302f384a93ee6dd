"""Who may join a group: its MembershipContentRules, and never the group itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from aggregator.config import MembershipRule
from aggregator.errors import AddRefused, ContentRefused, MemberInterfaceUnsupported
from aggregator.registry.own_address import Host, leads_to
from aggregator.wire.namespaces import AGG, clark
from aggregator.wire.parse import NO_LIMITS, Element, parse, text_of
from aggregator.wire.qnames import read_qname

#: How endpoint references name interfaces: wsa:PortType of the drafts, wsaw: and wsam: in Metadata.
_INTERFACE_ELEMENTS = ("PortType", "InterfaceName")
_HOLDERS = (clark(AGG, "AggregatorConfig"), clark(AGG, "AggregatorData"))


def check_rules(
    rules: tuple[MembershipRule, ...], *, content: Element | None, extensions: Iterable[bytes]
) -> None:
    """Hold a registration against the rules (WS-ServiceGroup 1.2, MembershipContentRule).

    A member is admitted when there are no rules, or when one rule that names an interface of
    the member (or none at all) finds all its content elements in the Content: as its children,
    or as children of AggregatorConfig or AggregatorData. `extensions` are the further children
    of the member's EPR, among them the interfaces that it says it has.
    """
    if not rules:
        return
    demanding = any(rule.member_interfaces for rule in rules)
    interfaces = _interfaces(extensions) if demanding else set()
    applying = [
        rule
        for rule in rules
        if not rule.member_interfaces or interfaces.intersection(rule.member_interfaces)
    ]
    if not applying:
        wanted = sorted({name for rule in rules for name in rule.member_interfaces})
        raise MemberInterfaceUnsupported(
            f"the member's endpoint reference names {sorted(interfaces) or 'no interface'}; "
            f"this group takes members with one of {wanted}"
        )
    present = _elements(content)
    if not any(present.issuperset(rule.content_elements) for rule in applying):
        wanted_content = " or ".join(str(list(rule.content_elements)) for rule in applying)
        raise ContentRefused(f"the Content must hold the elements {wanted_content}")


def _elements(content: Element | None) -> set[str]:
    if content is None:
        return set()
    found = set()
    for child in content.iterchildren(tag="*"):
        found.add(str(child.tag))
        if child.tag in _HOLDERS:
            found.update(str(grandchild.tag) for grandchild in child.iterchildren(tag="*"))
    return found


def _interfaces(extensions: Iterable[bytes]) -> set[str]:
    return {
        read_qname(element, text=word)
        for extension in extensions
        for element in parse(extension, limits=NO_LIMITS).iter("*")
        if str(element.tag).rpartition("}")[2] in _INTERFACE_ELEMENTS
        for word in text_of(element).split()
    }


def check_not_self(
    address: str, *, own: Iterable[str], here: Collection[Host] = frozenset()
) -> None:
    """Refuse the group's own address (MDS4: "Loopback or duplicate registrant address").

    Equal addresses are refused, and so is a loopback host or the group's own host with the same
    scheme, port and path. `own` are all the addresses under which the group is reached, `here`
    the names and addresses of its host. No name is looked up.
    """
    if any(leads_to(address, known, here=here) for known in own):
        raise AddRefused(
            "Loopback or duplicate registrant address submitted: a group can't be its own "
            f"member ({address[:200]})"
        )
