"""Settings of the store and of the queries over what it holds."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.config.kinds import whole_number
from aggregator.config.measures import duration, size
from aggregator.config.places import database_url
from aggregator.config.setting import derived, setting


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """``[store]``: the database and how long one waits for it, in seconds."""

    url: str = derived(
        lambda _: "",
        database_url(),
        "SQLAlchemy URL of the database, such as postgresql+psycopg://user@host/name."
        " An @ in a password is written %40. Empty: an SQLite file in server.data_dir.",
        default_text='""',
        restart=True,
        secret=True,
    )
    stale_reads: float = setting(
        60.0,
        duration(0, 86400),
        "How long reads are answered from memory while the database is away.",
    )
    write_timeout: float = setting(
        5.0, duration(0.1, 60), "Time after which a write that got no answer is refused."
    )
    changes_kept: float = setting(
        3600.0,
        duration(10),
        "How long the log of changes is kept; a reader that was away longer starts anew.",
    )
    pool_size: int = setting(
        8, whole_number(1, 1000), "Database connections of each process.", restart=True
    )
    busy_timeout: float = setting(
        4.0,
        duration(0.1, 60),
        "Time to wait for a lock of the database; at most store.write_timeout.",
        restart=True,
    )


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """``[query]``: limits of XPath queries."""

    timeout: float = setting(
        10.0, duration(0.1, 3600), "Time an expression may take before it is ended with a fault."
    )
    max_evaluations: int = setting(
        4, whole_number(1, 1000), "Expressions evaluated at the same time."
    )
    max_long_per_caller: int = setting(
        1,
        whole_number(1, 1000),
        "Expressions of one caller that take longer than 1 s and are evaluated at the same time;"
        " at most query.max_evaluations.",
    )
    max_waiting: int = setting(
        1024,
        whole_number(2, 3000),
        "Expressions that wait for their turn; of one caller half as many.",
    )
    max_expression: int = setting(
        16_384, whole_number(1, 1_000_000), "Longest expression, in characters."
    )
    memory: int = setting(
        512 * 2**20,
        size(16 * 2**20, 2**40),
        "Memory an expression may use, beside the document and its result.",
    )
    tables: int = setting(
        16,
        whole_number(0, 1000),
        "Tables that each web worker keeps for forms of expressions that are asked again and again;"
        " 0 leaves all to the query evaluator.",
        restart=True,
    )
    max_result: int = setting(64 * 2**20, size(1024, 2**34), "Largest result of a query.")
