"""Run an executable of the probe folder for a member and take what it prints."""

from __future__ import annotations

from aggregator.contract import (
    AggregatorSource,
    Collected,
    ConfigBlock,
    Context,
    Group,
    SourceType,
)
from aggregator.errors import CollectError, ConfigError, MalformedRequest
from aggregator.model import Plan
from aggregator.wire.namespaces import AGG, clark
from aggregator.wire.parse import Limits, parse, serialise, text_of

from ._block import only_child, read_address, read_interval

NAME = "ExecutionAggregatorSource"
BLOCK = clark(AGG, "ExecutionPollType")


class ExecutionAggregatorSource(AggregatorSource):
    """Collects what a probe prints about a member: one XML document.

    The probe gets the member's address as its argument, and the member's EPR and the
    AggregatorConfig on its standard input.
    """

    def check(self, block: ConfigBlock, *, group: Group) -> Plan:
        """Read PollIntervalMillis and ProbeName; the probe must be one that may run here."""
        interval = read_interval(block.element, group=group)
        probe = _probe(block, group)
        return Plan(NAME, interval, {"probe": probe, "address": read_address(block)})

    async def collect(self, plan: Plan, *, context: Context) -> Collected:
        """Run the probe once; CollectError unless it ends well with one XML document."""
        member = context.member
        output = await context.run_probe(
            str(plan.data["probe"]),
            address=str(plan.data["address"]),
            epr=member.epr_xml,
            config=member.config,
        )
        return Collected((_document(output, str(plan.data["probe"])),))


def _probe(block: ConfigBlock, group: Group) -> str:
    element = only_child(block.element, "ProbeName")
    # The name is a QName whose prefix says nothing, so it need not be declared.
    name = text_of(element)
    local = name.partition(":")[2] if ":" in name else name
    if not local:
        raise ConfigError(f"{name[:100]!r} names no probe", element="ProbeName")
    try:
        return group.resolve_probe(local)
    except ConfigError as error:
        raise ConfigError(error.message, element=error.element or "ProbeName") from error


def _document(output: bytes, probe: str) -> bytes:
    output = output.strip()
    if not output:
        raise CollectError(f"the probe {probe} printed nothing", code="no-output")
    try:
        root = parse(output, limits=Limits(size=len(output), nodes=1_000_000))
    except MalformedRequest as error:
        raise CollectError(
            f"what the probe {probe} printed is not one XML document: {error.message}",
            code="not-xml",
        ) from error
    return serialise(root)


PLUGIN = SourceType(NAME, (BLOCK,), ExecutionAggregatorSource())
