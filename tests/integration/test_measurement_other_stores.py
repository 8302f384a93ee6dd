"""The measurement archive of a real service on BaseX, with RRD files and pairs written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.integration.origin_kit import rrdtool
from tests.integration.own_basex import PASSWORD, USER, OwnBasex, own_basex
from tests.integration.test_measurement_service import SECRET, STORED, config_of, post
from tests.measured import (
    IPERF_EVENT,
    MAKEY,
    UNIX,
    data,
    find,
    key,
    message,
    metadata,
    pair,
    parameter,
    results,
    select,
)
from tests.service import RunningService, running_service
from tests.waiting import until

MEASURED = metadata(subject=pair(), types=[IPERF_EVENT])
UTILIZATION = "http://ggf.org/ns/nmwg/characteristic/utilization/2.0"
STATIC = f"""<nmwg:store xmlns:nmwg="http://ggf.org/ns/nmwg/base/2.0/"
    xmlns:nmwgt="http://ggf.org/ns/nmwg/topology/2.0/">
  <nmwg:metadata id="uplink">
    <nmwg:subject id="s"><nmwgt:interface><nmwgt:ifName>ge-0/0/0</nmwgt:ifName></nmwgt:interface>
    </nmwg:subject>
    <nmwg:eventType>{UTILIZATION}</nmwg:eventType>
  </nmwg:metadata>
  <nmwg:data id="uplink-data" metadataIdRef="uplink"><nmwg:key><nmwg:parameters id="p">
    <nmwg:parameter name="type">rrd</nmwg:parameter>
    <nmwg:parameter name="file">uplink.rrd</nmwg:parameter>
    <nmwg:parameter name="dataSource">in</nmwg:parameter>
    <nmwg:parameter name="valueUnits">Bps</nmwg:parameter>
  </nmwg:parameters></nmwg:key></nmwg:data>
</nmwg:store>
"""


def rows(service: RunningService) -> list[object]:
    return [*find(post(service, message(MEASURED + data())), "nmwg:data/iperf:datum")]


def serving_basex(folder: Path, basex: OwnBasex) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    password = folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    more = f"""
metadata_db_port = {basex.port}
metadata_db_name = "served"
metadata_db_user = "{USER}"
metadata_db_password_file = "password"
maintenance_interval = "1s"
"""
    return config_of(folder, more=more).replace('"file"', '"xmldb"', 1)


def test_an_xml_database_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "basex").mkdir()
    folder = tmp_path / "data"
    with own_basex(tmp_path / "basex") as basex:
        with running_service(folder, config=serving_basex(folder, basex)) as service:
            body = message(STORED, type="MetadataStorageRequest")
            assert results(post(service, body, secret=SECRET))[0][0] == "success.ma.added"
            until(lambda: rows(service), within=40)
            found = post(service, message(MEASURED + data(), type="MetadataKeyRequest"))
            known = str(find(found, MAKEY)[0].text)
            keyed = message(metadata(inner=key(known)) + data())
            assert find(post(service, keyed), "nmwg:data/iperf:datum")
            basex.stop(kill=True)
            [(code, text)] = results(post(service, keyed))
            assert code == "error.ma.storage"
            assert PASSWORD not in text
            basex.start()
            until(lambda: find(post(service, keyed), "nmwg:data/iperf:datum"), within=40)
        assert PASSWORD not in service.logs()
        assert "Traceback" not in service.logs()


def filled(folder: Path) -> Iterator[str]:
    folder.mkdir()
    path = folder / "uplink.rrd"
    source, kept = "DS:in:GAUGE:120:0:U", "RRA:AVERAGE:0.5:1:600"
    rrdtool("create", path, "--start", UNIX - 60, "--step", 60, source, kept)
    rrdtool("update", path, *(f"{UNIX + 60 * minute}:{100 + minute}" for minute in range(60)))
    yield 'static_store = "static.xml"'
    yield f'rrd_folder = "{folder}"'


def test_rrd_files_by_pairs_written_by_hand(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "static.xml").write_text(STATIC)
    more = "\n".join(filled(tmp_path / "rrd")) + "\n"
    asked = metadata(types=[UTILIZATION])
    with running_service(folder, config=config_of(folder, more=more)) as service:

        def told(*times: str) -> list[tuple[str | None, str | None]]:
            inner = asked + select("f", "m1", *times) + data("f")
            return [
                (one.get("value"), one.get("valueUnits"))
                for one in find(post(service, message(inner)), "nmwg:data/nmwg:datum")
            ]

        hour = (parameter("startTime", f"{UNIX}"), parameter("endTime", f"{UNIX + 3600}"))
        found = until(lambda: told(*hour), within=30)
        assert len(found) >= 58
        assert {units for _, units in found} == {"Bps"}
        # Here the resolution and the function take effect.
        by_ten = told(*hour, parameter("resolution", "600"))
        assert 4 <= len(by_ten) <= 7
        most = told(
            *hour, parameter("resolution", "600"), parameter("consolidationFunction", "MAX")
        )
        assert most != by_ten
