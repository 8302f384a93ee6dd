"""The probes that come with the project, run as the probe server runs them."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil
import pytest

from aggregator.collect.probes import ProbeFolder, shipped_folder
from aggregator.member.host_facts import GLUE, host_xml, read_host_facts

ROOT = Path(__file__).parents[2]
CE = ROOT.parent / "shared" / "reference" / "schemas" / "gt4" / "mds" / "usefulrp" / "ce.xsd"
EPR = (
    b'<a:EndpointReference xmlns:a="http://www.w3.org/2005/08/addressing">'
    b"<a:Address>http://h/</a:Address></a:EndpointReference>\n<AggregatorConfig/>\n"
)
folder = ProbeFolder(shipped_folder())
programs = sorted({name.partition("/")[0] for name in folder.names()})


def run(name: str, address: str = "http://127.0.0.1:9/x") -> subprocess.CompletedProcess[bytes]:
    """Run a probe by its name in a registration."""
    probe = folder.resolve(name)
    return subprocess.run(
        probe.command(address),
        env=folder.environment(probe),
        input=EPR,
        capture_output=True,
        check=False,
        timeout=60,
    )


def document(done: subprocess.CompletedProcess[bytes]) -> ET.Element:
    assert done.returncode == 0, done.stderr.decode()
    return ET.fromstring(done.stdout)


def can_ping(host: str) -> bool:
    try:
        command = ("ping", "-c", "1", "-w", "2", host)
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def test_the_probes_of_the_project_are_there() -> None:
    measuring = ["iperf3-throughput", "twping-lite"]
    others = ["aggregator-exec-test", "host", "http", "nagios", "ping-test"]
    assert programs == sorted([*others, *measuring])


@pytest.mark.parametrize("name", programs)
def test_each_has_help_with_an_example_and_a_page(name: str) -> None:
    done = subprocess.run(
        (shipped_folder() / name, "--help"),
        env=folder.environment(folder.resolve("host")),
        capture_output=True,
        check=True,
        text=True,
    )
    assert f"example: {name} " in done.stdout.replace("\n", " ")
    page = (ROOT / "docs" / "probes" / f"{name}.md").read_text()
    assert f"# {name}\n" in page
    assert f"({name}.md)" in (ROOT / "docs" / "probes" / "README.md").read_text()


@pytest.mark.parametrize("name", programs)
def test_the_help_needs_no_installation(name: str) -> None:
    """Run by a Python that knows nothing but its own library."""
    bare = (sys.executable, "-I", "-S", str(ROOT / "libexec" / "aggrexec" / name))
    done = subprocess.run((*bare, "--help"), capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"example: {name} " in done.stdout.replace("\n", " ")


@pytest.mark.parametrize("name", ["host", "iperf3-throughput", "twping-lite"])
def test_by_hand_a_probe_says_which_python_it_needs(name: str) -> None:
    bare = (sys.executable, "-I", "-S", str(ROOT / "libexec" / "aggrexec" / name), "http://h/")
    done = subprocess.run(bare, capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stdout) == (1, "")
    assert "run it with the python3 that mds-aggregator is installed for" in done.stderr


@pytest.mark.parametrize(
    ("name", "address"),
    [
        *(("ping-test", address) for address in ("ftp://h/", "-c", "http://", "http://-c/")),
        *(("http", address) for address in ("ftp://h/", "-c", "http://")),
        *(("twping-lite", address) for address in ("ftp://h/", "-c", "http://", "http://-c/")),
        *(("iperf3-throughput", address) for address in ("ftp://h/", "http://-c/", "http://[1/")),
    ],
)
def test_by_hand_a_wrong_address_is_refused_in_one_line(name: str, address: str) -> None:
    done = subprocess.run(
        (shipped_folder() / name, "--", address),
        env=folder.environment(folder.resolve("host")),
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode in {1, 2}
    assert "is no http or https URL with a host" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("http://127.0.0.1:8080/wsrf/services/X", "127.0.0.1"),
        ("https://127.0.0.1/", "127.0.0.1"),
        ("http://127.0.0.1", "127.0.0.1"),
        ("https://[::1]:8443/x", "::1"),
        ("http://255.255.255.255/", "255.255.255.255"),
    ],
)
def test_ping_tells_whether_the_host_answers(address: str, host: str) -> None:
    result = b"SUCCESS" if can_ping(host) else b"FAIL"
    assert run("ping-test", address).stdout.strip() == (
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b"<examplePingInformation>" + result + b"</examplePingInformation>"
    )


def test_without_ping_the_probe_says_what_is_missing(tmp_path: Path) -> None:
    python = Path(
        os.path.realpath(folder.environment(folder.resolve("host"))["PATH"].split(":")[0])
    )
    (tmp_path / "python3").symlink_to(python / "python3")
    done = subprocess.run(
        ("/usr/bin/env", "python3", shipped_folder() / "ping-test", "http://127.0.0.1/"),
        env={"PATH": str(tmp_path)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == "there is no program 'ping' in PATH; install iputils-ping\n"


def test_the_example_of_an_executable_prints_information() -> None:
    root = document(run("aggregator-exec-test"))
    assert root.tag == "exampleProbedInformation"
    assert [child.tag for child in root] == ["description", "time"]
    time = datetime.fromisoformat(root.findtext("time", ""))
    assert abs((datetime.now(UTC) - time).total_seconds()) < 30


def test_host_facts_are_those_of_this_machine() -> None:
    root = document(run("host"))
    assert root.tag == f"{{{GLUE}}}GLUECE"
    host = root.find(f"{{{GLUE}}}Cluster/{{{GLUE}}}SubCluster/{{{GLUE}}}Host")
    assert host is not None

    def fact(element: str, attribute: str) -> str:
        found = host.find(f"{{{GLUE}}}{element}")
        assert found is not None
        return found.get(f"{{{GLUE}}}{attribute}", "")

    assert host.get(f"{{{GLUE}}}Name") == os.uname().nodename
    assert host.get(f"{{{GLUE}}}UniqueID")
    assert fact("OperatingSystem", "Release") == os.uname().release
    assert fact("Architecture", "SMPSize") == str(psutil.cpu_count())
    assert fact("MainMemory", "RAMSize") == str(psutil.virtual_memory().total >> 20)
    assert abs(int(fact("ProcessorLoad", "Last15Min")) - psutil.getloadavg()[2] * 100) < 200
    roots = {found.get(f"{{{GLUE}}}Root") for found in host.iter(f"{{{GLUE}}}FileSystem")}
    assert "/" in roots
    adapters = {f.get(f"{{{GLUE}}}IPAddress") for f in host.iter(f"{{{GLUE}}}NetworkAdapter")}
    assert "127.0.0.1" in adapters


def test_host_facts_follow_the_published_schema() -> None:
    if not CE.exists():
        pytest.skip("the published GLUE schema is not on this machine")
    xmlschema = importlib.import_module("xmlschema")
    schema = xmlschema.XMLSchema(str(CE))
    schema.validate(ET.ElementTree(document(run("host"))))
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        schema.validate(run("host").stdout.replace(b'SMPSize="', b'SMPSize="x').decode())


def test_the_host_element_stands_alone_for_other_providers() -> None:
    element = ET.fromstring(host_xml(read_host_facts()))
    assert element.tag == f"{{{GLUE}}}Host"
    assert all(name.startswith(f"{{{GLUE}}}") for found in element.iter() for name in found.attrib)
