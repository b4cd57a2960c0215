"""Searches of the web, which providers bill by the piece. Of older requests nobody knows how many there were: NULL."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE request ADD COLUMN web_searches INTEGER")
