"""A checked registration is stored, once its source has set up elsewhere what it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from aggregator.contract import SourceType
from aggregator.errors import AddRefused, CollectError
from aggregator.model import Entry, Registration
from aggregator.registry.establish import is_established
from aggregator.registry.registry import Registry, ServiceGroup
from aggregator.store.consumers import attach_consumers
from aggregator.store.entries import (
    add_entry,
    count_entries,
    find_duplicate,
    new_key,
    renew_entries,
)
from aggregator.store.write import Write
from aggregator.store.writing import Awaited, Writing


@dataclass(frozen=True, slots=True)
class Added:
    """The entry that an Add made, or found where duplicates renew, and when it ends now."""

    entry: Entry
    termination: int | None
    now: int
    is_new: bool = True


def store(registry: Registry, group: ServiceGroup, registration: Registration) -> Writing[Added]:
    """Store a registration, or renew the entry that it duplicates; raises AddRefused."""
    added: Added
    if source := _to_establish(registry, registration):
        added = yield from _establish_and_store(registry, group, registration, source)
    else:
        added = yield lambda write: _store(registry, group, registration, write)
    return added


def _to_establish(registry: Registry, registration: Registration) -> SourceType | None:
    """The source that has something to set up for a registration."""
    plan = registration.plan
    source = registry.plugins.source(plan.source) if plan is not None else None
    return source if source is not None and is_established(source) else None


def _establish_and_store(
    registry: Registry, group: ServiceGroup, registration: Registration, source: SourceType
) -> Writing[Added]:
    """Let the source set up what it needs, then store the registration; or undo it.

    What duplicates is only renewed: it has what it needs.
    """
    if group.settings.on_duplicate == "renew":
        renewed: Added | None = yield lambda write: _renewed(registry, group, registration, write)
        if renewed is not None:
            return renewed
    establishment = registry.establishing.start(source, registration, group_id=group.id)
    stored = False
    try:
        patience = registry.establishing.patience
        try:
            memory: Mapping[str, str] = yield Awaited(establishment.future, patience)
        except (CollectError, TimeoutError) as error:
            told = f"the {source.name} failed: {error or 'nothing was heard in time'}"
            raise AddRefused(told, causes=(str(error),) if str(error) else ()) from error
        complete = replace(registration, memory=memory, established=True)
        tokens = establishment.tokens
        added: Added = yield lambda write: _store(registry, group, complete, write, tokens=tokens)
        stored = added.is_new
        return added
    finally:
        if not stored:
            establishment.undo()


def _renewed(
    registry: Registry, group: ServiceGroup, registration: Registration, write: Write
) -> Added | None:
    """The entry that a registration duplicates, renewed; None where there is none."""
    found = find_duplicate(write.connection, group.id, registration.fingerprint, write.now)
    if found is None:
        return None
    renew_entries(write, [(group.id, found.key, registration.termination)])
    registry.counter.accepted(write, group.id)
    return Added(found, registration.termination, write.now, is_new=False)


def _store(
    registry: Registry,
    group: ServiceGroup,
    registration: Registration,
    write: Write,
    *,
    tokens: Sequence[str] = (),
) -> Added:
    settings, owner = group.settings, registration.caller.owner
    if settings.on_duplicate == "renew":
        renewed = _renewed(registry, group, registration, write)
        if renewed is not None:
            return renewed
    count = count_entries(write, group.id, limit=settings.max_entries)
    if count >= settings.max_entries:
        raise AddRefused(
            f"{group.name} holds {count} entries, which is all that max_entries allows"
        )
    if settings.max_entries_per_caller:
        own = count_entries(write, group.id, owner, limit=settings.max_entries_per_caller)
        if own >= settings.max_entries_per_caller:
            raise AddRefused(
                f"{owner or 'this caller'} has {own} entries in {group.name}, which is all that "
                "max_entries_per_caller allows"
            )
    due = write.now if registration.plan is not None and registration.plan.turn else None
    entry = add_entry(write, registration, group_id=group.id, due=due, key=new_key(write.now))
    attach_consumers(write, tokens, entry_id=entry.id)
    registry.counter.accepted(write, group.id)
    return Added(entry, entry.termination, write.now)
