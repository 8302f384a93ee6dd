"""One run of a producer: an executable, a file, a URL or this host, up to the property's pieces."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from aggregator.collect.probe_client import ProbeClient, ProbeResult
from aggregator.errors import CollectError, MalformedRequest
from aggregator.member.fetch import fetch
from aggregator.member.host_facts import glue_xml, host_xml, read_host_facts
from aggregator.member.pieces import Piece, pieces_of
from aggregator.member.scheduler import computing_elements
from aggregator.member.settings import (
    Executable,
    File,
    HostFacts,
    HostRoot,
    Origin,
    ProducerSettings,
    SchedulerTransform,
    Stylesheet,
    Url,
)
from aggregator.threads import Aside
from aggregator.wire.namespaces import GLUE, clark
from aggregator.wire.parse import Limits, parse, serialise

_SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED_ON = ("GLOBUS_LOCATION", "LANG", "TZ")

_FAILURES: Mapping[str, tuple[str, str]] = {
    "signal": ("signal", "the program was killed by signal {status}"),
    "timeout": ("timeout", "the program did not end in time"),
    "overflow": ("too-large", "the program wrote more than max_output"),
    "spawn-failed": ("not-started", "the program could not be started"),
    "lost": ("lost", "the program was lost with the process that watches it"),
}


class Transformer(Protocol):
    """Applies stylesheets where they can be stopped."""

    async def transform(self, stylesheet: bytes, document: bytes, *, timeout: float) -> bytes:
        """The element that a stylesheet makes of a document; raises CollectError."""


class Producer:
    """Runs as its settings say; every failure is a CollectError."""

    def __init__(
        self, settings: ProducerSettings, *, probes: ProbeClient, transformer: Transformer
    ) -> None:
        self.settings = settings
        self._probes = probes
        self._transformer = transformer
        self._aside = Aside()

    async def run(self) -> tuple[Piece, ...]:
        """What the producer gives to its property now."""
        output = await self._output(self.settings.origin)
        transform = self.settings.transform
        if isinstance(transform, Stylesheet):
            timeout = self.settings.timeout
            output = await self._transformer.transform(transform.text, output, timeout=timeout)
        try:
            root = parse(output, limits=Limits(size=max(self.settings.max_output, len(output))))
        except MalformedRequest as error:
            raise CollectError(error.message, code="not-xml") from error
        if isinstance(transform, SchedulerTransform):
            root = computing_elements(root)
        return pieces_of(root, property_name=self.settings.name)

    async def _output(self, origin: Origin) -> bytes:
        if isinstance(origin, Executable):
            return await self._execute(origin)
        return await self._aside.run(self._call(origin), timeout=self.settings.timeout)

    def _call(self, origin: File | Url | HostFacts) -> Callable[[], bytes]:
        settings = self.settings
        if isinstance(origin, File):
            return lambda: read_file(origin.path, max_output=settings.max_output)
        if isinstance(origin, Url):
            return lambda: fetch(
                origin.url, timeout=settings.timeout, max_output=settings.max_output
            )
        return lambda: host_facts(origin.root)

    async def _execute(self, origin: Executable) -> bytes:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        result = await self._probes.run(
            origin.argv,
            env={"PATH": _SEARCHED, **environment},
            timeout=self.settings.timeout,
            max_output=self.settings.max_output,
        )
        if result.outcome == "exit" and result.status == 0:
            return result.stdout
        raise _failure(result)


def _failure(result: ProbeResult) -> CollectError:
    code, text = _FAILURES.get(
        result.outcome, ("exit-status", "the program ended with status {status}")
    )
    return CollectError(text.format(status=result.status), code=code, detail=result.stderr)


def read_file(path: Path, *, max_output: int) -> bytes:
    """The content of a regular file; anything else could block for ever. Raises CollectError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CollectError("the file is no regular file", code="file")
            content = file.read(max_output + 1)
    except OSError as error:
        text = os.strerror(error.errno or 0)
        raise CollectError(f"the file can't be read: {text}", code="file") from error
    if len(content) > max_output:
        raise CollectError("the file is larger than max_output", code="too-large")
    return content


def host_facts(root: HostRoot) -> bytes:
    """This host in GLUE, from one level of the hierarchy downwards; looked up now."""
    facts = read_host_facts()
    if root == "Host":
        return host_xml(facts)
    document = parse(glue_xml(facts))
    if root == "GLUECE":
        return serialise(document)
    level = document.find(f".//{clark(GLUE, root)}")
    assert level is not None
    return serialise(level)
