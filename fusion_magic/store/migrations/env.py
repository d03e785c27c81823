"""
Alembic's entry: runs the migrations on the connection that it is given, in that connection's transaction.
"""

from __future__ import annotations

from alembic import context

from fusion_magic.store.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
