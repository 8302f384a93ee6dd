"""Which lifetime a registration is granted, of all the ways to ask for one, and for ever."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests import soap
from tests.integration import each_database
from tests.service import RunningService
from tests.soap import NS, Answer, EntryReference, Family
from tests.waiting import until

service = each_database.service
CONFIG = """
[groups.Limited]
sinks = ["index"]
max_lifetime = "1h"
[groups.Patient]
sinks = ["index"]
min_lifetime = "90s"
"""
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
MEMBER = "http://127.0.0.1:1/m"
FAMILIES: tuple[Family, ...] = ("gt4", "oasis")
HOUR = timedelta(hours=1)
#: What passes between a request and its answer on a busy machine.
AWHILE = timedelta(seconds=10)


def at(service: RunningService, group: str) -> str:
    return f"{service.url}/wsrf/services/{group}"


def added(group: str, wish: str | None, family: Family) -> tuple[EntryReference, datetime | None]:
    """Add with this InitialTerminationTime, None for none; the entry and what it was granted."""
    body = soap.add_body(MEMBER, family=family, termination=wish)
    if wish == "nil":
        nil = '<sg:InitialTerminationTime xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'
        body = body.replace(
            "<sg:InitialTerminationTime>nil</sg:InitialTerminationTime>", f'{nil} i:nil="true"/>'
        )
    answer = soap.call(group, body)
    entry = soap.entry_of(answer, family)
    shown = property_of(entry, family)
    if family == "oasis":
        told = moment_in(answer, f"{{{NS['oasis']['sg']}}}TerminationTime")
        assert told == shown
    return entry, shown


def moment_in(answer: Answer, name: str) -> datetime | None:
    """The moment that an element of an answer holds, None where it is nil."""
    element = answer.body.find(name)
    assert element is not None, answer.content
    if element.get(NIL) == "true":
        assert not element.text
        return None
    assert element.text.endswith("Z")
    return datetime.fromisoformat(element.text)


def property_of(entry: EntryReference, family: Family) -> datetime | None:
    """The TerminationTime that an entry shows."""
    answer = soap.get_property(
        entry.address, "rl:TerminationTime", header=entry.header, family=family
    )
    return moment_in(answer, f"{{{NS[family]['rl']}}}TerminationTime")


def renewed(entry: EntryReference, wish: str | None, family: Family) -> datetime | None:
    """SetTerminationTime; what was granted, which the entry must show too."""
    answer = soap.set_termination_time(entry, wish, family=family)
    assert answer.status == 200, answer.content
    granted = moment_in(answer, f"{{{NS[family]['rl']}}}NewTerminationTime")
    assert granted == property_of(entry, family)
    return granted


def near(found: datetime | None, expected: datetime) -> bool:
    return found is not None and abs(found - expected) < AWHILE


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2041-02-03T04:05:06.789Z", "2041-02-03T04:05:06.789"),
        ("2041-02-03T04:05:06.789+00:00", "2041-02-03T04:05:06.789"),
        ("2041-02-03T04:05:06", "2041-02-03T04:05:06"),
        ("2041-02-03T04:05:06.7", "2041-02-03T04:05:06.700"),
        ("2041-02-03T04:05:06+02:00", "2041-02-03T02:05:06"),
        ("2041-02-03T04:05:06-05:30", "2041-02-03T09:35:06"),
        ("\n 2041-02-03T04:05:06Z\t", "2041-02-03T04:05:06"),
        ("9998-12-31T23:59:59Z", "9998-12-31T23:59:59"),
    ],
)
def test_absolute_times_are_granted_exactly(
    service: RunningService, family: Family, written: str, meant: str
) -> None:
    """A time without a zone is UTC, and all answers are."""
    expected = datetime.fromisoformat(meant).replace(tzinfo=UTC)
    entry, granted = added(service.group, written, family)
    assert granted == expected
    assert renewed(entry, None, family) is None
    assert renewed(entry, written, family) == expected


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("wish", [None, "nil", "9999-12-31T23:59:59Z", "12026-01-01T00:00:00Z"])
def test_no_time_and_one_past_all_calendars_mean_for_ever(
    service: RunningService, family: Family, wish: str | None
) -> None:
    entry, granted = added(service.group, wish, family)
    assert granted is None
    assert renewed(entry, "2041-01-01T00:00:00Z", family) is not None
    assert renewed(entry, None if wish == "nil" else wish, family) is None


@pytest.mark.parametrize(
    ("duration", "length"),
    [
        ("PT1H", HOUR),
        ("PT90.5S", timedelta(seconds=90.5)),
        ("P1DT2H", timedelta(hours=26)),
        (" P1W".replace("W", "D") + " ", timedelta(days=1)),
    ],
)
def test_relative_times_count_from_now(
    service: RunningService, duration: str, length: timedelta
) -> None:
    entry, granted = added(service.group, duration, "oasis")
    assert near(granted, datetime.now(UTC) + length)
    rl = NS["oasis"]["rl"]
    wish = f"<rl:RequestedLifetimeDuration>{duration}</rl:RequestedLifetimeDuration>"
    body = f'<rl:SetTerminationTime xmlns:rl="{rl}">{wish}</rl:SetTerminationTime>'
    answer = soap.call(entry.address, body)
    granted = moment_in(answer, f"{{{rl}}}NewTerminationTime")
    now = moment_in(answer, f"{{{rl}}}CurrentTime")
    assert granted is not None
    assert now is not None
    # Both are of one clock; what lies between is the time to the commit.
    assert timedelta() <= length - (granted - now) < AWHILE
    assert property_of(entry, "oasis") == granted


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("wish", [None, "nil", "9999-12-31T00:00:00Z", "2041-01-01T00:00:00Z"])
def test_max_lifetime_clamps_every_wish_the_endless_one_too(
    service: RunningService, family: Family, wish: str | None
) -> None:
    entry, granted = added(at(service, "Limited"), wish, family)
    assert near(granted, datetime.now(UTC) + HOUR)
    again = renewed(entry, None if wish == "nil" else wish, family)
    assert near(again, datetime.now(UTC) + HOUR)
    assert again is not None
    assert granted is not None
    assert again > granted


@pytest.mark.parametrize("family", FAMILIES)
def test_max_lifetime_leaves_modest_wishes_alone(service: RunningService, family: Family) -> None:
    soon = (datetime.now(UTC) + HOUR / 2).replace(microsecond=0)
    entry, granted = added(at(service, "Limited"), soon.isoformat(), family)
    assert granted == soon
    assert renewed(entry, (soon + HOUR / 4).isoformat(), family) == soon + HOUR / 4


@pytest.mark.parametrize("skew", [timedelta(seconds=0.5), timedelta(hours=9)])
def test_a_gt_client_with_a_slow_clock_is_given_a_little_time_and_a_line_in_the_log(
    service: RunningService, skew: timedelta
) -> None:
    past = datetime.now(UTC) - skew
    known = len(service.logs())
    _, granted = added(at(service, "Patient"), past.isoformat(), "gt4")
    assert near(granted, datetime.now(UTC) + timedelta(seconds=90))
    told = until(
        lambda: re.search(rf"{MEMBER} lies ([\d.]+) s in the past", service.logs()[known:]),
        what="the skew in the log",
    )
    assert abs(float(told[1]) - skew.total_seconds()) < AWHILE.total_seconds()


@pytest.mark.parametrize("wish", ["2001-01-01T00:00:00Z", "0001-01-01T00:00:00", "-PT1S", "PT0S"])
def test_a_time_that_is_over_refuses_an_add_of_the_final_standard(
    service: RunningService, wish: str
) -> None:
    group = at(service, "Patient")
    before = len(soap.entries(group))
    name, text = soap.call(group, soap.add_body(MEMBER, termination=wish)).fault
    assert name == "AddRefusedFault"
    assert "is over" in text
    assert len(soap.entries(group)) == before


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("wish", ["2001-01-01T00:00:00Z", "now", "-P1D", "PT0S"])
def test_setting_a_time_that_is_over_ends_the_entry_at_once(
    service: RunningService, family: Family, wish: str
) -> None:
    group = at(service, "Limited")
    entry, _ = added(group, None, family)
    if "P" in wish:
        rl = NS["oasis"]["rl"]
        inside = f"<rl:RequestedLifetimeDuration>{wish}</rl:RequestedLifetimeDuration>"
        body = f'<rl:SetTerminationTime xmlns:rl="{rl}">{inside}</rl:SetTerminationTime>'
        answer = soap.call(entry.address, body)
    else:
        time = datetime.now(UTC).isoformat() if wish == "now" else wish
        answer = soap.set_termination_time(entry, time, family=family)
    assert answer.status == 200, answer.content
    assert entry.key not in soap.get_property(group, "sg:Entry").content.decode()
    assert soap.destroy(entry, family=family).fault[0] == "ResourceUnknownFault"


@pytest.mark.parametrize("family", FAMILIES)
def test_time_and_end_are_set_at_the_address_of_the_group_too(
    service: RunningService, family: Family
) -> None:
    """Some clients know that address alone and send the key along."""
    entry, _ = added(service.group, None, family)
    there = EntryReference(service.group, entry.header, entry.key)
    answer = soap.set_termination_time(there, "2041-01-01T00:00:00Z", family=family)
    assert answer.status == 200
    assert property_of(entry, family) == datetime(2041, 1, 1, tzinfo=UTC)
    assert soap.destroy(there, family=family).status == 200
    assert soap.destroy(there, family=family).fault[0] == "ResourceUnknownFault"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("operation", ["SetTerminationTime", "Destroy"])
def test_the_group_itself_neither_ends_nor_is_renewed(
    service: RunningService, family: Family, operation: str
) -> None:
    rl = NS[family]["rl"]
    body = f'<rl:{operation} xmlns:rl="{rl}"/>'
    if operation == "SetTerminationTime":
        time = "<rl:RequestedTerminationTime>2041-01-01T00:00:00Z</rl:RequestedTerminationTime>"
        body = f'<rl:{operation} xmlns:rl="{rl}">{time}</rl:{operation}>'
    name, text = soap.call(service.group, body).fault
    assert name == "ResourceUnknownFault"
    assert "names no entry" in text
    assert (
        moment_in(
            soap.get_property(service.group, "rl:TerminationTime"),
            f"{{{NS['oasis']['rl']}}}TerminationTime",
        )
        is None
    )
