"""A report taken from a node: in the store when that is answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from aggregator.config import Settings
from aggregator.errors import MalformedRequest, ReportRefused, RequestTooLarge
from aggregator.reports import metrics
from aggregator.reports.names import CONTENT_TYPES, ID, NODE, TYPE
from aggregator.server.body import read_body
from aggregator.server.documents import Document
from aggregator.server.reports.answering import document
from aggregator.store.report_inbox import NewReport, NodeLimits, take_report
from aggregator.store.writing import Writing

_CONTENT_TYPE = re.compile(r"[\x20-\x7e]{0,200}")
_BINARY = CONTENT_TYPES["bytes"]


def read_report(
    settings: Settings, environ: Mapping[str, Any], *, node: str, type: str, id: str
) -> NewReport:
    """The report in a request; raises MalformedRequest, RequestTooLarge."""
    for what, given, form in (("node", node, NODE), ("type", type, TYPE), ("id", id, ID)):
        if not form.fullmatch(given):
            metrics.RECEIVED.labels("wrong").inc()
            raise MalformedRequest(f"{given[:60]!r} is no {what}: see docs/reports.md")
    content_type = str(environ.get("CONTENT_TYPE") or _BINARY)
    if not _CONTENT_TYPE.fullmatch(content_type):
        content_type = _BINARY
    try:
        data = read_body(environ, limit=min(settings.reports.max_report, settings.server.max_body))
    except MalformedRequest as error:
        metrics.RECEIVED.labels("size" if isinstance(error, RequestTooLarge) else "wrong").inc()
        raise
    return NewReport(node, id, type, content_type, data)


def take(settings: Settings, report: NewReport) -> Writing[Document]:
    """Store a report: 201 where it is new, 200 where the node had it taken before."""
    given = settings.reports
    limits = NodeLimits(
        waiting=given.max_waiting,
        size=given.max_waiting_size,
        rate=given.max_rate,
        nodes=given.max_nodes,
        inbox=settings.notifications.max_inbox,
    )
    try:
        outcome: str = yield partial(take_report, report=report, limits=limits)
    except ReportRefused as error:
        metrics.RECEIVED.labels(error.reason).inc()
        raise
    if outcome == "overrun":
        metrics.OVERRUN.inc()
        outcome = "taken"
    metrics.RECEIVED.labels(outcome).inc()
    return document({"report": outcome}, status=201 if outcome == "taken" else 200)
