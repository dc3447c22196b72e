"""The tables. Portable by rule: application-made keys, bounded strings, BIGINT amounts and times, small flags.

Amounts are lamports or base units, prices 10^-15 SOL per whole token, times UTC epoch milliseconds.
"""

from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, SmallInteger, Table, UniqueConstraint
from sqlmodel import Field, SQLModel


def table(row: type[SQLModel]) -> Table:
    """The Core table behind a SQLModel class."""
    return SQLModel.metadata.tables[str(row.__tablename__)]


def key(length: int) -> Any:
    """A primary-key string column."""
    return Field(primary_key=True, max_length=length)


def bigint(default: int = 0) -> Any:
    """A BIGINT column for amounts, times and counters."""
    return Field(default=default, sa_type=BigInteger)


def flag() -> Any:
    """0 or 1."""
    return Field(default=0, sa_type=SmallInteger)


def text(length: int, *, index: bool = False) -> Any:
    """A string column that always has a value."""
    return Field(max_length=length, index=index)


def maybe(length: int, *, index: bool = False) -> Any:
    """A string column that may be empty, which is NULL everywhere (Oracle knows no empty string)."""
    return Field(default=None, max_length=length, nullable=True, index=index)


class AccountRow(SQLModel, table=True):
    """A signed-in trader's ledger; its SOL row in `balances` is made with it."""

    __tablename__ = "accounts"
    account_id: str = key(44)
    wallet: str = text(44)
    simulated: int = flag()
    created_at_ms: int = bigint()


class WalletRow(SQLModel, table=True):
    """Every address whose key the platform holds, and the name of that key."""

    __tablename__ = "wallets"
    address: str = key(44)
    kind: str = text(12)
    key_name: str = text(80)
    account_id: str | None = maybe(44, index=True)
    token: str | None = maybe(44, index=True)
    created_at_ms: int = bigint()


class TokenRow(SQLModel, table=True):
    """A token: what it is, its curve's terms and state, its accrued fees and its indicators."""

    __tablename__ = "tokens"
    __table_args__ = (
        Index("ix_tokens_stage", "stage", "created_at_ms"),
        Index("ix_tokens_updated", "updated_at_ms"),
    )
    address: str = key(44)
    vault: str = text(44)
    creator: str = text(44, index=True)
    client_id: str = text(36)
    name: str = text(128)
    symbol: str = text(40)
    description: str | None = maybe(2000)
    image: str | None = maybe(64)
    uri: str = text(200)
    simulated: int = flag()
    first_buy_lamports: int = bigint()
    first_buy_min_tokens_out: int = bigint()

    k: str = text(60)
    n: int = Field(sa_type=SmallInteger)
    decimals: int = Field(sa_type=SmallInteger)
    total_supply: int = bigint()
    curve_supply: int = bigint()
    fee_bps: int = Field(sa_type=SmallInteger)
    creator_share_percent: int = Field(sa_type=SmallInteger)
    minimum_buy_lamports: int = bigint()
    opening_fee_bps: int = flag()
    opening_fee_ms: int = bigint()
    opening_cap_tokens: int = bigint()
    opening_cap_ms: int = bigint()

    stage: str = text(12)
    failure: str | None = maybe(200)
    paused: int = flag()
    held: int = flag()
    hidden: int = flag()
    seq: int = bigint()
    supply: int = bigint()
    reserve_lamports: int = bigint()
    creator_fees_lamports: int = bigint()
    platform_fees_lamports: int = bigint()
    endowment_lamports: int = bigint()
    last_trade_at_ms: int = bigint()

    price: int = bigint()
    market_cap_lamports: int = bigint()
    liquidity_lamports: int = bigint()
    volume_24h_lamports: int = bigint()
    holders: int = bigint()

    traders_24h: int = bigint()
    price_5m_ago: int = bigint()
    price_1h_ago: int = bigint()
    price_6h_ago: int = bigint()
    price_24h_ago: int = bigint()
    top_ten_bps: int = bigint()
    creator_bps: int = bigint()
    measured_at_ms: int = bigint()

    created_at_ms: int = bigint()
    tradable_at_ms: int = bigint()
    graduated_at_ms: int = bigint()
    updated_at_ms: int = bigint()


