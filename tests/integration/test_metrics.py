"""``/metrics`` counts what was done, with labels and values; other tests' doings lie before."""

from __future__ import annotations

import datetime
import urllib.request
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import soap
from tests.misbehaving import misbehaving
from tests.service import RunningService
from tests.soap import Family
from tests.waiting import until

#: Of a sample or of how much it grew: `value("name", label="...")`.
Value = Callable[..., float]
FAMILIES: tuple[Family, ...] = ("gt4", "oasis")


def told(service: RunningService) -> Value:
    """The samples that are shown now; one that is not shown fails the test that asks for it."""
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return lambda name, **labels: found.get((name, frozenset(labels.items())), float("nan"))


def growing(service: RunningService) -> Callable[[], Value]:
    """How much samples grew since this call; one that was not there began with zero."""
    before = told(service)

    def since() -> Value:
        now = told(service)

        def grown(name: str, **labels: str) -> float:
            was = before(name, **labels)
            return now(name, **labels) - (was if was == was else 0)  # noqa: PLR0124  (not a number)

        return grown

    return since


def member_config(*, millis: int) -> str:
    return soap.get_property_config("w:foo", millis=millis, declare='xmlns:w="http://widgets.com"')


def test_a_group_has_its_registrations_adds_and_renewals(
    served: RunningService, group: str
) -> None:
    name = group.rpartition("/")[2]
    entries = [soap.add(group, f"http://127.0.0.1:1/{n}") for n in range(3)]
    assert soap.call(group, soap.add_body("http://127.0.0.1:1/x", "")).status == 500
    for entry in entries[:2]:
        assert soap.set_termination_time(entry, "2040-01-01T00:00:00Z").status == 200
    assert soap.set_termination_time(entries[2], "soon").status == 500
    assert soap.destroy(entries[2]).status == 200
    for sample, outcome, expected in (
        ("aggregator_adds_total", "accepted", 3),
        ("aggregator_adds_total", "refused", 1),
        ("aggregator_renewals_total", "accepted", 2),
        ("aggregator_renewals_total", "refused", 1),
    ):
        assert told(served)(sample, group=name, outcome=outcome) == expected
    until(lambda: told(served)("aggregator_registrations", group=name) == 2, what="the gauge")


@pytest.mark.parametrize("family", FAMILIES)
def test_requests_are_timed_by_operation_and_dialect(
    served: RunningService, group: str, family: Family
) -> None:
    since = growing(served)
    entry = soap.add(group, "http://127.0.0.1:1/a", family=family)
    for _ in range(3):
        soap.set_termination_time(entry, "2040-01-01T00:00:00Z", family=family)
    assert soap.set_termination_time(entry, "soon", family=family).status == 500
    assert len(soap.entries(group, family=family)) == 1
    assert soap.query(group, "count(//*)", family=family).status == 200
    assert soap.destroy(entry, family=family).status == 200
    grown = since()
    for operation, status, expected in (
        ("Add", "200", 1),
        ("SetTerminationTime", "200", 3),
        ("SetTerminationTime", "500", 1),
        ("GetResourceProperty", "200", 1),
        ("QueryResourceProperties", "200", 1),
        ("Destroy", "200", 1),
    ):
        labels = {"operation": operation, "dialect": family, "status": status}
        assert grown("aggregator_request_seconds_count", **labels) == expected, labels
        assert grown("aggregator_request_seconds_bucket", le="+Inf", **labels) == expected
        assert 0 < grown("aggregator_request_seconds_sum", **labels) < 30 * expected


def test_what_can_not_be_dispatched_is_counted_by_its_fault(
    served: RunningService, group: str
) -> None:
    since = growing(served)
    assert soap.call(group, "<nonsense/>").status == 500
    labels = {"operation": "none", "dialect": "none", "status": "refused"}
    assert since()("aggregator_request_seconds_count", **labels) == 1


def test_collections_are_counted_and_timed(served: RunningService, group: str) -> None:
    """Of two sources, one that fails and one that takes longer than its interval."""
    query, probes = "QueryAggregatorSource", "ExecutionAggregatorSource"
    count, seconds = "aggregator_collections_total", "aggregator_collection_duration_seconds"
    overruns = "aggregator_collection_overruns_total"
    assert told(served)(overruns, source=probes) >= 0, "shown before anything goes wrong"
    since = growing(served)
    with misbehaving() as server:
        soap.add(group, f"{server.url}/slow/0.5", member_config(millis=100))
        soap.add(group, f"{server.url}/plain-fault", member_config(millis=100))
        config = soap.execution_config("aggregator-exec-test", millis=100)
        soap.add(group, "http://127.0.0.1:1/probed", config)

        def all_there() -> bool:
            grown = since()
            return (
                grown(count, source=query, outcome="success") >= 2
                and grown(count, source=query, outcome="fault") >= 2
                and grown(count, source=probes, outcome="success") >= 2
                and grown(overruns, source=query) >= 4
                and grown("aggregator_data_age_seconds_count") >= 2
            )

        until(all_there, within=20, what="collections counted")
    grown = since()
    for source in (query, probes):
        ended = grown(f"{seconds}_count", source=source)
        assert ended >= 2
        assert grown(f"{seconds}_bucket", source=source, le="+Inf") == ended
        assert grown(f"{seconds}_sum", source=source) > 0
    assert grown(f"{seconds}_sum", source=query) > 2 * 0.5
    started = grown("aggregator_collection_lateness_seconds_count")
    assert started >= 6
    assert 0 <= grown("aggregator_collection_lateness_seconds_sum") < 60 * started
    replaced = grown("aggregator_data_age_seconds_count")
    assert 0 < grown("aggregator_data_age_seconds_sum") / replaced < 30


@pytest.mark.parametrize("family", FAMILIES)
def test_expirations_are_counted_with_their_lag(
    served: RunningService, group: str, family: Family
) -> None:
    since, name = growing(served), group.rpartition("/")[2]
    soap.add(group, "http://127.0.0.1:1/stays", family=family)
    for number in range(5):
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1.5)
        address = f"http://127.0.0.1:1/{number}"
        soap.add(group, address, family=family, termination=soon.isoformat())
    until(lambda: since()("aggregator_expirations_total") >= 5, what="five expirations")
    grown = since()
    removals = grown("aggregator_expiry_lag_seconds_count")
    assert removals >= 1
    assert 0 <= grown("aggregator_expiry_lag_seconds_sum") < 60 * removals
    assert told(served)("aggregator_registrations", group=name) == 1


def test_commits_of_the_embedded_database_tell_how_long_they_waited(
    request: pytest.FixtureRequest, served: RunningService, group: str
) -> None:
    since, name = growing(served), "aggregator_store_lock_wait_seconds_count"
    for number in range(3):
        soap.add(group, f"http://127.0.0.1:1/{number}")
    if request.node.callspec.params["served"] == "sqlite":
        until(lambda: since()(name) >= 1, what="commits counted")
    else:
        assert told(served)(name) == 0, "a server has locks of its own"
