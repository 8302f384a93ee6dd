"""How the producers do, as the property `{urn:mds-aggregator:member}Producers`.

It publishes instants, never ages, and neither paths nor what a program wrote to standard error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from xml.sax.saxutils import escape, quoteattr

from aggregator.errors import CollectError
from aggregator.member.names import MEMBER, PRODUCERS, split
from aggregator.member.settings import ProducerSettings
from aggregator.model import Health
from aggregator.wire.namespaces import HEALTH
from aggregator.wire.text import xml_text
from aggregator.wire.times import format_datetime

_LONGEST_MESSAGE = 500


def succeeded(health: Health, *, at: int) -> Health:
    """The health after a run that brought something."""
    return Health(at, at, skipped_overruns=health.skipped_overruns)


def failed(health: Health, error: CollectError, *, at: int) -> Health:
    """The health after a run that failed."""
    return replace(
        health,
        last_attempt=at,
        consecutive_failures=health.consecutive_failures + 1,
        error_code=error.code,
        error_message=error.message[:_LONGEST_MESSAGE],
        since=health.since if health.consecutive_failures else at,
    )


def producers_xml(producers: Sequence[ProducerSettings], healths: Sequence[Health]) -> bytes:
    """The property's element: one Producer for each, in the order of the configuration."""
    told = "".join(
        _producer(settings, health) for settings, health in zip(producers, healths, strict=True)
    )
    local = split(PRODUCERS)[1]
    return f'<m:{local} xmlns:m="{MEMBER}">{told}</m:{local}>'.encode()


def _producer(settings: ProducerSettings, health: Health) -> str:
    namespace, local = split(settings.name)
    scope = f" xmlns:p={quoteattr(namespace)}" if namespace else ""
    name = f"p:{local}" if namespace else local
    return (
        f'<m:Producer kind="{settings.kind}" period="{settings.period:.10g}">'
        f"<m:Property{scope}>{name}</m:Property>"
        f'<h:health xmlns:h="{HEALTH}">{"".join(_lines(health))}</h:health></m:Producer>'
    )


def _lines(health: Health) -> Iterator[str]:
    """The children of HealthType in the order of the schema."""
    failing = health.consecutive_failures > 0
    if failing:
        yield f"<h:code>{escape(health.error_code)}</h:code>"
        yield f"<h:message>{xml_text(health.error_message)}</h:message>"
    if failing and health.since is not None:
        yield f"<h:since>{format_datetime(health.since)}</h:since>"
    if health.last_attempt is not None:
        yield f"<h:lastAttempt>{format_datetime(health.last_attempt)}</h:lastAttempt>"
    if health.last_success is not None:
        yield f"<h:lastSuccess>{format_datetime(health.last_success)}</h:lastSuccess>"
    yield f"<h:consecutiveFailures>{health.consecutive_failures}</h:consecutiveFailures>"
    yield f"<h:skippedOverruns>{health.skipped_overruns}</h:skippedOverruns>"
