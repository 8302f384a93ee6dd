"""What every action is to who runs it: its input, its exit codes, its one line of trouble."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from xml.sax.saxutils import quoteattr

from aggregator.actions.alert import Alert, read_alert, read_input
from aggregator.actions.given import Given
from aggregator.actions.wording import one_line
from aggregator.errors import (
    ActionError,
    ActionPostponed,
    ActionUnconfigured,
    AlertUnreadable,
)
from aggregator.wire.namespaces import TRIGGER_MORE

#: Does what there is to do for an alert; returns what is published of it, see `outcome`.
Act = Callable[[Alert, Given], str]

#: Exit codes, those of sysexits.h where it has one: done, failed for good, input that is none, a
#: bug, to be tried again later, a setting is missing.
DONE, FAILED, UNREADABLE, BUG, POSTPONED, UNCONFIGURED = 0, 1, 65, 70, 75, 78
_CODES = {
    AlertUnreadable: UNREADABLE,
    ActionPostponed: POSTPONED,
    ActionUnconfigured: UNCONFIGURED,
}
#: Characters of the line on standard error, of which the service logs 512 bytes.
_LONGEST_LINE = 400


def run(act: Act) -> int:
    """Do an action for the alert on standard input; the exit code."""
    # The one line of trouble is ours: what libraries log besides is for nobody.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        given = Given.of(os.environ)
        # Python has none where it was closed.
        alert = read_alert(read_input(sys.stdin.buffer) if sys.stdin else b"")
        published = act(alert, given)
    except ActionError as error:
        note(str(error))
        return next((code for kind, code in _CODES.items() if isinstance(error, kind)), FAILED)
    except Exception as error:
        note(f"bug: {type(error).__name__}: {error}")
        return BUG
    # It is done, whether or not anybody listens.
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), published.encode())
    return DONE


def outcome(name: str, **words: object) -> str:
    """The document that an action prints: an element of ours with attributes."""
    told = "".join(f" {key}={quoteattr(one_line(str(word)))}" for key, word in words.items())
    return f'<{name} xmlns="{TRIGGER_MORE}"{told}/>\n'


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """TimeoutError in the block at the end of so many seconds, wherever it waits then."""

    def expire(*_: object) -> None:
        raise TimeoutError(f"not done within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def note(text: str) -> None:
    """Say something to who reads the log."""
    with contextlib.suppress(OSError):
        os.write(sys.stderr.fileno(), (one_line(text, _LONGEST_LINE) + "\n").encode())
