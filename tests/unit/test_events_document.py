"""The page of events is the generated one, and what it shows is so."""

from __future__ import annotations

import pytest

from aggregator.events import SubscriberFactory
from aggregator.events.document import SHOWN, page
from aggregator.events.encoding import decode
from aggregator.events.json_format import CONTENT_TYPE as JSON
from aggregator.events.xml_format import CONTENT_TYPE as XML
from tests import events_kit
from tests.events_kit import Inbox
from tests.pages import Page
from tests.sources_read import ROOT

PAGE = Page(ROOT / "docs" / "events.md")
system = events_kit.system


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.text == page(), "renew it: python -m aggregator.events.document > docs/events.md"


@pytest.mark.parametrize(("language", "content_type"), [("json", JSON), ("xml", XML)])
def test_the_documents_that_are_shown_are_read(language: str, content_type: str) -> None:
    (text,) = PAGE.fenced(language)
    assert f"`{content_type}`" in PAGE.text
    assert decode(text.encode(), content_type, {}, limit=10_000) == SHOWN


@pytest.mark.parametrize("number", range(4))
def test_the_programs_that_are_shown_run(system: str, number: int) -> None:
    programs = PAGE.fenced("python")
    assert len(programs) == 4
    inbox = Inbox()
    variables: dict[str, object] = {}
    with SubscriberFactory(handler=inbox).build():
        exec(compile(programs[number], PAGE.name, "exec"), variables)
        if "publisher" in variables:
            assert inbox.next().content.additional_data is not None
    terminate = getattr(variables.get("subscriber"), "terminate", None)
    if terminate is not None:
        terminate()
