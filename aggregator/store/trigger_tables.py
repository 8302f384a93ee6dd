"""The tables of triggers: what is known of each rule, the actions that were wanted, the triggers.

A rule is known by a text: the key of the entry that it was registered with and its place there
(``KEY/0``), or the id of the trigger that it is of.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, Table, Text

from aggregator.store.tables import Id, metadata

# `entry_id` is the entry whose data the rule is held against. `due` is when it fires where nothing
# is heard before, `waiting` the rule as JSON and `input` what its action is told then; both are
# empty otherwise. `trouble` is why it could not be evaluated.
rule_states = Table(
    "rule_states",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("entry_id", BigInteger, nullable=False),
    Column("checked_at", BigInteger),
    Column("true_since", BigInteger),
    Column("fired_at", BigInteger),
    Column("recovered_at", BigInteger),
    Column("alerted", Integer, nullable=False),
    Column("due", BigInteger),
    Column("waiting", Text, nullable=False),
    Column("input", LargeBinary, nullable=False),
    Column("trouble", Text, nullable=False),
    Index("rule_states_by_entry", "entry_id"),
    sqlite_with_rowid=False,
)
Index(
    "rule_states_due",
    rule_states.c.due,
    sqlite_where=rule_states.c.due.isnot(None),
    postgresql_where=rule_states.c.due.isnot(None),
)

# What is to be run: stored before it is begun. `state` is pending, started, done, failed or
# unknown; `due` is when a pending one is to be started (NULL for all others), `claimer` the process
# that started it. `input` is empty once it has ended.
rule_actions = Table(
    "rule_actions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("group_id", BigInteger, nullable=False),
    Column("entry_id", BigInteger, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("script", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", BigInteger),
    Column("claimer", Text, nullable=False),
    Column("ended", BigInteger),
    Column("input", LargeBinary, nullable=False),
    Column("output", LargeBinary, nullable=False),
    Column("message", Text, nullable=False),
    Index("rule_actions_by_rule", "rule", "at"),
    Index("rule_actions_by_end", "ended"),
)
Index(
    "rule_actions_open",
    rule_actions.c.state,
    rule_actions.c.due,
    sqlite_where=rule_actions.c.ended.is_(None),
    postgresql_where=rule_actions.c.ended.is_(None),
)
# Those of a rule that have not ended, which are few, among those that have.
Index(
    "rule_actions_waiting",
    rule_actions.c.rule,
    rule_actions.c.at,
    sqlite_where=rule_actions.c.ended.is_(None),
    postgresql_where=rule_actions.c.ended.is_(None),
)

# ActionsFiredCount, a metrics accumulator as RegistrationCount is (``accumulators``).
action_counts = Table(
    "action_counts",
    metadata,
    Column("group_id", Id, primary_key=True, autoincrement=False),
    Column("total", BigInteger, nullable=False),
    Column("last_change", BigInteger),
    Column("calculated", BigInteger, nullable=False),
    Column("minute_rate", Float, nullable=False),
    Column("hour_rate", Float, nullable=False),
    Column("day_rate", Float, nullable=False),
)

# The triggers of TriggerService (GT 4.2). `rule` is the rule as JSON; `entry_id` is the entry that
# feeds it now, 0 for none.
triggers = Table(
    "triggers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("address", Text, nullable=False),
    Column("member", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("enabled", Integer, nullable=False),
    Column("rule", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Index("triggers_by_address", "address"),
)
