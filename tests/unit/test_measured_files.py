"""Measurements in files: what they hold, and where something is wrong in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from aggregator.errors import MeasurementsRefused
from aggregator.store import measured_files
from aggregator.store.measured_files import read_folder
from aggregator.store.measured_values import Delay, MeasuredTest, Throughput
from tests.measured_kit import ntp

AT = 1282734091
FILES = {
    "bwctl/DATES.csv": "year,month\n2010,8\n",
    "bwctl/201008_NODES.csv": (
        'node_id,node_name,longname,addr,first,last\n101,SRC,"here, and there",10.0.0.1,0,0\n'
        "102,DST,,10.0.0.2,0,0\n"
    ),
    "bwctl/201008_TESTSPEC.csv": (
        "tspec_id,description,duration,len_buffer,window_size,tos,parallel_streams,udp,"
        "udp_bandwidth\n201,UDP,10,8192,1,,1,1,900\n"
    ),
    "bwctl/201008_DATA.csv": (
        "send_id,recv_id,tspec_id,ti,timestamp,throughput,jitter,lost,sent\n"
        f"101,102,201,{ntp(AT) >> 32},{ntp(AT, 5)},9.10228e+08,0.002,,138890\n\n"
        f"102,101,201,{ntp(AT) >> 32},{ntp(AT, 6)},,,,\n"
    ),
    "owamp/DATES.csv": "day,month,year\n25,8,2010\n",
    "owamp/20100825_NODES.csv": "node_id,addr\n301,10.0.0.1\n302,10.0.0.2\n",
    "owamp/20100825_TESTSPEC.csv": (
        "tspec_id,num_session_packets,wait_interval,dscp,loss_timeout,packet_padding,bucket_width\n"
        "401,10800,0.1,0,0,0,0.0001\n"
    ),
    "owamp/20100825_DATA.csv": (
        "send_id,recv_id,tspec_id,si,ei,stimestamp,etimestamp,min,max,minttl,maxttl,sent,lost,"
        "dups,maxerr\n"
        f"301,302,401,{ntp(AT) >> 32},{ntp(AT + 60) >> 32},{ntp(AT)},{ntp(AT + 60)},0.0151,0.0152,"
        "252,252,600,0,0,0.0003\n"
    ),
    "owamp/20100825_DELAY.csv": (
        "send_id,recv_id,tspec_id,si,ei,bucket_width,basei,i,n\n"
        f"301,302,401,{ntp(AT) >> 32},{ntp(AT + 60) >> 32},0.0001,151,1,599\n"
        f"301,302,401,{ntp(AT) >> 32},{ntp(AT + 60) >> 32},0.0001,151,0,1\n"
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_files_are_read_as_tables(folder: Path) -> None:
    settings = (
        ("protocol", "UDP"),
        ("windowSize", "1"),
        ("bandwidthLimit", "900"),
        ("bufferLength", "8192"),
        ("timeDuration", "10"),
    )
    count = ("count", "10800"), ("bucket_width", "0.0001")
    schedule = ("schedule", '<interval type="exp">0.1</interval>')
    sample = Delay(
        ntp(AT), ntp(AT + 60), 0.0151, 0.0152, 252, 252, 600, 0, 0, 0.0003, ((151, 1), (152, 599))
    )
    assert list(read_folder(folder)) == [
        (
            MeasuredTest("bwctl", "10.0.0.1", "10.0.0.2", settings, (201,)),
            [Throughput(ntp(AT, 5), 910228000.0, 0.002, None, 138890)],
        ),
        (
            MeasuredTest("bwctl", "10.0.0.2", "10.0.0.1", settings, (201,)),
            [Throughput(ntp(AT, 6), None, None, None, None)],
        ),
        (MeasuredTest("owamp", "10.0.0.1", "10.0.0.2", (*count, schedule), (401,)), [sample]),
    ]


def test_many_rows_come_some_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured_files, "SIZE", 4)
    with (folder / "bwctl/201008_DATA.csv").open("a") as file:
        for n in range(9):
            file.write(f"101,102,201,{ntp(AT + n) >> 32},{ntp(AT + n)},1,,,\n")
    sizes = [len(rows) for test, rows in read_folder(folder) if test.kind == "bwctl"]
    assert sizes == [3, 1, 4, 3]


def test_one_kind_alone_is_enough_and_buckets_may_lack(folder: Path) -> None:
    for path in (folder / "bwctl").iterdir():
        path.unlink()
    (folder / "bwctl").rmdir()
    (folder / "owamp/20100825_DELAY.csv").unlink()
    ((_, [sample]),) = read_folder(folder)
    assert sample.buckets == ()  # type: ignore[union-attr]


def replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return change


def removed(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


WRONG: list[tuple[Callable[[Path], object], str]] = [
    (removed("bwctl/DATES.csv"), "bwctl/DATES.csv: there is no such file; it is needed"),
    (removed("bwctl/201008_DATA.csv"), "bwctl/201008_DATA.csv: there is no such file"),
    (removed("owamp/20100825_NODES.csv"), "20100825_NODES.csv: there is no such file"),
    (
        replaced("bwctl/DATES.csv", "2010,8", "2010,13"),
        "DATES.csv, line 2, column month: '13' given; expected is a whole number from 1 to 12",
    ),
    (
        replaced("owamp/DATES.csv", "25,8,2010", "31,2,2010"),
        "DATES.csv, line 2, column day: 2010-2-31 given; expected is a date",
    ),
    (
        replaced("bwctl/201008_DATA.csv", "timestamp", "time"),
        "201008_DATA.csv, line 1: 'send_id,recv_id,tspec_id,ti,time,throughput,jitter,lost,sent'"
        " given; expected is a column timestamp",
    ),
    (
        replaced("bwctl/201008_DATA.csv", "9.10228e+08", "fast"),
        "201008_DATA.csv, line 2, column throughput: 'fast' given; expected is a number, or"
        " nothing",
    ),
    (replaced("bwctl/201008_DATA.csv", "0.002", "nan"), "line 2, column jitter: 'nan' given"),
    (replaced("bwctl/201008_DATA.csv", "138890", "1_0"), "line 2, column sent: '1_0' given"),
    (replaced("bwctl/201008_DATA.csv", "138890", "-1"), "line 2, column sent: '-1' given"),
    (
        replaced("bwctl/201008_DATA.csv", str(ntp(AT, 6)), str(2**64)),
        "line 4, column timestamp: '18446744073709551616' given; expected is a whole number from 0"
        " to 18446744073709551615",
    ),
    (replaced("bwctl/201008_DATA.csv", str(ntp(AT, 6)), ""), "line 4, column timestamp: '' given"),
    (replaced("bwctl/201008_DATA.csv", ",138890", ",138890,7"), "line 2: 10 values given"),
    (
        replaced("bwctl/201008_DATA.csv", "101,102,201", "101,103,201"),
        "line 2, column recv_id: 103 given; expected is an id that is in 201008_NODES.csv",
    ),
    (
        replaced("bwctl/201008_DATA.csv", "101,102,201", "101,102,202"),
        "line 2, column tspec_id: 202 given; expected is an id that is in 201008_TESTSPEC.csv",
    ),
    (replaced("bwctl/201008_NODES.csv", "10.0.0.2", ""), "line 3, column addr: '' given"),
    (replaced("bwctl/201008_NODES.csv", "10.0.0.2", "a\x07"), "line 3, column addr: 'a\\x07'"),
    (replaced("bwctl/201008_NODES.csv", '"here', '"here"x'), "201008_NODES.csv, line 2: "),
    (
        replaced("owamp/20100825_DATA.csv", str(ntp(AT + 60)), str(ntp(AT) - 1)),
        f"column etimestamp: {ntp(AT) - 1} given; expected is {ntp(AT)} or more",
    ),
    (
        replaced("owamp/20100825_DELAY.csv", f",{ntp(AT) >> 32},", ",5,"),
        "20100825_DELAY.csv, line 2, column ei: ",
    ),
    (
        lambda folder: (folder / "owamp/DATES.csv").write_bytes(b"year,month,day\n\xff"),
        "owamp/DATES.csv: b'\\xff' given; expected is UTF-8",
    ),
    (lambda folder: (folder / "owamp/DATES.csv").write_text(""), "DATES.csv, line 1: '' given"),
]


@pytest.mark.parametrize(("change", "told"), WRONG)
def test_what_is_wrong_is_told_with_its_place(
    folder: Path, change: Callable[[Path], object], told: str
) -> None:
    change(folder)
    with pytest.raises(MeasurementsRefused, match=re.escape(told)):
        list(read_folder(folder))


def test_a_folder_of_something_else_is_told(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(MeasurementsRefused, match="expected is a folder bwctl, or owamp"):
            list(read_folder(folder))
