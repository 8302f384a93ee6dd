"""Running the actions of triggers: under the rules of probes, with the settings of each alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from aggregator.collect.content import plain
from aggregator.collect.probe_client import ProbeClient, ProbeResult
from aggregator.collect.probe_runner import ProbeLimits
from aggregator.collect.probes import ProbeFolder
from aggregator.config import Settings
from aggregator.config.actions import settings_for
from aggregator.errors import ConfigError, MalformedRequest
from aggregator.triggers.running import ActionEnd
from aggregator.wire.parse import Limits, parse, serialise

#: The exit code of what can't be done now (EX_TEMPFAIL of sysexits).
LATER = 75
_LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class ActionRunner:
    """`aggregator.triggers.running.RunAction` over a probe server.

    `told` gives an action's environment beside what any probe has.
    """

    client: ProbeClient
    folder: ProbeFolder
    limits: ProbeLimits
    told: Callable[[str], Mapping[str, str]] = lambda action: {}

    async def __call__(self, name: str, number: str, given: bytes) -> ActionEnd:
        """Run an action; never raises for how that ends."""
        try:
            action = await asyncio.to_thread(self.folder.resolve, name)
        except ConfigError as error:
            return ActionEnd(False, message=plain(str(error), _LONGEST_MESSAGE))
        extra = {"AGGREGATOR_ACTION_ID": number, **self.told(name)}
        result = await self.client.run(
            (str(action.path),),
            stdin=given,
            env=self.folder.environment(action, extra=extra),
            timeout=self.limits.timeout,
            max_output=self.limits.max_output,
            memory_limit=self.limits.memory_limit,
        )
        if result.outcome == "exit" and result.status == 0:
            return replace(_done(result.stdout), detail=plain(result.stderr, _LONGEST_MESSAGE))
        return ActionEnd(
            False,
            again=result.outcome == "exit" and result.status == LATER,
            unknown=result.outcome == "lost",
            message=self._why(result),
            detail=plain(result.stderr, _LONGEST_MESSAGE),
        )

    def _why(self, result: ProbeResult) -> str:
        limits = self.limits
        whys = {
            "exit": f"it ended with exit code {result.status}",
            "signal": f"it was ended by signal {result.status}",
            "timeout": f"it took longer than {limits.timeout:g} s and was ended",
            "overflow": f"it printed more than {limits.max_output} bytes and was ended",
            "memory": f"it used more than {limits.memory_limit} bytes of memory and was ended",
            "spawn-failed": "it could not be started",
            "lost": "it was lost with the process that watched it",
        }
        return whys[result.outcome]


def told_by(settings: Settings) -> Callable[[str], Mapping[str, str]]:
    """What gives an action its settings, in its environment."""
    return lambda action: {"AGGREGATOR_ACTION_SETTINGS": json.dumps(settings_for(settings, action))}


def _done(output: bytes) -> ActionEnd:
    output = output.strip()
    if not output:
        return ActionEnd(True)
    try:
        root = parse(output, limits=Limits(size=len(output), nodes=100_000))
    except MalformedRequest as error:
        told = f"it was done; what it printed is not one XML document: {error.message}"
        return ActionEnd(True, message=plain(told, _LONGEST_MESSAGE))
    return ActionEnd(True, output=serialise(root))
