"""The catalogue is that of the original: classes, ids, messages and their fields."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest

import aggregator.events as package
from aggregator.events import EventPublisher, EventSubscriber, Message, publishers, subscribers
from aggregator.events.document import origin_of
from aggregator.events.fields import EnumField
from tests.conftest import SHARED

#: Kind of event; event id; id of the additional message's type; the kind that it is derived of.
KINDS: dict[str, tuple[int | None, int | None, str]] = {
    "ResourceLifecycleEvent": (1001, 2323, "Event"),
    "ContainerLifecycleEvent": (1051, 2323, "ResourceLifecycleEvent"),
    "ProcessLifecycleEvent": (1052, 2323, "ResourceLifecycleEvent"),
    "InfrastructureEvent": (None, None, "Event"),
    "AppLoaderEvent": (1075, 2332, "InfrastructureEvent"),
    "ContainerStartupEvent": (1076, 2333, "InfrastructureEvent"),
    "TriggerEvent": (None, 2324, "Event"),
    "DatasourceUpdateEvent": (1101, 2324, "TriggerEvent"),
    "ResourceModifiedEvent": (None, 2325, "Event"),
    "DatasourceUnavailableEvent": (1102, 2330, "ResourceModifiedEvent"),
    "DatasetSupplementAddedEvent": (1111, 2331, "ResourceModifiedEvent"),
    "BusinessStateModificationEvent": (1112, 2325, "ResourceModifiedEvent"),
    "DatasetChangeEvent": (1113, 2341, "ResourceModifiedEvent"),
    "DatasourceChangeEvent": (1114, 2342, "ResourceModifiedEvent"),
    "IngestionProcessingEvent": (1115, 2343, "ResourceModifiedEvent"),
    "DatasetStreamingEvent": (1116, None, "ResourceModifiedEvent"),
    "NewSubscriptionEvent": (1201, 2327, "Event"),
    "DelSubscriptionEvent": (1202, 2328, "Event"),
    "ScheduleEvent": (2001, 2324, "TriggerEvent"),
    "LoggingEvent": (None, 2326, "Event"),
    "CriticalLoggingEvent": (3001, 2326, "LoggingEvent"),
    "ErrorLoggingEvent": (3002, 2326, "LoggingEvent"),
    "InfoLoggingEvent": (3003, 2326, "LoggingEvent"),
    "DataEvent": (None, 2329, "Event"),
    "DataBlockEvent": (4001, 2329, "DataEvent"),
    "InstrumentSampleDataEvent": (4001, 4303, "DataBlockEvent"),
}
OTHER_SUBSCRIBERS = {"BusinessStateModificationEventSubscriber": "BusinessStateChangeSubscriber"}
NO_PUBLISHER = {"DatasetStreamingEvent"}

TEXT, DOUBLE, LINK = "a text", "a number", "a message"
MESSAGES: dict[int, tuple[str, dict[str, str]]] = {
    2322: (
        "EventMessage",
        dict.fromkeys(
            ["data_resource_id", "name", "description", "origin", "body", "user_id"], TEXT
        )
        | {"datetime": DOUBLE, "additional_data": LINK}
        | {"status": "1 IN_PROGRESS 2 CACHED 3 ERROR 4 NO_CACHE"},
    ),
    2323: (
        "ResourceLifecycleEventMessage",
        {"state": "1 NEW 2 READY 3 ACTIVE 4 TERMINATED 5 ERROR"},
    ),
    2324: ("TriggerEventMessage", {"task_id": TEXT, "payload": LINK}),
    2325: ("ResourceModificationEventMessage", {"resource": LINK}),
    2326: ("LoggingEventMessage", {}),
    2327: ("NewSubscriptionEventMessage", {"dispatcher_workflow": LINK}),
    2328: ("DelSubscriptionEventMessage", {"dispatcher_workflow": LINK}),
    2329: (
        "DataEventMessage",
        dict.fromkeys(["dataset_id", "datasource_id", "data_block"], TEXT),
    ),
    2330: (
        "DatasourceUnavailableEventMessage",
        dict.fromkeys(["datasource_id", "dataset_id", "title", "url", "error_explanation"], TEXT),
    ),
    2331: (
        "DatasetSupplementAddedEventMessage",
        dict.fromkeys(["datasource_id", "dataset_id", "title", "url"], TEXT)
        | dict.fromkeys(
            ["start_datetime_millis", "end_datetime_millis"], "a whole number of 64 bits"
        )
        | {"number_of_timesteps": "a whole number of 32 bits"},
    ),
    2332: ("AppLoaderEventMessage", {"app_name": TEXT, "state": "1 STARTED 2 STOPPED"}),
    2333: ("ContainerStartupEventMessage", {"startup_names": "a list of texts"}),
    2341: ("DataSetChangeEventMessage", {"dataset_id": TEXT}),
    2342: ("DataSourceChangeEventMessage", {"datasource_id": TEXT}),
    2343: (
        "IngestionProcessingEventMessage",
        dict.fromkeys(["dataset_id", "ingestion_process_id", "conv_id", "processing_step"], TEXT),
    ),
    4303: (
        "InstrumentSampleData",
        dict.fromkeys(
            ["conductivity", "pressure", "temperature", "sound_velocity", "salinity"], DOUBLE
        )
        | {"time": TEXT, "date": TEXT},
    ),
}


def publisher(kind: str) -> type[EventPublisher]:
    found = getattr(package, f"{kind}Publisher")
    assert isinstance(found, type)
    return found


def subscriber(kind: str) -> type[EventSubscriber]:
    name = f"{kind}Subscriber"
    found = getattr(package, OTHER_SUBSCRIBERS.get(name, name))
    assert isinstance(found, type)
    return found


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in NO_PUBLISHER])
def test_publishers(kind: str) -> None:
    event_id, type_id, base = KINDS[kind]
    found = publisher(kind)
    assert found.event_id == event_id
    assert getattr(found.msg_type, "type_id", None) == type_id
    assert found.__bases__ == (publisher(base),)


@pytest.mark.parametrize("kind", KINDS)
def test_subscribers(kind: str) -> None:
    event_id, _, base = KINDS[kind]
    found = subscriber(kind)
    assert found.event_id == event_id
    assert found.__bases__ == (subscriber(base),)


def test_the_catalogue_has_no_more_than_that() -> None:
    wanted = {publisher(kind) for kind in KINDS if kind not in NO_PUBLISHER}
    assert wanted == {one for one in vars(publishers).values() if is_own(one, EventPublisher)}
    assert {subscriber(kind) for kind in KINDS} == {
        one for one in vars(subscribers).values() if is_own(one, EventSubscriber)
    }


def is_own(found: object, base: type) -> bool:
    return isinstance(found, type) and issubclass(found, base) and found is not base


@pytest.mark.parametrize("type_id", MESSAGES)
def test_messages(type_id: int) -> None:
    name, fields = MESSAGES[type_id]
    found = getattr(package, name)
    assert issubclass(found, Message)
    assert found.type_id == type_id
    assert {
        field: " ".join(f"{one.value} {one.name}" for one in held.enum)
        if isinstance(held, EnumField)
        else held.holds
        for field, held in found.FIELDS.items()
    } == fields


@pytest.mark.parametrize(
    ("of", "names"),
    [
        ("EventPublisher.Status", "EventMessage.Status"),
        ("ResourceLifecycleEventPublisher.State", "ResourceLifecycleEventMessage.State"),
        ("ProcessLifecycleEventPublisher.State", "ResourceLifecycleEventMessage.State"),
        ("AppLoaderEventPublisher.State", "AppLoaderEventMessage.State"),
    ],
)
def test_publishers_have_the_names_of_their_enums(of: str, names: str) -> None:
    def named(dotted: str) -> type:
        owner, name = dotted.split(".")
        found = getattr(getattr(package, owner), name)
        assert isinstance(found, type)
        return found

    given = {key: one for key, one in vars(named(of)).items() if not key.startswith("_")}
    assert given == {member.name: member.name for member in named(names)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [kind for kind, (event_id, _, _) in KINDS.items() if event_id])
def test_every_class_says_what_it_means_and_where_from(kind: str) -> None:
    classes: list[type] = [subscriber(kind)]
    if kind not in NO_PUBLISHER:
        classes.append(publisher(kind))
    for one in classes:
        assert "__doc__" in vars(one)
        assert origin_of(one), one.__name__
    # Who publishes and who subscribes are told the same meaning.
    assert len({str(one.__doc__).partition("\n")[0] for one in classes}) == 1


def test_all_that_is_public_is_there() -> None:
    assert sorted(package.__all__) == sorted(set(package.__all__))
    for name in package.__all__:
        assert getattr(package, name).__doc__, name


def published() -> Iterator[dict[str, str]]:
    file = SHARED / "samples" / "ion" / "events_catalogue.csv"
    if not file.exists():
        pytest.skip("the published catalogue is not at hand")
    with file.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def test_the_published_catalogue_is_this_one() -> None:
    rows = list(published())
    assert len(rows) > 50
    for row in rows:
        found = getattr(package, row["class"])
        assert found.__bases__ == (getattr(package, row["base"]),)
        assert found.event_id == (int(row["event_id"]) if row["event_id"] else None)
        if row["msg_type_id"]:
            assert found.msg_type.type_id == int(row["msg_type_id"])
            assert found.msg_type.__name__ == row["additional_data_message"]
