"""The messages that events of the catalogue carry as their additional data."""

from __future__ import annotations

from enum import IntEnum

from aggregator.events.fields import (
    DoubleField,
    EnumField,
    IntegerField,
    LinkField,
    TextField,
    TextListField,
)
from aggregator.events.messages import Message


class ResourceLifecycleEventMessage(Message):
    """The state that a resource, a container or a process has come to."""

    type_id = 2323

    class State(IntEnum):
        """The states of a lifecycle."""

        NEW = 1
        READY = 2
        ACTIVE = 3
        TERMINATED = 4
        ERROR = 5

    state = EnumField(State)


class TriggerEventMessage(Message):
    """What a task hands to those that it triggers."""

    type_id = 2324
    task_id = TextField()
    payload = LinkField()


class ResourceModificationEventMessage(Message):
    """The resource that was modified."""

    type_id = 2325
    resource = LinkField()


class LoggingEventMessage(Message):
    """Nothing more than the event itself says."""

    type_id = 2326


class NewSubscriptionEventMessage(Message):
    """The workflow of the dispatcher that has a new subscription."""

    type_id = 2327
    dispatcher_workflow = LinkField()


class DelSubscriptionEventMessage(Message):
    """The workflow of the dispatcher that lost a subscription."""

    type_id = 2328
    dispatcher_workflow = LinkField()


class DataEventMessage(Message):
    """A block of data, and where it belongs."""

    type_id = 2329
    dataset_id = TextField()
    datasource_id = TextField()
    data_block = TextField()


class DatasourceUnavailableEventMessage(Message):
    """A data source that can't be reached, and why."""

    type_id = 2330
    datasource_id = TextField()
    dataset_id = TextField()
    title = TextField()
    url = TextField()
    error_explanation = TextField()


class DatasetSupplementAddedEventMessage(Message):
    """What was added to a data set: from when to when, and how many steps of time."""

    type_id = 2331
    datasource_id = TextField()
    dataset_id = TextField()
    title = TextField()
    url = TextField()
    start_datetime_millis = IntegerField(64)
    end_datetime_millis = IntegerField(64)
    number_of_timesteps = IntegerField(32)


class AppLoaderEventMessage(Message):
    """An application that was started or stopped."""

    type_id = 2332

    class State(IntEnum):
        """What happened to the application."""

        STARTED = 1
        STOPPED = 2

    app_name = TextField()
    state = EnumField(State)


class ContainerStartupEventMessage(Message):
    """The applications that a container started."""

    type_id = 2333
    startup_names = TextListField()


class DataSetChangeEventMessage(Message):
    """The data set that changed."""

    type_id = 2341
    dataset_id = TextField()


class DataSourceChangeEventMessage(Message):
    """The data source that changed."""

    type_id = 2342
    datasource_id = TextField()


class IngestionProcessingEventMessage(Message):
    """The step that an ingestion is at: ``dataset``, ``chunk`` or ``done``."""

    type_id = 2343
    dataset_id = TextField()
    ingestion_process_id = TextField()
    conv_id = TextField()
    processing_step = TextField()


class InstrumentSampleData(Message):
    """One sample of a CTD instrument."""

    type_id = 4303
    conductivity = DoubleField()
    pressure = DoubleField()
    temperature = DoubleField()
    sound_velocity = DoubleField()
    salinity = DoubleField()
    time = TextField()
    date = TextField()
