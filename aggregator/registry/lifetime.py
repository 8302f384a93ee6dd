"""Lifetimes: what is granted of what is asked for, renewal, and the end of a registration."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from aggregator.config import GroupSettings
from aggregator.errors import AddRefused, ResourceUnknown
from aggregator.registry.registry import ServiceGroup
from aggregator.store.entries import remove_entry
from aggregator.store.joint import Joint
from aggregator.store.renewing import renew_entries
from aggregator.store.write import Write
from aggregator.store.writing import Writing
from aggregator.wire.times import SECOND, format_datetime

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Renewal:
    """A request to set the TerminationTime of one entry; None asks for an endless life."""

    key: str
    termination: int | None


@dataclass(frozen=True, slots=True)
class Granted:
    """The TerminationTime that was set, None for never; `now` is the instant of the decision.

    ``address`` is that of the entry's member.
    """

    termination: int | None
    now: int
    address: str

    @property
    def is_end(self) -> bool:
        """Whether the time had come when it was set, which ends the entry."""
        return self.termination is not None and self.termination <= self.now


def granted(requested: int | None, *, settings: GroupSettings, now: int) -> int | None:
    """What the group grants: at most its ``max_lifetime`` from now, also to an endless wish.

    Both dialects tell the granted time in the reply (NewTerminationTime), so that granting less
    is an answer there and no fault; see docs/design on lifetimes.
    """
    if not settings.max_lifetime:
        return requested
    latest = now + int(settings.max_lifetime * SECOND)
    return latest if requested is None else min(requested, latest)


def initial_termination(
    requested: int | None, *, family: str, group: ServiceGroup, now: int, member: str
) -> int | None:
    """The first TerminationTime of a registration.

    A time that is over refuses the Add of a final-dialect client; a draft client is given the
    group's ``min_lifetime``, because GT clients with a slow clock would be locked out otherwise.
    """
    if requested is not None and requested <= now:
        if family != "gt4":
            raise AddRefused(
                f"InitialTerminationTime {format_datetime(requested)} is over: it is "
                f"{format_datetime(now)} here; send a later time, or a duration"
            )
        log.warning(
            "InitialTerminationTime of %s lies %.1f s in the past; its clock may be slow",
            member,
            (now - requested) / SECOND,
            extra={"group": group.name, "member": member},
        )
        requested = now + int(group.settings.min_lifetime * SECOND)
    return granted(requested, settings=group.settings, now=now)


def renew(
    group: ServiceGroup, renewals: Sequence[Renewal]
) -> Writing[list[Granted | ResourceUnknown]]:
    """Set the TerminationTime of many entries in one durable transaction, each on its own.

    A time that is now or past ends the entry at once: that is how a GT client deregisters. An
    entry that is unknown or has expired gets ResourceUnknown in its place, the others go on.
    """

    results: list[Granted | ResourceUnknown] = yield Joint(_renew_all, (group, renewals))
    for renewal, result in zip(renewals, results, strict=True):
        if isinstance(result, Granted):
            told = {"group": group.name, "entry": renewal.key, "member": result.address}
            log.info("ended" if result.is_end else "renewed", extra=told)
    return results


def _renew_all(
    write: Write, asked: Sequence[tuple[ServiceGroup, Sequence[Renewal]]]
) -> list[list[Granted | ResourceUnknown]]:
    wanted = [
        (group, renewal, granted(renewal.termination, settings=group.settings, now=write.now))
        for group, renewals in asked
        for renewal in renewals
    ]
    # One that is over is no renewal but the end: for who follows the group, too.
    live = [place for place, (_, _, time) in enumerate(wanted) if time is None or time > write.now]
    found: list[str | None] = [None] * len(wanted)
    renewals_of = [(wanted[place][0].id, wanted[place][1].key, wanted[place][2]) for place in live]
    for place, address in zip(live, renew_entries(write, renewals_of), strict=True):
        found[place] = address
    for place in sorted(set(range(len(wanted))) - set(live)):
        group, renewal, _ = wanted[place]
        found[place] = remove_entry(write, group.id, renewal.key)
    results = iter(
        [
            unknown_entry(group, renewal.key)
            if address is None
            else Granted(time, write.now, address)
            for (group, renewal, time), address in zip(wanted, found, strict=True)
        ]
    )
    return [list(islice(results, len(renewals))) for _, renewals in asked]


def set_termination_time(group: ServiceGroup, renewal: Renewal) -> Writing[Granted]:
    """Renew one entry; raises ResourceUnknown where it is unknown or has expired."""
    (result,) = yield from renew(group, [renewal])
    if isinstance(result, ResourceUnknown):
        raise result
    return result


def destroy(group: ServiceGroup, key: str) -> Writing[None]:
    """End one entry; raises ResourceUnknown where it is unknown or has expired."""
    address: str | None = yield lambda write: remove_entry(write, group.id, key)
    if address is None:
        raise unknown_entry(group, key)
    log.info("destroyed", extra={"group": group.name, "entry": key, "member": address})


def unknown_entry(group: ServiceGroup, key: str) -> ResourceUnknown:
    """The error for an entry that is not, or no longer, there."""
    if not key:
        return ResourceUnknown(
            "the request names no entry: send the ServiceGroupEntryKey of the entry's endpoint "
            "reference as a header, or its address with the key in the path"
        )
    return ResourceUnknown(f"{group.name} has no entry {key[:100]!r}; it expired or never was")
