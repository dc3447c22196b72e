-- Made by `python -m scripts.rights`, which says why; run again after every migration. Do not edit.

-- psql -v ON_ERROR_STOP=1 -d blitzhub -f deploy/database/postgresql.sql, then \password for each user.

BEGIN;
DO $$ BEGIN CREATE ROLE blitz_web LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE blitz_trade LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE blitz_settle LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE blitz_sign LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE blitz_stream LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE blitz_indicators LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE blitz_reconcile LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, blitz_web, blitz_trade, blitz_settle, blitz_sign, blitz_stream, blitz_indicators, blitz_reconcile;
GRANT USAGE ON SCHEMA public TO blitz_web, blitz_trade, blitz_settle, blitz_sign, blitz_stream, blitz_indicators, blitz_reconcile;
GRANT SELECT ON alembic_version TO blitz_web, blitz_trade, blitz_settle, blitz_sign, blitz_stream, blitz_indicators, blitz_reconcile;

-- web
GRANT SELECT, INSERT, UPDATE (simulated) ON accounts TO blitz_web;
GRANT SELECT, INSERT, UPDATE (used_at_ms, revoked_at_ms) ON api_keys TO blitz_web;
GRANT SELECT, INSERT ON audit_log TO blitz_web;
GRANT SELECT, INSERT, DELETE, UPDATE (amount, account_seq, frozen) ON balances TO blitz_web;
GRANT SELECT ON candles TO blitz_web;
GRANT SELECT ON heartbeats TO blitz_web;
GRANT SELECT, INSERT ON images TO blitz_web;
GRANT SELECT, INSERT, DELETE ON nonces TO blitz_web;
GRANT SELECT ON orders TO blitz_web;
GRANT SELECT, UPDATE (wanted, wanted_note) ON parked_orders TO blitz_web;
GRANT SELECT, INSERT, DELETE ON pauses TO blitz_web;
GRANT SELECT ON releases TO blitz_web;
GRANT SELECT ON reports TO blitz_web;
GRANT SELECT ON roles TO blitz_web;
GRANT SELECT ON scan_cursors TO blitz_web;
GRANT SELECT, INSERT, DELETE, UPDATE (seen_at_ms) ON sessions TO blitz_web;
GRANT SELECT, INSERT, UPDATE (state) ON settlements TO blitz_web;
GRANT SELECT ON sweeps TO blitz_web;
GRANT SELECT ON switches TO blitz_web;
GRANT SELECT ON tallied TO blitz_web;
GRANT SELECT ON tallies TO blitz_web;
GRANT SELECT, INSERT, UPDATE (holders, seq, creator_fees_lamports, updated_at_ms, paused, held, hidden) ON tokens TO blitz_web;
GRANT SELECT ON trades TO blitz_web;
GRANT SELECT, INSERT ON transfers TO blitz_web;
GRANT SELECT ON trials TO blitz_web;
GRANT SELECT, INSERT ON wallets TO blitz_web;
GRANT SELECT, INSERT ON withdrawals TO blitz_web;

-- trade
GRANT SELECT ON accounts TO blitz_trade;
GRANT SELECT, INSERT, UPDATE (amount, account_seq) ON balances TO blitz_trade;
GRANT SELECT, INSERT, UPDATE (high_price, low_price, close_price, volume_lamports, trades) ON candles TO blitz_trade;
GRANT SELECT ON heartbeats TO blitz_trade;
GRANT SELECT, INSERT ON orders TO blitz_trade;
GRANT SELECT, INSERT, UPDATE (body, cause, state, note, parked_at_ms, ended_at_ms, wanted) ON parked_orders TO blitz_trade;
GRANT SELECT ON pauses TO blitz_trade;
GRANT SELECT ON reports TO blitz_trade;
GRANT SELECT ON scan_cursors TO blitz_trade;
GRANT SELECT, INSERT ON settlements TO blitz_trade;
GRANT SELECT ON switches TO blitz_trade;
GRANT SELECT, UPDATE (stage, seq, supply, reserve_lamports, creator_fees_lamports, platform_fees_lamports, price, market_cap_lamports, liquidity_lamports, holders, last_trade_at_ms, graduated_at_ms, updated_at_ms) ON tokens TO blitz_trade;
GRANT SELECT, INSERT ON trades TO blitz_trade;
GRANT SELECT, INSERT ON transfers TO blitz_trade;
GRANT SELECT, INSERT, DELETE, UPDATE (begun, begun_at_ms) ON trials TO blitz_trade;
GRANT SELECT ON wallets TO blitz_trade;

