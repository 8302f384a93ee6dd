"""Java classes of MDS4's resource property providers, by the last part of their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aggregator.errors import ConfigError
from aggregator.member.keys import is_web_address
from aggregator.member.settings import (
    Executable,
    File,
    Origin,
    SchedulerTransform,
    Transform,
    Url,
)
from aggregator.member.stylesheet import read_stylesheet

#: The element producers of org.globus.mds.usefulrp.rpprovider.producers that run here.
PRODUCERS = (
    "ExternalProcessElementProducer",
    "FileElementProducer",
    "SchedulerInfoElementProducer",
    "URLElementProducer",
)
#: The transforms of org.globus.mds.usefulrp.rpprovider.transforms that run here.
TRANSFORMS = (
    "GLUEComputeElementTransform",
    "GLUESchedulerElementTransform",
    "XSLTFileElementTransform",
)
#: The implementations of a property: one value, several, or parts merged into one GLUECE.
IMPLEMENTATIONS = (
    "GLUEResourceProperty",
    "MultiValueResourcePropertyProvider",
    "SingleValueResourcePropertyProvider",
)
_INSTEAD: Mapping[str, str] = {
    "GangliaElementProducer": "run a program that asks Ganglia, or publish the host's own facts",
    "HawkeyeElementProducer": "run a program that asks Hawkeye, or publish the host's own facts",
    "JVMInfoElementProducer": "there is no Java virtual machine here",
}


def origin(name: str, arguments: Sequence[str], *, base: Path) -> Origin:
    """What a producer class stands for; raises ConfigError for one that does not run here."""
    last = _known(name, PRODUCERS, "element producer")
    if not arguments or not arguments[0]:
        raise ConfigError(f"{last} needs an argument: {_FIRST_ARGUMENT[last]}")
    return _ORIGINS[last](arguments, base)


def transform(name: str, arguments: Sequence[str], *, base: Path) -> Transform | None:
    """What a transform class stands for, None where it changes nothing; raises ConfigError."""
    last = _known(name, TRANSFORMS, "transform")
    if last == "GLUESchedulerElementTransform":
        return SchedulerTransform()
    if last == "XSLTFileElementTransform":
        if not arguments or not arguments[0]:
            raise ConfigError(f"{last} needs a transformArguments element: the stylesheet's file")
        return read_stylesheet(base / arguments[0])
    if arguments:
        raise ConfigError(f"{last} with a cluster configuration is not built: leave it out")
    return None


def check_implementation(name: str) -> None:
    """Raise ConfigError for a property implementation that is not known here."""
    _known(name, IMPLEMENTATIONS, "resource property implementation")


def _known(name: str, known: Sequence[str], what: str) -> str:
    last = name.rpartition(".")[2]
    if last in known:
        return last
    instead = f"; {_INSTEAD[last]}" if last in _INSTEAD else ""
    raise ConfigError(
        f"{name[:200]!r} is no {what} that runs here; there are {', '.join(known)}{instead}"
    )


def _program(arguments: Sequence[str], base: Path) -> Origin:
    return Executable((str(base / arguments[0]), *arguments[1:]))


def _file(arguments: Sequence[str], base: Path) -> Origin:
    return File(base / arguments[0])


def _url(arguments: Sequence[str], _base: Path) -> Origin:
    if not is_web_address(arguments[0]):
        raise ConfigError(f"{arguments[0][:200]!r} is not an http or https address")
    return Url(arguments[0])


_FIRST_ARGUMENT: Mapping[str, str] = {
    "ExternalProcessElementProducer": "the program",
    "FileElementProducer": "the file",
    "SchedulerInfoElementProducer": "the scheduler provider's program",
    "URLElementProducer": "the address",
}
_ORIGINS: Mapping[str, Callable[[Sequence[str], Path], Origin]] = {
    "ExternalProcessElementProducer": _program,
    "FileElementProducer": _file,
    "SchedulerInfoElementProducer": _program,
    "URLElementProducer": _url,
}
