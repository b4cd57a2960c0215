"""What alembic runs: every step inside the transaction of the connection it is handed, the version numbers in step.

`telemetry.store.migrate` hands the connection over in `config.attributes` and owns the transaction, so that a migration
killed half-way leaves the old schema whole. The number of a revision is also the database's `user_version`, which can be
read without a table and without alembic.
"""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
revision = context.get_context().get_current_revision()
connection.exec_driver_sql(f"PRAGMA user_version = {int(revision or 0)}")
