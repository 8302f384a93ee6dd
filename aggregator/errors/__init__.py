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
 +- AggregatorFailed         a call of an aggregator of reports brought nothing
 +- RemoteError              a service that we called did not answer as it should
     +- RemoteFault          it answered with a SOAP fault

SOAP fault names and HTTP statuses are chosen in ``aggregator.wire.faults`` only.
"""

from __future__ import annotations

from aggregator.errors.core import (
    AddRefused,
    AggregatorException,
    CollectError,
    ConfigError,
    ContentRefused,
    DeliverError,
    InvalidPropertyName,
    InvalidQuery,
    MalformedRequest,
    MemberInterfaceUnsupported,
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

__all__ = [
    "AddRefused",
    "AggregatorException",
    "AggregatorFailed",
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
    "InboxFull",
    "InvalidFilter",
    "InvalidMessageContent",
    "InvalidProducerProperties",
    "InvalidPropertyName",
    "InvalidQuery",
    "InvalidTopicExpression",
    "MalformedRequest",
    "MemberInterfaceUnsupported",
    "ModuleRefused",
    "MultipleTopics",
    "NoCurrentMessage",
    "NotUnderstood",
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
    "StoreUnavailable",
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
