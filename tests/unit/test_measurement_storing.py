"""MetadataStorageRequest: what is stored, what is refused, and that each pair is whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aggregator.errors import MeasurementsRefused
from aggregator.measurement.answering import Endpoint
from aggregator.store.measured_ntp import HALF
from aggregator.store.measured_values import MeasuredTest
from aggregator.store.measured_writing import Prepared
from tests.measured import (
    INTERVAL,
    NOON,
    SECOND,
    UNIX,
    Measured,
    archive_of,
    endpoint,
    message,
    metadata,
    pair,
    parameter,
    reply,
    results,
    select,
)

IPERF = "http://ggf.org/ns/nmwg/tools/iperf/2.0"
OWAMP = "http://ggf.org/ns/nmwg/tools/owamp/2.0"
ROW = f'<iperf:datum timeType="unix" timeValue="{UNIX}.7" throughput="9.5e8" sent="10"/>'
SAMPLE = (
    '<summary:datum timeType="iso" startTime="Wed Aug 25 14:20:00.5 UTC 2010"'
    ' endTime="2010-08-25T14:21:00Z" min_delay="0.01" loss="0"/>'
)


@dataclass(slots=True)
class Kept:
    """What was to be kept."""

    found: list[Prepared] = field(default_factory=list)
    trouble: Exception | None = None

    def keep(self, prepared: Prepared) -> int:
        if self.trouble is not None:
            raise self.trouble
        self.found.append(prepared)
        return len(prepared.rows)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def served(kept: Kept, tmp_path: Path) -> Endpoint:
    archive = archive_of(Measured(), tmp_path)
    archive.keep = kept.keep
    return endpoint(archive)


def store(served: Endpoint, inner: str, *, may_store: bool = True) -> list[tuple[str, str]]:
    body = message(inner, type="MetadataStorageRequest")
    found = reply(served.answer(body, may_store=may_store))
    assert found.get("type") in ("MetadataStorageResponse", "ErrorResponse")
    return results(found)


def settings(*told: str) -> str:
    return f'<nmwg:parameters id="p">{"".join(told)}</nmwg:parameters>'


def described(*, types: str = IPERF, inner: str = "", subject: str | None = None) -> str:
    return metadata(subject=pair() if subject is None else subject, types=[types], inner=inner)


def holding(*datums: str, ref: str = "m1") -> str:
    return f'<nmwg:data id="d{ref}" metadataIdRef="{ref}">{"".join(datums)}</nmwg:data>'


def test_throughput_is_stored(served: Endpoint, kept: Kept) -> None:
    block = settings(parameter("timeDuration", "10"), parameter("protocol", "TCP"))
    assert store(served, described(inner=block) + holding(ROW)) == [
        ("success.ma.added", "1 measurements were stored.")
    ]
    told = (("protocol", "TCP"), ("timeDuration", "10"))
    [prepared] = kept.found
    assert prepared.test == MeasuredTest("bwctl", "192.0.2.1", "192.0.2.2", told, ())
    assert prepared.rows == [(NOON + 7 - HALF, 9.5e8, None, None, 10)]


def test_delays_are_stored(served: Endpoint, kept: Kept) -> None:
    schedule = f'<nmwg:parameter name="schedule">{INTERVAL}</nmwg:parameter>'
    block = settings(schedule, parameter("count", "600"), parameter("timeout", "0"))
    [(code, _)] = store(served, described(types=OWAMP, inner=block) + holding(SAMPLE))
    assert code == "success.ma.added"
    [(test, [row], _)] = kept.found
    assert test.parameters == (("count", "600"), ("schedule", INTERVAL))
    assert row[:2] == (NOON + 5 - HALF, NOON + 60 * SECOND - HALF)
    assert row[2:] == (0.01, None, None, None, None, 0, None, None, ())


def test_histograms_are_stored(served: Endpoint, kept: Kept) -> None:
    buckets = (
        '<b:datum xmlns:b="http://ggf.org/ns/nmwg/characteristic/delay/summary/20110317/"'
        f' timeType="unix" startTime="{UNIX}.0" endTime="{UNIX}.1"><b:value_buckets>'
        '<b:value_bucket value="-2" count="3"/><b:value_bucket value="4" count="5"/>'
        "</b:value_buckets></b:datum>"
    )
    store(served, described(types=OWAMP) + holding(buckets))
    assert kept.found[0].rows[0][-1] == ((-2, 3), (4, 5))


def test_who_is_not_known_stores_nothing(served: Endpoint, kept: Kept) -> None:
    [(code, text)] = store(served, described() + holding(ROW), may_store=False)
    assert code == "error.ma.storage"
    assert "needs a token" in text
    assert kept.found == []


def test_without_the_setting_it_is_unsupported(tmp_path: Path) -> None:
    served = endpoint(archive_of(Measured(), tmp_path))
    assert store(served, described() + holding(ROW)) == [
        (
            "error.common.action_not_supported",
            "Messages of type MetadataStorageRequest are unsupported",
        )
    ]


def test_each_pair_is_whole_and_on_its_own(served: Endpoint, kept: Kept) -> None:
    other = described().replace('id="m1"', 'id="m2"')
    wrong = ROW.replace("9.5e8", "fast")
    inner = described() + holding(ROW, wrong) + other + holding(ROW, ref="m2")
    assert [code for code, _ in store(served, inner)] == ["error.ma.storage", "success.ma.added"]
    assert len(kept.found) == 1


@pytest.mark.parametrize(
    ("inner", "told"),
    [
        (described() + holding(), "holds something else than"),
        (described() + holding("<a/>"), "holds something else than"),
        (described() + holding(ROW, SAMPLE), "holds something else than"),
        (described(types="http://x") + holding(ROW), "neither of BWCTL"),
        (described(subject="") + holding(ROW), "no src of its endPointPair"),
        (described(subject=pair("a" * 201)) + holding(ROW), "no src"),
        (described(inner=settings(parameter("shell", "1"))) + holding(ROW), "'shell' is no"),
        (described(inner=settings(parameter("protocol", "x" * 201))) + holding(ROW), "protocol"),
        (
            described(types=OWAMP, inner=settings(parameter("schedule", "<a/>"))) + holding(SAMPLE),
            "A schedule is written",
        ),
        (described() + holding(ROW.replace("9.5e8", "nan")), "'nan' is no throughput"),
        (described() + holding(ROW.replace("9.5e8", "1e999")), "no throughput"),
        (described() + holding(ROW.replace("9.5e8", "1_0")), "no throughput"),
        (
            described(types=OWAMP)
            + holding(SAMPLE.replace("<summary:datum", '<summary:datum maxTTL="256"')),
            "a TTL is at most 255",
        ),
        (described() + holding(ROW.replace('"10"', '"1.5"')), "'1.5' is no sent"),
        (described() + holding(ROW.replace('"10"', '"-1"')), "'-1' is no sent"),
        (described() + holding(ROW.replace(f"{UNIX}.7", "now")), "'now' is no timeValue"),
        (described() + holding(ROW.replace(".7", ".99999999999")), "no timeValue"),
        (
            described(types=OWAMP)
            + holding(SAMPLE.replace("2010-08-25T14:21:00Z", "2010-08-25T14:19:00Z")),
            "ends before it begins",
        ),
        (described() + select("m2", "m1") + holding(ROW, ref="m2"), "not for a filter"),
    ],
)
def test_what_is_refused_and_why(served: Endpoint, kept: Kept, inner: str, told: str) -> None:
    [(code, text)] = store(served, inner)
    assert code == "error.ma.storage"
    assert told in text
    assert kept.found == []


def test_what_the_database_refuses_is_told(served: Endpoint, kept: Kept) -> None:
    kept.trouble = MeasurementsRefused("it is full; make room")
    assert store(served, described() + holding(ROW)) == [
        ("error.ma.storage", "it is full; make room")
    ]
