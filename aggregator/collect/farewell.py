"""When an entry is gone: its source undoes what it set up, its group's sinks forget it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from aggregator.collect.context import EntryContext
from aggregator.collect.delivering import Delivering
from aggregator.collect.recording import Recording
from aggregator.contract import AggregatorSink, AggregatorSource, SourceType
from aggregator.errors import AggregatorException
from aggregator.registry.establish import is_established
from aggregator.registry.plugins import Plugins
from aggregator.store.collection import Assignment

logger = logging.getLogger(__name__)


class Farewell:
    """Takes leave of entries. What fails is logged; a plug-in must bear being told twice."""

    def __init__(
        self,
        *,
        plugins: Plugins,
        sinks: Mapping[str, Sequence[Delivering]],
        recording: Recording,
    ) -> None:
        self._plugins = plugins
        self._sinks = sinks
        self._recording = recording

    def is_needed(self, assignment: Assignment) -> bool:
        """Whether the entry's source or one of its group's sinks wants to know of its end."""
        if self._undone_here(assignment) is not None:
            return True
        return any(
            type(sink.sink.sink).forget is not AggregatorSink.forget
            for sink in self._sinks.get(assignment.group, ())
        )

    def _undone_here(self, assignment: Assignment) -> SourceType | None:
        """The source that wants to be told; what was established is undone by `Releasing`."""
        source = self._plugins.source(assignment.plan.source)
        if source is None or is_established(source):
            return None
        return source if type(source.source).release is not AggregatorSource.release else None

    async def say(self, context: EntryContext) -> None:
        """Tell the source, then the sinks; results that are under way come to none of them."""
        context.gone = True
        assigned = context.assignment
        source = self._undone_here(assigned)
        if source is not None:
            try:
                await source.source.release(assigned.plan, context=context)
            except (Exception, SystemExit):
                logger.exception("%s could not release", source.name, extra=context.words())
        for sink in self._sinks.get(assigned.group, ()):
            try:
                async with sink.turn:
                    tables = await sink.forget(context.member)
                    await self._recording.write(tables.apply)
            except AggregatorException as error:
                name = sink.sink.name
                logger.warning("%s could not forget: %s", name, error, extra=context.words())
