"""INSERT ... ON CONFLICT, which SQLite and PostgreSQL spell alike.

SQLAlchemy has a construct of it for each of the two; that of PostgreSQL compiles for both.
"""

from __future__ import annotations

from sqlalchemy import Column, Table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.dialects.postgresql.dml import Insert


def or_nothing(table: Table) -> Insert:
    """Insert a row unless there is one that conflicts with it."""
    return insert(table).on_conflict_do_nothing()


def or_replace(table: Table) -> Insert:
    """Insert a row, or give the one of the same primary key the new values."""
    new = insert(table)
    values = {column.name: new.excluded[column.name] for column in _values(table)}
    return new.on_conflict_do_update(index_elements=list(table.primary_key), set_=values)


def or_add(table: Table) -> Insert:
    """Insert a row, or add its values to those of the row of the same primary key."""
    new = insert(table)
    values = {column.name: column + new.excluded[column.name] for column in _values(table)}
    return new.on_conflict_do_update(index_elements=list(table.primary_key), set_=values)


def _values(table: Table) -> list[Column[object]]:
    return [column for column in table.columns if not column.primary_key]
