"""An archive registers itself with a lookup service of perfSONAR."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests.integration.registering_process import ACCESS_POINT, kept, registering
from tests.nmwg_peer import NMWG, PSSERVICE, RunningPeer, nmwg_peer

KEY = hashlib.md5(ACCESS_POINT.encode()).hexdigest()


@pytest.fixture
def peer() -> Iterator[RunningPeer]:
    with nmwg_peer() as running:
        yield running


@pytest.fixture
def ls(peer: RunningPeer) -> str:
    return f"{peer.url}/ls"


class TestLookupService:
    def test_registers_itself_and_its_metadata(
        self, peer: RunningPeer, ls: str, tmp_path: Path
    ) -> None:
        with registering(tmp_path, lookup=[ls]):
            pass
        assert peer.types() == ["LSDeregisterRequest", "LSRegisterRequest"]
        found = peer.ask("registered")
        assert found == {
            KEY: {
                "serviceName": "A buoy",
                "accessPoint": ACCESS_POINT,
                "serviceType": "MA",
                "serviceDescription": "for tests <&>",
                "kept": 0,
                "messages": 1,
                "data": ["metadata-0", "metadata-1", "metadata-2"],
            }
        }
        old, new = (etree.fromstring(one["body"].encode()) for one in peer.ask("asked"))
        assert old.findtext(f".//{{{NMWG}}}parameter[@name='lsKey']") == ACCESS_POINT
        [message] = new.iter(f"{{{NMWG}}}message")
        [about] = message.findall(f"{{{NMWG}}}metadata")
        assert etree.QName(about[0]).localname == "subject"
        assert about[0][0].tag == f"{{{PSSERVICE}}}service"
        data = message.findall(f"{{{NMWG}}}data")
        assert {one.get("metadataIdRef") for one in data} == {about.get("id")}
        [row] = kept(tmp_path)
        assert (row["where"], row["accessPoint"], row["key"]) == (ls, ACCESS_POINT, KEY)
        assert (tmp_path / "lsKey.json").stat().st_mode & 0o777 == 0o600
        assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []

    def test_a_later_round_is_a_keepalive(self, peer: RunningPeer, ls: str, tmp_path: Path) -> None:
        with registering(tmp_path, lookup=[ls]) as running:
            running.round()
            running.round()
        assert peer.types()[2:] == ["LSKeepaliveRequest"] * 2
        assert peer.ask("registered")[KEY]["kept"] == 2

    def test_many_are_registered_fifty_a_message(
        self, peer: RunningPeer, ls: str, tmp_path: Path
    ) -> None:
        with registering(tmp_path, lookup=[ls], count=121):
            pass
        found = peer.ask("registered")[KEY]
        assert found["messages"] == 3
        assert found["data"] == [f"metadata-{number}" for number in range(121)]

    def test_one_that_was_forgotten_is_made_anew(
        self, peer: RunningPeer, ls: str, tmp_path: Path
    ) -> None:
        with registering(tmp_path, lookup=[ls]) as running:
            peer.ask("ls/forgetful")
            running.round()
            running.round()
        assert peer.types()[2:] == [
            "LSKeepaliveRequest",
            "LSRegisterRequest",
            "LSKeepaliveRequest",
        ]
        assert peer.ask("registered")[KEY]["messages"] == 1

    def test_other_metadata_are_registered_in_place_of_the_old(
        self, peer: RunningPeer, ls: str, tmp_path: Path
    ) -> None:
        with registering(tmp_path, lookup=[ls]) as running:
            running.round("2")
        assert peer.types()[2:] == ["LSDeregisterRequest", "LSRegisterRequest"]
        assert peer.ask("registered")[KEY]["data"] == ["metadata-0", "metadata-1"]

    def test_a_key_outlives_a_kill(self, peer: RunningPeer, ls: str, tmp_path: Path) -> None:
        with registering(tmp_path, lookup=[ls]) as running:
            running.kill()
        with registering(tmp_path, lookup=[ls]):
            pass
        assert peer.types()[2:] == ["LSKeepaliveRequest"]
        assert peer.ask("registered")[KEY]["kept"] == 1

    def test_a_restart_with_other_metadata_ends_the_old_ones(
        self, peer: RunningPeer, ls: str, tmp_path: Path
    ) -> None:
        with registering(tmp_path, lookup=[ls]) as running:
            running.kill()
        with registering(tmp_path, lookup=[ls], count=1):
            pass
        assert peer.types()[2:] == ["LSDeregisterRequest", "LSRegisterRequest"]
        assert peer.ask("registered")[KEY]["data"] == ["metadata-0"]

    def test_the_end_deregisters(self, peer: RunningPeer, ls: str, tmp_path: Path) -> None:
        with registering(tmp_path, lookup=[ls]) as running:
            running.round("end")
            running.round("end")
        assert peer.types()[2:] == ["LSDeregisterRequest"]
        assert peer.ask("registered") == {}
        assert kept(tmp_path) == []

    def test_nothing_to_register_sends_nothing_and_is_told(
        self, peer: RunningPeer, ls: str, tmp_path: Path
    ) -> None:
        with registering(tmp_path, lookup=[ls], count=0) as running:
            running.round("end")
            assert "WARNING No data to register with LS" in running.log
            assert peer.types() == []
            running.round("1")
        assert peer.types() == ["LSDeregisterRequest", "LSRegisterRequest"]

    @pytest.mark.parametrize(
        ("mode", "told"),
        [
            ("refusing", "answered LSRegisterRequest with error.ls.refused: not today"),
            ("spiteful", "with no NMWG message"),
            ("hanging", "did not answer within 1 s"),
        ],
    )
    def test_trouble_is_logged_and_tried_again(
        self, peer: RunningPeer, ls: str, tmp_path: Path, mode: str, told: str
    ) -> None:
        peer.ask(f"ls/{mode}")
        with registering(tmp_path, lookup=[ls, f"{ls}/other"], timeout=1) as running:
            assert f"ERROR the measurement archive was not registered with {ls}: " in running.log
            assert told in running.log
            assert "Traceback" not in running.log
            # A place in trouble keeps no other from its turn.
            assert f"registered with {ls}/other: " in running.log
            peer.ask("ls/good")
            running.round()
        assert peer.ask("registered")[KEY]["data"][:3] == [f"metadata-{n}" for n in range(3)]

    def test_one_that_is_away_is_tried_again_and_keeps_its_key(
        self, peer: RunningPeer, ls: str, tmp_path: Path
    ) -> None:
        with registering(tmp_path, lookup=[ls], timeout=1) as running:
            peer.ask("ls/hanging")
            running.round()
            running.round("end")
            assert "was not deregistered from" in running.log
            assert kept(tmp_path)[0]["key"] == KEY
            peer.ask("ls/good")
            running.round()
        assert peer.types()[-1] == "LSKeepaliveRequest"

    def test_what_was_registered_in_part_is_made_anew(
        self, peer: RunningPeer, ls: str, tmp_path: Path
    ) -> None:
        peer.ask("ls/half")
        with registering(tmp_path, lookup=[ls], count=60) as running:
            assert "error.ls.xmldb: Database errors" in running.log
            assert kept(tmp_path)[0] | {"checksum": ""} == kept(tmp_path)[0]
            peer.ask("ls/good")
            running.round()
        assert peer.ask("registered")[KEY]["data"] == [f"metadata-{n}" for n in range(60)]

    def test_without_a_key_the_access_point_stands_for_it(
        self, peer: RunningPeer, ls: str, tmp_path: Path
    ) -> None:
        peer.ask("ls/keyless")
        with registering(tmp_path, lookup=[ls]):
            pass
        assert kept(tmp_path)[0]["key"] == ACCESS_POINT

    @pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"registered": [1]}', "[" * 100_000])
    def test_a_file_that_is_spoilt_is_made_anew(
        self, peer: RunningPeer, ls: str, tmp_path: Path, text: str
    ) -> None:
        (tmp_path / "lsKey.json").write_text(text)
        with registering(tmp_path, lookup=[ls]) as running:
            assert "can't be read, and are made anew" in running.log
        assert kept(tmp_path)[0]["key"] == KEY

    def test_a_file_that_can_not_be_written_costs_no_registration(
        self, peer: RunningPeer, ls: str, tmp_path: Path
    ) -> None:
        nowhere = str(tmp_path / "nowhere" / "lsKey.json")
        with registering(tmp_path, lookup=[ls], keys=nowhere) as running:
            running.round()
            assert "can't be kept in" in running.log
        assert peer.ask("registered")[KEY]["kept"] == 1
