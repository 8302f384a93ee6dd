"""What a member's producers bring, and what is left when they hang, flood, fail or end."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.member_kit import (
    GLUE,
    SITE,
    RunningMember,
    health,
    member,
    program,
    values,
)
from tests.shared import SHARED
from tests.waiting import until

NAMESPACES = f'[namespaces]\nsite = "{SITE}"\n'
RPPROVIDER = "http://mds.globus.org/rpprovider/2005/08"


def block(name: str, **keys: object) -> str:
    """A [[property]] of a TOML file."""
    # What these values are in JSON they are in TOML.
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join((f'[[property]]\nname = "site:{name}"', *lines, ""))


def site(name: str) -> str:
    """A Clark name in the tests' namespace."""
    return f"{{{SITE}}}{name}"


def texts(running: RunningMember, name: str) -> list[str]:
    """The text of a property's elements."""
    return ["".join(element.itertext()) for element in values(running, site(name))]


def test_a_program_brings_a_new_value_at_every_period(tmp_path: Path) -> None:
    counter = program(
        tmp_path,
        "counter",
        f"N=$(cat {tmp_path}/n 2>/dev/null || echo 0); N=$((N+1)); echo $N > {tmp_path}/n\n"
        'echo "<count>$N $* $HOME_OF_NOBODY</count>"\n',
    )
    config = NAMESPACES + block("Count", executable=[counter, "a b", "$PATH;x"], period=0.2)
    with member(tmp_path / "m", config) as running:
        (first,) = values(running, site("Count"))
        assert first[0].tag == "count"
        assert (first[0].text or "").endswith(" a b $PATH;x ")
        until(lambda: int(texts(running, "Count")[0].split()[0]) > 3, what="it runs again")
        assert health(running)[0]["consecutiveFailures"] == "0"


def test_a_producer_that_fails_later_leaves_the_old_value_and_tells_why(tmp_path: Path) -> None:
    flag = tmp_path / "fail"
    script = (
        f"test -e {flag} && {{ echo secret >&2; exit 3; }}\necho '<x xmlns=\"{SITE}\">ok</x>'\n"
    )
    executable = program(tmp_path, "sometimes", script)
    config = NAMESPACES + block("x", executable=[executable], period=0.2)
    with member(tmp_path / "m", config) as running:
        assert texts(running, "x") == ["ok"]
        flag.touch()
        until(lambda: int(health(running)[0]["consecutiveFailures"]) > 1)
        told = health(running)[0]
        assert (told["code"], told["message"]) == (
            "exit-status",
            "the program ended with status 3",
        )
        assert told["since"] <= told["lastAttempt"]
        assert told["lastSuccess"] < told["since"]
        assert texts(running, "x") == ["ok"]
        assert "secret" in running.logs()
        flag.unlink()
        until(lambda: health(running)[0]["consecutiveFailures"] == "0")
        assert "code" not in health(running)[0]


HOPELESS = {
    "hangs": ("trap '' TERM; sleep 60 & sleep 60", "timeout"),
    "floods": ("exec yes '<a>'", "too-large"),
    "fails": ("exit 1", "exit-status"),
    "dies": ("kill -9 $$", "signal"),
    "silent": ("true", "not-xml"),
    "chats": ("echo hello", "not-xml"),
    "doctype": ("echo '<!DOCTYPE a><a/>'", "not-xml"),
}


def test_hopeless_producers_are_told_and_hold_nobody_up(tmp_path: Path) -> None:
    good = program(tmp_path, "good", "echo '<g/>'\n")
    config = NAMESPACES + block("good", executable=[good])
    for name, (script, _) in HOPELESS.items():
        path = program(tmp_path, name, f"{script}\n")
        config += block(name, executable=[path], timeout=1, period=600, max_output="64KiB")
    with member(tmp_path / "m", config) as running:
        assert len(values(running, site("good"))) == 1
        until(lambda: all("lastAttempt" in told for told in health(running)), what="all have run")
        assert [told.get("code") for told in health(running)] == [
            None,
            *(code for _, code in HOPELESS.values()),
        ]
        for name in HOPELESS:
            assert values(running, site(name)) == []
        until(
            lambda: not running.named("sleep", "yes"),
            what="nothing of the producers is left",
        )


