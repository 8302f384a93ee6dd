"""Archives of a running service, on each database: members, commands, processes that die."""

from __future__ import annotations

import contextlib
import csv
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from itertools import groupby
from pathlib import Path
from typing import Any

import psutil
import pytest
from lxml import etree

from aggregator.wire.times import parse_datetime
from tests import soap
from tests.chaos.victims import role_of
from tests.databases import DATABASES
from tests.integration.archive_scene import (
    OURS,
    XINDICE,
    Scene,
    ask,
    member,
    said,
    scene_on,
)
from tests.integration.commands import block, run, write_registrations
from tests.shared import SHARED
from tests.soap import NS
from tests.waiting import until


@pytest.fixture(scope="module", params=DATABASES)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    with scene_on(request.param, tmp_path_factory.mktemp("archive")) as found:
        yield found


def test_a_registration_file_of_mds4_fills_it_and_its_tool_asks_it(
    scene: Scene, tmp_path: Path
) -> None:
    """The sample of MDS4, or one like it, but for host, port and how often."""
    index = scene.service.group
    file = _registration_file(scene, tmp_path)
    assert run("mds-servicegroup-add", "-a", "--once", file).status == 0

    def found() -> list[str]:
        done = run(
            "mds-archive-query", "-s", scene.group, "-q", "//life:CurrentTime",
            "-from", "2000-01-01T00:00:00Z", "-to", "2100-01-01",
            f"xmlns:life={NS['gt4']['rl']}", "--member", index,
        )  # fmt: skip
        assert (done.status, done.err) == (0, "")
        return done.out.splitlines()

    lines = until(lambda: (some := found())[2:] and some, what="no three deliveries")
    nodes = [etree.fromstring(line) for line in lines]
    assert {node.tag for node in nodes} == {f"{{{NS['gt4']['rl']}}}CurrentTime"}
    host = scene.service.url.removeprefix("http://").replace(":", ".")
    for node in nodes:
        place, key = (node.get(f"{{{XINDICE}}}{name}") for name in ("col", "key"))
        first = node.get(f"{{{OURS}}}first")
        day, _, moment = str(first).removesuffix("Z").partition("T")
        assert place == f"/db/archive-service/{host}.ArchiveService/{day.replace('-', '.')}"
        assert key == moment.replace(":", ".")
        assert abs(_seconds(str(node.text)) - _seconds(str(first))) < 5
    assert run("mds-archive-query", "-s", scene.group, "-q", "//nothing").out == ""


def _registration_file(scene: Scene, folder: Path) -> str:
    index = scene.service.group
    sample = SHARED / "samples" / "mds4-docs" / "example-archive-registration.xml"
    if sample.exists():
        text = sample.read_text()
        assert text.count("https://localhost:8443/wsrf/services/") == 2
        file = folder / "sample.xml"
        here = text.replace("https://localhost:8443", scene.service.url)
        file.write_text(here.replace(">600000<", ">200<"))
        return str(file)
    config = (
        '<agg:AggregatorConfig xsi:type="agg:AggregatorConfig"><agg:GetResourcePropertyPollType '
        f'xmlns:lifetime="{NS["gt4"]["rl"]}"><agg:PollIntervalMillis>200</agg:PollIntervalMillis>'
        "<agg:ResourcePropertyName>lifetime:CurrentTime</agg:ResourcePropertyName>"
        "</agg:GetResourcePropertyPollType></agg:AggregatorConfig>"
    )
    return write_registrations(folder, block(index, config=config), group=scene.group)


def _seconds(text: str) -> float:
    return (parse_datetime(text) or 0) / 1e6


def test_what_changed_is_kept_with_its_span_and_outlives_its_entry(scene: Scene) -> None:
    address = member()
    entry = scene.add(address, said("one"))
    scene.until_kept(address, "one")
    until(lambda: int(scene.kept(address)[0].get(f"{{{OURS}}}deliveries")) > 2, what="no span")
    scene.says(address, said("two"))
    last = scene.until_kept(address, "two")
    assert [node.text for node in scene.kept(address)] == ["one", "two"]
    assert soap.destroy(entry).status == 200
    # Registered again, under another key, it is the same member.
    scene.add(address, said("three"))
    scene.until_kept(address, "three")
    found = scene.kept(address)
    assert [node.text for node in found] == ["one", "two", "three"]
    assert len({node.get(f"{{{OURS}}}entry") for node in found}) == 2
    more = f"<EntryKey>{entry.key}</EntryKey>"
    of_entry = ask(scene.group, "//*[local-name()='said']", more=more).body
    assert [node.text for node in of_entry] == ["one", "two"]
    # By time: only what came until the second one did.
    first = last.get(f"{{{OURS}}}first")
    since = f"<From>{first}</From>"
    until_then = ask(scene.group, "//*[local-name()='said']", member=address, more=since).body
    assert [node.text for node in until_then] == ["two", "three"]


def test_it_is_read_as_an_index_is(scene: Scene) -> None:
    address = member()
    scene.add(address, said("shown"))
    scene.until_kept(address, "shown")
    expression = f"//*[local-name()='Entry'][.//*='{address}']//*[local-name()='said']"
    (node,) = soap.query(scene.group, expression).body
    assert node.text == "shown"


def test_it_can_be_a_second_sink(scene: Scene) -> None:
    group = f"{scene.service.url}/wsrf/services/Both"
    address = member()
    scene.add(address, said("both"), group=group)
    until(lambda: list(ask(group, "//*", member=address).body), what="nothing is kept")
    assert soap.query(group, "count(//*[local-name()='said'])").body.text == "1"


