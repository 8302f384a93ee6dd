"""Messages of WS-BaseNotification that are held against the published schemas and ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from lxml import etree

from tests import notified
from tests.clients.own_schemas import check_against_ours
from tests.databases import DATABASES
from tests.notified import NT, Consumer, subscribe_body
from tests.service import RunningService
from tests.shared import published_schemas
from tests.soap import NS, XPATH, Answer, Family

CHANGED = '<m:ChangedEntries xmlns:m="urn:mds-aggregator:notification"/>'
AT = "2041-01-01T00:00:00Z"
Follows = Callable[[etree._Element], None]

FAMILIES: tuple[Family, ...] = ("gt4", "oasis")
families = pytest.mark.parametrize("family", FAMILIES)


def by_the_published(element: etree._Element) -> None:
    published_schemas().validate(element)


@pytest.fixture(params=[check_against_ours, by_the_published], ids=["own", "published"])
def follows(request: pytest.FixtureRequest) -> Follows:
    """Holds a body's child against schemas; of a fault its detail."""
    check: Follows = request.param
    return check


@pytest.fixture(scope="module")
def served(services: Callable[[str], RunningService]) -> Iterator[RunningService]:
    """The shared service: what is written does not depend on the database."""
    running = services(DATABASES[0])
    yield running
    running.end_entries()


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    with notified.consumer() as running:
        yield running


def get(family: Family, *names: str) -> str:
    """A read of properties, with the prefixes n (notification), t (topics), rl and h declared."""
    rp, operation, inside = NS[family]["rp"], "GetResourceProperty", names[0]
    if len(names) > 1:
        operation = "GetMultipleResourceProperties"
        inside = "".join(f"<rp:ResourceProperty>{name}</rp:ResourceProperty>" for name in names)
    return (
        f'<rp:{operation} xmlns:rp="{rp}" xmlns:rl="{NS[family]["rl"]}" xmlns:n="{NT[family]}" '
        f'xmlns:t="http://docs.oasis-open.org/wsn/t-1" xmlns:h="urn:mds-aggregator:health">'
        f"{inside}</rp:{operation}>"
    )


def everything(family: Family, url: str, *, policy: str = CHANGED) -> str:
    """A Subscribe that asks for all that can be asked for."""
    names = ("ProducerProperties", "MessageContent")
    if family == "gt4":
        names = ("Precondition", "Selector")
        policy = f"<n:SubscriptionPolicy>{policy}</n:SubscriptionPolicy>"
    queries = "".join(f'<n:{n} Dialect="{XPATH}">true()</n:{n}>' for n in names)
    return subscribe_body(
        url, family=family, filters=queries, more=policy, termination=AT, raw=True
    )


def answered(answer: Answer, follows: Follows, status: int = 200) -> etree._Element:
    """The reply's element, checked."""
    assert answer.status == status, answer.content
    body = answer.body
    follows(body)
    return body
