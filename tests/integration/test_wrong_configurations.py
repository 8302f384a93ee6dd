"""An AggregatorConfig that can't work refuses the Add by name and leaves nothing behind."""

from __future__ import annotations

import pytest

from tests import soap
from tests.soap import AGG


def query_config(expression: str, *, dialect: str = soap.XPATH, declare: str = "") -> str:
    """An AggregatorConfig that polls by an expression."""
    return (
        f'<agg:AggregatorConfig xmlns:agg="{AGG}" {declare}><agg:QueryResourcePropertiesPollType>'
        "<agg:PollIntervalMillis>3600000</agg:PollIntervalMillis>"
        f'<agg:QueryExpression Dialect="{dialect}">{expression}</agg:QueryExpression>'
        "</agg:QueryResourcePropertiesPollType></agg:AggregatorConfig>"
    )


CONFIGS = {
    "no AggregatorConfig": ("", "AggregatorConfig"),
    "an empty one": (
        f'<agg:AggregatorConfig xmlns:agg="{AGG}"/>',
        "Could not locate an Aggregator source that was compatible with the specified parameters: "
        "the AggregatorConfig holds no element; the sources of this group claim "
        f"{{{AGG}}}AggregatorPullPointType, {{{AGG}}}AggregatorSubscriptionType, ",
    ),
    "a source in no namespace": (
        f'<agg:AggregatorConfig xmlns:agg="{AGG}"><ExecutionPollType/></agg:AggregatorConfig>',
        f"did you mean {{{AGG}}}ExecutionPollType?",
    ),
    "a misspelt source": (
        soap.execution_config("ping-test").replace("ExecutionPollType", "ExecutionPolType"),
        "ExecutionPolType: no source claims it; did you mean ExecutionPollType?",
    ),
    "an xsi:type of another name": (
        soap.execution_config("ping-test").replace(
            "<agg:ExecutionPollType>",
            '<agg:ExecutionPollType xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            'xsi:type="agg:GetResourcePropertyPollType">',
        ),
        "contradicts its name",
    ),
    "interval zero": (soap.execution_config("ping-test", millis=0), "PollIntervalMillis"),
    "interval negative": (soap.execution_config("ping-test", millis=-5), "PollIntervalMillis"),
    "interval too short": (soap.execution_config("ping-test", millis=5), "PollIntervalMillis"),
    "an unknown probe": (soap.execution_config("no-such-probe"), "no-such-probe"),
    "a probe outside": (soap.execution_config("../../../bin/sh"), "ProbeName"),
    "an absolute probe": (soap.execution_config("/bin/sh"), "ProbeName"),
    "not executable": (soap.execution_config("__init__.py"), "ProbeName"),
    "unknown prefix": (soap.get_property_config("nowhere:Thing"), "nowhere"),
    "missing name": (soap.get_property_config(""), "ResourcePropertyName"),
    "a subscription to nothing": (
        f'<agg:AggregatorConfig xmlns:agg="{AGG}"><agg:AggregatorSubscriptionType/>'
        "</agg:AggregatorConfig>",
        "TopicExpression: missing; AggregatorSubscriptionType needs exactly one",
    ),
    "a rule beside a poll": (
        soap.get_property_config("agg:a").replace(
            "</agg:AggregatorConfig>",
            '<t:TriggerRuleType xmlns:t="http://mds.globus.org/2004/08/trigger/types"/>'
            "</agg:AggregatorConfig>",
        ),
        "TriggerRuleType: it is for the sink trigger, which this group does not have",
    ),
    "an undeclared prefix in an expression": (query_config("//nobody:Knows"), "'nobody'"),
    "no XPath": (query_config("//Host["), "no XPath 1.0"),
    "a function of XPath 2.0": (query_config("matches(., 'x')"), "matches()"),
    "an unknown dialect": (
        query_config("select", dialect="urn:sql"),
        "urn:sql",
    ),
    "two sources": (
        soap.execution_config("ping-test").replace(
            "</agg:AggregatorConfig>",
            soap.get_property_config("agg:a", declare="").partition(">")[2],
        ),
        "already",
    ),
}


@pytest.mark.parametrize("family", ["gt4", "oasis"])
@pytest.mark.parametrize("case", CONFIGS)
def test_wrong_configurations_refuse_the_add(group: str, case: str, family: soap.Family) -> None:
    config, message = CONFIGS[case]
    before = len(soap.entries(group))
    body = soap.add_body("http://127.0.0.1:1/member", config, family=family)
    name, text = soap.call(group, body).fault
    assert name == "AddRefusedFault"
    assert message in text
    assert len(soap.entries(group)) == before


@pytest.mark.parametrize("family", ["gt4", "oasis"])
def test_prefixes_declared_around_an_expression_count(group: str, family: soap.Family) -> None:
    config = query_config("//w:Widget[@w:size &gt; 1]", declare='xmlns:w="http://widgets.com"')
    entry = soap.add(group, "http://127.0.0.1:1/widgets", config, family=family)
    assert soap.get_property(entry.address, "rl:TerminationTime").status == 200
