"""How Alembic runs: on the connection, and in the transaction, of whoever opened the store."""

from alembic import context

from lpharness.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a table in place
)
context.run_migrations()
