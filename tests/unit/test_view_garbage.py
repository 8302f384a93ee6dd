"""No search for garbage while a view is loaded."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from aggregator.view.garbage import none_searched


class Cycle:
    """Garbage that only a search finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _nothing_set_aside_after() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_none_is_searched_in_the_block_and_again_after_it() -> None:
    assert gc.isenabled()
    with none_searched():
        assert not gc.isenabled()
        with none_searched():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_was_made_is_set_aside_and_what_was_garbage_is_gone() -> None:
    gc.unfreeze()
    with none_searched():
        kept = [[number] for number in range(1000)]
        lost = weakref.ref(Cycle())
    assert lost() is None
    assert gc.get_freeze_count() > len(kept)


def test_it_ends_with_the_block_however_that_ends() -> None:
    with pytest.raises(ValueError, match="no"), none_searched():
        raise ValueError("no")
    assert gc.isenabled()
