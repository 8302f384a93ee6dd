"""Every error of ours, in one tree.

AggregatorException
 +- ConfigError              a registration or setting can't work: the Add is refused
 |   +- ModuleRefused        modules that can't be started
 +- CollectError             one collection failed: this tick only, the entry keeps its old data
 +- DeliverError             one sink could not take a delivery: the other sinks go on
 +- RequestError             a client's request is wrong; answered with a fault, nothing changed
 |   +- MalformedRequest     not XML, DOCTYPE, too deep, no envelope
 |   |   +- RequestTooLarge  over the limit of bytes or nodes
 |   +- VersionMismatch      an envelope of no SOAP version that is spoken here
 |   +- NotUnderstood        a mustUnderstand header that nobody here understands
 |   +- UnknownOperation     a body element that names no operation of the service
 |   +- ResourceUnknown      a missing, unknown or expired resource key
 |   +- InvalidPropertyName  a resource property that the resource does not have
 |   +- InvalidModification  properties that can't be set as they are asked for
 |   +- NotModifiable        a property that can only be read
 |   +- InvalidQuery         an expression that is no XPath 1.0
 |   +- UnknownQueryDialect  a query language other than XPath 1.0
 |   +- QueryFailed          an expression that could not be evaluated within the limits
 |   +- AddRefused           the group does not take the member
 |   |   +- ContentRefused   the Content does not follow the membership rules
 |   |   +- MemberInterfaceUnsupported
 |   +- TerminationTimeRejected  the requested lifetime can't be granted
 |   +- SubscribeFailed      a subscription that can't be made
 |   |   +- TopicDialectUnknown, InvalidTopicExpression, TopicNotSupported
 |   |   +- InvalidFilter, InvalidProducerProperties, InvalidMessageContent
 |   |   +- UnrecognizedPolicy, UnsupportedPolicy
 |   |   +- UnacceptableInitialTime
 |   |       +- UnacceptableTime  the lifetime that a Renew asks for can't be granted
 |   +- NoCurrentMessage     nothing was published on the topic yet
 |   +- MultipleTopics       one topic is wanted, and several are named
 |   +- PullFailed           messages can't be given as they are asked for
 |   +- PullPointNotCreated  there are as many pull points as may be
 |   +- NotifyRefused        a notification that belongs to no subscription of ours
 |   |   +- InboxFull        too many wait already; try again
 |   +- ReportRefused        a report or a REQUEST that is not taken
 +- StoreUnavailable         the store did not answer in time; try again
 +- ActionError              an action of a trigger could not be done
 |   +- ActionPostponed      not now: it is tried again later
 |   +- ActionUnconfigured   a setting that it needs is missing or can't be used
 |   +- AlertUnreadable      what it was given is no alert
 +- EventError               an event was not made, published, read or scheduled
 |   +- EventNotReady        no msg_type, event_id, origin, handler... (AssertionError too)
 |   +- EventValueUnknown    a name or number that an enum does not have (AssertionError too)
 |   +- EventFieldsUnknown   fields that neither the event nor its additional message has
 |   +- EventUnwritable      an event that can't be sent: too large, too deep, no text of XML
 |   +- EventUnreadable      what arrived is no event that is read here
 |   +- BrokerUnavailable    the broker did not answer in time; try again
 |   |   +- BrokerUnreachable  nor would it, whatever it is asked for
 |   +- BrokerRefused        the broker answered, and does not do it
 |   +- SubscriptionRefused  the event monitor has as many subscriptions as it takes
 |   +- TaskRefused          a task that the scheduler does not take
 +- StreamError              a row was not stored, or a stream not made or sent
 |   +- StorageUnknown       no storage was added for the table key (LookupError too)
 |   +- StreamRefused        a storage, a stream or a setting that can't be (ValueError too)
 |   |   +- FilterRefused    a filter that is no condition on its table's columns
 |   +- StreamValueError     values that don't fit their columns (ValueError too)
 |   +- StreamerUnusable     closed, or of another process (RuntimeError too)
 |   +- MessageNotSent       a message that was not delivered, and is sent again
 |       +- MessageRefused   its receiver finds fault with the message itself
 +- MeasurementError         a measurement archive could not do what it was asked for
 |   +- NmwgError            answered with an error of the NMWG protocol
 |   +- MeasurementsUnavailable  a database of measurements can't be read
 |   |   +- MeasurementsTooSlow  nor within the time that there is
 |   +- NothingMeasured      a database of measurements holds none
 |   +- AddressesUnknown     it knows neither end of a test
 |   +- MeasurementsRefused  measurements that can't be stored (ValueError too)
 +- AggregatorFailed         a call of an aggregator of reports brought nothing
 +- RemoteError              a service that we called did not answer as it should
     +- RemoteFault          it answered with a SOAP fault

SOAP fault names and HTTP statuses are chosen in ``aggregator.wire.faults`` only.
"""

