"""No search for garbage while a view is loaded, nor through what was loaded or made of it.

Python looks for cycles of objects that nobody refers to whenever there are many new ones. A view of
a hundred thousand entries is made of as many objects and has no cycles: looking through them takes
a fifth of the time of loading it, and a tenth of a second again and again after that.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_loading = 0


@contextmanager
def none_searched() -> Iterator[None]:
    """No search in the block; what is there at the end of it is set aside from all later ones."""
    global _loading  # noqa: PLW0603  (a process has one collector of garbage)
    with _lock:
        _loading += 1
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            _loading -= 1
            if not _loading:
                _set_aside()
                gc.enable()


def set_aside() -> None:
    """Leave what is there now out of all later searches; for who has made very much that stays."""
    with _lock:
        if not _loading:
            _set_aside()


def _set_aside() -> None:
    # What is garbage already must not be kept for good.
    gc.collect()
    gc.freeze()
