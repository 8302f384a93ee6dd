"""What GET answers at the address of an entry: its page and its WSDL, as long as it is there."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from aggregator.config import GroupSettings
from aggregator.errors import StoreUnavailable
from aggregator.server.documents import get_document
from aggregator.server.service import HANDLERS
from aggregator.server.wsdl import DialectName, Kind, wsdl
from aggregator.wire.dialects import OPERATIONS
from tests.unit.view_fakes import NOW

ENTRIES = "/wsrf/services/GroupEntry"
NOTIFICATION = {
    "consumer": "/wsrf/services/NotificationConsumerService",
    "subscription": "/wsrf/services/SubscriptionManagerService",
    "pullpoint": "/wsrf/services/PullPointService",
}
QUERIES = ("", "wsdl", "WSDL=", "wsdl=gt4")


class FakeSite:
    """A site whose one group knows the entry `there`; `stale_since` while its store is away."""

    public_url = "http://index:8080"

    def __init__(self, *, stale_since: int | None = None, is_unread: bool = False) -> None:
        self.stale_since = stale_since
        self.is_unread = is_unread
        store = SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW))
        groups = {
            name: SimpleNamespace(settings=GroupSettings(name=name, sinks=(sink,)))
            for name, sink in (("Group", "index"), ("Kept", "archive"))
        }
        self.registry = SimpleNamespace(groups=groups, group=groups.__getitem__, store=store)
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
        (NOTIFICATION["consumer"], 200),
        (NOTIFICATION["subscription"], 200),
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


ONVIF = {operation.name for operation in OPERATIONS if operation.spec == "tev"}
ARCHIVE = {operation.name for operation in OPERATIONS if operation.spec == "arc"}


def told(page: bytes) -> set[str]:
    """The operations that a page names."""
    return set(re.findall(r"<code>(\w+)</code>", page.decode()))


@pytest.mark.parametrize("kind", NOTIFICATION)
def test_whether_there_is_a_key_is_not_told(kind: str) -> None:
    """It is a secret: who knows it may end a subscription, or be believed as a producer."""
    site: Any = FakeSite(is_unread=True)
    pages = {get_document(site, NOTIFICATION[kind] + below, "").body for below in ("", "/a", "/b")}
    (page,) = pages
    assert told(page) == {name for known, name in HANDLERS if known == kind}
    document = get_document(site, f'{NOTIFICATION[kind]}/a"b', "wsdl").body.decode()
    assert f'location="http://index:8080{NOTIFICATION[kind]}/a%22b"' in document


@pytest.mark.parametrize("path", ["/wsrf/services/Group", "/wsrf/services/Kept", ENTRIES])
def test_the_page_of_a_service_names_what_it_does(path: str) -> None:
    kind = "entry" if path == ENTRIES else "group"
    page = get_document(FakeSite(), path, "").body  # type: ignore[arg-type]
    others = set() if path.endswith("Kept") else ARCHIVE
    assert told(page) == {name for known, name in HANDLERS if known == kind} - others


def test_the_wsdl_of_an_archive_has_its_operation_too() -> None:
    site: Any = FakeSite()
    for query in ("wsdl", "wsdl=gt4"):
        plain, archive = (
            get_document(site, f"/wsrf/services/{name}", query).body for name in ("Group", "Kept")
        )
        assert b"QueryArchive" in archive
        assert b"QueryArchive" not in plain
        assert b"http://mds.globus.org/archive/2006/08" in archive


def test_numbers_of_a_group_that_keeps_none_are_refused() -> None:
    site: Any = FakeSite()
    document = get_document(site, "/wsrf/services/Group", "series=load")
    assert (document.status, document.body) == (400, b'{"error": "Group keeps no archive"}\n')


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("series=load&form=xml", "'form' can't be asked for; there are series, member, entry"),
        ("series=load&from=yesterday", "'yesterday' is no xsd:dateTime"),
        ("series=load&bucket=0", "is not a duration from 1s"),
        ("series=load&bucket=often", "is not a duration from 1s"),
        ("series=load&bucket=1s", "that would be 86401 buckets; at most 10000 are answered"),
        ("series=load&after=-1", "after: '-1' is none of ours"),
        ("series=load&from=2026-11-29T00:00:00Z&to=2026-11-28T00:00:00Z", "ends before it begins"),
    ],
)
def test_a_plot_that_is_asked_for_wrongly_is_refused_in_words(query: str, said: str) -> None:
    site: Any = FakeSite()
    document = get_document(site, "/wsrf/services/Kept", query)
    assert document.status == 400
    assert document.content_type == "application/json"
    assert said in json.loads(document.body)["error"]


def test_the_drafts_have_no_pull_points() -> None:
    site: Any = FakeSite()
    assert get_document(site, NOTIFICATION["pullpoint"], "wsdl").status == 200
    document = get_document(site, NOTIFICATION["pullpoint"], "wsdl=gt4")
    assert document.status == 404
    assert b"ask for ?wsdl (oasis)\n" in document.body
    assert b"gt4" not in get_document(site, NOTIFICATION["pullpoint"], "").body


@pytest.mark.parametrize(
    ("kind", "dialect"),
    [
        *(
            (k, d)
            for k in ("group", "archived", "entry", "consumer", "subscription")
            for d in ("oasis", "gt4")
        ),
        ("pullpoint", "oasis"),
    ],
)
def test_what_a_wsdl_offers_is_done(kind: Kind, dialect: DialectName) -> None:
    document = etree.fromstring(wsdl(kind, dialect, address="http://a", schemas="http://b"))
    offered = {item.get("name") for item in document.find("{*}portType").iter("{*}operation")}
    # ONVIF's are in its own, which its clients have.
    place = "group" if kind == "archived" else kind
    done = {name for known, name in HANDLERS if known == place} - ONVIF
    done -= ARCHIVE if kind == "group" else set()
    only_final = {"GetResourcePropertyDocument", "Renew", "Unsubscribe"}
    if kind == "subscription":
        # The draft has no such operation on a subscription.
        only_final |= {"GetMultipleResourceProperties"}
    assert offered == (done if dialect == "oasis" else done - only_final)
