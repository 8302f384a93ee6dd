"""Tells the user what happens, in the words of MDS4's own command."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from aggregator.client.epr_file import save_eprs
from aggregator.errors import ConfigError
from aggregator.registrant.block import RegistrationParameters
from aggregator.registrant.kept import KeptRegistration, Round

#: Seconds between two writings of the file of entry EPRs, at least.
_WRITE_EVERY = 1.0


class Words:
    """A Report to people: successes on standard output, warnings on standard error.

    On a terminal a bar shows how far the first round is. With `epr_file` the entries' EPRs are
    written there, anew whenever they change.
    """

    def __init__(
        self, total: int, *, epr_file: str = "", out: Console | None = None, err: Console
    ) -> None:
        self._out = out or Console(soft_wrap=True, highlight=False, markup=False)
        self._err = err
        self._epr_file = epr_file
        self._entries: dict[KeptRegistration, None] = {}
        self._changed = True
        self._write_from = 0.0
        self._warned: dict[KeptRegistration, float] = {}
        self._first_round = True
        self._bar = _bar(self._out, total) if self._out.is_terminal else None

    def good_round(self, kept: KeptRegistration, what: Round) -> None:
        """Say it of an Add; a renewal is what everybody expects and is not told."""
        self._advance(kept)
        self._warned.pop(kept, None)
        if what == "added":
            self._print(f"Successfully registered {kept.parameters}")
            self._entries[kept] = None
            self._changed = True
        self._write(force=False)

    def bad_round(self, kept: KeptRegistration, reason: str, *, retry: float | None) -> None:
        """Warn, at most once a refresh interval for each registration."""
        self._advance(kept)
        now = time.monotonic()
        if now - self._warned.get(kept, float("-inf")) < kept.parameters.interval:
            return
        self._warned[kept] = now
        self._warn(could_not_register(kept.parameters, reason, retry=retry))

    def first_round_over(self) -> None:
        """Take the bar away."""
        self._first_round = False
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._write(force=True)

    def ended(self, kept: KeptRegistration, reason: str) -> None:
        """Say what became of an entry at the end."""
        where = f"{kept.parameters.member.address} from servicegroup at "
        where += kept.parameters.group.address
        if reason:
            self._warn(f"Warning: Could not remove {where} -- it lapses by itself.  {reason}")
        else:
            self._print(f"Removed {where}")
            self._entries.pop(kept, None)
            self._changed = True

    def close(self) -> None:
        """Write what is still to be written."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._write(force=True)

    def _advance(self, kept: KeptRegistration) -> None:
        if self._bar is not None and self._first_round and kept.rounds == 1:
            self._bar.advance(self._bar.task_ids[0])

    def _print(self, text: str) -> None:
        self._out.print(text)

    def _warn(self, text: str) -> None:
        if self._bar is not None:
            self._out.print(text)
        else:
            self._err.print(text)

    def _write(self, *, force: bool) -> None:
        begun = time.monotonic()
        if not self._epr_file or not self._changed:
            return
        if not force and (self._first_round or begun < self._write_from):
            return
        self._changed = False
        entries = [kept.entry for kept in self._entries if kept.entry is not None]
        try:
            save_eprs(self._epr_file, entries)
        except ConfigError as error:
            self._warn(f"Warning: {error}")
        # After a restart of the group every entry is new: a long list is not written each time.
        now = time.monotonic()
        self._write_from = now + max(_WRITE_EVERY, 20 * (now - begun))


def could_not_register(
    parameters: RegistrationParameters, reason: str, *, retry: float | None
) -> str:
    """MDS4's warning, and when it is tried again."""
    again = "" if retry is None else f"  It is tried again in {retry:.0f} s."
    return (
        f"Warning: Could not register {parameters} -- check the URL and that the remote service "
        f"is up.  Remote exception was {reason.rstrip('.')}.{again}"
    )


def _bar(console: Console, total: int) -> Progress:
    bar = Progress(
        TextColumn("Registering"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
    )
    bar.add_task("", total=total)
    bar.start()
    return bar
