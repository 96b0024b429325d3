"""Attempts by their own names, and the build of the kernel that the guest said it ran."""

import sqlalchemy as sa
from alembic import op

from lpharness.store.columns import Words

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tell attempts apart that were started in the same second."""
    with op.batch_alter_table("trials") as table:
        table.add_column(sa.Column("again", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("kernel_build", Words(), nullable=False, server_default=""))
        table.drop_constraint("uq_trials_run_id_slug_started_at", type_="unique")
        table.create_unique_constraint(
            "uq_trials_run_id_slug_again_started_at", ["run_id", "slug", "again", "started_at"]
        )
    with op.batch_alter_table("trials") as table:
        table.alter_column("again", server_default=None)
        table.alter_column("kernel_build", server_default=None)
