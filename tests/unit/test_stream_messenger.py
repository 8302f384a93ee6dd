"""Whom a message goes to, and how a messenger is called."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from aggregator.streams import Batch, BatchMessenger, Messenger, split
from aggregator.streams.destinations import Destinations
from aggregator.streams.messenger import deliver

TO = Destinations("n1,n2", ["g"], None)
BATCH = Batch("id", "logkey", "", ("ident.1",), TO, 1)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (None, ()),
        ("", ()),
        ("n1", ("n1",)),
        (" n1, n2 ,,n1", ("n1", "n2")),
        (["b", "a", "b"], ("b", "a")),
        (("a,b",), ("a,b",)),
        ({"b", "a"}, ("a", "b")),
        (frozenset({"a"}), ("a",)),
    ],
)
def test_names_are_split(given: Any, names: tuple[str, ...]) -> None:
    assert split(given) == names


def test_an_object_with_send_is_sent_to_whatever_else_it_has() -> None:
    """A mock has any attribute that it is asked for."""
    messenger = Mock()
    deliver(messenger, "text", BATCH)
    messenger.send.assert_called_once_with("text", "n1,n2", ["g"], None)
    assert [call[0] for call in messenger.method_calls] == ["send"]


def test_a_function_is_called() -> None:
    function = Mock(spec=[])
    deliver(function, "text", BATCH)
    function.assert_called_once_with("text", "n1,n2", ["g"], None)


def test_who_derives_is_told_of_the_batch() -> None:
    class Told(BatchMessenger):
        given: Any = None

        def send_batch(self, message: Any, batch: Batch) -> None:
            self.given = (message, batch)

    messenger = Told()
    deliver(messenger, "text", BATCH)
    assert messenger.given == ("text", BATCH)
    plain: Messenger = messenger
    plain.send("other", "n", None, None)
    assert messenger.given[1].to == Destinations("n", None, None)


def test_what_is_no_messenger_is_told() -> None:
    with pytest.raises(TypeError, match="has a method send, or is a function; given was NoneType"):
        deliver(None, "text", BATCH)  # type: ignore[arg-type]
