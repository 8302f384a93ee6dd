"""What the stub answers, and the unit tests' samples, mean the same to the published schemas."""

from __future__ import annotations

import pytest
import xmlschema
from lxml import etree

from tests.clients import messages
from tests.clients.own_schemas import dialect_schema
from tests.shared import published_schemas
from tests.unit import test_notification_schemas, test_schemas

TIME = "2026-01-01T00:20:00Z"
ENTRY = {"address": "http://host/Entry/1", "entry_key": "1"}
REPLIES = [
    pytest.param(dialect, text, id=f"{dialect}-{name}")
    for dialect in ("gt4", "oasis")
    for name, text in {
        "Add": messages.add_response(dialect, **ENTRY, termination=TIME, now=TIME),
        "Entry": messages.property_response(
            dialect, messages.entry(dialect, **ENTRY, member="http://site/x?a=1&b=2")
        ),
        "SetTerminationTime": messages.time_response(dialect, termination=TIME, now=TIME),
        "ResourceUnknownFault": messages.resource_unknown(dialect, now=TIME, description="<no>"),
    }.items()
]
# Where the project means to differ: text alone answers a query for a number, a member answers
# GetResourcePropertyDocument in the drafts too, a value of the drafts may be several elements, and
# health and some of notification are the project's own. A TopicSet whose topics are named as
# properties is invalid to who has their schemas too, though WS-Topics demands those names.
ADDED = {
    "oasis producer",
    *("gt4 number", "oasis number", "gt4 document", "health with a word for a number"),
    *("gt4 several values", "gt4 policy kept"),
    *("gt4 header", "oasis header", "header without an id"),
}
RIGHT = [
    sample
    for sample in (*test_schemas.VALID, *test_notification_schemas.VALID)
    if sample.id not in ADDED
]
WRONG = [
    sample
    for sample in (*test_schemas.INVALID, *test_notification_schemas.INVALID)
    if sample.id not in ADDED
]


def refusal(text: str) -> str:
    """Why the published schemas refuse a message; empty where they take it."""
    published = published_schemas()
    try:
        published.validate(etree.fromstring(text))
    except xmlschema.XMLSchemaValidationError as error:
        return error.reason or "no reason is given"
    return ""


@pytest.mark.parametrize(("dialect", "text"), REPLIES)
def test_own_schemas_take_the_replies(dialect: str, text: str) -> None:
    schema = dialect_schema(dialect)
    assert schema.validate(etree.fromstring(text)), schema.error_log


@pytest.mark.parametrize(("dialect", "text"), [*REPLIES, *RIGHT])
def test_published_schemas_take_the_same(dialect: str, text: str) -> None:
    assert refusal(text) == ""


@pytest.mark.parametrize(("dialect", "text"), WRONG)
def test_published_schemas_refuse_the_same(dialect: str, text: str) -> None:
    assert refusal(text) != ""
