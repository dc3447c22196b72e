"""openings"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('tokens', sa.Column('opening_fee_bps', sa.SmallInteger(), server_default='0', nullable=False))
    op.add_column('tokens', sa.Column('opening_fee_ms', sa.BigInteger(), server_default='0', nullable=False))
    op.add_column('tokens', sa.Column('opening_cap_tokens', sa.BigInteger(), server_default='0', nullable=False))
    op.add_column('tokens', sa.Column('opening_cap_ms', sa.BigInteger(), server_default='0', nullable=False))


def downgrade() -> None:
    op.drop_column('tokens', 'opening_cap_ms')
    op.drop_column('tokens', 'opening_cap_tokens')
    op.drop_column('tokens', 'opening_fee_ms')
    op.drop_column('tokens', 'opening_fee_bps')