from __future__ import annotations

from aggregator.errors.actions import (
    ActionError,
    ActionPostponed,
    ActionUnconfigured,
    AlertUnreadable,
)
from aggregator.errors.core import (
    AddRefused,
    AggregatorException,
    CollectError,
    ConfigError,
    ContentRefused,
    DeliverError,
    InvalidModification,
    InvalidPropertyName,
    InvalidQuery,
    MalformedRequest,
    MemberInterfaceUnsupported,
    NotModifiable,
    NotUnderstood,
    QueryFailed,
    RemoteError,
    RemoteFault,
    RequestError,
    RequestTooLarge,
    ResourceUnknown,
    StoreUnavailable,
    TerminationTimeRejected,
    UnknownOperation,
    UnknownQueryDialect,
    VersionMismatch,
)
from aggregator.errors.events import (
    BrokerRefused,
    BrokerUnavailable,
    BrokerUnreachable,
    EventError,
    EventFieldsUnknown,
    EventNotReady,
    EventUnreadable,
    EventUnwritable,
    EventValueUnknown,
    SubscriptionRefused,
    TaskRefused,
)
from aggregator.errors.measurement import (
    AddressesUnknown,
    MeasurementError,
    MeasurementsRefused,
    MeasurementsTooSlow,
    MeasurementsUnavailable,
    NmwgError,
    NothingMeasured,
)
from aggregator.errors.notifications import (
    InboxFull,
    InvalidFilter,
    InvalidMessageContent,
    InvalidProducerProperties,
    InvalidTopicExpression,
    MultipleTopics,
    NoCurrentMessage,
    NotifyRefused,
    PullFailed,
    PullPointNotCreated,
    SubscribeFailed,
    TopicDialectUnknown,
    TopicNotSupported,
    UnacceptableInitialTime,
    UnacceptableTime,
    UnknownWish,
    UnrecognizedPolicy,
    UnsupportedPolicy,
)
from aggregator.errors.reports import AggregatorFailed, ModuleRefused, ReportRefused
from aggregator.errors.streams import (
    FilterRefused,
    MessageNotSent,
    MessageRefused,
    StorageUnknown,
    StreamError,
    StreamerUnusable,
    StreamRefused,
    StreamValueError,
)

__all__ = [
    "ActionError",
    "ActionPostponed",
    "ActionUnconfigured",
    "AddRefused",
    "AddressesUnknown",
    "AggregatorException",
    "AggregatorFailed",
    "AlertUnreadable",
    "BrokerRefused",
    "BrokerUnavailable",
    "BrokerUnreachable",
    "CollectError",
    "ConfigError",
    "ContentRefused",
    "DeliverError",
    "EventError",
    "EventFieldsUnknown",
    "EventNotReady",
    "EventUnreadable",
    "EventUnwritable",
    "EventValueUnknown",
    "FilterRefused",
    "InboxFull",
    "InvalidFilter",
    "InvalidMessageContent",
    "InvalidModification",
    "InvalidProducerProperties",
    "InvalidPropertyName",
    "InvalidQuery",
    "InvalidTopicExpression",
    "MalformedRequest",
    "MeasurementError",
    "MeasurementsRefused",
    "MeasurementsTooSlow",
    "MeasurementsUnavailable",
    "MemberInterfaceUnsupported",
    "MessageNotSent",
    "MessageRefused",
    "ModuleRefused",
    "MultipleTopics",
    "NmwgError",
    "NoCurrentMessage",
    "NotModifiable",
    "NotUnderstood",
    "NothingMeasured",
    "NotifyRefused",
    "PullFailed",
    "PullPointNotCreated",
    "QueryFailed",
    "RemoteError",
    "RemoteFault",
    "ReportRefused",
    "RequestError",
    "RequestTooLarge",
    "ResourceUnknown",
    "StorageUnknown",
    "StoreUnavailable",
    "StreamError",
    "StreamRefused",
    "StreamValueError",
    "StreamerUnusable",
    "SubscribeFailed",
    "SubscriptionRefused",
    "TaskRefused",
    "TerminationTimeRejected",
    "TopicDialectUnknown",
    "TopicNotSupported",
    "UnacceptableInitialTime",
    "UnacceptableTime",
    "UnknownOperation",
    "UnknownQueryDialect",
    "UnknownWish",
    "UnrecognizedPolicy",
    "UnsupportedPolicy",
    "VersionMismatch",
]
