"""Groups that a benchmark fills by itself read as if they had been filled by Adds."""

from __future__ import annotations

from pathlib import Path

from bench import entries
from bench.stock import plain_groups, stocked
from tests import soap
from tests.service import running_service


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