-- settle
GRANT SELECT ON accounts TO blitz_settle;
GRANT SELECT, INSERT, UPDATE (amount, account_seq, frozen) ON balances TO blitz_settle;
GRANT SELECT, INSERT, UPDATE (high_price, low_price, close_price, volume_lamports, trades) ON candles TO blitz_settle;
GRANT SELECT, INSERT, DELETE, UPDATE (beats, at_ms) ON heartbeats TO blitz_settle;
GRANT SELECT, INSERT ON orders TO blitz_settle;
GRANT SELECT ON parked_orders TO blitz_settle;
GRANT SELECT ON pauses TO blitz_settle;
GRANT SELECT, INSERT ON releases TO blitz_settle;
GRANT SELECT ON reports TO blitz_settle;
GRANT SELECT, INSERT, UPDATE (signature, lamports) ON scan_cursors TO blitz_settle;
GRANT SELECT, INSERT, UPDATE (state, attempt, errors, error, signature, signed_bytes, last_valid_block_height, slot, fee_lamports, confirmed_at_ms, worker) ON settlements TO blitz_settle;
GRANT SELECT, INSERT, UPDATE (confirmed_by, confirmed_at_ms) ON sweeps TO blitz_settle;
GRANT SELECT, INSERT, UPDATE (is_set, reason, changed_by, changed_at_ms) ON switches TO blitz_settle;
GRANT SELECT, UPDATE (stage, seq, supply, reserve_lamports, creator_fees_lamports, platform_fees_lamports, price, market_cap_lamports, liquidity_lamports, holders, last_trade_at_ms, graduated_at_ms, updated_at_ms, failure, held, paused, tradable_at_ms) ON tokens TO blitz_settle;
GRANT SELECT, INSERT ON trades TO blitz_settle;
GRANT SELECT, INSERT ON transfers TO blitz_settle;
GRANT SELECT ON trials TO blitz_settle;
GRANT SELECT ON wallets TO blitz_settle;
GRANT SELECT ON withdrawals TO blitz_settle;

-- sign
GRANT SELECT ON settlements TO blitz_sign;
GRANT SELECT ON switches TO blitz_sign;
GRANT SELECT ON tokens TO blitz_sign;
GRANT SELECT, INSERT ON wallets TO blitz_sign;
GRANT SELECT ON withdrawals TO blitz_sign;

-- stream
GRANT SELECT ON balances TO blitz_stream;
GRANT SELECT ON candles TO blitz_stream;
GRANT SELECT ON orders TO blitz_stream;
GRANT SELECT ON reports TO blitz_stream;
GRANT SELECT ON settlements TO blitz_stream;
GRANT SELECT ON tokens TO blitz_stream;
GRANT SELECT ON trades TO blitz_stream;

-- indicators
GRANT SELECT ON balances TO blitz_indicators;
GRANT SELECT, INSERT, UPDATE (body, made_at_ms) ON reports TO blitz_indicators;
GRANT SELECT, INSERT, DELETE, UPDATE (seq, on_pool) ON tallied TO blitz_indicators;
GRANT SELECT, INSERT, DELETE, UPDATE (trades, buys, lamports, buy_lamports, pool_lamports, simulated_lamports, fee_lamports, creator_fee_lamports, pool_fee_lamports, pool_creator_fee_lamports, traders, first_at_ms, last_at_ms) ON tallies TO blitz_indicators;
GRANT SELECT, UPDATE (volume_24h_lamports, traders_24h, price_5m_ago, price_1h_ago, price_6h_ago, price_24h_ago, top_ten_bps, creator_bps, measured_at_ms) ON tokens TO blitz_indicators;
GRANT SELECT ON trades TO blitz_indicators;

-- reconcile
GRANT SELECT ON accounts TO blitz_reconcile;
GRANT SELECT ON balances TO blitz_reconcile;
GRANT SELECT ON candles TO blitz_reconcile;
GRANT SELECT ON heartbeats TO blitz_reconcile;
GRANT SELECT ON orders TO blitz_reconcile;
GRANT SELECT ON parked_orders TO blitz_reconcile;
GRANT SELECT ON pauses TO blitz_reconcile;
GRANT SELECT ON releases TO blitz_reconcile;
GRANT SELECT, INSERT, UPDATE (body, made_at_ms) ON reports TO blitz_reconcile;
GRANT SELECT ON scan_cursors TO blitz_reconcile;
GRANT SELECT ON settlements TO blitz_reconcile;
GRANT SELECT ON sweeps TO blitz_reconcile;
GRANT SELECT, INSERT, UPDATE (is_set, reason, changed_by, changed_at_ms) ON switches TO blitz_reconcile;
GRANT SELECT ON tokens TO blitz_reconcile;
GRANT SELECT ON trades TO blitz_reconcile;
GRANT SELECT ON transfers TO blitz_reconcile;
GRANT SELECT ON trials TO blitz_reconcile;
GRANT SELECT ON wallets TO blitz_reconcile;
GRANT SELECT ON withdrawals TO blitz_reconcile;

-- A process that froze within a statement keeps its rows; the trade workers wait for them and end its session, whosever
-- it is (engine/persistence/stalled.py). Without this right they end their own user's only.
DO $$ BEGIN GRANT pg_signal_backend, pg_read_all_stats TO blitz_trade;
EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING 'blitz_trade may not end stalled sessions'; END $$;

COMMIT;