def test_a_first_failure_is_retried_or_cancels_as_it_is_configured(tmp_path: Path) -> None:
    config = NAMESPACES
    for name, keys in (
        ("Patient", {}),
        ("Once", {"period": 0}),
        ("Given-up", {"first_failure": "cancel"}),
    ):
        config += block(name, **{"file": "late.xml", "period": 0.3, **keys})
    with member(tmp_path / "m", config) as running:
        assert [told["code"] for told in health(running)] == ["file"] * 3
        (tmp_path / "m" / "late.xml").write_text("<late/>")
        for name in ("Patient", "Once"):
            until(lambda name=name: values(running, site(name)), what=name)
        assert values(running, site("Given-up")) == []
        assert f"producer 3 (file of {site('Given-up')}) is cancelled" in running.logs()
        # What runs once does not look again once it has worked.
        (tmp_path / "m" / "late.xml").write_text("<later/>")
        until(lambda: values(running, site("Patient"))[0][0].tag == "later")
        assert values(running, site("Once"))[0][0].tag == "late"


def test_a_run_that_overlaps_the_next_skips_it_and_tells(tmp_path: Path) -> None:
    slow = program(tmp_path, "slow", "sleep 0.5; echo '<s/>'\n")
    config = NAMESPACES + block("slow", executable=[slow], period=0.2)
    with member(tmp_path / "m", config) as running:
        assert until(lambda: int(health(running)[0]["skippedOverruns"]) >= 2)


class _Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"<")
                time.sleep(0.1)
            return
        status, content = {
            "/good": (200, b"<page>1</page>"),
            "/moved": (302, b""),
            "/huge": (200, b"<a>" + b" " * 200_000 + b"</a>"),
        }.get(self.path, (404, b"no"))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/good")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    """A site with good and bad pages."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_urls_are_fetched_within_time_and_size_and_without_redirects(
    tmp_path: Path, web: str
) -> None:
    pages = {"good": None, "moved": "http-status", "missing": "http-status", "huge": "too-large"}
    codes = {**pages, "drip": "timeout", "away": "connection"}
    config = NAMESPACES
    for name in codes:
        url = "http://127.0.0.1:1/" if name == "away" else f"{web}/{name}"
        config += block(name, url=url, timeout=1, max_output="64KiB")
    with member(tmp_path / "m", config) as running:
        until(lambda: all("lastAttempt" in told for told in health(running)))
        assert {
            name: told.get("code") for name, told in zip(codes, health(running), strict=True)
        } == codes
        assert texts(running, "good") == ["1"]


