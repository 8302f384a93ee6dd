"""What a member publishes and how it serves, as values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aggregator.wire.namespaces import GLUE, clark

HostRoot = Literal["GLUECE", "Cluster", "SubCluster", "Host"]
HOST_ROOTS: tuple[HostRoot, ...] = ("GLUECE", "Cluster", "SubCluster", "Host")
FirstFailure = Literal["retry", "cancel"]

DEFAULT_PORT = 9080
DEFAULT_TIMEOUT = 10.0
DEFAULT_MAX_OUTPUT = 1024 * 1024
_HOST_FACTS_PERIOD = 30.0


@dataclass(frozen=True, slots=True)
class Executable:
    """A program whose standard output is the XML; ``argv[0]`` is an absolute path, no shell."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A file that holds the XML."""

    path: Path


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https address that answers a GET with the XML."""

    url: str


@dataclass(frozen=True, slots=True)
class HostFacts:
    """This host in GLUE 1.1 terms, from the hierarchy's level `root` downwards."""

    root: HostRoot


Origin = Executable | File | Url | HostFacts


@dataclass(frozen=True, slots=True)
class Stylesheet:
    """XSLT 1.0 that turns what a producer brought into what is published."""

    path: Path
    text: bytes


@dataclass(frozen=True, slots=True)
class SchedulerTransform:
    """Batch provider output (batchproviders 2004/09) to GLUE ComputingElements."""


Transform = Stylesheet | SchedulerTransform


@dataclass(frozen=True, slots=True)
class ProducerSettings:
    """One producer of a resource property.

    ``name`` is the property's Clark name. ``period`` is in seconds, 0 runs it once;
    ``timeout`` bounds one run, ``max_output`` its bytes. ``first_failure`` says what follows when
    the first run fails: ``retry`` goes on, ``cancel`` gives the producer up, as MDS4 did.
    """

    name: str
    origin: Origin
    period: float = 0.0
    timeout: float = DEFAULT_TIMEOUT
    max_output: int = DEFAULT_MAX_OUTPUT
    transform: Transform | None = None
    first_failure: FirstFailure = "retry"

    @property
    def kind(self) -> str:
        """What produces, in one word that may be published."""
        return _KINDS[type(self.origin)]


_KINDS: dict[type[Origin], str] = {
    Executable: "executable",
    File: "file",
    Url: "url",
    HostFacts: "host",
}

#: What a member without configuration publishes.
HOST_PRODUCERS = tuple(
    ProducerSettings(clark(GLUE, root), HostFacts(root), period=_HOST_FACTS_PERIOD)
    for root in HOST_ROOTS
    if root in ("GLUECE", "Host")
)


@dataclass(frozen=True, slots=True)
class MemberSettings:
    """All settings of a member; ``public_url`` is empty where the bound address is meant.

    ``query_timeout`` is in seconds, ``max_body`` in bytes.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    public_url: str = ""
    query_timeout: float = 10.0
    max_body: int = 4 * 1024 * 1024
    producers: tuple[ProducerSettings, ...] = HOST_PRODUCERS
