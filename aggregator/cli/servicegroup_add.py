"""``mds-servicegroup-add``: registers what a file names, and keeps the registrations alive."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial

import click
from rich.console import Console

from aggregator.cli.one_line import OneLineCommand
from aggregator.cli.toolkit import Toolkit
from aggregator.cli.toolkit_options import toolkit_options
from aggregator.client.resource import Resource
from aggregator.client.security import MISSING
from aggregator.registrant.block import Defaults, RegistrationParameters
from aggregator.registrant.notes import loopback_notes, unprotected_notes
from aggregator.registrant.pidfile import pidfile
from aggregator.registrant.registrar import Registrar
from aggregator.registrant.registration_file import load_registrations
from aggregator.registrant.words import Words
from aggregator.wire.parse import Limits

_NO_CERTIFICATE = f"{MISSING}; or register anonymously with -a"
#: Replies to a registrant are small, whatever the group holds.
_REPLIES = Limits(size=1024 * 1024, nodes=20_000)


@click.command(
    "mds-servicegroup-add",
    cls=OneLineCommand,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  mds-servicegroup-add -a -s "
    "http://127.0.0.1:8080/wsrf/services/DefaultIndexService registrations.xml",
)
@toolkit_options
@click.option(
    "-q",
    "quit_after",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="End after so many seconds.",
)
@click.option(
    "-o", "output", default="", metavar="FILE", help="Write the EPRs of the entries to FILE."
)
@click.option("--once", is_flag=True, help="Register, and end; the entries lapse by themselves.")
@click.option("--remove", is_flag=True, help="End the registrations when the command ends.")
@click.option("--pidfile", "pid_path", default="", metavar="FILE", help="Write our process id.")
@click.argument("config", metavar="CONFIG.XML")
def main(
    *,
    toolkit: Toolkit,
    quit_after: float | None,
    output: str,
    once: bool,
    remove: bool,
    pid_path: str,
    config: str,
) -> None:
    """Register what the registration file CONFIG.XML names, and keep it registered.

    Each registration is renewed every RefreshIntervalSecs until the command ends; then the
    entries lapse within two intervals. The group of -s or -e counts where the file names none.
    Without -a the command presents a client certificate, and ends where there is none.
    """
    client = toolkit.client(certificate_needed=_NO_CERTIFICATE, limits=_REPLIES)
    click.echo("Processing configuration file...")
    registrations = _load(toolkit, config, presents=client.settings.credentials is not None)
    click.echo(f"Processed {len(registrations)} registration entries")
    words = Words(
        len(registrations),
        epr_file=output,
        err=Console(stderr=True, soft_wrap=True, highlight=False, markup=False),
    )
    registrar = Registrar(registrations, open=partial(Resource, client), report=words)
    with pidfile(pid_path), _signals(registrar.stop), closing(registrar), closing(words):
        if once:
            registrar.register_once()
        else:
            registrar.keep(seconds=quit_after)
            words.close()
            click.echo("Exiting...")
        standing = registrar.standing
        left = registrar.end_all() if remove else 0
    ended = f", {left} could not be ended" if left else ""
    click.echo(f"{standing} of {len(registrations)} registrations stood at the end{ended}")
    sys.exit(0 if standing == len(registrations) and not left else 1)


def _load(toolkit: Toolkit, config: str, *, presents: bool) -> Sequence[RegistrationParameters]:
    """The registrations of the file; `presents` says whether we have a certificate to show."""
    named = bool(toolkit.service or toolkit.epr_file)
    fallback = Defaults(
        group=toolkit.endpoint() if named else None, group_is_address=not toolkit.epr_file
    )
    found = load_registrations(config, fallback=fallback)
    toolkit.check_protection(one.group.address for one in found.registrations)
    unprotected = unprotected_notes(found.registrations) if presents else ()
    for note in (*found.notes, *loopback_notes(found.registrations), *unprotected):
        click.echo(f"Note: {note}", err=True)
    return found.registrations


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the work in order; a second one ends the clearing up too."""
    wanted = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop()) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    main()
