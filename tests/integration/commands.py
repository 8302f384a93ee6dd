"""The commands as a user runs them, and the registration files that he writes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aggregator.wire.times import SECOND, parse_datetime
from tests import soap
from tests.soap import AGG, IDLE, NS, Family

BIN = Path(sys.executable).parent
STUB = Path(__file__).with_name("wsrf_stub.py")
#: What the machine sets must not decide a test.
_CERTIFICATES = ("X509_USER_CERT", "X509_USER_KEY", "X509_USER_PROXY", "X509_CERT_DIR")


def environment() -> dict[str, str]:
    """The environment of a user without certificates."""
    return {name: value for name, value in os.environ.items() if name not in _CERTIFICATES}


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left behind."""

    status: int
    out: str
    err: str


def run(
    command: str, *arguments: str, environ: dict[str, str] | None = None, within: float = 60
) -> Ended:
    """Run an installed command to its end."""
    done = subprocess.run(
        [str(BIN / command), *arguments],
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
        env={**environment(), **(environ or {})},
        stdin=subprocess.DEVNULL,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class Running:
    """A command that goes on; its output grows in files."""

    def __init__(self, folder: Path, arguments: Sequence[str]) -> None:
        self._out, self._err = folder / "registrant.out", folder / "registrant.err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                arguments, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=environment()
            )

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def end(self, number: int = signal.SIGTERM, *, within: float = 20) -> Ended:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return Ended(self.process.wait(within), self.out, self.err)


@contextlib.contextmanager
def registrant(folder: Path, *arguments: str) -> Iterator[Running]:
    """``mds-servicegroup-add -a`` as long as the block, at most."""
    running = Running(folder, [str(BIN / "mds-servicegroup-add"), "-a", *arguments])
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
        running.process.wait(10)


@contextlib.contextmanager
def stub(*options: str) -> Iterator[str]:
    """The address of a service group that behaves as the options of wsrf_stub.py say."""
    command = [sys.executable, str(STUB), *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address, f"the stub ended with {process.wait()}"
            yield address
        finally:
            process.kill()


def block(
    member: str, *, interval: int = 60, group: str = "", config: str = IDLE, more: str = ""
) -> str:
    """A ServiceGroupRegistrationParameters block."""
    named = f"<ServiceGroupEPR><wsa:Address>{group}</wsa:Address></ServiceGroupEPR>"
    return (
        f"<ServiceGroupRegistrationParameters>{named if group else ''}"
        f"<RegistrantEPR><wsa:Address> {member}\n</wsa:Address></RegistrantEPR>{more}"
        f"<RefreshIntervalSecs>{interval}</RefreshIntervalSecs>"
        f'<Content xsi:type="agg:AggregatorContent">{config}<agg:AggregatorData/></Content>'
        "</ServiceGroupRegistrationParameters>"
    )


def write_registrations(folder: Path, *blocks: str, group: str = "", family: Family = "gt4") -> str:
    """Write a registration file and return its path."""
    default = f"<defaultServiceGroupEPR><wsa:Address>{group}</wsa:Address></defaultServiceGroupEPR>"
    file = folder / "registrations.xml"
    file.write_text(
        '<ServiceGroupRegistrations xmlns="http://mds.globus.org/servicegroup/client" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:agg="{AGG}" '
        f'xmlns:wsa="{NS[family]["wsa"]}">{default if group else ""}{"".join(blocks)}'
        "</ServiceGroupRegistrations>"
    )
    return str(file)


def entries(group: str, member: str, family: Family = "gt4") -> list[str]:
    """The addresses of the entries of a member."""
    ns = NS[family]
    return [
        entry.findtext(f"{{{ns['sg']}}}ServiceGroupEntryEPR/{{{ns['wsa']}}}Address") or ""
        for entry in soap.entries(group, family=family)
        if member == entry.findtext(f"{{{ns['sg']}}}MemberServiceEPR/{{{ns['wsa']}}}Address")
    ]


def time_left(entry: soap.EntryReference, family: Family = "gt4") -> float:
    """Seconds that an entry has to live, by its own clock."""
    ends, now = (
        parse_datetime(
            soap.get_property(entry.address, name, family=family, header=entry.header).body[0].text
            or ""
        )
        for name in ("rl:TerminationTime", "rl:CurrentTime")
    )
    assert ends is not None
    assert now is not None
    return (ends - now) / SECOND
