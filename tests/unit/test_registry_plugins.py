"""How plug-ins are put together and which of them a registration selects."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest

from aggregator.contract import SinkType
from aggregator.errors import ConfigError
from aggregator.registry import plugins
from aggregator.registry.plugins import Plugins, find_plugins, gather
from aggregator.registry.selection import select_source, why_none
from aggregator.testing import RecordingSink, ScriptedSource
from aggregator.wire.namespaces import AGG, TRIGGER
from aggregator.wire.parse import Element, parse


def config(*blocks: str) -> Element:
    return parse(
        f'<a:AggregatorConfig xmlns:a="{AGG}">{"".join(blocks)}</a:AggregatorConfig>'.encode()
    )


ONE = ScriptedSource((), name="One").type("{urn:x}One")
TWO = ScriptedSource((), name="Two").type("{urn:x}Two")
FOUND = gather(sources=[(ONE, "here"), (TWO, "there")], sinks=[])
BLOCK_ONE, BLOCK_TWO = '<One xmlns="urn:x"/>', '<Two xmlns="urn:x"/>'


def test_the_shipped_ones_carry_names_as_mds4_gave_them() -> None:
    found = find_plugins()
    assert {source.name for source in found.sources.values()} == {
        "QueryAggregatorSource",
        "ExecutionAggregatorSource",
        "SubscriptionAggregatorSource",
        "EventAggregatorSource",
        # MDS4 had none of these kinds.
        "ReportAggregatorSource",
        "PullPointAggregatorSource",
        "PerfsonarAggregatorSource",
    }
    assert set(found.sinks) == {"index", "archive", "trigger", "monitored", "measurement"}
    assert found.source("QueryAggregatorSource") is not None
    assert found.source("NoSuchAggregatorSource") is None


def test_two_that_claim_one_element_are_both_named() -> None:
    other = ScriptedSource((), name="Other").type("{urn:x}One")
    with pytest.raises(ConfigError) as refused:
        gather(sources=[(ONE, "here"), (other, "there")], sinks=[])
    for word in ("{urn:x}One", "One (here)", "Other (there)"):
        assert word in str(refused.value)


def test_two_of_one_name_are_both_named() -> None:
    sink = RecordingSink(name="index").type()
    with pytest.raises(ConfigError, match="two sinks are named 'index', one of here, one of there"):
        gather(sources=[], sinks=[(sink, "here"), (sink, "there")])
    again = ScriptedSource((), name="One").type("{urn:x}Three")
    with pytest.raises(ConfigError, match="two sources are named 'One'"):
        gather(sources=[(ONE, "here"), (again, "there")], sinks=[])


@pytest.mark.parametrize(
    ("value", "words"),
    [("no.such.module", "can't be loaded"), ("aggregator.model", "must end with PLUGIN = Sou")],
)
def test_a_broken_package_is_named_at_the_start(
    value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = EntryPoint("broken", value, "aggregator.sources")
    monkeypatch.setattr(
        plugins, "entry_points", lambda group: [entry] if "sources" in group else []
    )
    with pytest.raises(ConfigError, match=f"entry point broken = {value}.*{words}"):
        find_plugins()


class TestSelection:
    def test_the_claimed_block_selects(self) -> None:
        selected = select_source(config("<x/>", BLOCK_TWO, "<y/>"), FOUND)
        assert selected is not None
        assert selected[0] is TWO
        assert selected[1].tag == "{urn:x}Two"

    def test_what_nobody_claims_selects_nothing(self) -> None:
        assert select_source(config("<x/>", "<!-- One -->"), FOUND) is None
        assert select_source(config(), FOUND) is None

    @pytest.mark.parametrize("blocks", [(BLOCK_ONE, BLOCK_TWO), (BLOCK_ONE, BLOCK_ONE)])
    def test_a_second_block_refuses(self, blocks: tuple[str, ...]) -> None:
        with pytest.raises(ConfigError, match="selects a source by One already"):
            select_source(config(*blocks), FOUND)

    def test_a_group_may_take_some_sources_only(self) -> None:
        assert select_source(config(BLOCK_ONE), FOUND, allowed=("One",)) is not None
        with pytest.raises(ConfigError, match="One: this group does not take One; it takes Two"):
            select_source(config(BLOCK_ONE), FOUND, allowed=("Two",))

    def test_a_block_that_a_sink_reads_is_refused_where_the_group_has_no_such_sink(self) -> None:
        sink = SinkType("trigger", RecordingSink(), elements=(f"{{{TRIGGER}}}TriggerRuleType",))
        plugins = replace(FOUND, sinks={"trigger": sink})
        given = config(BLOCK_ONE, f'<TriggerRuleType xmlns="{TRIGGER}"/>')
        assert select_source(given, plugins, sinks=("index", "trigger")) is not None
        with pytest.raises(ConfigError, match="TriggerRuleType: it is for the sink trigger, which"):
            select_source(given, plugins, sinks=("index",))

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("GetResourcePropertyPolType", "no source claims it; did you mean GetResourcePropert"),
            ("ExecutionType", "no source claims it; did you mean ExecutionPollType?"),
            ("XType", "no source claims it; the sources of this group claim {"),
        ],
    )
    def test_a_misspelt_block_is_told_the_closest_name(self, name: str, told: str) -> None:
        with pytest.raises(ConfigError) as refused:
            select_source(config(f'<{name} xmlns="{AGG}"/>'), find_plugins())
        assert str(refused.value).startswith(f"{name}: {told}")

    def test_what_was_found_and_what_is_claimed_is_told(self) -> None:
        told = why_none(config("<One/>", '<y xmlns="urn:y"/>'), FOUND)
        assert told == (
            "the AggregatorConfig holds One, {urn:y}y; the sources of this group claim "
            "{urn:x}One, {urn:x}Two; did you mean {urn:x}One?"
        )
        assert why_none(config(), FOUND, allowed=["Two"]) == (
            "the AggregatorConfig holds no element; the sources of this group claim {urn:x}Two"
        )

    def test_an_xsi_type_of_another_name_is_refused(self) -> None:
        typed = '<One xmlns="urn:x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" {}/>'
        for good in ("", 'xsi:type="One"', 'xsi:type=" p:One "', 'xsi:type="xsd:anyType"'):
            assert select_source(config(typed.format(good)), FOUND) is not None
        with pytest.raises(ConfigError, match="One: its xsi:type 'p:Two' contradicts its name"):
            select_source(config(typed.format('xsi:type="p:Two"')), FOUND)

    def test_an_element_of_the_same_name_elsewhere_is_the_client_s_own(self) -> None:
        block = '<TriggerRuleType xmlns="urn:x"/>'
        assert select_source(config(BLOCK_ONE, block), FOUND) is not None


def test_plugins_are_read_only() -> None:
    assert isinstance(FOUND, Plugins)
    with pytest.raises(TypeError):
        FOUND.sources["x"] = ONE  # type: ignore[index]
