"""Run a probe for an entry: the rules of the probe folder, the limits, and what each end means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aggregator.collect.probe_client import ProbeClient, ProbeResult
from aggregator.collect.probe_input import probe_stdin
from aggregator.collect.probes import ProbeFolder
from aggregator.errors import CollectError, ConfigError


@dataclass(frozen=True, slots=True)
class ProbeLimits:
    """What one run of a probe may take: seconds, bytes of output, bytes of memory (None: any)."""

    timeout: float = 30.0
    max_output: int = 2**20
    memory_limit: int | None = 512 * 2**20


@dataclass(frozen=True, slots=True)
class ProbeRunner:
    """`aggregator.contract.RunProbe` over a probe server."""

    client: ProbeClient
    folder: ProbeFolder
    limits: ProbeLimits = field(default_factory=ProbeLimits)
    wrapped: bool = False
    extra_env: Mapping[str, str] = field(default_factory=dict)

    async def __call__(
        self, name: str, *, address: str, epr: bytes, config: bytes, arguments: Sequence[str] = ()
    ) -> bytes:
        """Standard output of the probe; CollectError when it failed in any way.

        The error's code is ``refused``, ``timeout``, ``too-large``, ``memory``, ``exit``,
        ``signal``, ``spawn-failed`` or ``lost``.
        """
        try:
            probe = self.folder.resolve(name)
            command = (*probe.command(address), *arguments)
        except ConfigError as error:
            raise CollectError(str(error), code="refused") from error
        result = await self.client.run(
            command,
            stdin=probe_stdin(epr, config, wrapped=self.wrapped),
            env=self.folder.environment(probe, extra=self.extra_env),
            timeout=self.limits.timeout,
            max_output=self.limits.max_output,
            memory_limit=self.limits.memory_limit,
        )
        if (result.outcome, result.status) != ("exit", 0):
            raise self._failure(probe.name, result)
        return result.stdout

    def _failure(self, name: str, result: ProbeResult) -> CollectError:
        limits = self.limits
        whys = {
            "exit": f"ended with exit code {result.status}",
            "signal": f"was ended by signal {result.status}",
            "timeout": f"took longer than {limits.timeout:g} s and was ended",
            "overflow": f"printed more than {limits.max_output} bytes and was ended",
            "memory": f"used more than {limits.memory_limit} bytes of memory and was ended",
            "spawn-failed": f"could not be started: {result.stderr}",
            "lost": "was lost with the process that watched it",
        }
        code = "too-large" if result.outcome == "overflow" else result.outcome
        message = f"the probe {name!r} {whys[result.outcome]}"
        return CollectError(message, code=code, detail=result.stderr)
