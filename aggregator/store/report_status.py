"""The aggregators of the deployment as all processes see them, what they saved, and what waits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from aggregator.store.report_feeding import holds
from aggregator.store.report_tables import (
    is_dead,
    report_aggregators,
    report_memory,
    report_nodes,
    reports,
    waits,
)
from aggregator.store.statement import Statement
from aggregator.store.upsert import or_replace
from aggregator.store.write import Write
from aggregator.wire.text import plain_text

CLEAR = Statement(delete(report_aggregators))
ENTER = Statement(insert(report_aggregators))
TELL = Statement(
    update(report_aggregators)
    .where(report_aggregators.c.name == bindparam("of"))
    .values(since=bindparam("at"), error=bindparam("why"))
)
ALL = Statement(
    select(
        report_aggregators.c.name,
        report_aggregators.c.reports,
        report_aggregators.c.requests,
        report_aggregators.c.updates,
        report_aggregators.c.since,
        report_aggregators.c.error,
    ).order_by(report_aggregators.c.position)
)
MEMORY = Statement(select(report_memory.c.aggregator, report_memory.c.data))
SAVE = Statement(or_replace(report_memory))


def _count(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(reports).where(*conditions).scalar_subquery()


COUNT = Statement(select(_count(waits), _count(is_dead)))
_of_node = reports.c.node == report_nodes.c.node
NODES = Statement(
    select(
        report_nodes.c.node,
        report_nodes.c.since,
        select(reports.c.at)
        .where(_of_node)
        .order_by(reports.c.number.desc())
        .limit(1)
        .scalar_subquery(),
        _count(_of_node, waits),
        _count(_of_node, is_dead),
    )
    .where(report_nodes.c.node > bindparam("after"))
    .order_by(report_nodes.c.node)
    .limit(bindparam("most"))
)
DEAD_ONES = Statement(
    select(
        reports.c.number,
        reports.c.node,
        reports.c.report_id,
        reports.c.type,
        reports.c.at,
        reports.c.size,
        reports.c.tries,
        reports.c.error,
    )
    # By their own index, which is small: by their numbers all reports would be looked through.
    .where(
        reports.c.number.in_(select(reports.c.number).where(is_dead)),
        reports.c.number > bindparam("after"),
    )
    .order_by(reports.c.number)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class AggregatorState:
    """An aggregator: the types of reports that it takes, REQUESTs that it answers and updates that
    it pushes; since when it runs, or why it does not."""

    name: str
    reports: tuple[str, ...]
    requests: tuple[str, ...]
    updates: tuple[str, ...]
    since: int = 0
    error: str = ""


class NodeState(NamedTuple):
    """A node: since when it is known, when it reported last, what of it waits and is dead."""

    node: str
    since: int
    last: int | None
    waiting: int
    dead: int


class DeadReport(NamedTuple):
    """A report that failed too often, and why it did the last time."""

    number: int
    node: str
    id: str
    type: str
    at: int
    size: int
    tries: int
    error: str


def announce_aggregators(
    write: Write, found: Sequence[AggregatorState], *, holder: str, epoch: int
) -> bool:
    """Say which aggregators there are from now on; False where the lease is another's."""
    if not holds(write, holder=holder, epoch=epoch):
        return False
    write.run(CLEAR)
    for position, one in enumerate(found):
        write.run(
            ENTER,
            name=one.name,
            position=position,
            reports=json.dumps(one.reports),
            requests=json.dumps(one.requests),
            updates=json.dumps(one.updates),
            since=one.since or write.now,
            error=plain_text(one.error)[:1000],
        )
    return True


def tell_aggregator(write: Write, name: str, *, error: str, holder: str, epoch: int) -> bool:
    """Say that an aggregator runs from now on, or why it does not."""
    if not holds(write, holder=holder, epoch=epoch):
        return False
    write.run(TELL, of=name, at=write.now, why=plain_text(error)[:1000])
    return True


def aggregators(connection: Connection) -> list[AggregatorState]:
    """The aggregators in the order in which they are started."""
    return [
        AggregatorState(
            name,
            tuple(json.loads(taken)),
            tuple(json.loads(answered)),
            tuple(json.loads(pushed)),
            since,
            error,
        )
        for name, taken, answered, pushed, since, error in ALL.rows(connection)
    ]


def saved_data(connection: Connection) -> Mapping[str, str]:
    """What each aggregator saved last, as JSON."""
    return dict(MEMORY.rows(connection))


def save_data(write: Write, aggregator: str, data: str, *, holder: str, epoch: int) -> bool:
    """Keep what an aggregator saves, which is JSON; False where the lease is another's."""
    if not holds(write, holder=holder, epoch=epoch):
        return False
    write.run(SAVE, aggregator=aggregator, data=data)
    return True


def count_reports(connection: Connection) -> tuple[int, int]:
    """How many reports wait, and how many are dead."""
    [(waiting, dead)] = COUNT.rows(connection)
    return int(waiting), int(dead)


def node_states(connection: Connection, *, after: str, most: int) -> list[NodeState]:
    """The next nodes by name."""
    return [NodeState(*row) for row in NODES.rows(connection, after=after, most=most)]


def dead_reports(connection: Connection, *, after: int, most: int) -> list[DeadReport]:
    """The next dead reports by number."""
    return [DeadReport(*row) for row in DEAD_ONES.rows(connection, after=after, most=most)]
