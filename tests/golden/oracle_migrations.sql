CREATE TABLE alembic_version (
    version_num VARCHAR2(32 CHAR) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)

/

-- Running upgrade  -> 0001

CREATE TABLE accounts (
    account_id VARCHAR2(44 CHAR) NOT NULL, 
    wallet VARCHAR2(44 CHAR) NOT NULL, 
    simulated SMALLINT NOT NULL, 
    created_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (account_id)
)

/

CREATE TABLE balances (
    account_id VARCHAR2(44 CHAR) NOT NULL, 
    asset VARCHAR2(44 CHAR) NOT NULL, 
    amount NUMBER(19) NOT NULL, 
    account_seq NUMBER(19) NOT NULL, 
    PRIMARY KEY (account_id, asset)
)

/

CREATE INDEX ix_balances_asset ON balances (asset)

/

CREATE TABLE broker_journal (
    journal_id NUMBER(19) NOT NULL, 
    token VARCHAR2(44 CHAR) NOT NULL, 
    body BLOB NOT NULL, 
    PRIMARY KEY (journal_id)
)

/

CREATE TABLE broker_queues (
    token VARCHAR2(44 CHAR) NOT NULL, 
    PRIMARY KEY (token)
)

/

CREATE TABLE candles (
    token VARCHAR2(44 CHAR) NOT NULL, 
    bucket_ms NUMBER(19) NOT NULL, 
    open_price NUMBER(19) NOT NULL, 
    high_price NUMBER(19) NOT NULL, 
    low_price NUMBER(19) NOT NULL, 
    close_price NUMBER(19) NOT NULL, 
    volume_lamports NUMBER(19) NOT NULL, 
    trades NUMBER(19) NOT NULL, 
    PRIMARY KEY (token, bucket_ms)
)

/

CREATE TABLE images (
    image VARCHAR2(64 CHAR) NOT NULL, 
    media_type VARCHAR2(20 CHAR) NOT NULL, 
    body BLOB NOT NULL, 
    created_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (image)
)

/

CREATE TABLE nonces (
    nonce VARCHAR2(64 CHAR) NOT NULL, 
    presession_hash VARCHAR2(64 CHAR) NOT NULL, 
    message_input VARCHAR2(2000 CHAR) NOT NULL, 
    expires_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (nonce)
)

/

CREATE TABLE orders (
    order_id VARCHAR2(32 CHAR) NOT NULL, 
    account_id VARCHAR2(44 CHAR) NOT NULL, 
    client_order_id VARCHAR2(36 CHAR) NOT NULL, 
    body_hash VARCHAR2(32 CHAR) NOT NULL, 
    token VARCHAR2(44 CHAR) NOT NULL, 
    side VARCHAR2(4 CHAR) NOT NULL, 
    amount NUMBER(19) NOT NULL, 
    bound NUMBER(19) NOT NULL, 
    deadline_ms NUMBER(19) NOT NULL, 
    state VARCHAR2(10 CHAR) NOT NULL, 
    reason VARCHAR2(30 CHAR), 
    detail VARCHAR2(300 CHAR), 
    accepted_at_ms NUMBER(19) NOT NULL, 
    decided_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (order_id)
)

/

CREATE INDEX ix_orders_account ON orders (account_id, decided_at_ms)

/

CREATE TABLE scan_cursors (
    address VARCHAR2(44 CHAR) NOT NULL, 
    signature VARCHAR2(88 CHAR), 
    lamports NUMBER(19) NOT NULL, 
    PRIMARY KEY (address)
)

/

CREATE TABLE sessions (
    session_hash VARCHAR2(64 CHAR) NOT NULL, 
    account_id VARCHAR2(44 CHAR) NOT NULL, 
    created_at_ms NUMBER(19) NOT NULL, 
    seen_at_ms NUMBER(19) NOT NULL, 
    expires_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (session_hash)
)

/

CREATE INDEX ix_sessions_account_id ON sessions (account_id)

/

