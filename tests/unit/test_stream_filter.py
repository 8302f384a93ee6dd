"""Filters of streams: what is a condition, what is none, and what reaches a database."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql, sqlite

from aggregator.errors import FilterRefused
from aggregator.store.stream_columns import declared
from aggregator.store.stream_conditions import DEEPEST_PART
from aggregator.store.stream_filter import DEEPEST, LONGEST, MOST_WORDS, read_filter
from aggregator.store.stream_storages import Storage
from aggregator.store.stream_tables import data_table

KEYS = ["level", "name", "msg", "ok", "blob", "ratio", "day", "index", "Group"]
TYPES = ["INTEGER", "VARCHAR", "TEXT", "BOOLEAN", "BLOB", "REAL", "DATE", "INTEGER", "VARCHAR"]
COLUMNS = declared(KEYS, TYPES)
TABLE = data_table("logkey", COLUMNS)
STORAGE = Storage("logkey", "0123456789ab", COLUMNS, TABLE, insert(TABLE))


def written(text: str, parameters: Any = (), dialect: Any = None) -> tuple[str, dict[str, Any]]:
    """What a database is given after WHERE, on one line, and the parameters."""
    condition, _ = read_filter(text, parameters, STORAGE)
    compiled = select(TABLE.c.level).where(condition).compile(dialect=dialect or sqlite.dialect())
    where = " ".join(str(compiled).split()).partition(" WHERE ")[2]
    return where.replace('"logkey".', ""), dict(compiled.params)


@pytest.mark.parametrize(
    ("text", "where", "values"),
    [
        ("level >= 20", '"level" >= ?', [20]),
        ("WHERE level == 20", '"level" = ?', [20]),
        ("name = 'x' AND level > 10", '"name" = ? AND "level" > ?', ["x", 10]),
        ("level <> -1 or level != 2.5", '"level" != ? OR "level" != ?', [-1, 2.5]),
        ('"index" = 1', '"index" = ?', [1]),
        ("[index] = 1", '"index" = ?', [1]),
        ("index = 1", '"index" = ?', [1]),
        ("LEVEL < 3 and group = 'x'", '"level" < ? AND "Group" = ?', [3, "x"]),
        ("time > 1700000000.5", '"time" > ?', [1700000000.5]),
        ("logkey.level = 1", '"level" = ?', [1]),
        ("level in (10, 20)", '"level" = ? OR "level" = ?', [10, 20]),
        ("level not in (10)", '"level" != ?', [10]),
        ("level between 1 and 3", '"level" >= ? AND "level" <= ?', [1, 3]),
        ("name is null", '"name" IS NULL', []),
        ("name is not null", '"name" IS NOT NULL', []),
        ("ok", '"ok" = 1', []),
        ("not ok", '"ok" = 0', []),
        ("ok = 1 or ok = false", '"ok" = ? OR "ok" = ?', [True, False]),
        ("lower(name) = 'x'", 'lower("name") = ?', ["x"]),
        ("length(msg) > 3", 'length("msg") > ?', [3]),
        ("coalesce(name, 'none') = 'none'", 'coalesce("name", ?) = ?', ["none", "none"]),
        ("name = ';' or name = '--'", '"name" = ? OR "name" = ?', [";", "--"]),
        ("name = 'it''s'", '"name" = ?', ["it's"]),
        ("day >= '2026-01-01'", '"day" >= ?', ["2026-01-01"]),
    ],
)
def test_a_condition_is_written_anew_with_parameters(
    text: str, where: str, values: list[Any]
) -> None:
    found, parameters = written(text)
    assert found == where
    assert list(parameters.values()) == values


def test_LIKE_is_the_same_on_every_database() -> None:
    """SQLite takes upper and lower case of ASCII for the same, and has no escape character."""
    for pattern, meant in (("%a\\b_", "%a\\b_"), ("50/%", "50//%")):
        where, parameters = written(f"msg LIKE '{pattern}'")
        assert where == "lower(\"msg\") LIKE lower(?) ESCAPE '/'"
        assert list(parameters.values()) == [meant]
    where, _ = written("msg LIKE 'a%'", dialect=postgresql.dialect())
    assert "ILIKE" in where
    _, parameters = written("msg NOT LIKE '100!%' ESCAPE '!'")
    assert list(parameters.values()) == ["100/%"]


@pytest.mark.parametrize(
    ("text", "parameters", "values"),
    [
        ("level >= :level", {"level": 20}, [20]),
        ("level >= ? and name = ?", [20, "x"], [20, "x"]),
        ("name = :a or msg = :a", {"a": "x' or 1=1 --"}, ["x' or 1=1 --"] * 2),
        ("blob = :b", {"b": b"\0\xff"}, [b"\0\xff"]),
        ("ok = :yes", {"yes": True}, [True]),
        ("msg like :p", {"p": "a%"}, ["a%"]),
    ],
)
def test_parameters_are_parameters(text: str, parameters: Any, values: list[Any]) -> None:
    assert list(written(text, parameters)[1].values()) == values


REFUSED = [
    ("", "is empty"),
    ("   ", "is empty"),
    ("level", "no condition"),
    ("level = 1; drop table logkey", "without ;"),
    ("level = 1 -- and more", "no comments"),
    ("level = 1 /* more */", "no comments"),
    ("level = (select 1)", "can't be part"),
    ("level in (select level from other)", "says more"),
    ("exists (select 1)", "can't be part"),
    ("level = 1 union select 1", "no condition"),
    ("level = 1 order by level", "no condition"),
    ("level = 1 limit 1", "no condition"),
    ("other.level = 1", "no column"),
    ("main.logkey.level = 1", "says more"),
    ("stream_row = 1", "no column"),
    ("rowid = 1", "has no column 'rowid'"),
    ("xmin = 1", "has no column"),
    ('name = "x"', "a text stands in '', as 'x'"),
    ("load_extension('x') = 1", "can't be part"),
    ("pg_sleep(10) is null", "can't be part"),
    ("randomblob(1000000000) is null", "can't be part"),
    ("level + 1 = 2", "can't be part"),
    ("level / 0 = 1", "can't be part"),
    ("name || msg = 'x'", "can't be part"),
    ("cast(level as text) = 'x'", "can't be part"),
    ("case when ok then 1 else 0 end = 1", "can't be part"),
    ("name glob '*'", "can't be part"),
    ("name regexp '(a+)+'", "can't be part"),
    ("name collate nocase = 'x'", "can't be part"),
    ("level = null", "can't be part"),
    ("level is 3", "can't be part"),
    ("level is true", "IS is followed by"),
    ("level = 'x'", "compares a number with a text"),
    ("name > 1", "compares a text with a number"),
    ("ok > 1", "compares a boolean"),
    ("blob > blob", "by order"),
    ("msg like name", "LIKE compares"),
    ("level like '1%'", "LIKE compares"),
    ("msg like 'a' escape 'ab'", "LIKE compares"),
    ("msg like 'a!' escape '!'", "ends with its escape"),
    ("lower(level) = 'x'", "lower takes a text"),
    ("lower(name, msg) = 'x'", "no condition|says more|can't be part"),
    ("level in ()", "IN is followed by"),
    ("level = 9223372036854775808", "can't be compared with"),
    ("level = 1e999", "can't be compared with"),
    ("level = @x", "can't be part"),
    ("level = $1", "has no column"),
    ("level = :level", "no value for the parameter :level"),
    ("level = ?", "more \\? in the filter"),
    ("level >=", "no condition"),
    ("level = 1 level = 2", "no condition"),
    ("'x", "no condition"),
    ("-- ", "is empty"),
    ("name = 'a\0b'", "can't be compared with"),
    ("name = '\ud800'", "can't be compared with"),
    ("(" * 200 + "ok" + ")" * 200, f"deeper than {DEEPEST}"),
    ("not " * 480 + "ok", f"deeper than {DEEPEST_PART}|no condition"),
    (" = ".join(["ok"] * 249), f"parts in parts deeper than {DEEPEST_PART}"),
    ("ok" + " IS TRUE" * 240, f"parts in parts deeper than {DEEPEST_PART}"),
    ("not " * 65 + "ok", f"parts in parts deeper than {DEEPEST_PART}"),
    (" or ".join(["ok"] * MOST_WORDS), f"{MOST_WORDS} may be"),
    ("name = '" + "x" * LONGEST + "'", f"{LONGEST} may be"),
    (20, "a filter is a text"),
]


@pytest.mark.parametrize(("text", "complaint"), REFUSED, ids=range(len(REFUSED)))
def test_anything_else_is_refused(text: Any, complaint: str) -> None:
    with pytest.raises(FilterRefused, match=complaint):
        read_filter(text, (), STORAGE)


@pytest.mark.parametrize(
    "text",
    [
        " = ".join(["ok"] * 60),
        "ok" + " IS TRUE" * 60,
        "not " * 60 + "ok",
        "not (ok or " * 10 + "ok" + ")" * 10,
        " or ".join(["ok"] * 240),
        "lower(" * 10 + "name" + ")" * 10 + " = 'x'",
    ],
)
def test_what_is_not_refused_can_be_compiled(text: str) -> None:
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        assert written(text, dialect=dialect)[0]


def test_parameters_without_a_place_are_refused() -> None:
    for parameters in ({"level": 1, "lebel": 2}, [1, 2]):
        with pytest.raises(FilterRefused, match=r"no place for: (lebel|1 of them)"):
            read_filter(
                "level = :level" if isinstance(parameters, dict) else "level = ?",
                parameters,
                STORAGE,
            )


def test_the_mark_tells_filters_apart() -> None:
    marks = [
        read_filter(text, parameters, STORAGE)[1]
        for text, parameters in (
            ("level = 1", ()),
            ("level = 2", ()),
            ("level = ?", [1]),
            ("level = ?", [2]),
            ("where level = 1 ", ()),
        )
    ]
    assert len(set(marks[:4])) == 4
    assert marks[4] == marks[0]


PIECES = (
    "level name msg ok time index ( ) , ; -- /* */ ' '' \" [ ] ` = == < >= and or not in between"
    " like escape is null select from where union case when cast as :a ? @b $1 1 -2 0x10 1e5 'x'"
    " '%' lower( coalesce( pg_sleep( || + * / % & collate glob exists * . :: \0 \u00e9"
)


@given(st.lists(st.sampled_from(PIECES.split(" ")), max_size=25).map(" ".join))
def test_whatever_is_given_is_refused_or_of_this_table_alone(text: str) -> None:
    try:
        where, _ = written(text, {})
    except FilterRefused:
        return
    # All that is not a column, an operator or a function of the list is a parameter.
    words = {word for word in where.replace("(", " ").replace(")", " ").replace(",", " ").split()}
    known = {f'"{key}"' for key in [*KEYS, "time"]} | {"?", "AND", "OR", "NOT", "IS", "NULL"}
    known |= {"=", "!=", "<", ">", "<=", ">=", "LIKE", "ESCAPE", "'/'", "lower", "coalesce"}
    assert words <= known | {"0", "1"}, where
