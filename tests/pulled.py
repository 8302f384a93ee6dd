"""Pull points for tests: made, asked and ended by SOAP calls."""

from __future__ import annotations

from lxml import etree

from tests import soap
from tests.notified import NT

TEV = "http://www.onvif.org/ver10/events/wsdl"


def call(address: str, operation: str, inner: str = "") -> soap.Answer:
    """Call an operation of WS-BaseNotification."""
    nt = NT["oasis"]
    return soap.call(address, f'<n:{operation} xmlns:n="{nt}">{inner}</n:{operation}>')


def call_onvif(address: str, operation: str, inner: str = "") -> soap.Answer:
    """Call an operation of ONVIF's events; the prefixes e, n, sg and agg are declared."""
    declared = f'xmlns:n="{NT["oasis"]}" xmlns:sg="{soap.NS["oasis"]["sg"]}" xmlns:agg="{soap.AGG}"'
    return soap.call(address, f'<e:{operation} xmlns:e="{TEV}" {declared}>{inner}</e:{operation}>')


def pull_point(service: str) -> str:
    """The address of a new pull point of the service at an URL."""
    answer = call(f"{service}/wsrf/services/PullPointService", "CreatePullPoint")
    assert answer.status == 200, answer.content
    return answer.body.findtext("{*}PullPoint/{*}Address") or ""


def messages(pull_point: str, number: int | None = None) -> list[etree._Element]:
    """The NotificationMessages of one GetMessages."""
    asked = "" if number is None else f"<n:MaximumNumber>{number}</n:MaximumNumber>"
    answer = call(pull_point, "GetMessages", asked)
    assert answer.status == 200, answer.content
    return answer.body.findall("{*}NotificationMessage")


def subscription(producer: str, inner: str = "") -> str:
    """The address of a subscription made by CreatePullPointSubscription."""
    answer = call_onvif(producer, "CreatePullPointSubscription", inner)
    assert answer.status == 200, answer.content
    return answer.body.findtext("{*}SubscriptionReference/{*}Address") or ""


def pull(manager: str, seconds: float = 0, limit: int = 100) -> soap.Answer:
    """The answer to a PullMessages."""
    asked = f"<e:Timeout>PT{seconds}S</e:Timeout><e:MessageLimit>{limit}</e:MessageLimit>"
    return call_onvif(manager, "PullMessages", asked)


def pulled(answer: soap.Answer) -> list[etree._Element]:
    """The contents of the Messages of an answer to PullMessages."""
    assert answer.status == 200, answer.content
    return [one[0] for one in answer.body.iterfind("{*}NotificationMessage/{*}Message")]
