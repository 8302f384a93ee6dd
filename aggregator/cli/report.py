"""``aggregator report``: the node agent, which runs collectors and sends what they report."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from contextlib import closing
from pathlib import Path

import click

from aggregator.agent.agent import Agent, collectors_of, run_agent
from aggregator.agent.spool import Spool
from aggregator.cli.one_line import OneLineCommand
from aggregator.cli.report_options import client_of, service_options
from aggregator.cli.toolkit import Toolkit
from aggregator.config.places import state_folder
from aggregator.config.reports import DEFAULT_FOLDER
from aggregator.errors import ConfigError
from aggregator.reports.names import NODE

#: Seconds for one call: a report is small, and whoever takes it answers soon.
_LONGEST = 30.0


@click.command(
    cls=OneLineCommand,
    short_help="Run collectors on a node, and report.",
    epilog="\b\nExample:\n  aggregator report -s https://grid.example.org --token-file node.token"
    " FileReader",
)
@service_options
@click.option(
    "--node", default="", metavar="NAME", help="Name of this node [default: that of the host]."
)
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder in which modules are looked for; may be given again [default: modules].",
)
@click.option(
    "--spool",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for reports that are not acknowledged [default: in the folder for state].",
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0.05),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two questions to a collector.",
)
@click.argument("classes", metavar="CLASS...", nargs=-1, required=True)
def report(
    *,
    toolkit: Toolkit,
    token_file: str,
    node: str,
    folders: tuple[Path, ...],
    spool: Path | None,
    interval: float,
    classes: tuple[str, ...],
) -> None:
    """Run the collectors named CLASS, and those that they depend on, until SIGTERM or Ctrl-C.

    Each is asked for a report about once a second, while the service is reached. What it reports
    is kept on the disk until the service has acknowledged it, and is sent again under the same id,
    also after a restart.
    """
    node = node or socket.gethostname()
    if not NODE.fullmatch(node):
        raise ConfigError(f"{node!r} is no name of a node such as node7", element="--node")
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if toolkit.debug else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(message)s",
        force=True,
    )
    logging.getLogger("aggregator").setLevel(logging.NOTSET)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    place = spool or state_folder(os.environ) / "spool" / node
    client = client_of(toolkit, token_file, longest=_LONGEST)
    with closing(client), closing(Spool(place)) as waiting:
        made = collectors_of(
            classes, [one.absolute() for one in folders or (DEFAULT_FOLDER,)], spool=place
        )
        run_agent(client, waiting, made, node=node, interval=interval, hear=_hear)


def _hear(agent: Agent) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
