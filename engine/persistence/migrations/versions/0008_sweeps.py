"""sweeps"""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('sweeps',
    sa.Column('sweep_id', sa.String(length=32), nullable=False),
    sa.Column('token', sa.String(length=44), nullable=False),
    sa.Column('lamports', sa.BigInteger(), nullable=False),
    sa.Column('treasury', sa.String(length=44), nullable=False),
    sa.Column('proposed_by', sa.String(length=60), nullable=False),
    sa.Column('proposed_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('confirmed_by', sa.String(length=60), nullable=True),
    sa.Column('confirmed_at_ms', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('sweep_id')
    )
    op.create_index('ix_sweeps_confirmed', 'sweeps', ['confirmed_at_ms', 'proposed_at_ms'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_sweeps_confirmed', table_name='sweeps')
    op.drop_table('sweeps')
