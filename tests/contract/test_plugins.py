"""What every plug-in that is found must fulfil, shown on the samples that it must have."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aggregator.contract import (
    AggregatorSink,
    AggregatorSource,
    Collected,
    ConfigBlock,
    Delivery,
    Group,
    HttpReply,
    SinkType,
    SourceType,
)
from aggregator.errors import CollectError, ConfigError
from aggregator.model import Plan
from aggregator.registry.plugins import find_plugins
from aggregator.registry.selection import select_source
from aggregator.testing import ScriptedHttp, StubContext, member
from aggregator.wire.parse import parse

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "samples"
PLUGINS = find_plugins()
SOURCES = sorted({source.name: source for source in PLUGINS.sources.values()}.items())
SINKS = sorted(PLUGINS.sinks.items())
PROBES = ("ping-test", "site/disk-test")


def resolve(name: str) -> str:
    if name not in PROBES:
        raise ConfigError(f"no probe {name!r} may run here")
    return name


GROUP = Group("Samples", min_interval=1000, resolve_probe=resolve)


def folder(plugin: SourceType | SinkType) -> str:
    """The name of a plug-in's module, which its samples and its page carry too."""
    value = plugin.source if isinstance(plugin, SourceType) else plugin.sink
    return type(value).__module__.rpartition(".")[2]


def samples(kind: str, plugins: list[tuple[str, SourceType]] | list[tuple[str, SinkType]]) -> list:  # type: ignore[type-arg]
    return [
        pytest.param(plugin, file, id=f"{folder(plugin)}/{file.name.removesuffix('.xml')}")
        for _, plugin in plugins
        for file in sorted((SAMPLES / folder(plugin)).glob(f"*.{kind}.xml"))
    ]


def checked(file: Path) -> tuple[SourceType, Plan]:
    """The plan that an Add with this AggregatorConfig gets."""
    config = parse(file.read_bytes())
    selected = select_source(config, PLUGINS)
    assert selected is not None, f"no source claims a block of {file.name}"
    source, element = selected
    block = ConfigBlock(element, config, member().epr, "gt4")
    return source, source.source.check(block, group=GROUP)


@pytest.mark.parametrize("source", [pytest.param(s, id=n) for n, s in SOURCES])
class TestSource:
    def test_has_samples_and_a_page_that_names_what_it_claims(self, source: SourceType) -> None:
        own = SAMPLES / folder(source)
        assert list(own.glob("*.good.xml"))
        assert list(own.glob("*.bad.xml"))
        page = (ROOT / "docs" / "sources" / f"{folder(source)}.md").read_text()
        assert source.name in page
        for element in source.elements:
            assert element.startswith("{")
            local = element.rpartition("}")[2]
            assert local in page
            assert any(local in file.read_text() for file in own.glob("*.good.xml"))

    def test_carries_the_name_of_its_class(self, source: SourceType) -> None:
        assert type(source.source).__name__ == source.name

    def test_release_may_be_called_twice(self, source: SourceType) -> None:
        plan, context = Plan(source.name, 1000), StubContext()

        async def twice() -> list[None]:
            return [await source.source.release(plan, context=context) for _ in range(2)]

        assert asyncio.run(twice()) == [None, None]


@pytest.mark.parametrize(("source", "file"), samples("good", SOURCES))
class TestGoodSample:
    def test_is_planned_the_same_way_twice(self, source: SourceType, file: Path) -> None:
        found, plan = checked(file)
        assert found is source
        assert plan.source == source.name
        assert plan.interval >= GROUP.min_interval or plan.upkeep >= GROUP.min_interval
        assert checked(file)[1] == plan

    def test_plan_survives_the_store(self, source: SourceType, file: Path) -> None:
        plan = checked(file)[1]
        assert Plan.loads(plan.dumps()) == plan

    def test_a_failure_of_the_member_is_a_collect_error(
        self, source: SourceType, file: Path
    ) -> None:
        gone = CollectError("gone", code="connection")
        context = StubContext(http=ScriptedHttp(lambda url, body: gone))
        with pytest.raises(CollectError):
            asyncio.run(source.source.collect(checked(file)[1], context=context))

    @pytest.mark.parametrize("body", [b"", b"\0\xff", b"<html>", b"not XML at all"])
    def test_nonsense_is_a_collect_error(self, source: SourceType, file: Path, body: bytes) -> None:
        if type(source.source).collect is AggregatorSource.collect:
            pytest.skip("this source does not poll")

        async def prints(name: str, **given: object) -> bytes:
            return body

        http = ScriptedHttp(lambda url, asked: HttpReply(200, "text/xml", body))
        context = StubContext(http=http, run_probe=prints)
        with pytest.raises(CollectError):
            asyncio.run(source.source.collect(checked(file)[1], context=context))


@pytest.mark.parametrize(("source", "file"), samples("bad", SOURCES))
def test_bad_sample_is_refused_by_name(source: SourceType, file: Path) -> None:
    wanted = file.with_suffix(".txt").read_text().strip()
    with pytest.raises(ConfigError) as refused:
        checked(file)
    assert str(refused.value) == wanted


@pytest.mark.parametrize("sink", [pytest.param(s, id=n) for n, s in SINKS])
class TestSink:
    def test_has_a_sample_and_a_page(self, sink: SinkType) -> None:
        assert list((SAMPLES / folder(sink)).glob("*.good.xml"))
        page = (ROOT / "docs" / "sinks" / f"{folder(sink)}.md").read_text()
        assert type(sink.sink).__name__ in page

    def test_owns_tables_under_its_own_name(self, sink: SinkType) -> None:
        for step in sink.migrations:
            for statement in step:
                assert f"sink_{sink.name}" in statement

    def test_answers_every_delivery_of_a_batch(self, sink: SinkType) -> None:
        config = parse(next((SAMPLES / folder(sink)).glob("*.good.xml")).read_bytes())
        plan = sink.sink.check(config, group=GROUP)
        batch = [
            Delivery(member(key=key), plan, Collected((b"<a/>", b"<b/>")), at=1) for key in "xyz"
        ]
        answered = asyncio.run(sink.sink.deliver(batch, context=StubContext()))
        assert len(answered) == len(batch)
        assert all(
            content is None or all(isinstance(child, bytes) for child in content)
            for content in answered
        )

    def test_forgets_an_entry_twice(self, sink: SinkType) -> None:
        context = StubContext()

        async def twice() -> list[None]:
            return [await sink.sink.forget(member(), context=context) for _ in range(2)]

        assert asyncio.run(twice()) == [None, None]

    def test_refuses_its_bad_samples_by_name(self, sink: SinkType) -> None:
        # One by one and not as parameters: of the sinks that ship, none refuses anything.
        files = sorted((SAMPLES / folder(sink)).glob("*.bad.xml"))
        refuses = type(sink.sink).check is not AggregatorSink.check
        assert bool(files) == refuses, "a sink with a check of its own shows what it refuses"
        for file in files:
            with pytest.raises(ConfigError) as refused:
                sink.sink.check(parse(file.read_bytes()), group=GROUP)
            assert str(refused.value) == file.with_suffix(".txt").read_text().strip(), file.name
