"""Groups to subscribe to, a consumer, and what it was told."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from lxml import etree

from tests import notified, soap
from tests.notified import Consumer
from tests.service import RunningService


@pytest.fixture
def group(service: RunningService) -> Iterator[str]:
    yield service.next_group()
    service.end_entries()


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    with notified.consumer() as running:
        yield running


def told(message: etree._Element) -> str:
    """Of which member a message about Entry tells, after - where it went."""
    values = {etree.QName(c).localname.removesuffix("s"): c for c in message}
    path = "{*}Entry/{*}MemberServiceEPR/{*}Address"
    new = values["NewValue"].findtext(path)
    return str(new) if new else f"-{values['OldValue'].findtext(path)}"


def document(manager: str) -> soap.Answer:
    """All that the manager tells of a subscription."""
    rp = soap.NS["oasis"]["rp"]
    return soap.call(manager, f'<rp:GetResourcePropertyDocument xmlns:rp="{rp}"/>')


def renewed(entry: soap.EntryReference, family: soap.Family = "oasis") -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600))
    assert soap.set_termination_time(entry, at, family=family).status == 200
