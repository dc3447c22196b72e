"""roles"""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('roles',
    sa.Column('account_id', sa.String(length=44), nullable=False),
    sa.Column('role', sa.String(length=10), nullable=False),
    sa.Column('granted_at_ms', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('account_id')
    )


def downgrade() -> None:
    op.drop_table('roles')
