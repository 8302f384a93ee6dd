"""What a registration with a lookup service is made of: messages, checksums, kept keys."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from lxml import etree

from aggregator.errors import RemoteError
from aggregator.measurement.lookup_service import LookupRefused, LookupService, Service, chunks
from aggregator.measurement.registered_keys import RegisteredKey, RegisteredKeys
from aggregator.measurement.registering import LookupRegistration, Registrations, checksum_of
from aggregator.wire.nmwg import METADATA
from aggregator.wire.nmwg_names import NMWG
from aggregator.wire.parse import Element, parse
from tests.nmwg_peer import message, pair

SERVICE = Service("A", "http://a/pSB", "MA", "at a site")


class Answering:
    """A client that answers as it is told, and keeps what was sent."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.sent: list[Element] = []

    def send(self, url: str, message: Element, *, timeout: float) -> Element:
        self.sent.append(message)
        answer = self.answers.pop(0)
        if not answer:
            raise RemoteError(f"{url} gave no reply")
        return parse(answer.encode())


def told(event_type: str, key: str = "") -> str:
    held = (
        f'<nmwg:key><nmwg:parameters><nmwg:parameter name="lsKey">{key}</nmwg:parameter>'
        "</nmwg:parameters></nmwg:key>"
    )
    inside = f"{held if key else ''}<nmwg:eventType>{event_type}</nmwg:eventType>"
    return message(pair(1, inside, '<nmwg:datum value="said"/>'), "LSRegisterResponse")


def lookup(*answers: str) -> tuple[LookupService, Answering]:
    client = Answering(*answers)
    return LookupService("http://ls/", client=client), client  # type: ignore[arg-type]


def metadata(text: str = "x", *, id: str = "m1") -> Element:
    inside = f'<nmwg:metadata id="{id}" metadataIdRef="y"><p> {text}</p>\n</nmwg:metadata>'
    return parse(f'<n xmlns:nmwg="{NMWG}">{inside} tail</n>'.encode())[0]


class TestMessages:
    def test_a_stored_metadata_is_sent_without_what_follows_it(self) -> None:
        service, client = lookup(told("success.ls.register", "k"))
        stored = metadata()
        assert service.register(SERVICE, [stored, stored]) == "k"
        [sent] = client.sent
        data = sent.findall(f"{{{NMWG}}}data")
        assert [len(one) for one in data] == [1, 1]
        assert [one[0].tail for one in data] == [None, None]
        assert stored.getparent() is not None
        assert len({one.get("id") for one in sent.iter("*") if one.get("id")}) > 4

    @pytest.mark.parametrize("key", ["", "k" * 1001, "a\nb", "\x85"])
    def test_a_key_that_is_none_is_not_kept(self, key: str) -> None:
        service, _ = lookup(told("success.ls.register", key))
        assert service.register(SERVICE, [metadata()]) == SERVICE.access_point

    @pytest.mark.parametrize("event_type", ["error.ls.success_not", "error.ls.x", "", "ok"])
    def test_success_is_a_word_of_the_first_event_type(self, event_type: str) -> None:
        service, _ = lookup(told(event_type))
        if "success" in event_type:
            service.keep_alive("k")
            return
        with pytest.raises(LookupRefused, match="LSKeepaliveRequest with"):
            service.keep_alive("k")

    @pytest.mark.parametrize(
        ("count", "sizes"), [(0, []), (1, [1]), (50, [50]), (51, [50, 1]), (100, [50, 50])]
    )
    def test_fifty_at_once(self, count: int, sizes: list[int]) -> None:
        assert [len(one) for one in chunks([metadata()] * count)] == sizes


class TestChecksum:
    def test_ids_order_and_layout_make_no_difference(self) -> None:
        first = checksum_of(SERVICE, [metadata("a"), metadata("b")])
        assert first == checksum_of(SERVICE, [metadata("b ", id="z"), metadata("a", id="q")])

    @pytest.mark.parametrize(
        ("service", "texts"),
        [
            (SERVICE, ["a"]),
            (SERVICE, ["a", "b", "b"]),
            (SERVICE, ["a", "c"]),
            (Service("B", SERVICE.access_point, "MA", "at a site"), ["a", "b"]),
        ],
    )
    def test_all_else_does(self, service: Service, texts: list[str]) -> None:
        first = checksum_of(SERVICE, [metadata("a"), metadata("b")])
        assert checksum_of(service, map(metadata, texts)) != first

    def test_nothing_is_changed(self) -> None:
        stored = metadata()
        before = etree.tostring(stored)
        checksum_of(SERVICE, [stored])
        assert etree.tostring(stored) == before


class TestKeys:
    def test_are_there_after_a_restart(self, tmp_path: Path) -> None:
        keys = RegisteredKeys(tmp_path / "keys")
        keys.keep("http://a/", "http://x/", RegisteredKey("k1", "c"))
        keys.keep("http://b/", "http://x/", RegisteredKey("k2", "ü"))
        keys.forget("http://a/", "http://x/")
        keys.forget("http://a/", "http://x/")
        again = RegisteredKeys(tmp_path / "keys")
        assert again.find("http://a/", "http://x/") is None
        assert again.find("http://b/", "http://x/") == RegisteredKey("k2", "ü")
        assert again.find("http://b/", "http://y/") is None

    def test_a_half_of_before_is_in_nobodys_way(self, tmp_path: Path) -> None:
        import os  # noqa: PLC0415

        (tmp_path / f".keys.{os.getpid()}").write_text("half")
        RegisteredKeys(tmp_path / "keys").keep("a", "b", RegisteredKey("k", "c"))
        assert [one.name for one in tmp_path.iterdir()] == ["keys"]


class TestRounds:
    def test_a_mistake_of_ours_ends_no_round(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken() -> list[Element]:
            raise ZeroDivisionError

        service, client = lookup(told("success"), told("success", "k"))
        keys = RegisteredKeys(tmp_path / "keys")
        bad = LookupRegistration(SERVICE, service, metadata=broken, keys=keys)
        good = LookupRegistration(SERVICE, service, metadata=lambda: [metadata()], keys=keys)
        with caplog.at_level(logging.ERROR):
            Registrations([bad, good]).round()
        assert "ZeroDivisionError" in caplog.text
        assert keys.find("http://ls/", SERVICE.access_point) is not None
        assert [one.get("type") for one in client.sent] == [
            "LSDeregisterRequest",
            "LSRegisterRequest",
        ]

    def test_one_that_never_answered_is_cleared_when_it_does(self, tmp_path: Path) -> None:
        service, client = lookup("", told("error.ls.none"), "", told("success", "k"))
        keys = RegisteredKeys(tmp_path / "keys")
        one = LookupRegistration(SERVICE, service, metadata=lambda: [metadata()], keys=keys)
        one.begin()
        one.keep()
        one.keep()
        assert [sent.get("type", "")[2:8] for sent in client.sent] == [
            "Deregi",
            "Deregi",
            "Regist",
            "Regist",
        ]
        assert METADATA in {element.tag for element in client.sent[-1].iter("*")}