class BalanceRow(SQLModel, table=True):
    """What an account holds of one asset.

    The SOL row carries the account's `account_seq` and, if the account is frozen, the reason its owner is told.
    """

    __tablename__ = "balances"
    # Not by amount as well: every trade changes two amounts, and would move two entries of the index.
    __table_args__ = (Index("ix_balances_asset", "asset"),)
    account_id: str = key(44)
    asset: str = key(44)
    amount: int = bigint()
    account_seq: int = bigint()
    frozen: str | None = maybe(200)


class OrderRow(SQLModel, table=True):
    """Every final order, filled or rejected. Written once, by the trade worker."""

    __tablename__ = "orders"
    __table_args__ = (Index("ix_orders_account", "account_id", "decided_at_ms"),)
    order_id: str = key(32)
    account_id: str = text(44)
    client_order_id: str = text(36)
    body_hash: str = text(32)
    token: str = text(44)
    side: str = text(4)
    amount: int = bigint()
    bound: int = bigint()
    deadline_ms: int = bigint()
    state: str = text(10)
    reason: str | None = maybe(30)
    detail: str | None = maybe(300)
    accepted_at_ms: int = bigint()
    decided_at_ms: int = bigint()


class ParkedRow(SQLModel, table=True):
    """A message that could not be executed, until an operator ends it; `parked_id` is the order's id, if it is one.

    `wanted` is how an operator wants it ended, until a trade worker takes that up.
    """

    __tablename__ = "parked_orders"
    __table_args__ = (Index("ix_parked_state", "state", "parked_at_ms"),)
    parked_id: str = key(32)
    account_id: str | None = maybe(44)
    token: str = text(44)
    body: bytes = Field(sa_type=LargeBinary)
    cause: str = text(20)
    state: str = text(10)
    note: str | None = maybe(300)
    wanted: str | None = maybe(10)
    wanted_note: str | None = maybe(300)
    parked_at_ms: int = bigint()
    ended_at_ms: int = bigint()


class TrialRow(SQLModel, table=True):
    """A suspect message that a worker has begun to execute alone, so often, and not ended."""

    __tablename__ = "trials"
    trial_id: str = key(32)
    begun: int = Field(sa_type=SmallInteger)
    begun_at_ms: int = bigint()


class TradeRow(SQLModel, table=True):
    """A fill. Immutable; replaying them in `seq` order rebuilds the token, in `account_seq` order the account."""

    __tablename__ = "trades"
    __table_args__ = (
        UniqueConstraint("token", "seq", name="uq_trades_token_seq"),
        Index("ix_trades_account", "account_id", "account_seq"),
        Index("ix_trades_executed", "executed_at_ms"),
    )
    order_id: str = key(32)
    token: str = text(44)
    seq: int = bigint()
    account_id: str = text(44)
    account_seq: int = bigint()
    side: str = text(4)
    simulated: int = flag()
    lamports: int = bigint()
    curve_lamports: int = bigint()
    fee_lamports: int = bigint()
    creator_fee_lamports: int = bigint()
    tokens: int = bigint()
    price: int = bigint()
    supply: int = bigint()
    reserve_lamports: int = bigint()
    executed_at_ms: int = bigint()


class SettlementRow(SQLModel, table=True):
    """The on-chain leg of one movement: what must be paid, the signed bytes, where they stand, and who follows them."""

    __tablename__ = "settlements"
    __table_args__ = (
        Index("ix_settlements_state", "state", "created_at_ms"),
        Index("ix_settlements_signature", "signature"),
        Index("ix_settlements_slot", "slot"),
    )
    settlement_id: str = key(32)
    kind: str = text(12)
    side: str | None = maybe(4)
    token: str | None = maybe(44)
    seq: int = bigint()
    account_id: str = text(44)
    account_seq: int = bigint()
    wallet: str = text(44)
    vault: str = text(44)
    lamports: int = bigint()
    tokens: int = bigint()
    rent_lamports: int = bigint()
    state: str = text(10)
    attempt: int = bigint()
    errors: int = bigint()
    error: str | None = maybe(300)
    signature: str | None = maybe(88)
    signed_bytes: bytes | None = Field(default=None, sa_type=LargeBinary, nullable=True)
    last_valid_block_height: int = bigint()
    worker: str | None = maybe(60)
    slot: int = bigint()
    fee_lamports: int = bigint()
    created_at_ms: int = bigint()
    confirmed_at_ms: int = bigint()


