"""What GET answers at the address of an entry: its page and its WSDL, as long as it is there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aggregator.errors import StoreUnavailable
from aggregator.server.documents import get_document
from tests.unit.view_fakes import NOW

ENTRIES = "/wsrf/services/GroupEntry"
QUERIES = ("", "wsdl", "WSDL=", "wsdl=gt4")


class FakeSite:
    """A site whose one group knows the entry `there`; `stale_since` while its store is away."""

    public_url = "http://index:8080"

    def __init__(self, *, stale_since: int | None = None, is_unread: bool = False) -> None:
        self.stale_since = stale_since
        self.is_unread = is_unread
        store = SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW))
        self.registry = SimpleNamespace(groups={"Group": None}, store=store)
        self.views = self

    def current(self, name: str) -> FakeSite:
        assert name == "Group"
        if self.is_unread:
            raise StoreUnavailable("away")
        return self

    def entry(self, key: str, *, now: int) -> str | None:
        assert now == NOW
        return key if key == "there" else None


def status(path: str, query: str, **site: Any) -> int:
    return get_document(FakeSite(**site), path, query).status  # type: ignore[arg-type]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/wsrf/services/Group", 200),
        (ENTRIES, 200),
        (f"{ENTRIES}/", 200),
        (f"{ENTRIES}/there", 200),
        (f"{ENTRIES}/gone", 404),
        ("/wsrf/services/Other", 404),
    ],
)
def test_pages_and_wsdls_are_at_the_same_addresses(path: str, wanted: int, query: str) -> None:
    assert status(path, query) == wanted


def test_an_entry_that_is_not_there_has_the_same_answer_for_its_wsdl() -> None:
    site: Any = FakeSite()
    page, wsdl = (get_document(site, f"{ENTRIES}/gone", query) for query in ("", "wsdl"))
    assert page == wsdl
    assert b"has no entry <code>gone</code>" in wsdl.body


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("away", [{"stale_since": NOW}, {"is_unread": True}])
def test_what_the_store_does_not_say_is_not_said(query: str, away: dict[str, Any]) -> None:
    """An entry that is unknown here may have been added just before the store went away."""
    assert status(f"{ENTRIES}/gone", query, **away) == 200


def test_the_wsdl_is_that_of_all_entries() -> None:
    document = get_document(FakeSite(), f"{ENTRIES}/there", "wsdl")  # type: ignore[arg-type]
    assert b'location="http://index:8080/wsrf/services/GroupEntry"' in document.body
