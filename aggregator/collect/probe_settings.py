"""The probe folder as the settings ask for it, the same in every process of a host."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from aggregator.collect.probes import ACTIONS, ProbeFolder, shipped_folder
from aggregator.config import Clash, Settings, closest
from aggregator.errors import ConfigError

#: The probe whose checks ``[probes.nagios]`` configures.
_NAGIOS = "nagios"
_NAMES_TOLD = 30


def probe_folder(settings: Settings) -> ProbeFolder:
    """The probes that may run; raises ConfigError where the settings can't work."""
    return _opened(settings, allowed=settings.probes.allowed)


def action_folder(settings: Settings) -> ProbeFolder:
    """The actions that rules may name; raises ConfigError where the settings can't work."""
    return _actions(settings, allowed=settings.triggers.allowed)


def not_to_be_run(settings: Settings) -> Iterator[Clash]:
    """What is wrong with the folder, the configured checks, and the probes that may run."""
    yield from _not_in(_opened, settings, "probe", "probes", settings.probes.allowed)
    yield from _not_in(_actions, settings, "action", "triggers", settings.triggers.allowed)


def _not_in(
    opened: Callable[..., ProbeFolder],
    settings: Settings,
    noun: str,
    section: str,
    allowed: Sequence[str],
) -> Iterator[Clash]:
    try:
        folder = opened(settings, allowed=())
    except ConfigError as error:
        section, key, *below = (error.element or f"{section}.folder").split(".", 2)
        yield Clash(((section, key),), error.message, tuple(below))
        return
    for position, name in enumerate(allowed):
        if reason := folder.refusal_of(name):
            near = closest(name, folder.may_be_allowed())
            told = f"did you mean {near}?" if near else f"known here: {_told(folder)}"
            text = f'the {noun} "{name}" {reason}; {told}'
            yield Clash(((section, "allowed"),), text, (position,))


def _opened(settings: Settings, *, allowed: Collection[str]) -> ProbeFolder:
    probes = settings.probes
    folder = Path(probes.folder) if probes.folder else shipped_folder()
    checks = {**probes.checks, **({_NAGIOS: probes.nagios} if probes.nagios else {})}
    try:
        return ProbeFolder(folder, allowed=allowed, checks=checks)
    except ConfigError as error:
        section, _, name = (error.element or "").partition(".")
        if section == "probes" and name in probes.checks and name != _NAGIOS:
            # The folder does not know which settings its checks came from.
            raise ConfigError(error.message, element=f"probes.checks.{name}") from error
        raise


def _actions(settings: Settings, *, allowed: Collection[str]) -> ProbeFolder:
    folder = settings.triggers.folder
    path = Path(folder) if folder else shipped_folder(ACTIONS)
    return ProbeFolder(path, allowed=allowed, kind=ACTIONS)


def _told(folder: ProbeFolder) -> str:
    return ", ".join(folder.may_be_allowed()[:_NAMES_TOLD]) or "none"