class WithdrawalRow(SQLModel, table=True):
    """A request to take an asset out. Written once, with the settlement of the same id that carries it out.

    `kind` is `withdrawal`, `transfer` (the destination is the trading wallet of `recipient_id`) or `close` (an empty
    token account gives its rent back). Where it stands is the settlement's state; it is released at `release_at_ms`
    at the earliest.
    """

    __tablename__ = "withdrawals"
    __table_args__ = (
        Index("ix_withdrawals_account", "account_id", "created_at_ms"),
        Index("ix_withdrawals_recipient", "recipient_id", "created_at_ms"),
    )
    withdrawal_id: str = key(32)
    account_id: str = text(44)
    client_id: str = text(36)
    kind: str = text(12)
    asset: str = text(44)
    amount: int = bigint()
    destination: str = text(44)
    recipient_id: str | None = maybe(44)
    fee_lamports: int = bigint()
    rent_lamports: int = bigint()
    release_at_ms: int = bigint()
    created_at_ms: int = bigint()


class ReleaseRow(SQLModel, table=True):
    """When a withdrawal was let go, and what of the platform's hourly limit it used up."""

    __tablename__ = "releases"
    __table_args__ = (Index("ix_releases_at", "released_at_ms"),)
    withdrawal_id: str = key(32)
    lamports: int = bigint()
    released_at_ms: int = bigint()


class SweepRow(SQLModel, table=True):
    """Platform fees of one token on their way to the treasury: proposed by one operator, confirmed by another."""

    __tablename__ = "sweeps"
    __table_args__ = (Index("ix_sweeps_confirmed", "confirmed_at_ms", "proposed_at_ms"),)
    sweep_id: str = key(32)
    token: str = text(44)
    lamports: int = bigint()
    treasury: str = text(44)
    proposed_by: str = text(60)
    proposed_at_ms: int = bigint()
    confirmed_by: str | None = maybe(60)
    confirmed_at_ms: int = bigint()


class TransferRow(SQLModel, table=True):
    """A booked movement that is not a trade: deposit, withdrawal, rent, donation, fee, surplus. `amount` is signed."""

    __tablename__ = "transfers"
    __table_args__ = (
        Index("ix_transfers_account", "account_id", "account_seq"),
        Index("ix_transfers_asset", "asset", "created_at_ms"),
    )
    transfer_id: str = key(32)
    kind: str = text(12)
    account_id: str | None = maybe(44)
    asset: str = text(44)
    amount: int = bigint()
    account_seq: int = bigint()
    token: str | None = maybe(44)
    address: str = text(44)
    signature: str | None = maybe(88)
    settlement_id: str | None = maybe(32)
    created_at_ms: int = bigint()


class CandleRow(SQLModel, table=True):
    """One minute of one token's trading. Prices are spot prices after trades, `open_price` the one before the first."""

    __tablename__ = "candles"
    token: str = key(44)
    bucket_ms: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    open_price: int = bigint()
    high_price: int = bigint()
    low_price: int = bigint()
    close_price: int = bigint()
    volume_lamports: int = bigint()
    trades: int = bigint()


class TallyRow(SQLModel, table=True):
    """What trades add up to in one span of time: of the platform, of one token, or of one trader (`kind`).

    Counted from `trades` alone, each once, by the indicators worker; can be emptied and counted anew at any time.
    `pool_…` is the part of trades on pools; `traders`, of the platform only, how many different accounts traded.
    """

    __tablename__ = "tallies"
    kind: str = key(8)
    span: str = key(4)
    begin_ms: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    subject: str = key(44)
    trades: int = bigint()
    buys: int = bigint()
    lamports: int = bigint()
    buy_lamports: int = bigint()
    pool_lamports: int = bigint()
    simulated_lamports: int = bigint()
    fee_lamports: int = bigint()
    creator_fee_lamports: int = bigint()
    pool_fee_lamports: int = bigint()
    pool_creator_fee_lamports: int = bigint()
    traders: int = bigint()
    first_at_ms: int = bigint()
    last_at_ms: int = bigint()


