"""A service with rules, whose data and actions are files: what is said, and what was done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from lxml import etree

from tests import soap
from tests.migrated import with_tables
from tests.service import RunningService, start_service

AGG = soap.AGG
TRIGGER = "http://mds.globus.org/2004/08/trigger/types"
MORE = "urn:mds-aggregator:trigger"
#: Prints what the file named like the member's last path segment holds.
PROBE = '#!/bin/sh\nexec cat "{folder}/data/${{1##*/}}"\n'
#: Keeps what it was given under its id and attempt, says so, and does as its own file tells it.
ACTION = """#!/bin/sh
folder="{folder}"
number=$(mktemp "$folder/done/$AGGREGATOR_ACTION_ID.XXXXXX")
cat >"$number"
state=$(sed -n 's/.* state="\\([a-z]*\\)".*/\\1/p' "$number")
echo "$AGGREGATOR_ACTION_ID $state" >>"$folder/told"
. "$folder/behave"
"""


@dataclass
class TriggerScene:
    """A service, its folder, and how it is started again."""

    folder: Path
    store: str
    config: str
    service: RunningService = field(init=False)

    def start(self) -> None:
        """Start the service, on the port that it had."""
        port = int(self.service.url.rpartition(":")[2]) if hasattr(self, "service") else 0
        self.service = start_service(
            self.folder / "service",
            config=self.config,
            options=["--database", self.store],
            port=port,
        )

    def kill(self) -> None:
        """End all of the service as a power cut would."""
        processes = psutil.Process(self.service.process.pid).children(recursive=True)
        self.service.kill()
        psutil.wait_procs(processes, timeout=20)

    @property
    def group(self) -> str:
        """The address of the trigger group."""
        return f"{self.service.url}/wsrf/services/DefaultTriggerService"

    def say(self, name: str, content: str) -> None:
        """Have a member say something from now on."""
        aside = self.folder / "data" / f".{name}"
        aside.write_text(content)
        aside.replace(self.folder / "data" / name)

    def behave(self, script: str) -> None:
        """Have the action do something more."""
        (self.folder / "behave").write_text(script + "\n")

    def add(
        self, name: str, *rules: str, millis: int = 200, group: str = "", probe: str = "said"
    ) -> soap.EntryReference:
        """Register a member with rules."""
        config = (
            f'<agg:AggregatorConfig xmlns:agg="{AGG}" xmlns:trigger="{TRIGGER}">'
            f"<agg:ExecutionPollType><agg:PollIntervalMillis>{millis}</agg:PollIntervalMillis>"
            f"<agg:ProbeName>{probe}</agg:ProbeName></agg:ExecutionPollType>"
            f"{''.join(rules)}</agg:AggregatorConfig>"
        )
        return soap.add(group or self.group, f"http://member.example.org/{name}", config)

    def told(self) -> list[tuple[str, str]]:
        """What actions were told so far: the id of each alert, and what became of it."""
        file = self.folder / "told"
        if not file.exists():
            return []
        return [
            (number, state)
            for number, _, state in (line.partition(" ") for line in file.read_text().splitlines())
        ]

    def states(self) -> list[str]:
        """What became of alerts, in the order in which it was told."""
        return [state for _, state in self.told()]

    def given(self) -> list[etree._Element]:
        """The documents that actions were given, oldest first."""
        files = sorted((self.folder / "done").iterdir(), key=lambda file: file.stat().st_mtime_ns)
        return [etree.fromstring(file.read_bytes()) for file in files]

    def statuses(self, name: str) -> list[etree._Element]:
        """The TriggerStatus elements that a member's entry shows."""
        for entry in soap.entries(self.group):
            if (entry.findtext("{*}MemberServiceEPR/{*}Address") or "").endswith(f"/{name}"):
                return entry.findall(f".//{{{AGG}}}AggregatorData/{{{TRIGGER}}}TriggerStatus")
        return []

    def outcome(self, name: str, place: int = 0) -> str:
        """How the last action of a rule stands, as it is shown."""
        found = self.statuses(name)
        action = found[place].find(f"{{{MORE}}}action") if len(found) > place else None
        return "" if action is None else str(action.get("outcome"))


def rule(expression: str, *, action: str = "act", **more: object) -> str:
    """A TriggerRuleType."""
    parts = "".join(f"<trigger:{name}>{value}</trigger:{name}>" for name, value in more.items())
    escaped = expression.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f"<trigger:TriggerRuleType><trigger:matchingRule>{escaped}</trigger:matchingRule>"
        f"<trigger:actionScript>{action}</trigger:actionScript>{parts}</trigger:TriggerRuleType>"
    )


@contextmanager
def trigger_scene(
    kind: str, folder: Path, *, more: str = "", shipped: bool = False
) -> Iterator[TriggerScene]:
    """A service on a database of a kind that runs as long as the block; with the actions that
    ship, or with `act` and `other`, of which the former is told of the end of an alert."""
    for name in ("data", "done", "probes", "actions"):
        (folder / name).mkdir(parents=True)
    _executable(folder / "probes" / "said", PROBE.format(folder=folder))
    _executable(folder / "probes" / "quiet", "#!/bin/sh\necho '<load>1</load>'\n")
    for name in ("act", "other"):
        _executable(folder / "actions" / name, ACTION.format(folder=folder))
    with with_tables(kind, folder) as store:
        config = (
            f"[probes]\nfolder = '{folder}/probes'\n"
            + ("" if shipped else f"[triggers]\nfolder = '{folder}/actions'\ntell_end = ['act']\n")
            + f"{more}\n"
            "[collect]\nlease_ttl = '1500ms'\n"
            "[groups.DefaultTriggerService]\nmin_interval_millis = 50\n"
            "[groups.TriggerRegistrationService]\nmin_interval_millis = 50\n"
        )
        scene = TriggerScene(folder, store, config)
        scene.behave("exit 0")
        scene.start()
        try:
            yield scene
        finally:
            if scene.service.process.poll() is None:
                scene.service.stop()


def _executable(path: Path, script: str) -> None:
    path.write_text(script)
    os.chmod(path, 0o755)
