"""A web worker that can't start leaves those beside it alone."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aggregator.errors import AggregatorException

log = logging.getLogger(__name__)

#: Seconds after which a worker that could not start is tried again.
_START_AGAIN = 2.0


@contextmanager
def siblings_spared() -> Iterator[None]:
    """Have a worker that can't start end a little later, and be tried again.

    gunicorn would end the workers beside it, which may answer for long: what they read when they
    started, such as the probe folder or a certificate, is there no more.
    """
    try:
        yield
    except (AggregatorException, OSError) as error:
        log.error("a web worker can't start and is tried again: %s", error)
        time.sleep(_START_AGAIN)
        sys.exit(1)
