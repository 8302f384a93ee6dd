"""The subscribers of the catalogue: a class for each kind of event, as there are publishers."""

from __future__ import annotations

from aggregator.events import additional
from aggregator.events.subscriber import EventSubscriber


class ResourceLifecycleEventSubscriber(EventSubscriber):
    """A resource came to another state of its life: new, ready, active, terminated or failed.

    Origin: the resource's id (a UUID).
    """

    event_id = 1001


class ContainerLifecycleEventSubscriber(ResourceLifecycleEventSubscriber):
    """A container, which processes run in, came to another state of its life.

    Origin: the container's name.
    """

    event_id = 1051


class ProcessLifecycleEventSubscriber(ResourceLifecycleEventSubscriber):
    """A process came to another state of its life.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 1052


class InfrastructureEventSubscriber(EventSubscriber):
    """Base of what is told of the infrastructure itself. Abstract."""


class AppLoaderEventSubscriber(InfrastructureEventSubscriber):
    """An application was started in a container, or stopped.

    Origin: the application's name.
    """

    event_id = 1075


class ContainerStartupEventSubscriber(InfrastructureEventSubscriber):
    """A container has finished its start; all its applications were started.

    Origin: the application's name.
    """

    event_id = 1076


class TriggerEventSubscriber(EventSubscriber):
    """Base of what sets others to work: it names a task and hands them a payload. Abstract."""


class DatasourceUpdateEventSubscriber(TriggerEventSubscriber):
    """A data source is to be asked for news.

    Origin: the data source's resource id (a UUID).
    """

    event_id = 1101


class ResourceModifiedEventSubscriber(EventSubscriber):
    """Base of what tells that a resource itself was changed, as opposed to the state of its life.
    Abstract.
    """


class DatasourceUnavailableEventSubscriber(ResourceModifiedEventSubscriber):
    """A data source could not be reached or read; the event tells why.

    Origin: the data source's resource id (a UUID).
    """

    event_id = 1102


class DatasetSupplementAddedEventSubscriber(ResourceModifiedEventSubscriber):
    """Data of a further span of time were added to a data set.

    Origin: the data set's resource id (a UUID).
    """

    event_id = 1111


class BusinessStateChangeSubscriber(ResourceModifiedEventSubscriber):
    """Something that an agent is responsible for, such as an instrument, came to another state.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 1112


class DatasetChangeEventSubscriber(ResourceModifiedEventSubscriber):
    """A data set was changed, so that what is kept of it elsewhere (in caches) is out of date.

    Origin: the data set's resource id (a UUID).
    """

    event_id = 1113


class DatasourceChangeEventSubscriber(ResourceModifiedEventSubscriber):
    """A data source was changed, so that what is kept of it elsewhere (in caches) is out of date.

    Origin: the data source's resource id (a UUID).
    """

    event_id = 1114


class IngestionProcessingEventSubscriber(ResourceModifiedEventSubscriber):
    """An ingestion is still at work, and at which step; who waits for it may wait on.

    Origin: the data set's resource id (a UUID).
    """

    event_id = 1115


class DatasetStreamingEventSubscriber(ResourceModifiedEventSubscriber):
    """The data of a set on their way from the agent that reads them to ingestion.

    No event messages come here but raw ones, of the types 10001, 2001 and 2005: handlers are given
    a RawMessage, its bytes as they were sent. No publisher of the catalogue sends them.

    Origin: the data set's resource id (a UUID).
    """

    event_id = 1116


class NewSubscriptionEventSubscriber(EventSubscriber):
    """Somebody subscribed to a data set; the dispatcher begins to pass it on.

    Origin: the dispatcher's resource id (a UUID).
    """

    event_id = 1201


class DelSubscriptionEventSubscriber(EventSubscriber):
    """A subscription to a data set ended; the dispatcher stops to pass it on.

    Origin: the dispatcher's resource id (a UUID).
    """

    event_id = 1202


class ScheduleEventSubscriber(TriggerEventSubscriber):
    """The time has come that a task of the Scheduler was set to.

    Origin: not laid down; the Scheduler's events have the `desired_origin` of the task.
    """

    event_id = 2001


class LoggingEventSubscriber(EventSubscriber):
    """Base of what is told to those who watch the logs. Abstract."""


class CriticalLoggingEventSubscriber(LoggingEventSubscriber):
    """Something went wrong that cannot wait: people have to look at it.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 3001


class ErrorLoggingEventSubscriber(LoggingEventSubscriber):
    """Something went wrong.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 3002


class InfoLoggingEventSubscriber(LoggingEventSubscriber):
    """Something happened that is worth to be known.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 3003


class DataEventSubscriber(EventSubscriber):
    """Base of what carries data in the event itself. Abstract.

    Origin: the name under which the process is reached at the exchange.
    """


class DataBlockEventSubscriber(DataEventSubscriber):
    """A block of data as an instrument or another source gave it.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 4001


class InstrumentSampleDataEventSubscriber(DataBlockEventSubscriber):
    """One sample of an instrument.

    It shares its event id with blocks of data, so that who subscribes to either is told of both.

    Origin: the name under which the process is reached at the exchange.
    """

    event_id = 4001
    msg_type = additional.InstrumentSampleData
