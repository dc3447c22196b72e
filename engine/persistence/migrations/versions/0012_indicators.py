"""indicators"""

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None

COUNTS = (
    'traders_24h', 'price_5m_ago', 'price_1h_ago', 'price_6h_ago', 'price_24h_ago', 'top_ten_bps', 'creator_bps',
    'measured_at_ms',
)


def upgrade() -> None:
    for name in COUNTS:
        op.add_column('tokens', sa.Column(name, sa.BigInteger(), server_default='0', nullable=False))


def downgrade() -> None:
    for name in reversed(COUNTS):
        op.drop_column('tokens', name)
