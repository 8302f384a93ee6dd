"""The Date of replies, written once a second."""

from __future__ import annotations

import time
from email.utils import formatdate

from gunicorn import util

_written = (0, "")


def date_now() -> str:
    """The present instant as HTTP writes it (RFC 9110, section 5.6.7)."""
    global _written  # noqa: PLW0603  (a text that any thread may write anew)
    second, text = _written
    now = int(time.time())
    if now != second:
        text = formatdate(now, localtime=False, usegmt=True)
        _written = now, text
    return text


def use_for_replies() -> None:
    """Have gunicorn's replies take it: they write the same text for each reply of a second."""
    util.http_date = date_now
