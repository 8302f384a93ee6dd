"""Which probes may run, and what they are given."""

from __future__ import annotations

import grp
import json
import os
import pwd
import sys
from pathlib import Path

import pytest

from aggregator.collect.probe_frames import FrameBuffer, frame
from aggregator.collect.probe_input import member_address, probe_name, probe_stdin
from aggregator.collect.probes import Probe, ProbeFolder
from aggregator.errors import ConfigError

CHECKS = '[checks]\nload = ["check_load", "-w", "5"]\n"disk" = ["check_disk"]\n'


def make(path: Path, *, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "globus" / "libexec" / "aggrexec"
    make(root / "ping-test")
    make(root / "site" / "rack" / "power")
    make(root / "nagios")
    (root / "nagios.toml").write_text(CHECKS)
    make(root / "README", mode=0o644)
    make(root / "__init__.py")
    make(root / ".hidden")
    for made in (root, *root.rglob("*")):
        made.chmod(made.stat().st_mode & ~0o022)
    return root


def refusal(folder: ProbeFolder, name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        folder.resolve(name)
    return str(caught.value)


def test_every_executable_is_a_probe_by_its_path(folder: Path) -> None:
    probes = ProbeFolder(folder)
    assert probes.names() == ["nagios/disk", "nagios/load", "ping-test", "site/rack/power"]
    assert probes.resolve("site/rack/power") == Probe(
        "site/rack/power", folder / "site" / "rack" / "power"
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ping-test", "ping-test"),
        ("\n  ping-test\t", "ping-test"),
        ("undeclared:ping-test", "ping-test"),
        ("agg:site/power", "site/power"),
        ("site/a:b", "site/a:b"),
    ],
)
def test_prefix_and_white_space_of_a_probe_name_are_ignored(text: str, name: str) -> None:
    assert probe_name(text) == name


@pytest.mark.parametrize(
    "name",
    ["../ping-test", "site/../ping-test", "/bin/sh", "./ping-test", "site//rack/power", "",
     "site/", "__init__.py", ".hidden", "ping-test\0", "ping test", "-x", "ping-test\n;ls"],
)  # fmt: skip
def test_what_is_no_path_of_a_probe_is_refused(folder: Path, name: str) -> None:
    assert "is no path of a probe" in refusal(ProbeFolder(folder), name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("pingtest", "does not exist"),
        ("README", "is no executable file"),
        ("site/rack", "is no executable file"),
        ("ping-test/more", "does not exist"),
        ("nagios", "needs the name of one of its checks"),
        ("nagios/swap", "does not exist"),
    ],
)
def test_a_refusal_names_what_was_given_and_what_is_allowed(
    folder: Path, name: str, why: str
) -> None:
    told = refusal(ProbeFolder(folder), name)
    assert f"the probe {name!r} {why}" in told
    assert told.endswith("allowed here: nagios/disk, nagios/load, ping-test, site/rack/power")
    assert str(folder) not in told


def test_a_link_that_leads_outside_is_refused_and_one_inside_runs(folder: Path) -> None:
    (folder / "shell").symlink_to("/bin/sh")
    (folder / "outside").symlink_to(make(folder.parent / "aggrexec-too" / "probe"))
    (folder / "around").symlink_to("around")
    (folder / "alias").symlink_to("site/rack/power")
    probes = ProbeFolder(folder)
    assert "leads outside" in refusal(probes, "shell")
    assert "leads outside" in refusal(probes, "outside")
    assert "does not exist" in refusal(probes, "around")
    assert probes.resolve("alias").path == folder / "site" / "rack" / "power"


def test_a_folder_that_is_itself_a_link_works(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert ProbeFolder(tmp_path / "link").resolve("ping-test").path == folder / "ping-test"


def test_only_what_is_allowed_runs(folder: Path) -> None:
    probes = ProbeFolder(folder, allowed=["ping-test", "nagios/load"])
    assert probes.names() == ["nagios/load", "ping-test"]
    assert probes.resolve("nagios/load").check == "load"
    for name in ("nagios/disk", "site/rack/power"):
        assert f"the probe {name!r} is not allowed; allowed here: nagios/load, ping-test" in (
            refusal(probes, name)
        )
    assert ProbeFolder(folder, allowed=["nagios"]).names() == ["nagios/disk", "nagios/load"]


def test_an_alias_of_an_allowed_probe_is_another_probe(folder: Path) -> None:
    (folder / "alias").symlink_to("ping-test")
    assert "is not allowed" in refusal(ProbeFolder(folder, allowed=["ping-test"]), "alias")


def test_allowing_what_does_not_exist_is_refused_at_start(folder: Path) -> None:
    with pytest.raises(ConfigError, match="'ping-tset' does not exist"):
        ProbeFolder(folder, allowed=["ping-tset"])


def test_checks_come_from_the_file_beside_the_probe(folder: Path) -> None:
    probes = ProbeFolder(folder)
    probe = probes.resolve("nagios/load")
    assert (probe.path, probe.words) == (folder / "nagios", ("check_load", "-w", "5"))
    assert probe.command("http://h/")[1:] == ("http://h/", "load")
    environment = probes.environment(probe)
    assert json.loads(environment["AGGREGATOR_PROBE_CHECK"]) == ["check_load", "-w", "5"]


def test_configured_checks_replace_those_of_the_file(folder: Path) -> None:
    probes = ProbeFolder(folder, checks={"nagios": {"raid": ("/opt/check_raid", "-a")}})
    assert probes.resolve("nagios/raid").words == ("/opt/check_raid", "-a")
    assert "does not exist" in refusal(probes, "nagios/load")
    assert ProbeFolder(folder, checks={"nagios": {}}).resolve("nagios/load").check == "load"


def test_checks_for_a_probe_that_is_not_there_are_refused_at_start(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"^probes\.nagios2: .*'nagios2', which does not exist"):
        ProbeFolder(folder, checks={"nagios2": {"load": ("/bin/true",)}})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[checks", "can't be read"),
        ("x = 1", r"needs a table \[checks\]"),
        ('[checks]\nload = "check_load"', "'load' must be a list of texts"),
        ("[checks]\nload = []", "'load' must be a list of texts"),
        ("[checks]\nload = [1]", "'load' must be a list of texts"),
    ],
)
def test_a_wrong_file_of_checks_is_refused_at_start(folder: Path, text: str, told: str) -> None:
    (folder / "nagios.toml").write_text(text)
    with pytest.raises(ConfigError, match=told):
        ProbeFolder(folder)


