"""What a browser is shown at the addresses of groups and entries."""

from __future__ import annotations

import html
import re

import pytest

from tests import soap
from tests.integration.test_serve import get
from tests.service import RunningService

LIFETIME = ["SetTerminationTime", "Destroy"]
READS = [
    "GetResourceProperty",
    "GetMultipleResourceProperties",
    "QueryResourceProperties",
    "GetResourcePropertyDocument",
]
PRODUCES = [
    "Subscribe",
    "GetCurrentMessage",
    "CreatePullPointSubscription",
    "GetEventProperties",
    "GetServiceCapabilities",
]


def operations(page: str) -> list[str]:
    return re.findall(r"<li><code>(\w+)</code></li>", page)


def test_a_group_names_what_it_does_and_what_it_does_for_its_entries(group: str) -> None:
    status, page = get(group)
    assert status == 200
    own, _, for_entries = page.partition("With the key of an entry in a header also:")
    assert operations(own) == ["Add", *READS, *PRODUCES]
    assert operations(for_entries) == LIFETIME


def test_an_entry_has_a_page_while_it_is_there(group: str) -> None:
    entry = soap.add(group, "http://127.0.0.1:1/seen")
    for address in (entry.address, f"{group}Entry"):
        status, page = get(address)
        assert (status, operations(page)) == (200, [*LIFETIME, *READS, *PRODUCES])
        assert f"POST an envelope to <code>{address}</code>" in page
    assert soap.destroy(entry).status == 200
    status, page = get(entry.address)
    assert status == 404
    assert f"has no entry <code>{entry.key}</code>; it expired, or never was" in page
    assert f'<a href="{group}">The group</a>' in page
    assert get(f"{entry.address}?wsdl")[0] == 404


@pytest.mark.parametrize("key", ["none", "%3Cscript%3E", "a%00b", "x" * 3000])
def test_keys_that_never_were_are_shown_harmlessly(group: str, key: str) -> None:
    status, page = get(f"{group}Entry/{key}")
    assert status == 404
    assert "it expired, or never was" in page
    assert "<script>" not in page
    assert len(html.unescape(page)) < 2000


def test_an_entry_of_another_group_is_none_of_this_one(served: RunningService, group: str) -> None:
    entry = soap.add(group, "http://127.0.0.1:1/elsewhere")
    assert get(f"{served.next_group()}Entry/{entry.key}")[0] == 404
