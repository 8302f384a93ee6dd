"""The replies of the three operations that every client calls, correct in both dialects."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

AGG = "http://mds.globus.org/aggregator/types"
INDEX = "http://mds.globus.org/index"
_DRAFT = "http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-{}-1.2-draft-01.xsd"
_FINAL = "http://docs.oasis-open.org/wsrf/{}"


@dataclass(frozen=True, slots=True)
class Names:
    """The namespaces of a dialect and the element of an EPR that holds the key."""

    wsa: str
    sg: str
    rp: str
    rl: str
    bf: str
    reference: str


NAMES = {
    "gt4": Names(
        wsa="http://schemas.xmlsoap.org/ws/2004/03/addressing",
        sg=_DRAFT.format("ServiceGroup"),
        rp=_DRAFT.format("ResourceProperties"),
        rl=_DRAFT.format("ResourceLifetime"),
        bf=_DRAFT.format("BaseFaults"),
        reference="ReferenceProperties",
    ),
    "oasis": Names(
        wsa="http://www.w3.org/2005/08/addressing",
        sg=_FINAL.format("sg-2"),
        rp=_FINAL.format("rp-2"),
        rl=_FINAL.format("rl-2"),
        bf=_FINAL.format("bf-2"),
        reference="ReferenceParameters",
    ),
}


def key(value: str) -> str:
    """The key of an entry, which declares its prefixes on its own element."""
    return (
        f'<idx:ServiceGroupEntryKey xmlns:idx="{INDEX}" xmlns:agg="{AGG}">'
        f"<agg:GroupKey>DefaultIndexService</agg:GroupKey><agg:EntryKey>{escape(value)}"
        "</agg:EntryKey></idx:ServiceGroupEntryKey>"
    )


def _reference(dialect: str, address: str, entry_key: str) -> str:
    name = NAMES[dialect].reference
    return f"<wsa:Address>{escape(address)}</wsa:Address><wsa:{name}>{key(entry_key)}</wsa:{name}>"


def add_response(dialect: str, *, address: str, entry_key: str, termination: str, now: str) -> str:
    """The reply to Add: in gt4 the entry's EPR itself, in oasis the EPR and two times."""
    names = NAMES[dialect]
    epr = _reference(dialect, address, entry_key)
    if dialect == "oasis":
        epr = (
            f"<sg:ServiceGroupEntryReference>{epr}</sg:ServiceGroupEntryReference>"
            f"<sg:TerminationTime>{termination}</sg:TerminationTime>"
            f"<sg:CurrentTime>{now}</sg:CurrentTime>"
        )
    return f'<sg:AddResponse xmlns:sg="{names.sg}" xmlns:wsa="{names.wsa}">{epr}</sg:AddResponse>'


def property_response(dialect: str, *entries: str) -> str:
    """The reply to GetResourceProperty."""
    rp = NAMES[dialect].rp
    return (
        f'<rp:GetResourcePropertyResponse xmlns:rp="{rp}">{"".join(entries)}'
        "</rp:GetResourcePropertyResponse>"
    )


def entry(dialect: str, *, address: str, entry_key: str, member: str) -> str:
    """One Entry with configuration and data, its prefixes declared on itself."""
    names = NAMES[dialect]
    xsi = "http://www.w3.org/2001/XMLSchema-instance"
    typed = f' xmlns:xsi="{xsi}" xsi:type="agg:AggregatorContent"' if dialect == "gt4" else ""
    return (
        f'<sg:Entry xmlns:sg="{names.sg}" xmlns:wsa="{names.wsa}" xmlns:agg="{AGG}">'
        f"<sg:ServiceGroupEntryEPR>{_reference(dialect, address, entry_key)}"
        "</sg:ServiceGroupEntryEPR>"
        f"<sg:MemberServiceEPR><wsa:Address>{escape(member)}</wsa:Address></sg:MemberServiceEPR>"
        f'<sg:Content{typed}><agg:AggregatorConfig xmlns:w="http://widgets.example/">'
        "<agg:GetResourcePropertyPollType><agg:PollIntervalMillis>60000</agg:PollIntervalMillis>"
        "<agg:ResourcePropertyName>w:foo</agg:ResourcePropertyName>"
        "</agg:GetResourcePropertyPollType></agg:AggregatorConfig>"
        '<agg:AggregatorData><w:foo xmlns:w="http://widgets.example/" w:unit="s">1</w:foo>'
        "</agg:AggregatorData></sg:Content></sg:Entry>"
    )


def time_response(dialect: str, *, termination: str, now: str) -> str:
    """The reply to SetTerminationTime."""
    return (
        f'<rl:SetTerminationTimeResponse xmlns:rl="{NAMES[dialect].rl}">'
        f"<rl:NewTerminationTime>{termination}</rl:NewTerminationTime>"
        f"<rl:CurrentTime>{now}</rl:CurrentTime></rl:SetTerminationTimeResponse>"
    )


def resource_unknown(dialect: str, *, now: str, description: str) -> str:
    """The fault for an entry that is not there, with its typed detail element."""
    names = NAMES[dialect]
    home = names.rl if dialect == "gt4" else _FINAL.format("r-2")
    return (
        f'<f:ResourceUnknownFault xmlns:f="{home}" xmlns:bf="{names.bf}">'
        f"<bf:Timestamp>{now}</bf:Timestamp>"
        f'<bf:Description xml:lang="en">{escape(description)}</bf:Description>'
        "</f:ResourceUnknownFault>"
    )