CREATE TABLE settlements (
    settlement_id VARCHAR2(32 CHAR) NOT NULL, 
    kind VARCHAR2(12 CHAR) NOT NULL, 
    side VARCHAR2(4 CHAR), 
    token VARCHAR2(44 CHAR), 
    seq NUMBER(19) NOT NULL, 
    account_id VARCHAR2(44 CHAR) NOT NULL, 
    account_seq NUMBER(19) NOT NULL, 
    wallet VARCHAR2(44 CHAR) NOT NULL, 
    vault VARCHAR2(44 CHAR) NOT NULL, 
    lamports NUMBER(19) NOT NULL, 
    tokens NUMBER(19) NOT NULL, 
    rent_lamports NUMBER(19) NOT NULL, 
    state VARCHAR2(10 CHAR) NOT NULL, 
    attempt NUMBER(19) NOT NULL, 
    errors NUMBER(19) NOT NULL, 
    error VARCHAR2(300 CHAR), 
    signature VARCHAR2(88 CHAR), 
    signed_bytes BLOB, 
    last_valid_block_height NUMBER(19) NOT NULL, 
    slot NUMBER(19) NOT NULL, 
    fee_lamports NUMBER(19) NOT NULL, 
    created_at_ms NUMBER(19) NOT NULL, 
    confirmed_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (settlement_id)
)

/

CREATE INDEX ix_settlements_signature ON settlements (signature)

/

CREATE INDEX ix_settlements_state ON settlements (state, created_at_ms)

/

CREATE TABLE tokens (
    address VARCHAR2(44 CHAR) NOT NULL, 
    vault VARCHAR2(44 CHAR) NOT NULL, 
    creator VARCHAR2(44 CHAR) NOT NULL, 
    client_id VARCHAR2(36 CHAR) NOT NULL, 
    name VARCHAR2(128 CHAR) NOT NULL, 
    symbol VARCHAR2(40 CHAR) NOT NULL, 
    description VARCHAR2(2000 CHAR), 
    image VARCHAR2(64 CHAR), 
    uri VARCHAR2(200 CHAR) NOT NULL, 
    simulated SMALLINT NOT NULL, 
    first_buy_lamports NUMBER(19) NOT NULL, 
    first_buy_min_tokens_out NUMBER(19) NOT NULL, 
    k VARCHAR2(60 CHAR) NOT NULL, 
    n SMALLINT NOT NULL, 
    decimals SMALLINT NOT NULL, 
    total_supply NUMBER(19) NOT NULL, 
    curve_supply NUMBER(19) NOT NULL, 
    fee_bps SMALLINT NOT NULL, 
    creator_share_percent SMALLINT NOT NULL, 
    minimum_buy_lamports NUMBER(19) NOT NULL, 
    stage VARCHAR2(12 CHAR) NOT NULL, 
    failure VARCHAR2(200 CHAR), 
    paused SMALLINT NOT NULL, 
    held SMALLINT NOT NULL, 
    seq NUMBER(19) NOT NULL, 
    supply NUMBER(19) NOT NULL, 
    reserve_lamports NUMBER(19) NOT NULL, 
    creator_fees_lamports NUMBER(19) NOT NULL, 
    platform_fees_lamports NUMBER(19) NOT NULL, 
    endowment_lamports NUMBER(19) NOT NULL, 
    last_trade_at_ms NUMBER(19) NOT NULL, 
    price NUMBER(19) NOT NULL, 
    market_cap_lamports NUMBER(19) NOT NULL, 
    liquidity_lamports NUMBER(19) NOT NULL, 
    volume_24h_lamports NUMBER(19) NOT NULL, 
    holders NUMBER(19) NOT NULL, 
    created_at_ms NUMBER(19) NOT NULL, 
    tradable_at_ms NUMBER(19) NOT NULL, 
    graduated_at_ms NUMBER(19) NOT NULL, 
    updated_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (address)
)

/

CREATE INDEX ix_tokens_creator ON tokens (creator)

/

CREATE INDEX ix_tokens_stage ON tokens (stage, created_at_ms)

/

CREATE INDEX ix_tokens_updated ON tokens (updated_at_ms)

/

