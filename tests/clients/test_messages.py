"""What the stub answers, and the unit tests' samples, mean the same to the published schemas."""

from __future__ import annotations

import pytest
import xmlschema
from lxml import etree

from tests.clients import messages
from tests.clients.own_schemas import dialect_schema
from tests.shared import published_schemas
from tests.unit.test_schemas import INVALID, VALID

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
# GetResourcePropertyDocument in the drafts too, and health is the project's own.
ADDED = {"gt4 number", "oasis number", "gt4 document", "health with a word for a number"}
RIGHT = [sample for sample in VALID if sample.id not in ADDED]
WRONG = [sample for sample in INVALID if sample.id not in ADDED]


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
