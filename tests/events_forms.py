"""For tests of the forms in which events are sent: written, and read back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aggregator.events import Message, RawMessage, json_format, xml_format
from aggregator.events.encoding import decode, encode

LIMIT = 1024 * 1024
FORMATS = {"json": json_format.CONTENT_TYPE, "xml": xml_format.CONTENT_TYPE}
each_format = pytest.mark.parametrize("form", FORMATS)


def through(message: Message | RawMessage, form: str) -> Any:
    """What a message is after it was sent in a form."""
    sent = encode(message, encoding=form, limit=LIMIT)
    return decode(sent.body, sent.content_type, sent.headers, limit=LIMIT)


def read_json(document: Any) -> Any:
    """What a document, or its bytes, are read as."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return decode(body, json_format.CONTENT_TYPE, {}, limit=LIMIT)


def read_xml(body: str) -> Any:
    """What the text of a document is read as."""
    return decode(body.encode(), xml_format.CONTENT_TYPE, {}, limit=LIMIT)