class TalliedRow(SQLModel, table=True):
    """How far a token's trades are counted in `tallies`, and whether the last one of them filled its curve."""

    __tablename__ = "tallied"
    token: str = key(44)
    seq: int = bigint()
    on_pool: int = flag()


class ImageRow(SQLModel, table=True):
    """A re-encoded picture, kept by the SHA-256 of its bytes."""

    __tablename__ = "images"
    image: str = key(64)
    media_type: str = text(20)
    body: bytes = Field(sa_type=LargeBinary)
    created_at_ms: int = bigint()


class SessionRow(SQLModel, table=True):
    """A signed-in browser, under the hash of its cookie."""

    __tablename__ = "sessions"
    session_hash: str = key(64)
    account_id: str = text(44, index=True)
    created_at_ms: int = bigint()
    seen_at_ms: int = bigint()
    expires_at_ms: int = bigint()


class ApiKeyRow(SQLModel, table=True):
    """A bot's key, under the hash of the secret that was shown once; `scopes` are words with spaces between them."""

    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("key_hash", name="uq_api_keys_hash"),)
    key_id: str = key(16)
    account_id: str = text(44, index=True)
    key_hash: str = text(64)
    name: str = text(40)
    scopes: str = text(40)
    created_at_ms: int = bigint()
    used_at_ms: int = bigint()
    revoked_at_ms: int = bigint()


class NonceRow(SQLModel, table=True):
    """A sign-in nonce, consumed by deleting it; bound to the pre-session that asked for it."""

    __tablename__ = "nonces"
    nonce: str = key(64)
    presession_hash: str = text(64)
    message_input: str = text(2000)
    expires_at_ms: int = bigint()


class ScanCursorRow(SQLModel, table=True):
    """How far an owned address's finalized transactions have been booked."""

    __tablename__ = "scan_cursors"
    address: str = key(44)
    signature: str | None = maybe(88)
    lamports: int = bigint()


class HeartbeatRow(SQLModel, table=True):
    """A worker's newest sign of life."""

    __tablename__ = "heartbeats"
    service: str = key(20)
    worker: str = key(60)
    beats: int = bigint()
    at_ms: int = bigint()


class SwitchRow(SQLModel, table=True):
    """A switch over the platform; without a row it was never set."""

    __tablename__ = "switches"
    name: str = key(30)
    is_set: int = flag()
    reason: str = text(300)
    changed_by: str = text(60)
    changed_at_ms: int = bigint()


class ReportRow(SQLModel, table=True):
    """The newest report of a kind, as JSON."""

    __tablename__ = "reports"
    name: str = key(30)
    body: bytes = Field(sa_type=LargeBinary)
    made_at_ms: int = bigint()


class PauseRow(SQLModel, table=True):
    """Buying is paused as long as there is a row; the one scope is the platform."""

    __tablename__ = "pauses"
    scope: str = key(44)
    paused_at_ms: int = bigint()


class AuditRow(SQLModel, table=True):
    """One thing an operator did, chained to the one before by its hash. Immutable."""

    __tablename__ = "audit_log"
    __table_args__ = (UniqueConstraint("previous_hash", name="uq_audit_previous"),)
    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    at_ms: int = bigint()
    operator: str = text(60)
    action: str = text(40)
    target: str = text(60)
    reason: str = text(300)
    before: str = text(1000)
    after: str = text(1000)
    previous_hash: str = text(64)
    hash: str = text(64)


class RoleRow(SQLModel, table=True):
    """A wallet that runs the platform, as an operator or a viewer."""

    __tablename__ = "roles"
    account_id: str = key(44)
    role: str = text(10)
    granted_at_ms: int = bigint()


class JournalRow(SQLModel, table=True):
    """The embedded broker's journal: accepted orders that are not acknowledged yet."""

    __tablename__ = "broker_journal"
    journal_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    token: str = text(44)
    body: bytes = Field(sa_type=LargeBinary)


class JournalQueueRow(SQLModel, table=True):
    """The embedded broker's declared queues."""

    __tablename__ = "broker_queues"
    token: str = key(44)
