"""Prefixes for XPath on the command line: the usual ones, and those that the user gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import click

from aggregator.errors import ConfigError
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import Dialect

Callback = Callable[..., Any]
_METADATA = "http://mds.globus.org/metadata/2005/02"
_PREFIX = re.compile(r"[A-Za-z_][\w.\-]*", re.ASCII)


def namespace_option() -> Callable[[Callback], Callback]:
    """The option ``-n``."""
    return click.option(
        "-n",
        "--namespace",
        "namespaces",
        multiple=True,
        metavar="PREFIX=URI",
        help="A prefix of the expression. Known: sg, rp, rl, wsa, agg, glue, md, idx and others.",
    )


def prefixes(dialect: Dialect, given: Sequence[str] = ()) -> dict[str, str]:
    """Prefix to namespace, as both dialects' users write them; ConfigError for a wrong option."""
    found = {
        "sg": dialect.sg,
        "wssg": dialect.sg,
        "rp": dialect.rp,
        "wsrp": dialect.rp,
        "rl": dialect.rl,
        "wsrl": dialect.rl,
        "wsa": dialect.wsa,
        "agg": ns.AGG,
        "glue": ns.GLUE,
        "md": _METADATA,
        "metrics": ns.METRICS,
        "idx": ns.INDEX,
        "h": ns.HEALTH,
        "trigger": ns.TRIGGER,
    }
    for option in given:
        prefix, equals, uri = option.partition("=")
        prefix = prefix.removeprefix("xmlns:")
        if not (equals and uri and _PREFIX.fullmatch(prefix)) or prefix.lower().startswith("xml"):
            raise ConfigError(f"-n {option!r} is no declaration like glue={ns.GLUE}")
        found[prefix] = uri
    return found
