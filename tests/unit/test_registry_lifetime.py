"""What is granted of a lifetime that is asked for."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config import GroupSettings
from aggregator.errors import AddRefused
from aggregator.registry.lifetime import granted, initial_termination, unknown_entry
from aggregator.registry.registry import ServiceGroup
from aggregator.wire.times import SECOND, parse_datetime

NOW = 1_800_000_000 * SECOND
HOUR = 3600 * SECOND
INSTANTS = st.integers(0, NOW * 4)


def group(**settings: float) -> ServiceGroup:
    return ServiceGroup(1, GroupSettings(name="G", **settings), "http://a/wsrf/services/G")


def initial(requested: int | None, family: str, **settings: float) -> int | None:
    return initial_termination(
        requested, family=family, group=group(**settings), now=NOW, member="http://m/"
    )


class TestGranted:
    @given(requested=st.one_of(st.none(), INSTANTS))
    def test_is_all_where_the_group_sets_no_limit(self, requested: int | None) -> None:
        assert granted(requested, settings=group().settings, now=NOW) == requested

    @given(requested=st.one_of(st.none(), INSTANTS), hours=st.integers(1, 1000))
    def test_is_never_more_than_the_limit(self, requested: int | None, hours: int) -> None:
        found = granted(requested, settings=group(max_lifetime=hours * 3600.0).settings, now=NOW)
        latest = NOW + hours * HOUR
        assert found == (latest if requested is None else min(requested, latest))


class TestInitial:
    @pytest.mark.parametrize("family", ["gt4", "oasis"])
    def test_none_asked_for_is_none(self, family: str) -> None:
        assert initial(None, family) is None
        assert initial(None, family, max_lifetime=3600.0) == NOW + HOUR

    @pytest.mark.parametrize("family", ["gt4", "oasis"])
    @pytest.mark.parametrize("later", [1, SECOND, HOUR])
    def test_to_come_is_granted_exactly(self, family: str, later: int) -> None:
        assert initial(NOW + later, family) == NOW + later

    @pytest.mark.parametrize("requested", [NOW, NOW - 1, NOW - HOUR, 0, -(10**17), -(10**30)])
    def test_past_refuses_a_client_of_the_final_standard(self, requested: int) -> None:
        with pytest.raises(AddRefused, match=r"is over: it is 2027-01-15T08:00:00\.000Z here"):
            initial(requested, "oasis")

    @pytest.mark.parametrize("requested", [NOW, NOW - 1, NOW - HOUR, 0])
    def test_past_is_raised_for_a_draft_client_and_logged(
        self, requested: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            assert initial(requested, "gt4") == NOW + 60 * SECOND
        (record,) = caplog.records
        assert f"{(NOW - requested) / SECOND:.1f} s in the past" in record.getMessage()
        assert record.__dict__["group"] == "G"
        assert record.__dict__["member"] == "http://m/"

    def test_min_lifetime_is_the_groups_and_stays_under_its_limit(self) -> None:
        assert initial(0, "gt4", min_lifetime=5.0) == NOW + 5 * SECOND
        assert initial(0, "gt4", min_lifetime=7200.0, max_lifetime=3600.0) == NOW + HOUR

    def test_year_one_is_refused_and_nothing_else(self) -> None:
        requested = parse_datetime("0001-01-01T00:00:00+14:00")
        with pytest.raises(AddRefused, match=r"0001-01-01T00:00:00\.000Z is over"):
            initial(requested, "oasis")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "names no entry"),
        ("k1", "G has no entry 'k1'"),
        ("x" * 5000, "it expired or never was"),
    ],
)
def test_unknown_entries_are_told(key: str, said: str) -> None:
    error = unknown_entry(group(), key)
    assert said in error.message
    assert len(error.message) < 300
