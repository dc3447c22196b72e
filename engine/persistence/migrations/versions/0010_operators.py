"""operators: what they do, and the record of it"""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('audit_log',
    sa.Column('seq', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('operator', sa.String(length=60), nullable=False),
    sa.Column('action', sa.String(length=40), nullable=False),
    sa.Column('target', sa.String(length=60), nullable=False),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('before', sa.String(length=1000), nullable=False),
    sa.Column('after', sa.String(length=1000), nullable=False),
    sa.Column('previous_hash', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('seq'),
    sa.UniqueConstraint('previous_hash', name='uq_audit_previous')
    )
    op.create_table('pauses',
    sa.Column('scope', sa.String(length=44), nullable=False),
    sa.Column('paused_at_ms', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('scope')
    )
    op.add_column('tokens', sa.Column('hidden', sa.SmallInteger(), server_default='0', nullable=False))
    op.add_column('parked_orders', sa.Column('wanted', sa.String(length=10), nullable=True))
    op.add_column('parked_orders', sa.Column('wanted_note', sa.String(length=300), nullable=True))


def downgrade() -> None:
    op.drop_column('parked_orders', 'wanted_note')
    op.drop_column('parked_orders', 'wanted')
    op.drop_column('tokens', 'hidden')
    op.drop_table('pauses')
    op.drop_table('audit_log')
