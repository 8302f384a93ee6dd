"""``aggregator serve``: the service, under its supervisor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aggregator.cli.failing import told_errors
from aggregator.config import OPTIONS, ConfigurationError, Settings, option_help
from aggregator.run import logs
from aggregator.run.context import RunContext
from aggregator.run.supervisor import serve as run_service

#: Argument of the command to the setting that its option sets.
_SETTINGS = {option[2:].replace("-", "_"): setting for setting, option in OPTIONS.items()}


@click.command(epilog="Example: aggregator serve --port 8080 --data-dir ./data")
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help="TOML file of settings."
)
@click.option("--host", help=option_help("server.host"))
@click.option("--port", type=int, help=option_help("server.port"))
@click.option("--workers", type=int, help=option_help("server.workers"))
@click.option("--data-dir", type=click.Path(file_okay=False), help=option_help("server.data_dir"))
@click.option("--database", metavar="URL", help=option_help("store.url"))
@click.option("--public-url", metavar="URL", help=option_help("server.public_url"))
@click.option("--tls-cert", metavar="FILE", help=option_help("server.tls_cert"))
@click.option("--tls-key", metavar="FILE", help=option_help("server.tls_key"))
@click.option("--client-ca", metavar="FILE", help=option_help("server.client_ca"))
@click.option("--log-level", help=option_help("log.level"))
@click.option("--log-format", help=option_help("log.format"))
@click.option("--no-collector", is_flag=True, help="Serve requests only; collect nothing.")
@click.option("--no-web", is_flag=True, help="Collect only; listen on no port.")
@told_errors
def serve(config: Path | None, no_collector: bool, no_web: bool, **options: Any) -> None:
    """Serve the registry: requests, collection and queries, until SIGTERM or Ctrl-C.

    Ready when GET /readyz answers 200. SIGHUP reads the configuration again.
    """
    if no_collector and no_web:
        raise click.UsageError("--no-collector and --no-web together leave nothing to run")
    given = {
        _SETTINGS[name]: str(value) if name == "data_dir" else value
        for name, value in options.items()
        if value is not None
    }
    file = "" if config is None else str(config.resolve())
    context = RunContext(config=file, options=given)
    settings = _settings(context)
    logs.configure(level=settings.log.level, form=settings.log.format, role="supervisor")
    raise SystemExit(run_service(context, web=not no_web, collector=not no_collector))


def _settings(context: RunContext) -> Settings:
    """The settings; where they are wrong, everything that is wrong is told.

    What plug-ins and probes say of them is asked for only then: the first role looks at it, so
    that the supervisor need not load them.
    """
    try:
        return context.settings()
    except ConfigurationError:
        from aggregator.run.preparation import amiss  # noqa: PLC0415

        return context.settings(further=amiss)
