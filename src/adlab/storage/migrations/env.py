"""Alembic's entry: runs the numbered migrations on the connection of `storage.migrate`."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]

# Reason: the version table lives in our own schema, so that nothing of ours is in `public`.
context.configure(
    connection=connection,
    target_metadata=None,
    version_table="schema_version",
    version_table_schema="app",
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
