"""What the benchmarks register: entries like those of the published measurements of MDS4.

An Entry of such a group is 1.85 KB in the final standard's dialect: an address, two references,
and AggregatorData as a computing element publishes it, with numbers that differ.
"""

from __future__ import annotations

from tests import soap

GLUE = "http://mds.globus.org/glue/ce/1.1"
#: Characters of the description that make an Entry 1,850 bytes.
_PADDING = 154
SITES = 50


def member(number: int) -> str:
    """The address of a member."""
    return f"http://member-{number:06d}.example.org:8080/wsrf/services/ManagedJobFactoryService"


def content(number: int) -> str:
    """What a plain registry publishes of a member: attributes and texts that vary by `number`."""
    return (
        f'<glue:Cluster xmlns:glue="{GLUE}" glue:Name="cluster-{number:06d}" '
        f'glue:Site="site-{number % SITES:02d}">'
        f'<glue:ComputingElement glue:Name="default" glue:UniqueID="queue-{number:06d}">'
        f'<glue:Info glue:GRAMVersion="4.0.3" glue:HostName="head-{number:06d}.example.org" '
        'glue:LRMSType="PBS" glue:TotalCPUs="0128"/>'
        f'<glue:State glue:EstimatedResponseTime="0" glue:FreeCPUs="{number * 7 % 128:04d}" '
        f'glue:RunningJobs="{number * 3 % 100:04d}" '
        f'glue:Status="{("enabled", "drained", "stopped")[number % 3]}" '
        f'glue:TotalJobs="{number % 1000:04d}" glue:WaitingJobs="{number % 10:04d}"/>'
        '<glue:Policy glue:MaxCPUTime="-1" glue:MaxRunningJobs="-1" glue:MaxTotalJobs="-1"/>'
        f"<glue:Load>{number * 13 % 1000 / 1000:.3f}</glue:Load>"
        f"</glue:ComputingElement><glue:Description>{'x' * _PADDING}</glue:Description>"
        "</glue:Cluster>"
    )


def add_body(number: int, *, family: soap.Family = "oasis", termination: str = "") -> str:
    """An Add of the member of a number."""
    sg, wsa = soap.NS[family]["sg"], soap.NS[family]["wsa"]
    kept = f'<agg:AggregatorData xmlns:agg="{soap.AGG}">{content(number)}</agg:AggregatorData>'
    time = termination and f"<sg:InitialTerminationTime>{termination}</sg:InitialTerminationTime>"
    return (
        f'<sg:Add xmlns:sg="{sg}" xmlns:wsa="{wsa}"><sg:MemberEPR><wsa:Address>{member(number)}'
        f"</wsa:Address></sg:MemberEPR><sg:Content>{kept}</sg:Content>{time}</sg:Add>"
    )


def all_entries(family: soap.Family) -> bytes:
    """The request for all entries of a group."""
    rp, sg = soap.NS[family]["rp"], soap.NS[family]["sg"]
    return soap.envelope(
        f'<rp:GetResourceProperty xmlns:rp="{rp}" xmlns:sg="{sg}">sg:Entry</rp:GetResourceProperty>'
    )


#: Lua for wrk: Adds of members whose numbers follow `base`.
ADDS = """
local head, tail = wrk.body:match("^(.*)member%-000000(.*)$")
local number = {base}
function request()
   number = number + 1
   return wrk.format(nil, nil, nil, head .. string.format("member-%06d", number) .. tail)
end
"""
