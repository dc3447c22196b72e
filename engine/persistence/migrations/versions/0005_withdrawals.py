"""withdrawals, their releases, and bots' keys"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('withdrawals',
    sa.Column('withdrawal_id', sa.String(length=32), nullable=False),
    sa.Column('account_id', sa.String(length=44), nullable=False),
    sa.Column('client_id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('asset', sa.String(length=44), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('destination', sa.String(length=44), nullable=False),
    sa.Column('recipient_id', sa.String(length=44), nullable=True),
    sa.Column('fee_lamports', sa.BigInteger(), nullable=False),
    sa.Column('rent_lamports', sa.BigInteger(), nullable=False),
    sa.Column('release_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('created_at_ms', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('withdrawal_id')
    )
    op.create_index('ix_withdrawals_account', 'withdrawals', ['account_id', 'created_at_ms'], unique=False)
    op.create_index('ix_withdrawals_recipient', 'withdrawals', ['recipient_id', 'created_at_ms'], unique=False)
    op.create_table('releases',
    sa.Column('withdrawal_id', sa.String(length=32), nullable=False),
    sa.Column('lamports', sa.BigInteger(), nullable=False),
    sa.Column('released_at_ms', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('withdrawal_id')
    )
    op.create_index('ix_releases_at', 'releases', ['released_at_ms'], unique=False)
    op.create_table('api_keys',
    sa.Column('key_id', sa.String(length=16), nullable=False),
    sa.Column('account_id', sa.String(length=44), nullable=False),
    sa.Column('key_hash', sa.String(length=64), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('scopes', sa.String(length=40), nullable=False),
    sa.Column('created_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('used_at_ms', sa.BigInteger(), nullable=False),
    sa.Column('revoked_at_ms', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('key_id'),
    sa.UniqueConstraint('key_hash', name='uq_api_keys_hash')
    )
    op.create_index(op.f('ix_api_keys_account_id'), 'api_keys', ['account_id'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_api_keys_account_id'), table_name='api_keys')
    op.drop_table('api_keys')
    op.drop_index('ix_releases_at', table_name='releases')
    op.drop_table('releases')
    op.drop_index('ix_withdrawals_recipient', table_name='withdrawals')
    op.drop_index('ix_withdrawals_account', table_name='withdrawals')
    op.drop_table('withdrawals')
