"""trials"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('trials',
    sa.Column('trial_id', sa.String(length=32), nullable=False),
    sa.Column('begun', sa.SmallInteger(), nullable=False),
    sa.Column('begun_at_ms', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('trial_id')
    )


def downgrade() -> None:
    op.drop_table('trials')
