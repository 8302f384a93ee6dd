"""Data streams: rows that any thread stores, and that are sent on from time to time, in order.

::

    from aggregator.streams import SqliteDataStreamer

    with SqliteDataStreamer("logging.db") as streamer:
        streamer.add_storage("logkey", ["level", "msg"], ["INTEGER", "VARCHAR"])
        streamer.stream("logkey", "n1", None, "data", 5, lambda rows, userdata: repr(rows))
        streamer.store_data("logkey", time.time(), 20, "up")
        again_at = streamer.do_updates(time.time(), messenger)

All of it is on docs/streams.md. The messengers are in ``aggregator.streams.messengers``, a module
each.
"""

from __future__ import annotations

from aggregator.store.stream_positions import SetAside
from aggregator.streams.batch import Batch
from aggregator.streams.destinations import split
from aggregator.streams.log_handler import LOG_KEYS, LOG_TYPES, LogHandler
from aggregator.streams.messenger import BatchMessenger, Messenger
from aggregator.streams.retention import Retention
from aggregator.streams.stream import StreamStatus
from aggregator.streams.streamer import SqliteDataStreamer

__all__ = [
    "LOG_KEYS",
    "LOG_TYPES",
    "Batch",
    "BatchMessenger",
    "LogHandler",
    "Messenger",
    "Retention",
    "SetAside",
    "SqliteDataStreamer",
    "StreamStatus",
    "split",
]
