"""Events: typed notifications that are published by topic, and received by who subscribed.

::

    from aggregator.events import ResourceLifecycleEventPublisher, ResourceLifecycleEventSubscriber

    subscriber = ResourceLifecycleEventSubscriber(origin="buoy-7")
    subscriber.on_data = lambda data: print(data.content.additional_data.state.name)
    subscriber.activate()

    publisher = ResourceLifecycleEventPublisher(origin="buoy-7")
    publisher.create_and_publish_event(state=publisher.State.ACTIVE)

The catalogue, and what holds for all events, is on docs/events.md.
"""

from __future__ import annotations

from aggregator.events.additional import (
    AppLoaderEventMessage,
    ContainerStartupEventMessage,
    DataEventMessage,
    DataSetChangeEventMessage,
    DatasetSupplementAddedEventMessage,
    DataSourceChangeEventMessage,
    DatasourceUnavailableEventMessage,
    DelSubscriptionEventMessage,
    IngestionProcessingEventMessage,
    InstrumentSampleData,
    LoggingEventMessage,
    NewSubscriptionEventMessage,
    ResourceLifecycleEventMessage,
    ResourceModificationEventMessage,
    TriggerEventMessage,
)
from aggregator.events.factory import (
    SubscriberFactory,
)
from aggregator.events.fields import (
    DoubleField,
    EnumField,
    Field,
    IntegerField,
    LinkField,
    TextField,
    TextListField,
)
from aggregator.events.lifecycle import (
    LifecycleState,
)
from aggregator.events.messages import (
    EventMessage,
    Message,
    RawMessage,
    UnknownEnum,
    UnknownMessage,
)
from aggregator.events.monitor import (
    EventMonitor,
)
from aggregator.events.publisher import (
    EventPublisher,
    Publisher,
)
from aggregator.events.publishers import (
    AppLoaderEventPublisher,
    BusinessStateModificationEventPublisher,
    ContainerLifecycleEventPublisher,
    ContainerStartupEventPublisher,
    CriticalLoggingEventPublisher,
    DataBlockEventPublisher,
    DataEventPublisher,
    DatasetChangeEventPublisher,
    DatasetSupplementAddedEventPublisher,
    DatasourceChangeEventPublisher,
    DatasourceUnavailableEventPublisher,
    DatasourceUpdateEventPublisher,
    DelSubscriptionEventPublisher,
    ErrorLoggingEventPublisher,
    InfoLoggingEventPublisher,
    InfrastructureEventPublisher,
    IngestionProcessingEventPublisher,
    InstrumentSampleDataEventPublisher,
    LoggingEventPublisher,
    NewSubscriptionEventPublisher,
    ProcessLifecycleEventPublisher,
    ResourceLifecycleEventPublisher,
    ResourceModifiedEventPublisher,
    ScheduleEventPublisher,
    TriggerEventPublisher,
)
from aggregator.events.scheduler import (
    Scheduler,
)
from aggregator.events.settings import (
    EventSettings,
    configure,
    get_events_exchange_point,
)
from aggregator.events.subscriber import (
    EventData,
    EventSubscriber,
    Subscriber,
)
from aggregator.events.subscribers import (
    AppLoaderEventSubscriber,
    BusinessStateChangeSubscriber,
    ContainerLifecycleEventSubscriber,
    ContainerStartupEventSubscriber,
    CriticalLoggingEventSubscriber,
    DataBlockEventSubscriber,
    DataEventSubscriber,
    DatasetChangeEventSubscriber,
    DatasetStreamingEventSubscriber,
    DatasetSupplementAddedEventSubscriber,
    DatasourceChangeEventSubscriber,
    DatasourceUnavailableEventSubscriber,
    DatasourceUpdateEventSubscriber,
    DelSubscriptionEventSubscriber,
    ErrorLoggingEventSubscriber,
    InfoLoggingEventSubscriber,
    InfrastructureEventSubscriber,
    IngestionProcessingEventSubscriber,
    InstrumentSampleDataEventSubscriber,
    LoggingEventSubscriber,
    NewSubscriptionEventSubscriber,
    ProcessLifecycleEventSubscriber,
    ResourceLifecycleEventSubscriber,
    ResourceModifiedEventSubscriber,
    ScheduleEventSubscriber,
    TriggerEventSubscriber,
)