CREATE TABLE trades (
    order_id VARCHAR2(32 CHAR) NOT NULL, 
    token VARCHAR2(44 CHAR) NOT NULL, 
    seq NUMBER(19) NOT NULL, 
    account_id VARCHAR2(44 CHAR) NOT NULL, 
    account_seq NUMBER(19) NOT NULL, 
    side VARCHAR2(4 CHAR) NOT NULL, 
    simulated SMALLINT NOT NULL, 
    lamports NUMBER(19) NOT NULL, 
    curve_lamports NUMBER(19) NOT NULL, 
    fee_lamports NUMBER(19) NOT NULL, 
    creator_fee_lamports NUMBER(19) NOT NULL, 
    tokens NUMBER(19) NOT NULL, 
    price NUMBER(19) NOT NULL, 
    supply NUMBER(19) NOT NULL, 
    reserve_lamports NUMBER(19) NOT NULL, 
    executed_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (order_id), 
    CONSTRAINT uq_trades_token_seq UNIQUE (token, seq)
)

/

CREATE INDEX ix_trades_account ON trades (account_id, account_seq)

/

CREATE TABLE transfers (
    transfer_id VARCHAR2(32 CHAR) NOT NULL, 
    kind VARCHAR2(12 CHAR) NOT NULL, 
    account_id VARCHAR2(44 CHAR), 
    asset VARCHAR2(44 CHAR) NOT NULL, 
    amount NUMBER(19) NOT NULL, 
    account_seq NUMBER(19) NOT NULL, 
    token VARCHAR2(44 CHAR), 
    address VARCHAR2(44 CHAR) NOT NULL, 
    signature VARCHAR2(88 CHAR), 
    settlement_id VARCHAR2(32 CHAR), 
    created_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (transfer_id)
)

/

CREATE INDEX ix_transfers_account ON transfers (account_id, account_seq)

/

CREATE TABLE wallets (
    address VARCHAR2(44 CHAR) NOT NULL, 
    kind VARCHAR2(12 CHAR) NOT NULL, 
    key_name VARCHAR2(80 CHAR) NOT NULL, 
    account_id VARCHAR2(44 CHAR), 
    token VARCHAR2(44 CHAR), 
    created_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (address)
)

/

CREATE INDEX ix_wallets_account_id ON wallets (account_id)

/

CREATE INDEX ix_wallets_token ON wallets (token)

/

INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING alembic_version.version_num INTO :ret_0

/

-- Running upgrade 0001 -> 0002

CREATE TABLE parked_orders (
    parked_id VARCHAR2(32 CHAR) NOT NULL, 
    account_id VARCHAR2(44 CHAR), 
    token VARCHAR2(44 CHAR) NOT NULL, 
    body BLOB NOT NULL, 
    cause VARCHAR2(20 CHAR) NOT NULL, 
    state VARCHAR2(10 CHAR) NOT NULL, 
    note VARCHAR2(300 CHAR), 
    parked_at_ms NUMBER(19) NOT NULL, 
    ended_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (parked_id)
)

/

CREATE INDEX ix_parked_state ON parked_orders (state, parked_at_ms)

/

UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001'

/

-- Running upgrade 0002 -> 0003

CREATE TABLE switches (
    name VARCHAR2(30 CHAR) NOT NULL, 
    is_set SMALLINT NOT NULL, 
    reason VARCHAR2(300 CHAR) NOT NULL, 
    changed_by VARCHAR2(60 CHAR) NOT NULL, 
    changed_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (name)
)

/

CREATE TABLE reports (
    name VARCHAR2(30 CHAR) NOT NULL, 
    body BLOB NOT NULL, 
    made_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (name)
)

/

UPDATE alembic_version SET version_num='0003' WHERE alembic_version.version_num = '0002'

/

-- Running upgrade 0003 -> 0004

CREATE TABLE trials (
    trial_id VARCHAR2(32 CHAR) NOT NULL, 
    begun SMALLINT NOT NULL, 
    begun_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (trial_id)
)

/

UPDATE alembic_version SET version_num='0004' WHERE alembic_version.version_num = '0003'

/

-- Running upgrade 0004 -> 0005

