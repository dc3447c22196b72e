"""parked orders"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('parked_orders',
    sa.Column('parked_id', sa.String(length=32), nullable=False),
    sa.Column('account_id', sa.String(length=44), nullable=True),
    sa.Column('token', sa.String(length=44), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('cause', sa.String(length=20), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('note', sa.String(length=300), nullable=True),
    sa.Column('parked_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('ended_at_ms', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('parked_id')
    )
    op.create_index('ix_parked_state', 'parked_orders', ['state', 'parked_at_ms'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_parked_state', table_name='parked_orders')
    op.drop_table('parked_orders')
