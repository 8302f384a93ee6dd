"""Actions run as the probe server runs them: their environment, their input, how they ended."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from aggregator.collect.probes import Probe, ProbeFolder
from aggregator.config import Settings
from aggregator.config.actions import settings_for
from tests.sources_read import ROOT

SAMPLES = ROOT / "tests" / "samples" / "actions"
FIRED = (SAMPLES / "fired.xml").read_bytes()
RECOVERED = (SAMPLES / "recovered.xml").read_bytes()
FIRE = (SAMPLES / "fire.xml").read_bytes()
FOLDER = ROOT / "libexec" / "trigger"
ID = "0643a1f08b5b0d2e/1/649add44d0090"
TRIGGER = "urn:mds-aggregator:trigger"


@dataclass(frozen=True, slots=True)
class Ended:
    """How an action ended, what it printed, its line of trouble."""

    status: int
    out: bytes
    err: str

    @property
    def published(self) -> etree._Element:
        """The document that it printed."""
        assert self.status == 0, self.err
        return etree.fromstring(self.out)


def environment(values: Mapping[str, object], folder: Path) -> dict[str, str]:
    """What an action finds in its environment, a folder of its own as HOME and TMPDIR."""
    probes = ProbeFolder(FOLDER)
    given = probes.environment(Probe("log", FOLDER / "log"))
    own = {"HOME": str(folder), "TMPDIR": str(folder), "AGGREGATOR_PROBE_ID": "1"}
    action = {"AGGREGATOR_ACTION_SETTINGS": json.dumps(values), "AGGREGATOR_ACTION_ID": ID}
    return {**given, **own, **action}


def run(
    action: str | Path,
    values: Mapping[str, object],
    folder: Path,
    *,
    stdin: bytes = FIRED,
    within: float = 60,
) -> Ended:
    """Run an action to its end, in an empty folder below `folder`."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    done = subprocess.run(
        [str(FOLDER / action)],
        env=environment(values, scratch),
        cwd=scratch,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=within,
    )
    assert list(scratch.iterdir()) == []
    return Ended(done.returncode, done.stdout, done.stderr.decode())


def given_by(settings: Settings, action: str) -> Mapping[str, object]:
    """What an action is told of the service's settings, as it comes out of JSON."""
    told: Mapping[str, object] = json.loads(json.dumps(settings_for(settings, action)))
    return told
