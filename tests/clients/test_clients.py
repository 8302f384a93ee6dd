"""Six foreign SOAP clients load the WSDL over HTTP and call the service in both dialects."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.clients.clients import CLIENTS, ForeignClient
from tests.clients.stub import SOAP11, SOAP12, Call, Stub

DIALECTS = ("oasis", "gt4")
READS = ["GetMultipleResourceProperties", "GetResourceProperty", "QueryResourceProperties"]
PRODUCES = ["GetCurrentMessage", "Subscribe"]
QUERY = {"oasis": "?wsdl", "gt4": "?wsdl=gt4"}
PAUSES = ["PauseSubscription", "ResumeSubscription"]
OF_NOTIFICATION: dict[str, dict[str, list[str]]] = {
    "NotificationConsumerService": {"oasis": ["Notify"], "gt4": ["Notify"]},
    "SubscriptionManagerService": {
        "oasis": [
            *PAUSES,
            *("Renew", "Unsubscribe", "SetTerminationTime", "Destroy", "GetResourceProperty"),
            *("GetMultipleResourceProperties", "GetResourcePropertyDocument"),
        ],
        "gt4": [*PAUSES, "SetTerminationTime", "Destroy", "GetResourceProperty"],
    },
}
EACH = [
    pytest.param(client, marks=pytest.mark.client(client.name), id=client.name)
    for client in CLIENTS
]
EACH_VERSION = [
    pytest.param((client, soap), marks=pytest.mark.client(client.name), id=f"{client.name}-{soap}")
    for client in CLIENTS
    for soap in client.soap
]


def need(client: ForeignClient) -> None:
    """Skip where the client is not installed; under CI it must be."""
    missing = client.missing()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"{client.name}: {missing}")
    if missing:
        pytest.skip(f"{client.name}: {missing}")


def moment(text: str) -> datetime:
    """A time as a client prints it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("caller", EACH_VERSION)
def test_adds_reads_and_renews(
    caller: tuple[ForeignClient, str],
    dialect: str,
    running: object,
    service_url: str,
    tmp_path: Path,
) -> None:
    client, soap = caller
    need(client)
    member = f"http://127.0.0.1:9/wsrf/services/{uuid.uuid4()}"
    now = datetime.now(UTC).replace(microsecond=0)
    times = [(now + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (1, 2)]
    seen = len(running.calls) if isinstance(running, Stub) else 0

    reply = client.register(service_url, dialect, soap, member, *times, folder=tmp_path)

    assert urlsplit(reply["entry"]).path == f"{urlsplit(service_url).path}Entry/{reply['key']}"
    assert member in reply["members"]
    assert moment(reply["renewed"]) == now + timedelta(hours=2)
    if isinstance(running, Stub):
        assert running.refused == []
        version = SOAP12 if soap == "1.2" else SOAP11
        names = ("Add", "GetResourceProperty", "SetTerminationTime")
        assert running.calls[seen:] == [Call(version, dialect, name) for name in names]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", ["group", "entry"])
# A WSDL is the same on each database.
@pytest.mark.parametrize("running", ["stub", "sqlite"], indirect=True)
@pytest.mark.parametrize("client", EACH)
def test_finds_every_operation(
    client: ForeignClient, kind: str, dialect: str, service_url: str, tmp_path: Path
) -> None:
    need(client)
    address = f"{service_url}Entry" if kind == "entry" else service_url
    added = ["Add"] if kind == "group" else []
    document = ["GetResourcePropertyDocument"] if dialect == "oasis" else []

    found = client.operations(address + QUERY[dialect], tmp_path)

    lifetime = ["Destroy", "SetTerminationTime"]
    assert found == sorted([*added, *lifetime, *READS, *document, *PRODUCES])


@pytest.mark.timeout(180)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("client", EACH)
def test_finds_every_operation_of_a_member(
    client: ForeignClient, dialect: str, stub: Stub, tmp_path: Path
) -> None:
    need(client)
    address = f"{stub.url}/wsrf/services/HostService"

    found = client.operations(address + QUERY[dialect], tmp_path)

    assert found == sorted([*READS, "GetResourcePropertyDocument", *PRODUCES])


@pytest.mark.timeout(180)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", OF_NOTIFICATION)
@pytest.mark.parametrize("client", EACH)
def test_finds_every_operation_of_notification(
    client: ForeignClient, kind: str, dialect: str, stub: Stub, tmp_path: Path
) -> None:
    need(client)

    found = client.operations(f"{stub.url}/wsrf/services/{kind}{QUERY[dialect]}", tmp_path)

    assert found == sorted(OF_NOTIFICATION[kind][dialect])
