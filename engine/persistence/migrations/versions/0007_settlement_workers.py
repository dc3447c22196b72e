"""settlement workers"""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('heartbeats',
    sa.Column('service', sa.String(length=20), nullable=False),
    sa.Column('worker', sa.String(length=60), nullable=False),
    sa.Column('beats', sa.BigInteger(), nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('service', 'worker')
    )
    op.add_column('settlements', sa.Column('worker', sa.String(length=60), nullable=True))
    op.create_index('ix_settlements_slot', 'settlements', ['slot'], unique=False)
    op.add_column('balances', sa.Column('frozen', sa.String(length=200), nullable=True))


def downgrade() -> None:
    op.drop_column('balances', 'frozen')
    op.drop_index('ix_settlements_slot', table_name='settlements')
    op.drop_column('settlements', 'worker')
    op.drop_table('heartbeats')
