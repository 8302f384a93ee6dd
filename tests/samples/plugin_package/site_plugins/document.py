"""Fetch a plain XML document from the member's own address."""

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
from aggregator.wire.parse import parse, serialise

NAME = "DocumentSource"
BLOCK = "{http://example.org/aggregator/document}DocumentPollType"


class DocumentSource(AggregatorSource):
    """Polls by a plain GET."""

    def check(self, block: ConfigBlock, *, group: Group) -> Plan:
        """Read PollIntervalMillis."""
        text = block.element.findtext("{*}PollIntervalMillis", "").strip()
        if not text.isdecimal() or int(text) < group.min_interval:
            raise ConfigError(
                f"{text!r} is no whole number of at least {group.min_interval}",
                element="PollIntervalMillis",
            )
        return Plan(NAME, int(text), {})

    async def collect(self, plan: Plan, *, context: Context) -> Collected:
        """Fetch the document once."""
        reply = await context.http.get(context.member.epr.address)
        if reply.status != 200:
            raise CollectError(f"HTTP status {reply.status}", code="http-status")
        try:
            return Collected((serialise(parse(reply.body)),))
        except MalformedRequest as error:
            raise CollectError(str(error), code="not-xml") from error


PLUGIN = SourceType(NAME, (BLOCK,), DocumentSource())
