"""Groups that a benchmark fills by itself read as if they had been filled by Adds."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import entries
from bench.members import members
from bench.peers.nginx import PACKAGE
from bench.processes import Missing, program
from bench.stock import plain_groups, stocked
from tests import soap
from tests.service import running_service
from tests.waiting import until


def test_a_stocked_group_reads_like_one_that_was_filled_by_adds(tmp_path: Path) -> None:
    counts = {"One": 1, "Some": 7}
    folder = stocked(tmp_path / "store", counts)
    with running_service(folder, config=plain_groups([*counts, "Added"])) as service:
        group = f"{service.url}/wsrf/services/Added"
        for number in range(7):
            answer = soap.call(group, entries.add_body(number))
            assert answer.status == 200, answer.content
        for family in ("oasis", "gt4"):
            added = _contents(group, family)
            assert added == _contents(f"{service.url}/wsrf/services/Some", family)
            assert len(added) == 7
            assert added[:1] == _contents(f"{service.url}/wsrf/services/One", family)
        some = f"{service.url}/wsrf/services/Some"
        answer = soap.post(some, entries.all_entries("oasis"))
        assert 1850 < len(answer.content) / 7 < 1900
        last = soap.entries(some)[-1]
        address = last.findtext("{*}ServiceGroupEntryEPR/{*}Address")
        assert soap.destroy(soap.EntryReference(address or "", "", "")).status == 200
        assert len(soap.entries(some)) == 6
        answer = soap.call(some, entries.add_body(99))
        assert answer.status == 200


def _contents(group: str, family: soap.Family) -> list[bytes]:
    """Member and content of each entry."""
    return [
        b"".join(soap.etree.tostring(part, method="c14n") for part in entry[1:])
        for entry in soap.entries(group, family=family)
    ]


def _has_nginx() -> bool:
    try:
        program("nginx", package=PACKAGE)
    except Missing:
        return False
    return True


@pytest.mark.skipif(not _has_nginx(), reason="there is no nginx")
def test_a_stocked_group_is_polled(tmp_path: Path) -> None:
    with members(tmp_path / "members", 5) as all_:
        store = stocked(tmp_path / "store", {"Some": 3})
        stocked(store, {"Some": 5}, kind=all_.kind(millis=1000))
        with running_service(store, config=plain_groups(["Some"])) as service:
            group = f"{service.url}/wsrf/services/Some"
            until(lambda: {one.number for one in all_.served()} == set(range(5)))
            until(lambda: soap.get_property(group, "sg:Entry").content.count(b"cluster-") == 8)
            addresses = [
                entry.findtext("{*}MemberServiceEPR/{*}Address") for entry in soap.entries(group)
            ]
            assert len(set(addresses)) == 8
