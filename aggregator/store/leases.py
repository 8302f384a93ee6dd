"""Leases of collectors on shards, with an epoch that grows whenever a shard changes hands."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select, update

from aggregator.store.statement import Statement
from aggregator.store.tables import leases
from aggregator.store.upsert import or_nothing
from aggregator.store.write import Write

# In order of shard, so that two collectors that ask for the same ones never wait in a ring.
ALL = Statement(
    select(leases.c.shard, leases.c.holder, leases.c.epoch, leases.c.expires)
    .order_by(leases.c.shard)
    .with_for_update()
)
OPEN = Statement(or_nothing(leases))
TAKE = Statement(
    update(leases)
    .where(leases.c.shard == bindparam("of"))
    .values(
        holder=bindparam("new_holder"), epoch=bindparam("new_epoch"), expires=bindparam("until")
    )
)
RELEASE = Statement(
    update(leases).where(leases.c.holder == bindparam("of")).values(holder="", expires=0)
)
RUNNING = Statement(
    select(func.count()).select_from(leases).where(leases.c.expires > bindparam("now"))
)


def take_shards(write: Write, holder: str, shards: Sequence[int], ttl: float) -> dict[int, int]:
    """Renew what `holder` has of `shards`, take what nobody has; the epochs of all it has now.

    `ttl` is in seconds. A shard that is taken from somebody whose lease ran out gets the next
    epoch, so that nothing that one still writes is taken.
    """
    wanted = set(shards)
    found = ALL.rows(write.connection)
    if missing := wanted - {row[0] for row in found}:
        write.run_many(
            OPEN,
            [{"shard": n, "holder": "", "epoch": 0, "expires": 0} for n in sorted(missing)],
        )
        found = ALL.rows(write.connection)
    held = {
        shard: epoch if owner == holder else epoch + 1
        for shard, owner, epoch, expires in found
        if shard in wanted and (owner == holder or expires <= write.now)
    }
    if not held:
        return {}
    until = write.now + int(ttl * 1e6)
    write.run_many(
        TAKE,
        [
            {"of": shard, "new_holder": holder, "new_epoch": epoch, "until": until}
            for shard, epoch in held.items()
        ],
    )
    return held


def release_shards(write: Write, holder: str) -> None:
    """Give back all that `holder` has; others may take it at once."""
    write.run(RELEASE, of=holder)


def collector_running(connection: Connection, now: int) -> bool:
    """Whether any collector holds a lease."""
    row = RUNNING.row(connection, now=now)
    return bool(row and row[0])
