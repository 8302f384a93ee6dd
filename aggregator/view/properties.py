"""Resource properties of a group and of an entry, each as bytes that stand alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from aggregator.config.groups import MembershipRule
from aggregator.model import Health
from aggregator.view.fragments import (
    GroupFacts,
    Published,
    content_opening,
    health_element,
)
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import Dialect
from aggregator.wire.epr import EndpointReference, write_epr
from aggregator.wire.times import format_datetime

#: Root of the property document of a group that names no other (aggregator types).
GROUP_ROOT = ns.clark(ns.AGG, "AggregatorServiceGroupRP")
#: Root of the property document of an entry (aggregator types).
ENTRY_ROOT = ns.clark(ns.AGG, "ServiceGroupEntryRP")


def document_tags(root: str) -> tuple[bytes, bytes]:
    """The start and end tag of a property document whose root has this Clark name.

    There is no default namespace and one private prefix, so that the bytes between keep theirs.
    """
    uri, _, local = root.rpartition("}")
    if not uri:
        return f"<{local}>".encode(), f"</{local}>".encode()
    return f'<doc:{local} xmlns:doc="{uri[1:]}">'.encode(), f"</doc:{local}>".encode()


def current_time(now: int, *, dialect: Dialect) -> bytes:
    """CurrentTime (WS-ResourceLifetime 1.2, section 4.3)."""
    return (
        f'<rl:CurrentTime xmlns:rl="{dialect.rl}">{format_datetime(now)}</rl:CurrentTime>'
    ).encode()


def termination_time(instant: int | None, *, dialect: Dialect) -> bytes:
    """TerminationTime (WS-ResourceLifetime 1.2, section 4.3); nil where it never comes."""
    if instant is None:
        return (
            f'<rl:TerminationTime xmlns:rl="{dialect.rl}" xmlns:xsi="{ns.XSI}" xsi:nil="true"/>'
        ).encode()
    return (
        f'<rl:TerminationTime xmlns:rl="{dialect.rl}">{format_datetime(instant)}'
        "</rl:TerminationTime>"
    ).encode()


def membership_rules(rules: Iterable[MembershipRule], *, dialect: Dialect) -> list[bytes]:
    """MembershipContentRule elements (WS-ServiceGroup 1.2, section 3.1).

    The drafts hold one interface in a rule, so a rule of several becomes as many rules.
    """
    written = []
    for rule in rules:
        if dialect.family == "oasis":
            written.append(_rule("MemberInterfaces", rule.member_interfaces, rule, dialect))
            continue
        for interface in rule.member_interfaces or ("",):
            names = (interface,) if interface else ()
            written.append(_rule("MemberInterface", names, rule, dialect))
    return written


def _rule(name: str, interfaces: Sequence[str], rule: MembershipRule, dialect: Dialect) -> bytes:
    prefixes: dict[str, str] = {}
    named = f' {name}="{_qnames(interfaces, prefixes)}"' if interfaces else ""
    content = _qnames(rule.content_elements, prefixes)
    declared = "".join(
        f' xmlns:{prefix}="{escape(uri, {chr(34): "&quot;"})}"' for uri, prefix in prefixes.items()
    )
    return (
        f'<sg:MembershipContentRule xmlns:sg="{dialect.sg}"{declared}{named} '
        f'ContentElements="{content}"/>'
    ).encode()


def _qnames(names: Iterable[str], prefixes: dict[str, str]) -> str:
    written = []
    for name in names:
        uri, _, local = name.rpartition("}")
        if not uri:
            written.append(local)
            continue
        prefix = prefixes.setdefault(uri[1:], f"q{len(prefixes)}")
        written.append(f"{prefix}:{local}")
    return " ".join(written)


def registration_count(
    *, start: int, last_change: int, total: int, rates: Iterable[tuple[float, int]]
) -> bytes:
    """RegistrationCount, a metrics accumulator; rates are (units a second, decay in seconds)."""
    opening = f'agg:RegistrationCount xmlns:agg="{ns.AGG}"'
    return _accumulator(opening, start, last_change, total, rates)


def actions_fired_count(
    *, start: int, last_change: int, total: int, rates: Iterable[tuple[float, int]]
) -> bytes:
    """ActionsFiredCount of a group with rules, a metrics accumulator too."""
    opening = f'trig:ActionsFiredCount xmlns:trig="{ns.TRIGGER}"'
    return _accumulator(opening, start, last_change, total, rates)


def _accumulator(
    opening: str, start: int, last_change: int, total: int, rates: Iterable[tuple[float, int]]
) -> bytes:
    written = "".join(
        f"<m:expRate><m:rate>{rate!r}</m:rate><m:decay>{decay}</m:decay></m:expRate>"
        for rate, decay in rates
    )
    return (
        f'<{opening} xmlns:m="{ns.METRICS}">'
        f"<m:startTime>{format_datetime(start)}</m:startTime>"
        f"<m:lastChange>{format_datetime(last_change)}</m:lastChange>"
        f"<m:total>{total}</m:total>{written}</{opening.partition(' ')[0]}>"
    ).encode()


def member_epr(entry: Published, *, dialect: Dialect) -> bytes:
    """MemberEPR of an entry (WS-ServiceGroup 1.2, section 3.2)."""
    opening = f'<sg:MemberEPR xmlns:sg="{dialect.sg}" xmlns:wsa="{dialect.wsa}">'.encode()
    return b"".join((opening, entry.member_epr(dialect.family), b"</sg:MemberEPR>"))


def content(entry: Published, *, dialect: Dialect) -> bytes:
    """Content of an entry (WS-ServiceGroup 1.2, section 3.2)."""
    opening = content_opening(dialect, has_config=entry.has_config, declare=True)
    return b"".join((opening.encode(), entry.body, entry.error, b"</sg:Content>"))


def service_group_epr(facts: GroupFacts, *, dialect: Dialect) -> bytes:
    """ServiceGroupEPR of an entry: a group has no key, its address says all."""
    epr = EndpointReference(address=facts.address)
    return write_epr(epr, name="ServiceGroupEPR", namespace=dialect.sg, dialect=dialect)


def health(found: Health) -> bytes:
    """The health property of an entry: how its collection goes."""
    return health_element(
        lastAttempt=found.last_attempt,
        lastSuccess=found.last_success,
        consecutiveFailures=found.consecutive_failures,
        lastError=found.error_message if found.error_code else None,
        skippedOverruns=found.skipped_overruns,
    )
