"""Reports as nodes send them: taken once each, within what a node may have here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import bindparam, delete, exists, func, select

from aggregator.errors import ReportRefused
from aggregator.store.consumer_tables import consumers, inbox
from aggregator.store.consumers import PUT
from aggregator.store.report_tables import (
    WAITS,
    report_followers,
    report_nodes,
    reports,
    waits,
)
from aggregator.store.statement import Statement
from aggregator.store.upsert import or_nothing
from aggregator.store.write import Write

#: Microseconds over which the rate of a node is looked at, and the same in seconds.
_WINDOW, WINDOW = 10_000_000, 10

KNOWN = Statement(
    select(reports.c.number).where(
        reports.c.node == bindparam("node"), reports.c.report_id == bindparam("of")
    )
)
NODE = Statement(select(report_nodes.c.since).where(report_nodes.c.node == bindparam("node")))
NODES = Statement(select(func.count()).select_from(report_nodes))
ENTER = Statement(or_nothing(report_nodes))
# When the report came that is the last one too many, if those since came too fast.
NTH = Statement(
    select(reports.c.at)
    .where(reports.c.node == bindparam("node"))
    .order_by(reports.c.number.desc())
    .limit(1)
    .offset(bindparam("before"))
)
WAITING = Statement(
    select(func.count(), func.coalesce(func.sum(reports.c.size), 0)).where(
        reports.c.node == bindparam("node"), waits
    )
)
_COLUMNS = [column.name for column in reports.columns if column.name != "number"]
TAKE = Statement(or_nothing(reports), columns=_COLUMNS)
# One that was closed takes nothing more.
FOLLOWERS = Statement(
    select(
        report_followers.c.consumer_id,
        select(func.count())
        .select_from(inbox)
        .where(inbox.c.consumer_id == report_followers.c.consumer_id)
        .scalar_subquery(),
    )
    .join(consumers, consumers.c.id == report_followers.c.consumer_id)
    .where(
        report_followers.c.node == bindparam("node"),
        report_followers.c.type == bindparam("type"),
        consumers.c.token.not_like("closed:%"),
    )
)
FOLLOW = Statement(or_nothing(report_followers))
CONSUMER = Statement(select(consumers.c.id).where(consumers.c.token == bindparam("of")))
REMEMBERED = Statement(
    select(reports.c.number)
    .where(reports.c.node == bindparam("node"))
    .order_by(reports.c.number.desc())
    .limit(1)
    .offset(bindparam("most"))
)
# What waits, or is dead, stays whatever its place.
FORGET = Statement(
    delete(reports).where(
        reports.c.node == bindparam("node"),
        reports.c.number <= bindparam("floor"),
        reports.c.data.is_(None),
    )
)
SOME_NODES = Statement(
    select(report_nodes.c.node)
    .where(report_nodes.c.node > bindparam("after"))
    .order_by(report_nodes.c.node)
    .limit(bindparam("most"))
)
LATEST = Statement(
    select(reports.c.at)
    .where(reports.c.node == bindparam("node"))
    .order_by(reports.c.number.desc())
    .limit(1)
)
# One that came since somebody looked stays, and its node with it.
FORGET_REPORTS = Statement(delete(reports).where(reports.c.node == bindparam("node"), ~waits))
FORGET_NODE = Statement(
    delete(report_nodes).where(
        report_nodes.c.node == bindparam("node"),
        ~exists().where(reports.c.node == report_nodes.c.node),
    )
)


@dataclass(frozen=True, slots=True)
class NewReport:
    """A report as it came: (node, id) is what it is known by."""

    node: str
    id: str
    type: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class NodeLimits:
    """What one node may have here: reports that wait, and bytes of them; reports a second; of all
    nodes, how many there may be. `inbox` is how many may wait for one registration."""

    waiting: int
    size: int
    rate: int
    nodes: int
    inbox: int


def take_report(
    write: Write, report: NewReport, limits: NodeLimits
) -> Literal["taken", "duplicate", "overrun"]:
    """Store a report; "duplicate" where the node sent it before, "overrun" where it was taken, but
    a registration that follows the node is too far behind to have it.

    Raises ReportRefused where the node, or a new one, may have no more.
    """
    if KNOWN.row(write.connection, node=report.node, of=report.id):
        return "duplicate"
    _check(write, report, limits)
    if not write.run(
        TAKE,
        node=report.node,
        report_id=report.id,
        type=report.type,
        content_type=report.content_type,
        at=write.now,
        size=len(report.data),
        data=report.data,
        state=WAITS,
        tries=0,
        due=0,
        taken="",
        error="",
    ):
        # It came by two ways at the same time.
        return "duplicate"
    return "taken" if _tell_followers(write, report, most=limits.inbox) else "overrun"


def _check(write: Write, report: NewReport, limits: NodeLimits) -> None:
    connection, node = write.connection, report.node
    if NODE.row(connection, node=node) is None:
        known = NODES.row(connection)
        if known and int(known[0]) >= limits.nodes:
            raise ReportRefused(
                f"{known[0]} nodes report already, which is all that reports.max_nodes allows",
                reason="nodes",
                retry_after=60,
            )
        write.run(ENTER, node=node, since=write.now)
        return
    nth = NTH.row(connection, node=node, before=limits.rate * WINDOW - 1)
    if nth and 0 <= write.now - int(nth[0]) < _WINDOW:
        raise ReportRefused(
            f"{node} sent {limits.rate * WINDOW} reports in the last {WINDOW} s, which is all that"
            " reports.max_rate allows",
            reason="rate",
            retry_after=1 + (_WINDOW - (write.now - int(nth[0]))) // 1_000_000,
        )
    [(waiting, size)] = WAITING.rows(connection, node=node)
    if waiting >= limits.waiting or (waiting and size + len(report.data) > limits.size):
        raise ReportRefused(
            f"{waiting} reports of {node} with {size} bytes wait to be processed already;"
            " reports.max_waiting and reports.max_waiting_size allow no more",
            reason="full",
            retry_after=5,
        )


def _tell_followers(write: Write, report: NewReport, *, most: int) -> bool:
    """Put a report into the inboxes of those who follow the node; whether all had room."""
    found = FOLLOWERS.rows(write.connection, node=report.node, type=report.type)
    if not found:
        return True
    message = _message(report)
    having_room = [consumer for consumer, waiting in found if waiting < most]
    for consumer in having_room:
        write.run(PUT, consumer=consumer, of=message, now=write.now)
    return len(having_room) == len(found)


def _message(report: NewReport) -> bytes:
    """A report as it waits for a registration: a line of JSON that says what it is; its data."""
    said = {"node": report.node, "id": report.id, "type": report.type}
    return json.dumps({**said, "contentType": report.content_type}).encode() + b"\n" + report.data


def follow_reports(write: Write, mark: str, *, node: str, type: str) -> None:
    """Have what a node reports of a type put into the inbox of the consumer that has a mark."""
    row = CONSUMER.row(write.connection, of=mark)
    if row is not None:
        write.run(FOLLOW, consumer_id=int(row[0]), node=node, type=type)


def some_nodes(write: Write, *, after: str, most: int) -> Sequence[str]:
    """The next nodes by name."""
    return [str(node) for (node,) in SOME_NODES.rows(write.connection, after=after, most=most)]


def forget_reports(write: Write, node: str, *, remembered: int, before: int) -> int:
    """Forget what a node sent long ago, but for the ids of the last; all of it, and the node, where
    its last report was before an instant and none waits. How many were forgotten."""
    latest = LATEST.row(write.connection, node=node)
    is_old = latest is None or int(latest[0]) < before
    if is_old and not WAITING.rows(write.connection, node=node)[0][0]:
        count = write.run(FORGET_REPORTS, node=node)
        write.run(FORGET_NODE, node=node)
        return count
    floor = REMEMBERED.row(write.connection, node=node, most=remembered)
    return write.run(FORGET, node=node, floor=int(floor[0])) if floor else 0
