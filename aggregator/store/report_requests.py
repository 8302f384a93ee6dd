"""REQUESTs of clients to the aggregators, and the answers: they meet in a row of the store.

A client may be at any web worker of any host; who answers is the collector that holds the lease.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from aggregator.errors import ReportRefused
from aggregator.store.report_feeding import holds
from aggregator.store.report_tables import STARTING, report_aggregators, report_requests
from aggregator.store.statement import Statement
from aggregator.store.write import Write

#: Microseconds for which an answer waits for who asked, past the deadline.
_KEPT = 60_000_000

TYPES = Statement(select(report_aggregators.c.requests, report_aggregators.c.error))
PENDING = Statement(
    select(func.count())
    .select_from(report_requests)
    .where(report_requests.c.outcome == "", report_requests.c.deadline > bindparam("now"))
)
OPEN = Statement(
    insert(report_requests)
    .values(
        type=bindparam("type"),
        arguments=bindparam("arguments"),
        deadline=bindparam("deadline"),
        outcome="",
        kind="",
        answer=b"",
    )
    .returning(report_requests.c.id)
)
WAITING = Statement(
    select(
        report_requests.c.id,
        report_requests.c.type,
        report_requests.c.arguments,
        report_requests.c.deadline,
    )
    .where(report_requests.c.outcome == "", report_requests.c.deadline > bindparam("now"))
    .order_by(report_requests.c.id)
    .limit(bindparam("most"))
)
ANSWER = Statement(
    update(report_requests)
    .where(report_requests.c.id == bindparam("of"), report_requests.c.outcome == "")
    .values(outcome=bindparam("how"), kind=bindparam("form"), answer=bindparam("data"))
)
_ANSWERED = select(report_requests.c.id).where(
    report_requests.c.id.in_(bindparam("ids", expanding=True)), report_requests.c.outcome != ""
)
TAKE = Statement(
    delete(report_requests)
    .where(report_requests.c.id == bindparam("of"))
    .returning(report_requests.c.outcome, report_requests.c.kind, report_requests.c.answer)
)
OLD = Statement(delete(report_requests).where(report_requests.c.deadline < bindparam("before")))


class WaitingRequest(NamedTuple):
    """A REQUEST that waits; `deadline` is an instant."""

    id: int
    type: str
    arguments: Mapping[str, str]
    deadline: int


class RequestAnswer(NamedTuple):
    """What a REQUEST brought. ``outcome``: answered, none (there is nothing), arguments, failed,
    hung, died, large or unknown, with a message in `data`; empty where nobody answered in time.
    ``kind`` is the form of the data: bytes, text or json."""

    outcome: str
    kind: str
    data: bytes


def open_request(
    write: Write, type: str, arguments: Mapping[str, str], *, deadline: int, most: int
) -> int:
    """Have the aggregators asked; the number of the REQUEST.

    Raises ReportRefused where none answers such a type, or too many wait.
    """
    found = TYPES.rows(write.connection)
    known = {name for row, _ in found for name in json.loads(row)}
    # While one is being started nobody knows all; then who asks waits.
    if known and type not in known and not any(error == STARTING for _, error in found):
        raise ReportRefused(
            f"no aggregator answers {type!r}; there is {', '.join(sorted(known))[:1000]}",
            reason="unknown",
        )
    [(waiting,)] = PENDING.rows(write.connection, now=write.now)
    if waiting >= most:
        raise ReportRefused(
            f"{waiting} REQUESTs wait already, which is all that reports.max_requests allows",
            reason="pending",
            retry_after=1,
        )
    said = json.dumps(dict(arguments))
    [(number,)] = write.rows(OPEN, type=type, arguments=said, deadline=deadline)
    return int(number)


def waiting_requests(connection: Connection, *, now: int, most: int) -> list[WaitingRequest]:
    """The oldest REQUESTs that wait for an answer and are in time."""
    return [
        WaitingRequest(number, type, json.loads(arguments), deadline)
        for number, type, arguments, deadline in WAITING.rows(connection, now=now, most=most)
    ]


def answer_requests(
    write: Write, answers: Sequence[tuple[int, RequestAnswer]], *, holder: str, epoch: int
) -> bool:
    """Answer REQUESTs; False, and none is, where the lease is another's."""
    if not holds(write, holder=holder, epoch=epoch):
        return False
    for number, answer in sorted(answers):
        write.run(ANSWER, of=number, how=answer.outcome, form=answer.kind, data=answer.data)
    return True


def answered_requests(connection: Connection, ids: Collection[int]) -> set[int]:
    """Which of these REQUESTs have an answer."""
    rows = connection.execute(_ANSWERED, {"ids": list(ids)})
    return {int(number) for (number,) in rows}


def take_answer(write: Write, number: int) -> RequestAnswer:
    """The answer to a REQUEST, which is over with that."""
    rows = write.rows(TAKE, of=number)
    return RequestAnswer(*rows[0]) if rows else RequestAnswer("", "", b"")


def drop_requests(write: Write) -> None:
    """Drop the REQUESTs whose clients have left long ago."""
    write.run(OLD, before=write.now - _KEPT)
