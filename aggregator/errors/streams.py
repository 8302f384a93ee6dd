"""The errors of data streams."""

from __future__ import annotations

from aggregator.errors.core import AggregatorException


class StreamError(AggregatorException):
    """Base of the errors of data streams: storing rows, and sending them on."""


class StorageUnknown(StreamError, LookupError):
    """Raised for a table key that no storage was added for."""


class StreamRefused(StreamError, ValueError):
    """Raised for a storage, a stream or a setting that can't be; nothing was changed."""


class FilterRefused(StreamRefused):
    """Raised for a filter that is no condition on the columns of its table."""


class StreamValueError(StreamError, ValueError):
    """Raised for values that don't fit the columns of their table; nothing was stored."""


class StreamerUnusable(StreamError, RuntimeError):
    """Raised by a streamer that was closed, or that another process has opened before a fork."""


class MessageNotSent(StreamError):
    """Raised by a messenger that could not deliver a message; the same will be sent again."""


class MessageRefused(MessageNotSent):
    """Raised by a messenger whose receiver finds fault with the message itself."""
