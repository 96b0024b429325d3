"""${message}."""

import sqlalchemy as sa
from alembic import op

from lpharness.store.columns import Instant, Words

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """TODO: what changes."""
    ${upgrades if upgrades else "pass"}
