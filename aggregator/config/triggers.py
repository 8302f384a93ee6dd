"""Settings of triggers: which actions may run, what they read, and within what bounds."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.config.kinds import choice, listing, text, whole_number
from aggregator.config.measures import duration, size
from aggregator.config.places import file_name
from aggregator.config.setting import setting


@dataclass(frozen=True, slots=True)
class TriggerSettings:
    """``[triggers]``: durations in seconds, sizes in bytes."""

    folder: str = setting(
        "",
        file_name(),
        "Folder of the executables that rules may name as actions; nobody else may be able to"
        " write to it. Empty: the actions that come with the package.",
    )
    allowed: tuple[str, ...] = setting(
        (),
        listing(
            text(
                "an action's name, relative to triggers.folder",
                name="names",
                pattern=r"[^/\x00-\x1f][^\x00-\x1f]*",
            )
        ),
        "Actions that may run, by their names in the folder. Empty: all in the folder.",
    )
    tell_end: tuple[str, ...] = setting(
        ("log", "mail", "webhook", "event", "trigger-action-default"),
        listing(text("an action's name", name="names", pattern=r"[^\x00-\x1f]+")),
        "Actions that are also run when an alert ends. One that was written for MDS4 does not"
        " expect that.",
    )
    input: str = setting(
        "actionInput",
        choice("actionInput", "fire"),
        "Root of what an action reads: that of MDS4 4.0.5 and later (actionInput), or that of"
        " 4.0.0 (fire).",
    )
    timeout: float = setting(
        60.0, duration(0.1, 3600), "Time an action may take before it is ended."
    )
    retry_for: float = setting(
        3600.0,
        duration(0, 7 * 86400),
        "Time for which an action is tried again that says it can't be done now (exit code 75).",
    )
    max_output: int = setting(64 * 1024, size(1024, 2**26), "Largest output of an action.")
    memory_limit: int = setting(512 * 2**20, size(16 * 2**20, 2**40), "Memory an action may use.")
    max_concurrent: int = setting(16, whole_number(1, 1000), "Actions running at the same time.")
    kept: float = setting(
        7 * 86400.0, duration(60), "How long it is kept what became of an action that has ended."
    )
    max_triggers: int = setting(
        10_000, whole_number(0, 10_000_000), "Most triggers that TriggerService makes."
    )
