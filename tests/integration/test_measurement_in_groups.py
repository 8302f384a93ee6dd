"""An archive registers itself in groups of a service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests import soap
from tests.integration.registering_process import kept, registering
from tests.nmwg_peer import MA_KEY, PSSERVICE, RunningPeer, nmwg_peer
from tests.service import running_service
from tests.soap import AGG, Family
from tests.waiting import until

FAMILIES: list[Family] = ["gt4", "oasis"]


@pytest.fixture(scope="module")
def peer() -> Iterator[RunningPeer]:
    with nmwg_peer() as running:
        yield running


def members(group: str, family: Family = "oasis") -> list[etree._Element]:
    return [one for one in soap.entries(group, family=family) if "/ma/" in "".join(one.itertext())]


def lifetime(group: str) -> str:
    """When the entry ends; empty where there is none, or none any more."""
    for entry in members(group):
        address = entry.findtext("{*}ServiceGroupEntryEPR/{*}Address") or ""
        answer = soap.get_property(address, "rl:TerminationTime")
        return (answer.body[0].text or "") if answer.status == 200 else ""
    return ""


@pytest.mark.parametrize("family", FAMILIES)
def test_is_added_polled_and_removed(
    peer: RunningPeer, group: str, tmp_path: Path, family: Family
) -> None:
    given = {"groups": [group], "polled": True, "dialect": family}
    with registering(tmp_path, access_point=f"{peer.url}/ma/pSB", **given) as running:

        def published() -> str:
            return "".join(
                str(text)
                for entry in members(group, family)
                for data in entry.iter(f"{{{AGG}}}AggregatorData")
                for text in data.itertext()
            )

        until(lambda: MA_KEY in published(), what="the key of what was measured")
        running.round()
        running.round("end")
        until(lambda: members(group, family) == [])
        assert kept(tmp_path) == []
        assert "Traceback" not in running.log


def test_is_renewed(peer: RunningPeer, group: str, tmp_path: Path) -> None:
    at = f"{peer.url}/ma/pSB"
    with registering(tmp_path, access_point=at, groups=[group], polled=True, interval=2):
        until(lambda: members(group))
        ends: set[str] = set()

        def renewed() -> bool:
            # On a busy machine a renewal may come too late; the entry is added anew then.
            ends.add(lifetime(group))
            return len(ends - {""}) > 3

        until(renewed)
    until(lambda: members(group) == [], what="an entry that nobody renews lapses")


def test_a_restart_goes_on_with_the_entry(peer: RunningPeer, group: str, tmp_path: Path) -> None:
    given = {"access_point": f"{peer.url}/ma/pSB", "groups": [group], "polled": True}
    with registering(tmp_path, **given) as running:
        until(lambda: (tmp_path / "lsKey.json").exists() and kept(tmp_path))
        running.kill()
    before, [row] = lifetime(group), kept(tmp_path)
    with registering(tmp_path, **given):
        until(lambda: lifetime(group) not in (before, ""), what="the renewal")
        assert len(members(group)) == 1
        assert kept(tmp_path) == [row]


def test_other_content_replaces_the_entry(peer: RunningPeer, group: str, tmp_path: Path) -> None:
    given = {"access_point": f"{peer.url}/ma/pSB", "groups": [group]}
    with registering(tmp_path, polled=True, **given) as running:
        until(lambda: (tmp_path / "lsKey.json").exists() and kept(tmp_path))
        running.kill()
    file = tmp_path / "lsKey.json"
    file.write_text(file.read_text().replace('"checksum": "', '"checksum": "other'))
    old = members(group)[0].findtext("{*}ServiceGroupEntryEPR/{*}Address")
    with registering(tmp_path, polled=True, **given):

        def addresses() -> list[str | None]:
            found = members(group)
            return [one.findtext("{*}ServiceGroupEntryEPR/{*}Address") for one in found]

        until(lambda: len(addresses()) == 1 and old not in addresses())


def test_a_group_that_refuses_or_is_away_is_told_and_tried_again(
    peer: RunningPeer, group: str, tmp_path: Path
) -> None:
    refusing = f"{group}NoSuch"
    groups = [refusing, "http://127.0.0.1:1/wsrf/services/X"]
    with registering(tmp_path, groups=groups, polled=True) as running:
        until(lambda: running.log.count("Could not register") > 3)
        running.round("end")
        assert "Connection refused" in running.log
        assert "Traceback" not in running.log


def test_a_plain_registry_is_told_what_the_archive_is(tmp_path: Path) -> None:
    settings = "[groups.Plain]\nsinks = ['index']\nrequire_source = false\n"
    with running_service(tmp_path / "service", config=settings) as service:
        group = f"{service.url}/wsrf/services/Plain"
        with registering(tmp_path, groups=[group]):
            [entry] = until(lambda: soap.entries(group))
            assert "A buoy" in [one.text for one in entry.iter(f"{{{PSSERVICE}}}serviceName")]