CREATE TABLE withdrawals (
    withdrawal_id VARCHAR2(32 CHAR) NOT NULL, 
    account_id VARCHAR2(44 CHAR) NOT NULL, 
    client_id VARCHAR2(36 CHAR) NOT NULL, 
    kind VARCHAR2(12 CHAR) NOT NULL, 
    asset VARCHAR2(44 CHAR) NOT NULL, 
    amount NUMBER(19) NOT NULL, 
    destination VARCHAR2(44 CHAR) NOT NULL, 
    recipient_id VARCHAR2(44 CHAR), 
    fee_lamports NUMBER(19) NOT NULL, 
    rent_lamports NUMBER(19) NOT NULL, 
    release_at_ms NUMBER(19) NOT NULL, 
    created_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (withdrawal_id)
)

/

CREATE INDEX ix_withdrawals_account ON withdrawals (account_id, created_at_ms)

/

CREATE INDEX ix_withdrawals_recipient ON withdrawals (recipient_id, created_at_ms)

/

CREATE TABLE releases (
    withdrawal_id VARCHAR2(32 CHAR) NOT NULL, 
    lamports NUMBER(19) NOT NULL, 
    released_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (withdrawal_id)
)

/

CREATE INDEX ix_releases_at ON releases (released_at_ms)

/

CREATE TABLE api_keys (
    key_id VARCHAR2(16 CHAR) NOT NULL, 
    account_id VARCHAR2(44 CHAR) NOT NULL, 
    key_hash VARCHAR2(64 CHAR) NOT NULL, 
    name VARCHAR2(40 CHAR) NOT NULL, 
    scopes VARCHAR2(40 CHAR) NOT NULL, 
    created_at_ms NUMBER(19) NOT NULL, 
    used_at_ms NUMBER(19) NOT NULL, 
    revoked_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (key_id), 
    CONSTRAINT uq_api_keys_hash UNIQUE (key_hash)
)

/

CREATE INDEX ix_api_keys_account_id ON api_keys (account_id)

/

UPDATE alembic_version SET version_num='0005' WHERE alembic_version.version_num = '0004'

/

-- Running upgrade 0005 -> 0006

ALTER TABLE tokens ADD opening_fee_bps SMALLINT DEFAULT '0' NOT NULL

/

ALTER TABLE tokens ADD opening_fee_ms NUMBER(19) DEFAULT '0' NOT NULL

/

ALTER TABLE tokens ADD opening_cap_tokens NUMBER(19) DEFAULT '0' NOT NULL

/

ALTER TABLE tokens ADD opening_cap_ms NUMBER(19) DEFAULT '0' NOT NULL

/

UPDATE alembic_version SET version_num='0006' WHERE alembic_version.version_num = '0005'

/

-- Running upgrade 0006 -> 0007

CREATE TABLE heartbeats (
    service VARCHAR2(20 CHAR) NOT NULL, 
    worker VARCHAR2(60 CHAR) NOT NULL, 
    beats NUMBER(19) NOT NULL, 
    at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (service, worker)
)

/

ALTER TABLE settlements ADD worker VARCHAR2(60 CHAR)

/

CREATE INDEX ix_settlements_slot ON settlements (slot)

/

ALTER TABLE balances ADD frozen VARCHAR2(200 CHAR)

/

UPDATE alembic_version SET version_num='0007' WHERE alembic_version.version_num = '0006'

/

-- Running upgrade 0007 -> 0008

CREATE TABLE sweeps (
    sweep_id VARCHAR2(32 CHAR) NOT NULL, 
    token VARCHAR2(44 CHAR) NOT NULL, 
    lamports NUMBER(19) NOT NULL, 
    treasury VARCHAR2(44 CHAR) NOT NULL, 
    proposed_by VARCHAR2(60 CHAR) NOT NULL, 
    proposed_at_ms NUMBER(19) NOT NULL, 
    confirmed_by VARCHAR2(60 CHAR), 
    confirmed_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (sweep_id)
)

/

CREATE INDEX ix_sweeps_confirmed ON sweeps (confirmed_at_ms, proposed_at_ms)

/

UPDATE alembic_version SET version_num='0008' WHERE alembic_version.version_num = '0007'

/

-- Running upgrade 0008 -> 0009

CREATE TABLE roles (
    account_id VARCHAR2(44 CHAR) NOT NULL, 
    role VARCHAR2(10 CHAR) NOT NULL, 
    granted_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (account_id)
)

/

UPDATE alembic_version SET version_num='0009' WHERE alembic_version.version_num = '0008'

