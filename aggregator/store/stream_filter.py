"""Filters of streams: a condition as SQL has it after WHERE, read and written anew.

What was given never reaches a database. It is parsed, each part is looked up on a list of what may
be there, and the condition is built of the table's own columns and of parameters; so it means the
same on every database. Types are checked, since PostgreSQL would refuse at every turn what SQLite
takes in silence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

import sqlglot
from sqlalchemy import ColumnElement
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError

from aggregator.errors import FilterRefused
from aggregator.store.stream_columns import shown
from aggregator.store.stream_conditions import Reader
from aggregator.store.stream_operands import Plain
from aggregator.store.stream_storages import Storage

#: Characters and words of a filter, and parentheses in parentheses.
LONGEST, MOST_WORDS, DEEPEST = 4000, 500, 30

Parameters = Mapping[str, Plain] | Sequence[Plain]

_NESTING = {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}
_WHERE = re.compile(r"\s*where\b", re.IGNORECASE | re.ASCII)


def read_filter(
    text: str, parameters: Parameters, storage: Storage
) -> tuple[ColumnElement[bool], str]:
    """The condition of a filter on the rows of a storage, and a mark of it, which another filter
    hasn't. Raises FilterRefused.
    """
    if not isinstance(text, str):
        raise FilterRefused(f"a filter is a text such as 'level >= 20'; given was {shown(text)}")
    if len(text) > LONGEST:
        raise FilterRefused(f"the filter has {len(text)} characters; {LONGEST} may be")
    bare = _WHERE.sub("", text, count=1)
    try:
        _check_words(sqlglot.tokenize(bare, read="sqlite"))
        node = sqlglot.parse_one(bare, read="sqlite", into=exp.Condition)
        reader = Reader(storage, parameters)
        condition = reader.condition(node)
    except (SqlglotError, RecursionError) as error:
        raise FilterRefused(
            f"the filter {shown(text)} is no condition that can be read; expected is what stands"
            " after WHERE, such as level >= 20 AND name = 'x'"
        ) from error
    reader.check_all_used()
    given = sorted(parameters.items()) if isinstance(parameters, Mapping) else tuple(parameters)
    mark = repr((bare.strip(), given)).encode("utf-8", "backslashreplace")
    return condition, hashlib.sha256(mark).hexdigest()[:8]


def _check_words(words: Sequence[Token]) -> None:
    if not words:
        raise FilterRefused("the filter is empty; leave it out for all rows")
    if len(words) > MOST_WORDS:
        raise FilterRefused(f"the filter has {len(words)} words; {MOST_WORDS} may be")
    depth = 0
    for word in words:
        if word.comments:
            raise FilterRefused("a filter holds no comments")
        if word.token_type is TokenType.SEMICOLON:
            raise FilterRefused("a filter is one condition, without ;")
        depth += _NESTING.get(word.token_type, 0)
        if depth > DEEPEST:
            raise FilterRefused(f"the filter is nested deeper than {DEEPEST} parentheses")
