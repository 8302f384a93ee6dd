"""The nagios probe, on plugins made for the test and on those of the distribution."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from aggregator.collect.probes import ProbeFolder, shipped_folder

NAMESPACE = "{urn:mds-aggregator:nagios}"
PLUGINS = Path("/usr/lib/nagios/plugins")


def check(
    *words: str, address: str = "https://[::1]:8443/a?b"
) -> subprocess.CompletedProcess[bytes]:
    """Run the probe with one configured check."""
    folder = ProbeFolder(shipped_folder(), checks={"nagios": {"it": words}})
    probe = folder.resolve("nagios/it")
    return subprocess.run(
        probe.command(address), env=folder.environment(probe), capture_output=True, check=False
    )


def result(script: str, *arguments: str, **options: str) -> ET.Element:
    """The document that a plugin made of a shell script leads to."""
    done = check("/bin/sh", "-c", script, "plugin", *arguments, **options)
    assert done.returncode == 0, done.stderr.decode()
    return ET.fromstring(done.stdout)


@pytest.mark.parametrize(
    ("status", "state"), [(0, "OK"), (1, "WARNING"), (2, "CRITICAL"), (3, "UNKNOWN")]
)
def test_status_and_message_become_xml(status: int, state: str) -> None:
    root = result(f"echo 'DISK {state} - <free> & \"easy\"'; exit {status}")
    assert root.tag == f"{NAMESPACE}Check"
    assert root.attrib == {"name": "it", "state": state, "status": str(status)}
    assert root.findtext(f"{NAMESPACE}Message") == f'DISK {state} - <free> & "easy"'
    assert len(root) == 1


@pytest.mark.parametrize("end", ["exit 4", "exit 127", "kill -9 $$"])
def test_any_other_end_is_unknown(end: str) -> None:
    root = result(f"echo started; {end}")
    assert (root.get("state"), root.get("status")) == ("UNKNOWN", "3")
    assert root.findtext(f"{NAMESPACE}Message") == "started"
    silent = result(end).findtext(f"{NAMESPACE}Message") or ""
    assert "said nothing" in silent


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ("time=0.01s;1;2;0;10", [{"label": "time", "value": "0.01", "unit": "s", "warn": "1",
                                  "crit": "2", "min": "0", "max": "10"}]),
        ("users=3", [{"label": "users", "value": "3"}]),
        ("a=1B;;;0 b=-2.5e3%;10:20;@5:~", [
            {"label": "a", "value": "1", "unit": "B", "min": "0"},
            {"label": "b", "value": "-2.5e3", "unit": "%", "warn": "10:20", "crit": "@5:~"}]),
        ("'free space'=5MB 'it''s'=.5", [{"label": "free space", "value": "5", "unit": "MB"},
                                         {"label": "it's", "value": ".5"}]),
        ("unknown=U;1;2", [{"label": "unknown", "value": "U", "warn": "1", "crit": "2"}]),
        ("broken= =3 x y=z good=1c", [{"label": "good", "value": "1", "unit": "c"}]),
    ],
)  # fmt: skip
def test_performance_data_is_taken_apart(data: str, wanted: list[dict[str, str]]) -> None:
    root = result('echo "TEXT | $1"', data)
    assert [item.attrib for item in root.findall(f"{NAMESPACE}PerformanceData")] == wanted
    assert root.findtext(f"{NAMESPACE}Message") == "TEXT"


def test_long_output_and_its_performance_data_are_taken() -> None:
    root = result("printf 'short | a=1\\nline 1\\nline 2 | b=2\\nc=3\\n'")
    assert root.findtext(f"{NAMESPACE}Message") == "short"
    assert root.findtext(f"{NAMESPACE}LongMessage") == "line 1\nline 2"
    labels = [item.get("label") for item in root.findall(f"{NAMESPACE}PerformanceData")]
    assert labels == ["a", "b", "c"]


def test_bytes_that_no_xml_holds_are_left_out() -> None:
    root = result("printf 'a\\033[1mb\\000c\\377d\\n'")
    assert root.findtext(f"{NAMESPACE}Message") == "a[1mbc\ufffdd"


def test_of_the_member_only_host_port_and_address_reach_a_plugin() -> None:
    words = ("$HOST$", "-p$PORT$", "--url=$ADDRESS$", "$OTHER$", "$(id)")
    address = "https://[::1]:8443/a?b=$HOST$;x"
    root = result('printf "%s\\n" "$*"', *words, address=address)
    told = f"::1 -p8443 --url={address} $OTHER$ $(id)"
    assert root.findtext(f"{NAMESPACE}Message") == told
    for plain, port in (("http://h/", "80"), ("https://h/", "443")):
        assert result('echo "$1"', "$PORT$", address=plain)[0].text == port


def test_a_plugin_that_is_missing_is_named() -> None:
    done = check("check_nonexistent")
    assert done.returncode == 1
    assert b"there is no plugin 'check_nonexistent' in /usr/lib/nagios/plugins" in done.stderr


@pytest.mark.parametrize("name", ["load", "disk", "procs", "users", "tcp"])
def test_shipped_checks_run_on_the_plugins_of_the_distribution(name: str) -> None:
    if not (PLUGINS / f"check_{name}").exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{PLUGINS}/check_{name} is missing; install monitoring-plugins-basic")
        pytest.skip("the monitoring plugins are not installed")
    folder = ProbeFolder(shipped_folder())
    probe = folder.resolve(f"nagios/{name}")
    output = subprocess.check_output(
        probe.command("http://127.0.0.1:9/"), env=folder.environment(probe)
    )
    root = ET.fromstring(output)
    assert root.get("name") == name
    wanted = {"tcp": {"CRITICAL"}}.get(name, {"OK", "WARNING", "CRITICAL"})
    assert root.get("state") in wanted
    assert root.findtext(f"{NAMESPACE}Message")
    if name != "tcp":
        assert root.findall(f"{NAMESPACE}PerformanceData")
