"""Structured logs: one line per fact, text for people and JSON for programs."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from aggregator.run.log_handler import PatientHandler

#: Fields beside the message, in this order.
FIELDS = (
    "role",
    "group",
    "entry",
    "member",
    "subscription",
    "consumer",
    "operation",
    "dialect",
    "status",
    "seconds",
    "caller",
    "source",
    "outcome",
    "detail",
)


def configure(*, level: str, form: str, role: str) -> None:
    """Send the logs of this process to standard error.

    `form` is ``text``, ``json``, or ``auto``: text where standard error is a terminal.
    """
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = PatientHandler()
    handler.setFormatter(TextFormatter(role) if text else JsonFormatter(role))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # They tell every run of the housekeeping, and every plug-in that they load.
    for chatty in ("apscheduler", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _fields(record: logging.LogRecord, role: str) -> dict[str, object]:
    found = {name: getattr(record, name) for name in FIELDS if getattr(record, name, None)}
    return {"role": role, **found}


def _stamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


class JsonFormatter(logging.Formatter):
    """A JSON object a line: time, level, logger, message, and the fields that are known."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line: dict[str, object] = {
            "time": _stamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record, self._role),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """``time LEVEL role message key=value...``, a traceback below."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        fields = _fields(record, self._role)
        role = fields.pop("role")
        known = "".join(f" {name}={_quoted(value)}" for name, value in fields.items())
        line = f"{_stamp(record)} {record.levelname:7} {role}: {record.getMessage()}{known}"
        # A line break that a client sent must not begin a line of its own.
        line = line.replace("\n", "\\n").replace("\r", "\\r")
        if record.exc_info and record.exc_info[0] is not None:
            line += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
        return line


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text) if any(c in text for c in ' "=') else text
