"""The six foreign SOAP clients: what each needs on this machine, and how it is run."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# What a client asks of other hosts goes to a port where nobody listens, and fails at once.
NOWHERE = "http://127.0.0.1:9"
OFFLINE = {"http_proxy": NOWHERE, "https_proxy": NOWHERE, "no_proxy": "127.0.0.1"}
#: What differs in the sources that gSOAP makes of the same WSDL: where from, and when.
_INCIDENTAL = re.compile(rb"http://127\.0\.0\.1:\d+[\w/.-]*|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT")
#: Programs of this process by what they were made of.
_linked: dict[str, Path] = {}


@dataclass(frozen=True, slots=True)
class ForeignClient:
    """A program beside this file; `missing` says in one line what it lacks here, or nothing."""

    name: str
    program: tuple[str, ...]
    missing: Callable[[], str]
    soap: tuple[str, ...] = ("1.1", "1.2")

    def register(self, url: str, dialect: str, soap: str, *words: str, folder: Path) -> Any:
        """Make the three calls for a member, its first end and its second; what came back."""
        if self.name == "gsoap":
            return run([str(compiled(url, dialect, soap, folder)), url, *words])
        return run([*self.program, url, dialect, *words, soap])

    def subscribe(self, url: str, dialect: str, soap: str, *words: str, folder: Path) -> Any:
        """Subscribe, renew and end; `words` are an address, the first end and the second.

        The address is the consumer's. zeep is its own, and adds a member of that address.
        """
        if self.name == "gsoap":
            return _subscribe_with_gsoap(url, dialect, soap, words, folder)
        program = [*self.program[:-1], self.program[-1].replace("client.", "subscriber.")]
        return run([*program, url, dialect, *words, soap])

    def notify(self, url: str, dialect: str, value: str) -> None:
        """Tell a consumer that the property t:Load has a value."""
        program = [*self.program[:-1], self.program[-1].replace("client.", "notifier.")]
        printed([*program, url, dialect, value])

    def operations(self, url: str, folder: Path) -> list[str]:
        """The operations that the client finds in a WSDL."""
        if self.name == "gsoap":
            text = generated(url, folder).read_text()
            return sorted(set(re.findall(r"^int __ns1__(\w+?)_?\(", text, re.MULTILINE)))
        return [str(name) for name in run([*self.program, url])]


def run(command: list[str]) -> Any:
    """What a client prints, as JSON."""
    return json.loads(printed(command))


def printed(command: list[str]) -> str:
    """What a client prints; AssertionError with all it said where it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=os.environ | OFFLINE, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _subscribe_with_gsoap(
    url: str, dialect: str, soap: str, words: tuple[str, ...], folder: Path
) -> Any:
    """The same with two programs, one for each WSDL."""
    consumer, initial, renewed = words
    one, other = folder / "group", folder / "subscription"
    one.mkdir()
    other.mkdir()
    subscriber = compiled(url, dialect, soap, one, source="subscriber.c")
    manager = printed([str(subscriber), url, consumer, initial]).strip()
    flags = ("-DMANAGE",)
    end = compiled(manager, dialect, soap, other, source="subscriber.c", flags=flags)
    return {"manager": manager, "renewed": printed([str(end), manager, renewed]).strip()}


def generated(url: str, folder: Path, *options: str) -> Path:
    """What wsdl2h makes of a WSDL, with soapcpp2's sources beside it."""
    header = folder / "service.h"
    build(["wsdl2h", "-c", "-o", header.name, url], folder)
    with header.open("a") as text:
        text.write((HERE / "gsoap/header.h").read_text())
    build(["soapcpp2", "-c", "-C", "-L", "-x", *options, header.name], folder)
    return header


def compiled(
    url: str,
    dialect: str,
    soap: str,
    folder: Path,
    *,
    source: str = "client.c",
    flags: tuple[str, ...] = (),
) -> Path:
    """The program that gSOAP makes of one dialect's WSDL."""
    wsdl = f"{url}?wsdl=gt4" if dialect == "gt4" else f"{url}?wsdl"
    generated(wsdl, folder, "-1" if soap == "1.1" else "-2")
    if dialect == "gt4":
        flags += ("-DGT4",)
    sources = [str(HERE / "gsoap" / source), "soapC.c", "soapClient.c"]
    return linked(["gcc", "-O0", "-w", *flags, "-I.", *sources, "-lgsoap"], folder)


def linked(command: list[str], folder: Path) -> Path:
    """The program that a compiler makes in a folder of what was generated there.

    What differs from an earlier one in nothing but addresses, which are defaults that no program of
    ours takes, is that one: to compile it takes seconds.
    """
    made = hashlib.sha256(repr(command).encode())
    for file in sorted(folder.glob("*.*")):
        made.update(_INCIDENTAL.sub(b"", file.read_bytes()))
    key = made.hexdigest()
    if key not in _linked:
        build([*command, "-o", "program"], folder)
        _linked[key] = folder / "program"
    return _linked[key]


def build(command: list[str], folder: Path) -> None:
    """Run a compiler in a folder."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def programs(*names: str) -> str:
    """Which of the programs are not here, in one line, or nothing."""
    lacking = [name for name in names if shutil.which(name) is None]
    return f"{', '.join(lacking)} not on the PATH" if lacking else ""


def _python(name: str) -> str:
    return "" if importlib.util.find_spec(name) else f"the Python package {name} is not installed"


@functools.cache
def gsoap_missing() -> str:
    """What gSOAP lacks here."""
    lacking = programs("wsdl2h", "soapcpp2", "gcc")
    if not lacking and not Path("/usr/include/stdsoap2.h").exists():
        lacking = "no /usr/include/stdsoap2.h"
    return f"{lacking} (packages gsoap, libgsoap-dev)" if lacking else ""


@functools.cache
def _php() -> str:
    if programs("php"):
        return "php not on the PATH (packages php-cli, php-soap)"
    found = subprocess.run(
        ["php", "-r", "exit(class_exists('SoapClient') ? 0 : 1);"], check=False, timeout=30
    )
    return "php has no SoapClient (package php-soap)" if found.returncode else ""


def _node(package: str) -> str:
    if programs("node"):
        return programs("node")
    installed = (HERE / "node_modules" / package).exists()
    return "" if installed else f"no npm package {package}: npm ci --prefix tests/clients"


def _script(name: str) -> str:
    return str(HERE / name)


CLIENTS = (
    ForeignClient(
        "zeep", (sys.executable, _script("zeep/client.py")), functools.partial(_python, "zeep")
    ),
    ForeignClient(
        "suds",
        (sys.executable, _script("suds/client.py")),
        functools.partial(_python, "suds"),
        soap=("1.1",),
    ),
    ForeignClient("gsoap", (), gsoap_missing),
    ForeignClient("php", ("php", _script("php/client.php")), _php),
    ForeignClient(
        "soap", ("node", _script("node-soap/client.js")), functools.partial(_node, "soap")
    ),
    ForeignClient(
        "strong-soap",
        ("node", _script("strong-soap/client.js")),
        functools.partial(_node, "strong-soap"),
        soap=("1.1",),
    ),
)
