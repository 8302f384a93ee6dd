"""The publishers of the catalogue: a class for each kind of event, which tells its meaning."""

from __future__ import annotations

from typing import ClassVar

from aggregator.events import additional
from aggregator.events.publisher import EventPublisher, MessageType


class ResourceLifecycleEventPublisher(EventPublisher):
    """A resource came to another state of its life: new, ready, active, terminated or failed.

    Origin: the resource's id (a UUID).
    """

    event_id = 1001
    msg_type = additional.ResourceLifecycleEventMessage

    class State:
        """Names for `state`."""

        NEW = "NEW"
        READY = "READY"
        ACTIVE = "ACTIVE"
        TERMINATED = "TERMINATED"
        ERROR = "ERROR"


class ContainerLifecycleEventPublisher(ResourceLifecycleEventPublisher):
    """A container, which processes run in, came to another state of its life.

    Origin: the container's name.
    """

    event_id = 1051


class ProcessLifecycleEventPublisher(ResourceLifecycleEventPublisher):
    """A process came to another state of its life.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 1052


class InfrastructureEventPublisher(EventPublisher):
    """Base of what is told of the infrastructure itself. Abstract."""


class AppLoaderEventPublisher(InfrastructureEventPublisher):
    """An application was started in a container, or stopped.

    Origin: the application's name.
    """

    event_id = 1075
    msg_type = additional.AppLoaderEventMessage

    class State:
        """Names for `state`."""

        STARTED = "STARTED"
        STOPPED = "STOPPED"


class ContainerStartupEventPublisher(InfrastructureEventPublisher):
    """A container has finished its start; all its applications were started.

    Origin: the application's name.
    """

    event_id = 1076
    msg_type = additional.ContainerStartupEventMessage


class TriggerEventPublisher(EventPublisher):
    """Base of what sets others to work: it names a task and hands them a payload. Abstract."""

    msg_type = additional.TriggerEventMessage


class DatasourceUpdateEventPublisher(TriggerEventPublisher):
    """A data source is to be asked for news.

    Origin: the data source's resource id (a UUID).
    """

    event_id = 1101


class ResourceModifiedEventPublisher(EventPublisher):
    """Base of what tells that a resource itself was changed, as opposed to the state of its life.
    Abstract.
    """

    msg_type: ClassVar[MessageType] = additional.ResourceModificationEventMessage


class DatasourceUnavailableEventPublisher(ResourceModifiedEventPublisher):
    """A data source could not be reached or read; the event tells why.

    Origin: not laid down for publishers; subscribers expect the data source's resource id (a
    UUID).
    """

    event_id = 1102
    msg_type = additional.DatasourceUnavailableEventMessage


class DatasetSupplementAddedEventPublisher(ResourceModifiedEventPublisher):
    """Data of a further span of time were added to a data set.

    Origin: the data set's resource id (a UUID).
    """

    event_id = 1111
    msg_type = additional.DatasetSupplementAddedEventMessage


class BusinessStateModificationEventPublisher(ResourceModifiedEventPublisher):
    """Something that an agent is responsible for, such as an instrument, came to another state.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 1112


class DatasetChangeEventPublisher(ResourceModifiedEventPublisher):
    """A data set was changed, so that what is kept of it elsewhere (in caches) is out of date.

    Origin: the data set's resource id (a UUID).
    """

    event_id = 1113
    msg_type = additional.DataSetChangeEventMessage


class DatasourceChangeEventPublisher(ResourceModifiedEventPublisher):
    """A data source was changed, so that what is kept of it elsewhere (in caches) is out of date.

    Origin: the data source's resource id (a UUID).
    """

    event_id = 1114
    msg_type = additional.DataSourceChangeEventMessage


class IngestionProcessingEventPublisher(ResourceModifiedEventPublisher):
    """An ingestion is still at work, and at which step; who waits for it may wait on.

    Origin: the data set's resource id (a UUID).
    """

    event_id = 1115
    msg_type = additional.IngestionProcessingEventMessage


class NewSubscriptionEventPublisher(EventPublisher):
    """Somebody subscribed to a data set; the dispatcher begins to pass it on.

    Origin: the dispatcher's resource id (a UUID).
    """

    event_id = 1201
    msg_type = additional.NewSubscriptionEventMessage


class DelSubscriptionEventPublisher(EventPublisher):
    """A subscription to a data set ended; the dispatcher stops to pass it on.

    Origin: the dispatcher's resource id (a UUID).
    """

    event_id = 1202
    msg_type = additional.DelSubscriptionEventMessage


class ScheduleEventPublisher(TriggerEventPublisher):
    """The time has come that a task of the Scheduler was set to.

    Origin: not laid down; the Scheduler's events have the `desired_origin` of the task.
    """

    event_id = 2001


class LoggingEventPublisher(EventPublisher):
    """Base of what is told to those who watch the logs. Abstract."""

    msg_type = additional.LoggingEventMessage


class CriticalLoggingEventPublisher(LoggingEventPublisher):
    """Something went wrong that cannot wait: people have to look at it.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 3001


class ErrorLoggingEventPublisher(LoggingEventPublisher):
    """Something went wrong.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 3002


class InfoLoggingEventPublisher(LoggingEventPublisher):
    """Something happened that is worth to be known.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 3003


class DataEventPublisher(EventPublisher):
    """Base of what carries data in the event itself. Abstract.

    Origin: the name under which the process is reached at the exchange.
    """

    msg_type: ClassVar[MessageType] = additional.DataEventMessage


class DataBlockEventPublisher(DataEventPublisher):
    """A block of data as an instrument or another source gave it.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 4001


class InstrumentSampleDataEventPublisher(DataBlockEventPublisher):
    """One sample of an instrument.

    It shares its event id with blocks of data, so that who subscribes to either is told of both.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 4001
    msg_type = additional.InstrumentSampleData
