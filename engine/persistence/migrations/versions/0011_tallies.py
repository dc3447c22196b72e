"""tallies"""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

AMOUNTS = (
    'trades', 'buys', 'lamports', 'buy_lamports', 'pool_lamports', 'simulated_lamports', 'fee_lamports',
    'creator_fee_lamports', 'pool_fee_lamports', 'pool_creator_fee_lamports', 'traders', 'first_at_ms', 'last_at_ms',
)


def upgrade() -> None:
    op.create_table('tallies',
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('span', sa.String(length=4), nullable=False),
    sa.Column('begin_ms', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('subject', sa.String(length=44), nullable=False),
    *(sa.Column(name, sa.BigInteger(), nullable=False) for name in AMOUNTS),
    sa.PrimaryKeyConstraint('kind', 'span', 'begin_ms', 'subject')
    )
    op.create_table('tallied',
    sa.Column('token', sa.String(length=44), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('on_pool', sa.SmallInteger(), nullable=False),
    sa.PrimaryKeyConstraint('token')
    )
    op.create_index('ix_trades_executed', 'trades', ['executed_at_ms'], unique=False)
    op.create_index('ix_transfers_asset', 'transfers', ['asset', 'created_at_ms'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_transfers_asset', table_name='transfers')
    op.drop_index('ix_trades_executed', table_name='trades')
    op.drop_table('tallied')
    op.drop_table('tallies')
