"""Runs the migrations on the connection that `aggregator.store.migrate` opened."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # The transaction is begun and ended by the caller, together with a lock.
    transactional_ddl=False,
)
context.run_migrations()