/

-- Running upgrade 0009 -> 0010

CREATE TABLE audit_log (
    seq NUMBER(19) NOT NULL, 
    at_ms NUMBER(19) NOT NULL, 
    operator VARCHAR2(60 CHAR) NOT NULL, 
    action VARCHAR2(40 CHAR) NOT NULL, 
    target VARCHAR2(60 CHAR) NOT NULL, 
    reason VARCHAR2(300 CHAR) NOT NULL, 
    before VARCHAR2(1000 CHAR) NOT NULL, 
    after VARCHAR2(1000 CHAR) NOT NULL, 
    previous_hash VARCHAR2(64 CHAR) NOT NULL, 
    hash VARCHAR2(64 CHAR) NOT NULL, 
    PRIMARY KEY (seq), 
    CONSTRAINT uq_audit_previous UNIQUE (previous_hash)
)

/

CREATE TABLE pauses (
    scope VARCHAR2(44 CHAR) NOT NULL, 
    paused_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (scope)
)

/

ALTER TABLE tokens ADD hidden SMALLINT DEFAULT '0' NOT NULL

/

ALTER TABLE parked_orders ADD wanted VARCHAR2(10 CHAR)

/

ALTER TABLE parked_orders ADD wanted_note VARCHAR2(300 CHAR)

/

UPDATE alembic_version SET version_num='0010' WHERE alembic_version.version_num = '0009'

/

-- Running upgrade 0010 -> 0011

CREATE TABLE tallies (
    kind VARCHAR2(8 CHAR) NOT NULL, 
    span VARCHAR2(4 CHAR) NOT NULL, 
    begin_ms NUMBER(19) NOT NULL, 
    subject VARCHAR2(44 CHAR) NOT NULL, 
    trades NUMBER(19) NOT NULL, 
    buys NUMBER(19) NOT NULL, 
    lamports NUMBER(19) NOT NULL, 
    buy_lamports NUMBER(19) NOT NULL, 
    pool_lamports NUMBER(19) NOT NULL, 
    simulated_lamports NUMBER(19) NOT NULL, 
    fee_lamports NUMBER(19) NOT NULL, 
    creator_fee_lamports NUMBER(19) NOT NULL, 
    pool_fee_lamports NUMBER(19) NOT NULL, 
    pool_creator_fee_lamports NUMBER(19) NOT NULL, 
    traders NUMBER(19) NOT NULL, 
    first_at_ms NUMBER(19) NOT NULL, 
    last_at_ms NUMBER(19) NOT NULL, 
    PRIMARY KEY (kind, span, begin_ms, subject)
)

/

CREATE TABLE tallied (
    token VARCHAR2(44 CHAR) NOT NULL, 
    seq NUMBER(19) NOT NULL, 
    on_pool SMALLINT NOT NULL, 
    PRIMARY KEY (token)
)

/

CREATE INDEX ix_trades_executed ON trades (executed_at_ms)

/

CREATE INDEX ix_transfers_asset ON transfers (asset, created_at_ms)

/

UPDATE alembic_version SET version_num='0011' WHERE alembic_version.version_num = '0010'

/

-- Running upgrade 0011 -> 0012

ALTER TABLE tokens ADD traders_24h NUMBER(19) DEFAULT '0' NOT NULL

/

ALTER TABLE tokens ADD price_5m_ago NUMBER(19) DEFAULT '0' NOT NULL

/

ALTER TABLE tokens ADD price_1h_ago NUMBER(19) DEFAULT '0' NOT NULL

/

ALTER TABLE tokens ADD price_6h_ago NUMBER(19) DEFAULT '0' NOT NULL

/

ALTER TABLE tokens ADD price_24h_ago NUMBER(19) DEFAULT '0' NOT NULL

/

ALTER TABLE tokens ADD top_ten_bps NUMBER(19) DEFAULT '0' NOT NULL

/

ALTER TABLE tokens ADD creator_bps NUMBER(19) DEFAULT '0' NOT NULL

/

ALTER TABLE tokens ADD measured_at_ms NUMBER(19) DEFAULT '0' NOT NULL

/

UPDATE alembic_version SET version_num='0012' WHERE alembic_version.version_num = '0011'

/

