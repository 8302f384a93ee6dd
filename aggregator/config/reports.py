"""Settings of report collectors: who may report, what is done with reports, how much is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aggregator.config.kinds import listing, text, whole_number
from aggregator.config.measures import duration, size
from aggregator.config.places import file_name, folders
from aggregator.config.setting import setting

DEFAULT_FOLDER = Path("modules")
"""Where modules are looked for unless folders are configured: in the current folder."""


@dataclass(frozen=True, slots=True)
class ReportsSettings:
    """``[reports]``: durations in seconds, sizes in bytes."""

    tokens: str = setting(
        "",
        file_name(),
        "TOML file of who may report, ask and watch, with their secrets (docs/reports.md). Only"
        " its owner may read it. Empty: no reports are taken.",
    )
    modules: tuple[str, ...] = setting(
        (),
        listing(text("the name of a class", name="names", pattern=r"[A-Za-z_][A-Za-z0-9_]*")),
        "Classes that are started, with all that they depend on.",
    )
    folders: tuple[Path, ...] = setting(
        (),
        folders(),
        "Folders in which modules are looked for. Empty: modules, in the folder in which the"
        " service was started.",
    )
    update_interval: float = setting(
        1.0, duration(0.1, 3600), "Time between two questions for an update."
    )
    call_timeout: float = setting(
        10.0,
        duration(0.1, 3600),
        "Time that an aggregator may take for one call; it is ended and made anew then.",
    )
    request_timeout: float = setting(
        10.0, duration(0.1, 300), "Time in which a REQUEST is answered, or refused."
    )
    max_report: int = setting(
        4 * 2**20, size(1024, 2**30), "Largest report; server.max_body is a limit too."
    )
    max_answer: int = setting(
        16 * 2**20, size(1024, 2**30), "Largest answer to a REQUEST, and largest update."
    )
    max_nodes: int = setting(10_000, whole_number(1, 10_000_000), "Nodes that may report.")
    max_rate: int = setting(
        10,
        whole_number(1, 10_000),
        "Reports that one node may send in a second, on average over ten.",
    )
    max_waiting: int = setting(
        1000, whole_number(1, 1_000_000), "Reports of one node that may wait to be processed."
    )
    max_waiting_size: int = setting(64 * 2**20, size(1024, 2**40), "Bytes of them.")
    max_tries: int = setting(
        5,
        whole_number(1, 100),
        "How often a report is tried whose processing fails; then it is put aside as dead.",
    )
    max_dead: int = setting(1000, whole_number(0, 10_000_000), "Dead reports that are kept.")
    remembered: int = setting(
        1000,
        whole_number(100, 1_000_000),
        "Reports of each node whose ids are remembered, so that one that comes again is dropped.",
    )
    node_age: float = setting(
        30 * 86400.0,
        duration(60),
        "How long a node is remembered that does not report any more.",
    )
    max_requests: int = setting(100, whole_number(1, 100_000), "REQUESTs that may wait.")
    max_watchers: int = setting(
        100, whole_number(1, 100_000), "Clients of one web worker that watch updates."
    )
    updates_kept: int = setting(
        1000, whole_number(1, 1_000_000), "Updates that are kept for watchers who come back."
    )
    updates_size: int = setting(64 * 2**20, size(1024, 2**40), "Bytes of them.")
