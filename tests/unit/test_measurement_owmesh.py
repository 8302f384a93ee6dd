"""Databases that perfSONAR's owmesh.conf names."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.errors import MeasurementsRefused
from aggregator.measurement.owmesh import databases_of, read_owmesh

TEXT = """
# As perfSONAR's own.
CentralDBType     DBI:mysql
CentralDBUser     perfsonar   # may only read
CentralDBPass     a b/c@d
BWCentralDBName   bwctl
OWPCentralDBName  owamp
OWPDBHost         delays.example.org
!Debug
<NODE=one>
    DBName inner
    <HOST=two>
        BWDBName inner
    </HOST>
</NODE>
"""


def read(folder: Path, text: str) -> list[tuple[str, str]]:
    (folder / "owmesh.conf").write_text(text)
    return [(one.layout, one.url) for one in databases_of(read_owmesh(folder))]


def test_names_are_looked_up_with_their_prefixes(tmp_path: Path) -> None:
    assert read(tmp_path, TEXT) == [
        ("bwctl", "mysql+pymysql://perfsonar:a%20b%2Fc%40d@localhost/bwctl"),
        ("owamp", "mysql+pymysql://perfsonar:a%20b%2Fc%40d@delays.example.org/owamp"),
    ]


def test_what_is_switched_off_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path, TEXT + "!OWPCentralDBName\n")[0][0] == "bwctl"
    assert len(read(tmp_path, TEXT + "!OWPCentralDBName\n")) == 1


def test_of_a_file_without_names_there_are_none(tmp_path: Path) -> None:
    assert read(tmp_path, "") == []


@pytest.mark.parametrize("line", ["???", "=x", "<a b>"])
def test_a_line_that_is_none_is_told_by_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(MeasurementsRefused, match=r"owmesh\.conf, line 2: "):
        read(tmp_path, f"A b\n{line}\n")


def test_a_file_that_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(MeasurementsRefused, match="can't be read"):
        read_owmesh(tmp_path / "gone.conf")
    (tmp_path / "owmesh.conf").write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(MeasurementsRefused, match="more than"):
        read_owmesh(tmp_path)


@pytest.mark.parametrize("host", ["2001:db8::1", "[2001:db8::1]"])
def test_a_host_may_be_an_address_of_ipv6(host: str, tmp_path: Path) -> None:
    [(_, url)] = read(tmp_path, f"DBName x\n!OWPDBName\nBWDBHost {host}\n")[:1]
    assert url == "mysql+pymysql://@[2001:db8::1]/x"


def test_a_password_in_a_line_that_is_none_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(MeasurementsRefused) as error:
        read(tmp_path, "CentralDBPass=secret\n")
    assert "secret" not in str(error.value)
