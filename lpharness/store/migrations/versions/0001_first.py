"""The first schema: runs, tags, trials and what belongs to each."""

import sqlalchemy as sa
from alembic import op

from lpharness.store.columns import Instant, Words

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", Words(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("name", Words(), nullable=False),
        sa.Column("folder", Words(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("key", name=op.f("uq_runs_key")),
    )
    op.create_table(
        "tags",
        sa.Column("name", Words(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("tagged_at", Instant(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_tags_run_id_runs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("name", "run_id", name=op.f("pk_tags")),
    )
    op.create_table(
        "trials",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("slug", Words(), nullable=False),
        sa.Column("case", Words(), nullable=False),
        sa.Column("variant", Words(), nullable=False),
        sa.Column("kernel", Words(), nullable=False),
        sa.Column("target", Words(), nullable=False),
        sa.Column("workload", Words(), nullable=False),
        sa.Column("model", Words(), nullable=False),
        sa.Column("backend", Words(), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("latest", sa.Boolean(), nullable=False),
        sa.Column("verdict", Words(), nullable=False),
        sa.Column("reason", Words(), nullable=False),
        sa.Column("finished", sa.Boolean(), nullable=False),
        sa.Column("started_at", Instant(timezone=True), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("build_verdict", Words(), nullable=False),
        sa.Column("build_seconds", sa.Double(), nullable=False),
        sa.Column("title", Words(), nullable=False),
        sa.Column("subject", Words(), nullable=False),
        sa.Column("host", Words(), nullable=False),
        sa.Column("lpharness", Words(), nullable=False),
        sa.Column("kernel_package", Words(), nullable=False),
        sa.Column("kernel_version", Words(), nullable=False),
        sa.Column("kernel_sha256", Words(), nullable=False),
        sa.Column("image", Words(), nullable=False),
        sa.Column("image_identity", Words(), nullable=False),
        sa.Column("compiler", Words(), nullable=False),
        sa.Column("backend_version", Words(), nullable=False),
        sa.Column("accelerator", Words(), nullable=False),
        sa.Column("started_by", Words(), nullable=False),
        sa.Column("cpus", sa.Integer(), nullable=False),
        sa.Column("memory_mb", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("folder", Words(), nullable=False),
        sa.Column("digest", Words(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_trials_run_id_runs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trials")),
        sa.UniqueConstraint(
            "run_id", "slug", "started_at", name=op.f("uq_trials_run_id_slug_started_at")
        ),
    )
    op.create_index(op.f("ix_trials_case_target"), "trials", ["case", "target"], unique=False)
    op.create_index(op.f("ix_trials_run_id_latest"), "trials", ["run_id", "latest"], unique=False)
    op.create_index(op.f("ix_trials_started_at"), "trials", ["started_at"], unique=False)
    op.create_table(
        "checks",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", Words(), nullable=False),
        sa.Column("verdict", Words(), nullable=False),
        sa.Column("summary", Words(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["trials.id"], name=op.f("fk_checks_trial_id_trials"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trial_id", "position", name=op.f("pk_checks")),
    )
    op.create_table(
        "cves",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("cve", Words(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["trials.id"], name=op.f("fk_cves_trial_id_trials"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trial_id", "cve", name=op.f("pk_cves")),
    )
    op.create_index(op.f("ix_cves_cve"), "cves", ["cve"], unique=False)
    op.create_table(
        "documents",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trial_id"],
            ["trials.id"],
            name=op.f("fk_documents_trial_id_trials"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("trial_id", name=op.f("pk_documents")),
    )
    op.create_table(
        "measures",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", Words(), nullable=False),
        sa.Column("phase", Words(), nullable=False),
        sa.Column("of", Words(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("unit", Words(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trial_id"],
            ["trials.id"],
            name=op.f("fk_measures_trial_id_trials"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("trial_id", "position", name=op.f("pk_measures")),
    )
    op.create_index(op.f("ix_measures_name_phase"), "measures", ["name", "phase"], unique=False)
    op.create_table(
        "modules",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("name", Words(), nullable=False),
        sa.Column("sha256", Words(), nullable=False),
        sa.Column("source_sha256", Words(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["trials.id"], name=op.f("fk_modules_trial_id_trials"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trial_id", "name", name=op.f("pk_modules")),
    )
    op.create_index(op.f("ix_modules_sha256"), "modules", ["sha256"], unique=False)