__all__ = [
    "AppLoaderEventMessage",
    "AppLoaderEventPublisher",
    "AppLoaderEventSubscriber",
    "BusinessStateChangeSubscriber",
    "BusinessStateModificationEventPublisher",
    "ContainerLifecycleEventPublisher",
    "ContainerLifecycleEventSubscriber",
    "ContainerStartupEventMessage",
    "ContainerStartupEventPublisher",
    "ContainerStartupEventSubscriber",
    "CriticalLoggingEventPublisher",
    "CriticalLoggingEventSubscriber",
    "DataBlockEventPublisher",
    "DataBlockEventSubscriber",
    "DataEventMessage",
    "DataEventPublisher",
    "DataEventSubscriber",
    "DataSetChangeEventMessage",
    "DataSourceChangeEventMessage",
    "DatasetChangeEventPublisher",
    "DatasetChangeEventSubscriber",
    "DatasetStreamingEventSubscriber",
    "DatasetSupplementAddedEventMessage",
    "DatasetSupplementAddedEventPublisher",
    "DatasetSupplementAddedEventSubscriber",
    "DatasourceChangeEventPublisher",
    "DatasourceChangeEventSubscriber",
    "DatasourceUnavailableEventMessage",
    "DatasourceUnavailableEventPublisher",
    "DatasourceUnavailableEventSubscriber",
    "DatasourceUpdateEventPublisher",
    "DatasourceUpdateEventSubscriber",
    "DelSubscriptionEventMessage",
    "DelSubscriptionEventPublisher",
    "DelSubscriptionEventSubscriber",
    "DoubleField",
    "EnumField",
    "ErrorLoggingEventPublisher",
    "ErrorLoggingEventSubscriber",
    "EventData",
    "EventMessage",
    "EventMonitor",
    "EventPublisher",
    "EventSettings",
    "EventSubscriber",
    "Field",
    "InfoLoggingEventPublisher",
    "InfoLoggingEventSubscriber",
    "InfrastructureEventPublisher",
    "InfrastructureEventSubscriber",
    "IngestionProcessingEventMessage",
    "IngestionProcessingEventPublisher",
    "IngestionProcessingEventSubscriber",
    "InstrumentSampleData",
    "InstrumentSampleDataEventPublisher",
    "InstrumentSampleDataEventSubscriber",
    "IntegerField",
    "LifecycleState",
    "LinkField",
    "LoggingEventMessage",
    "LoggingEventPublisher",
    "LoggingEventSubscriber",
    "Message",
    "NewSubscriptionEventMessage",
    "NewSubscriptionEventPublisher",
    "NewSubscriptionEventSubscriber",
    "ProcessLifecycleEventPublisher",
    "ProcessLifecycleEventSubscriber",
    "Publisher",
    "RawMessage",
    "ResourceLifecycleEventMessage",
    "ResourceLifecycleEventPublisher",
    "ResourceLifecycleEventSubscriber",
    "ResourceModificationEventMessage",
    "ResourceModifiedEventPublisher",
    "ResourceModifiedEventSubscriber",
    "ScheduleEventPublisher",
    "ScheduleEventSubscriber",
    "Scheduler",
    "Subscriber",
    "SubscriberFactory",
    "TextField",
    "TextListField",
    "TriggerEventMessage",
    "TriggerEventPublisher",
    "TriggerEventSubscriber",
    "UnknownEnum",
    "UnknownMessage",
    "configure",
    "get_events_exchange_point",
]