STYLESHEET = f"""<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:template match="/"><s:sum xmlns:s="{SITE}"><xsl:value-of select="sum(//n)"/></s:sum>
</xsl:template></xsl:stylesheet>"""
ENDLESS = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:template match="/"><x><xsl:for-each select="//*"><xsl:for-each select="//*">
<xsl:for-each select="//*"><xsl:for-each select="//*"><xsl:value-of select="count(//*)"/>
</xsl:for-each></xsl:for-each></xsl:for-each></xsl:for-each></x></xsl:template></xsl:stylesheet>"""


def test_stylesheets_shape_what_was_brought_and_can_be_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "sum.xsl").write_text(STYLESHEET)
    (folder / "endless.xsl").write_text(ENDLESS)
    (folder / "n.xml").write_text("<all>" + "<n>2</n>" * 300 + "</all>")
    keys = {"file": "n.xml", "timeout": 1}
    config = NAMESPACES + block("sum", transform="sum.xsl", **keys)
    config += block("endless", transform="endless.xsl", **keys)
    with member(folder, config) as running:
        (found,) = values(running, site("sum"))
        assert (found.tag, found.text) == (site("sum"), "600")
        until(lambda: health(running)[1].get("code") == "transform")
        until(
            lambda: len(running.named("mds-member-eval")) == 1,
            what="the endless transformation has ended",
        )


def test_the_levels_of_a_host_and_merged_properties(tmp_path: Path) -> None:
    queue = program(
        tmp_path,
        "batch",
        "cat <<'E'\n<Scheduler xmlns='http://mds.globus.org/batchproviders/2004/09'>"
        "<Queue name='q'><totalnodes>8</totalnodes><freenodes>3</freenodes>"
        "<maxtime>unlimited</maxtime><status>enabled</status></Queue></Scheduler>\nE\n",
    )
    config = "".join(
        f'[[property]]\nname = "glue:{root}"\nhost = "{root}"\n' for root in ("Cluster", "Host")
    )
    config += f'[[property]]\nname = "glue:GLUECE"\nscheduler = ["{queue}"]\n'
    config += '[[property]]\nname = "glue:GLUECE"\nhost = "Cluster"\n'
    with member(tmp_path / "m", config) as running:
        (document,) = values(running, f"{{{GLUE}}}GLUECE")
        assert [child.tag for child in document] == [
            f"{{{GLUE}}}Cluster",
            f"{{{GLUE}}}ComputingElement",
        ]
        assert document[1].find(f"{{{GLUE}}}State").get(f"{{{GLUE}}}FreeCPUs") == "3"
        for root in ("Cluster", "Host"):
            (found,) = values(running, f"{{{GLUE}}}{root}")
            assert found.tag == f"{{{GLUE}}}{root}"
            assert found.get(f"{{{GLUE}}}UniqueID")


def test_an_rpprovider_file_is_followed_with_its_first_failure_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative names start at $GLOBUS_LOCATION, as the toolkit's did."""
    location = tmp_path / "globus"
    (location / "libexec").mkdir(parents=True)
    program(location / "libexec", "fortune.sh", 'echo "<fortune>$1 $GLOBUS_LOCATION</fortune>"\n')
    monkeypatch.setenv("GLOBUS_LOCATION", str(location))
    producer = (
        "<r:resourcePropertyElementProducers><r:className>org.globus.mds.usefulrp.rpprovider."
        "producers.ExternalProcessElementProducer</r:className><r:arguments>{}</r:arguments>"
        "<r:arguments>you will</r:arguments><r:period>1</r:period>"
        "</r:resourcePropertyElementProducers>"
    )
    file = tmp_path / "rp.xml"
    file.write_text(
        f'<r:ResourcePropertyProviderConfigArray xmlns:r="{RPPROVIDER}"><r:configArray>'
        f'<r:resourcePropertyName xmlns:f="{SITE}">f:FortuneRP</r:resourcePropertyName>'
        f"{producer.format('libexec/fortune.sh')}{producer.format('libexec/missing')}"
        "</r:configArray></r:ResourcePropertyProviderConfigArray>"
    )
    with member(tmp_path / "m", "", "--config", str(file)) as running:
        assert texts(running, "FortuneRP") == [f"you will {location}"]
        assert health(running)[1]["code"] == "not-started"
        assert f"producer 2 (executable of {site('FortuneRP')}) is cancelled" in running.logs()


def test_the_toolkits_own_sample_is_read_unchanged(tmp_path: Path) -> None:
    sample = SHARED / "samples" / "mds4-docs" / "rp-provider-config.xml"
    if not sample.exists():
        pytest.skip("the samples of MDS4 are not here")
    with member(tmp_path / "m", "", "--config", str(sample)) as running:
        assert values(running, "{http://my.ns.domain/fortuneProvider}FortuneRP") == []
        assert health(running)[0]["code"] == "not-started"
        assert "is cancelled: its first run failed" in running.logs()
