"""Names of settings: how they are written in each source, and what a mistyped one meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence

PREFIX = "AGGREGATOR_"
#: Settings that have an option of the commands, and how it is written there.
OPTIONS: Mapping[str, str] = {
    "server.host": "--host",
    "server.port": "--port",
    "server.workers": "--workers",
    "server.data_dir": "--data-dir",
    "store.url": "--database",
    "server.public_url": "--public-url",
    "server.tls_cert": "--tls-cert",
    "server.tls_key": "--tls-key",
    "server.client_ca": "--client-ca",
    "log.level": "--log-level",
    "log.format": "--log-format",
}


def variable_name(path: Sequence[str]) -> str:
    """Return the environment variable of a setting: ``AGGREGATOR_SERVER_PORT``."""
    return PREFIX + "_".join(path).upper().replace("-", "_")


def closest(name: str, valid: Collection[str]) -> str | None:
    """Return the valid name that ``name`` most likely meant; None where nothing is near."""
    spelled = {candidate.lower().replace("-", "_"): candidate for candidate in valid}
    wanted = name.lower().replace("-", "_")
    near = difflib.get_close_matches(wanted, spelled, n=1, cutoff=0.6)
    return spelled[near[0]] if near else None


def unknown(what: str, name: str, valid: Collection[str]) -> str:
    """Return the sentence that refuses an unknown name and offers the closest valid one."""
    near = closest(name, valid)
    if near is not None:
        return f"unknown {what}; did you mean {near}?"
    return f"unknown {what}; known here: {', '.join(sorted(valid))}"
