"""Registrations that fetch, and what they publish."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from lxml import etree

from tests import soap
from tests.onvif_schemas import CONCRETE_SET, TNS1, TT
from tests.service import RunningService, running_service
from tests.waiting import until

CONFIG = "[notifications]\nsubscription_lifetime = '10s'\nestablish_timeout = '5s'\n"


@pytest.fixture(scope="module")
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service by the module's `CONFIG`: what is fetched from others depends on no database."""
    folder = tmp_path_factory.mktemp("service")
    with running_service(folder, config=request.module.CONFIG) as running:
        yield running


def pull_config(inner: str = "", *, topic: str = "", millis: int = 1000) -> str:
    """An AggregatorConfig that fetches; the prefixes tns1, t and sg are declared."""
    expression = ""
    if topic:
        expression = f'<agg:TopicExpression Dialect="{CONCRETE_SET}">{topic}</agg:TopicExpression>'
    return (
        f'<agg:AggregatorConfig xmlns:agg="{soap.AGG}" xmlns:tns1="{TNS1}" xmlns:t="urn:t" '
        f'xmlns:sg="{soap.NS["oasis"]["sg"]}"><agg:AggregatorPullPointType>'
        f"<agg:PollIntervalMillis>{millis}</agg:PollIntervalMillis>{expression}{inner}"
        "</agg:AggregatorPullPointType></agg:AggregatorConfig>"
    )


def data(group: str) -> list[etree._Element]:
    """What the first entry publishes."""
    (entry, *_) = soap.entries(group)
    found = entry.find("{*}Content/{*}AggregatorData")
    return [] if found is None else list(found)


def state(group: str) -> dict[tuple[str, str], str]:
    """The state of a device that the first entry publishes: by topic and source."""
    found = {}
    for message in data(group):
        items = {
            item.get("Name"): item.get("Value") for item in message.iter(f"{{{TT}}}SimpleItem")
        }
        topic = message.findtext("{*}Topic").partition(":")[2]
        found[topic, items["Token"]] = items["State"]
    return found


def until_state(group: str, **wanted: str) -> None:
    """Wait for a state; names are topic, two underscores, source."""
    expected = {tuple(name.split("__")): value for name, value in wanted.items()}
    until(lambda: state(group) == expected, what=f"the state {expected}")


@contextlib.contextmanager
def failing(group: str) -> Iterator[None]:
    """A block after which the first entry tells that it can't be collected."""
    yield
    until(
        lambda: soap.entries(group)[0].find(".//{*}AggregatorError") is not None,
        what="the entry's error",
    )
