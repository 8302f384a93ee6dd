"""Reads the registration files of MDS4: who is to be registered where, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aggregator.errors import ConfigError, RequestError
from aggregator.registrant.block import Defaults, RegistrationParameters, read_block
from aggregator.registrant.file_names import local_name
from aggregator.wire import namespaces as ns
from aggregator.wire.epr import EndpointReference, read_epr
from aggregator.wire.parse import Element, Limits, parse

#: Files are our user's own; tens of thousands of registrations in one are fine.
FILE_LIMITS = Limits(size=512 * 1024 * 1024, nodes=40_000_000)

_ROOT = "ServiceGroupRegistrations"
_BLOCK = "ServiceGroupRegistrationParameters"
_DESCRIPTOR = "SecurityDescriptorFile"
#: What may stand beside the blocks. The shipped sample of MDS4 misspells the last, and a guide
#: writes EPRs with a capital letter; all are taken.
_DEFAULTS = {
    "defaultServiceGroupEPR": "group",
    "DefaultServiceGroupEPR": "group",
    "defaultRegistrantEPR": "member",
    "DefaultRegistrantEPR": "member",
    "defaultSecurityDescriptorFile": "descriptor",
    "defaultSecurityDecriptorFile": "descriptor",
}


class RegistrationFileError(ConfigError):
    """Raised for a registration file that can't be used; ``problems`` are told one a line."""

    def __init__(self, path: str, problems: tuple[str, ...]) -> None:
        super().__init__(f"{path}: {problems[0]}")
        self.problems = tuple(f"{path}: {problem}" for problem in problems)


@dataclass(frozen=True, slots=True)
class RegistrationFile:
    """What a file asks for, and ``notes`` on what in it is read but has no effect here."""

    registrations: tuple[RegistrationParameters, ...]
    notes: tuple[str, ...] = ()


def load_registrations(path: str, *, fallback: Defaults | None = None) -> RegistrationFile:
    """Read a file; `fallback` stands in where neither a block nor the file names an EPR.

    Raises RegistrationFileError with every problem that was found, each naming its block by
    position and member.
    """
    try:
        root = parse(Path(path).read_bytes(), limits=FILE_LIMITS)
    except OSError as error:
        raise RegistrationFileError(path, (f"can't be read: {error.strerror}",)) from error
    except RequestError as error:
        raise RegistrationFileError(path, (str(error),)) from error
    problems: list[str] = []
    found = _read(root, fallback or Defaults(), problems)
    if problems:
        raise RegistrationFileError(path, tuple(problems))
    return found


def _read(root: Element, fallback: Defaults, problems: list[str]) -> RegistrationFile:
    namespace, _, local = str(root.tag).rpartition("}")
    namespace = namespace.removeprefix("{")
    if namespace not in ("", ns.SGC) or local not in (_ROOT, _BLOCK):
        problems.append(f"the root element is {root.tag}, expected {_ROOT} in namespace {ns.SGC}")
        return RegistrationFile(())
    defaults = fallback
    notes: list[str] = []
    blocks = [root]
    if local == _ROOT:
        defaults, notes = _defaults(root, namespace, fallback, problems)
        blocks = list(root.iterchildren(ns.clark(namespace, _BLOCK)))
    if not blocks:
        problems.append(f"no {_BLOCK} to process; a file needs at least one")
    read = [
        read_block(block, position, namespace, defaults, problems)
        for position, block in enumerate(blocks, start=1)
    ]
    if any(block.find(ns.clark(namespace, _DESCRIPTOR)) is not None for block in blocks):
        notes.append(_descriptor_note(_DESCRIPTOR))
    return RegistrationFile(tuple(found for found in read if found is not None), tuple(notes))


def _defaults(
    root: Element, namespace: str, fallback: Defaults, problems: list[str]
) -> tuple[Defaults, list[str]]:
    eprs: dict[str, EndpointReference] = {}
    notes: list[str] = []
    for child in root.iterchildren(tag="*"):
        name, problem = local_name(child, namespace, (*_DEFAULTS, _BLOCK))
        meaning = _DEFAULTS.get(name, "")
        if problem or name == _BLOCK:
            problems.extend([problem] if problem else [])
        elif meaning == "descriptor":
            notes.append(_descriptor_note(name))
        elif meaning in eprs:
            problems.append(f"{name} is given twice")
        else:
            try:
                eprs[meaning] = read_epr(child)
            except ConfigError as error:
                problems.append(str(error))
    member = eprs.get("member", fallback.member)
    if "group" in eprs:
        return Defaults(eprs["group"], member), notes
    return Defaults(fallback.group, member, group_is_address=fallback.group_is_address), notes


def _descriptor_note(name: str) -> str:
    return (
        f"{name} is not read: security descriptors belong to the Globus container; "
        "use --cert, --key and --ca"
    )