def test_a_folder_that_others_may_write_is_refused_at_start(folder: Path) -> None:
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match=r"^probes\.folder: .*written by everybody.*chmod o-w"):
        ProbeFolder(folder)


def test_group_write_is_taken_from_the_owners_private_group_alone(folder: Path) -> None:
    folder.chmod(0o775)
    owner = pwd.getpwuid(folder.stat().st_uid).pw_name
    group = grp.getgrgid(folder.stat().st_gid)
    private = group.gr_name == owner and set(group.gr_mem) <= {owner}
    if private:
        ProbeFolder(folder)
    else:
        with pytest.raises(ConfigError, match=r"written by its group.*chmod g-w"):
            ProbeFolder(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("path", [".", "ping-test", "site"])
def test_what_belongs_to_someone_else_does_not_run(folder: Path, path: str) -> None:
    os.chown(folder / path, 65534, -1)
    name = "site/rack/power" if path == "site" else "ping-test"
    with pytest.raises(ConfigError, match="belongs to user 65534"):
        ProbeFolder(folder).resolve(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_shared_group_that_may_write_is_refused(folder: Path) -> None:
    os.chown(folder / "site", -1, 65534)
    (folder / "site").chmod(0o775)
    assert "may be written by its group" in refusal(ProbeFolder(folder), "site/rack/power")


@pytest.mark.parametrize("path", ["ping-test", "site", "site/rack", "site/rack/power"])
def test_a_probe_or_sub_folder_that_others_may_write_does_not_run(folder: Path, path: str) -> None:
    (folder / path).chmod(0o757)
    name = "site/rack/power" if path.startswith("site") else "ping-test"
    assert "may be written by everybody" in refusal(ProbeFolder(folder), name)


def test_a_folder_that_is_missing_or_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        ProbeFolder(tmp_path / "none")
    with pytest.raises(ConfigError, match="Not a directory"):
        ProbeFolder(make(tmp_path / "file"))


def test_the_environment_is_minimal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGGREGATOR_STORE_URL", "postgresql://secret")
    probes = ProbeFolder(folder)
    environment = probes.environment(probes.resolve("ping-test"), extra={"SITE": "x"})
    first, _, rest = environment.pop("PATH").partition(":")
    assert first == str(Path(sys.executable).parent)
    assert rest == "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    root = str(folder.parent.parent)
    assert environment == {"LANG": "C.UTF-8", "GLOBUS_LOCATION": root, "SITE": "x"}


def test_a_folder_laid_out_otherwise_is_its_own_root(tmp_path: Path) -> None:
    make(tmp_path / "probes" / "x").parent.chmod(0o755)
    probes = ProbeFolder(tmp_path / "probes")
    environment = probes.environment(probes.resolve("x"))
    assert environment["GLOBUS_LOCATION"] == str(tmp_path / "probes")


@pytest.mark.parametrize(
    "address",
    ["http://h", "https://myhost:8443/wsrf/services/X?a=b#c", "http://[::1]:80/", "HTTP://H/",
     "http://10.0.0.1/", "http://under_score.example/", "http://bücher.example/"],
)  # fmt: skip
def test_http_addresses_become_arguments(address: str) -> None:
    assert member_address(address) == address


@pytest.mark.parametrize(
    "address",
    ["", "-c", "--help", "ftp://h/", "file:///etc/passwd", "urn:x", "http://", "http:///x",
     "http://-oProxyCommand=x/", "http://h:port/", "http://h:99999/", "http://[::1/", "http://h /",
     "http://h/\n-x", "http://h/\0", "http://[fe80::1%25-x]/", "http://[::1]x/", "http://h\\x/", "http://a;b/",
     "http://$(id)/", "http://h../", "javascript:http://h/"],
)  # fmt: skip
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="needs a member with an http or https address"):
        member_address(address)


def test_standard_input_is_two_documents_in_sequence() -> None:
    epr, config = b'<?xml version="1.0"?>\n<e:EPR xmlns:e="urn:e"/>', b"<AggregatorConfig/>\n"
    assert probe_stdin(epr, config, wrapped=False) == (
        b'<e:EPR xmlns:e="urn:e"/>\n<AggregatorConfig/>\n'
    )


def test_standard_input_is_one_document_where_wrapped() -> None:
    epr, config = (
        b"\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?><EPR/>",
        b"<Config>%s</Config>",
    )
    assert probe_stdin(epr, config, wrapped=True) == (
        b"<inputDocument><EPR/><Config>%s</Config></inputDocument>\n"
    )


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_frames_survive_any_cutting_of_the_stream(size: int) -> None:
    sent = [({"id": 1, "text": "ü\0"}, b"\0\1\2" * 50), ({"id": 2}, b""), ({"op": "x"}, b"y")]
    stream = b"".join(frame(header, body) for header, body in sent)
    buffer = FrameBuffer()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [found for piece in pieces for found in buffer.feed(piece)] == sent
