"""Request bodies and answers, for ledgers that are told to keep them.

Revision: 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "prompts",
        sa.Column("request_id", sa.Text(), primary_key=True),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("answer", sa.Text()),
    )