def test_what_was_acknowledged_outlives_the_kill_of_every_process(scene: Scene) -> None:
    """Published means kept: both are one transaction."""
    address = member()
    entry = scene.add(address, said("before"))
    scene.until_kept(address, "before")
    for number in range(3):
        text = f"kill{number}"
        scene.says(address, said(text))

        def published(text: str = text) -> bool:
            content = soap.get_property(entry.address, "sg:Content", header=entry.header)
            return text.encode() in content.content

        until(published, what="not published")
        collector = until(lambda: role_of(scene.service, "collector"), what="no collector")
        collector.kill()
        assert [node.text for node in scene.kept(address)][-1] == text
    web = role_of(scene.service, "web")
    evaluator = role_of(scene.service, "query")
    for victim in (web, evaluator):
        assert victim is not None
        victim.kill()

    def texts() -> list[str | None]:
        try:
            found = [node.text for node in scene.kept(address)]
        except (OSError, HTTPException):
            return []
        # While no collector ran nothing came, so what came before and after is two spans.
        return [text for text, _ in groupby(found)]

    until(lambda: texts() == ["before", "kill0", "kill1", "kill2"], what="something was lost")


class TestNumbers:
    def test_are_taken_and_shown_with_their_gaps(self, scene: Scene) -> None:
        address = member()
        scene.add(address, said("a", load="2.5"))
        scene.until_kept(address, "a")
        scene.says(address, said("b", load="none"))
        scene.until_kept(address, "b")
        scene.says(address, said("c", load="4"))
        scene.until_kept(address, "c")
        names = json.loads(_get(f"{scene.group}?series"))
        assert "load" in names["series"]

        def buckets() -> Any:
            shown = json.loads(_get(f"{scene.group}?series=load&member={address}&bucket=1d"))
            return [one["buckets"] for one in shown["members"]]

        (of_member,) = until(
            lambda: [one for one in buckets() if one[-1]["last"] == 4], what="c has no number"
        )
        last = of_member[-1]
        assert (last["min"], last["max"], last["last"]) == (2.5, 4, 4)
        assert last["count"] >= 2
        assert of_member[0] == {
            "at": of_member[0]["at"],
            "count": 0,
            **dict.fromkeys(("min", "max", "mean", "last")),
        }

        command = ["archive", "series", *scene.options, "load", "--member", address]
        done = run("aggregator", *command, "--output", "csv")
        assert (done.status, done.err) == (0, "")
        found = list(csv.DictReader(done.out.splitlines()))
        assert len(found) == 25
        (row,) = [one for one in found if one["count"] != "0"]
        assert (row["member"], row["min"], row["max"]) == (address, "2.5", "4.0")

    def test_that_a_document_makes_too_dear_are_left_out_and_it_is_kept(self, scene: Scene) -> None:
        """`slow` goes through all elements for each of them; one member has thousands."""
        address, other = member(), member()
        hostile = "<x:said xmlns:x='urn:x' load='7'>deep" + "<a/>" * 40_000 + "</x:said>"
        scene.add(address, hostile)
        scene.add(other, said("quick", load="3"))
        scene.until_kept(address, "deep")
        scene.until_kept(other, "quick")

        def numbers(of: str) -> Any:
            return json.loads(_get(f"{scene.group}?series=load&member={of}&bucket=1d"))["members"]

        until(lambda: numbers(other), what="the other's numbers are not taken")
        assert numbers(address) == []
        metrics = _get(f"{scene.service.url}/metrics").decode()
        assert "aggregator_archive_extraction_failures_total" in metrics

    def test_are_asked_for_by_names_that_can_be(self, scene: Scene) -> None:
        for asked in ("series=a%00b", "series=load&member=%00", "series=load&entry=x%00"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                _get(f"{scene.group}?{asked}")
            with refused.value:
                assert refused.value.code == 400
                told = json.loads(refused.value.read())["error"]
            assert told.endswith("a NUL is in no name; leave out the %00")


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        content: bytes = answer.read()
        return content


def test_it_is_exported_while_it_is_served(scene: Scene, tmp_path: Path) -> None:
    address = member()
    scene.add(address, said("exported"))
    scene.until_kept(address, "exported")
    file = tmp_path / "kept.csv"
    base = ["archive", "export", *scene.options, "--format", "csv", "--member", address]
    done = run("aggregator", *base, str(file))
    assert (done.status, done.out, done.err) == (0, f"1 rows to {file}\n", "")
    with file.open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["member"], int(row["deliveries"]) > 0) == (address, True)
    assert ">exported</x:said>" in row["document"]


def test_no_process_is_left_behind_by_a_reload(scene: Scene) -> None:
    """The one that takes numbers goes with the settings that it was started for."""
    address = member()
    scene.add(address, said("reload", load="1"))
    scene.until_kept(address, "reload")

    def takers() -> list[int]:
        collector = role_of(scene.service, "collector")
        with contextlib.suppress(psutil.Error):
            found = collector.children() if collector else []
            return [one.pid for one in found if "extract_process" in " ".join(one.cmdline())]
        # It has just ended.
        return []

    (before,) = until(takers, what="nobody takes numbers")
    first = psutil.Process(before)
    scene.service.process.send_signal(1)
    scene.says(address, said("reloaded", load="2"))
    scene.until_kept(address, "reloaded")
    until(lambda: len(takers()) == 1 and takers() != [before], what="it did not go")
    # Its number may be another process's by now.
    assert not first.is_running()
