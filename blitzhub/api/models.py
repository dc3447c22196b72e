"""What answers look like, and how every refusal is documented."""

from typing import Any, Final, Literal

from pydantic import BaseModel

from engine.settlement.settlement import Kind
from engine.trading.orders import OrderState, Side
from engine.trading.prices import Stage


class Problem(BaseModel):
    """An RFC 9457 problem document; `code` is stable and made for programs."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    data: dict[str, Any] | None = None
    errors: list[dict[str, str]] | None = None


PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {
        "description": "Refused; nothing was changed. `code` says why.",
        "content": {
            "application/problem+json": {
                "schema": Problem.model_json_schema(),
                "example": {
                    "type": "about:blank",
                    "title": "Unprocessable Entity",
                    "status": 422,
                    "code": "invalid_amount",
                    "detail": "lamports: the amount must be greater than zero.",
                    "data": {"field": "lamports"},
                },
            }
        },
    }
}
"""How every refusal is documented."""


class Nonce(BaseModel):
    """What the wallet has to sign: `input` for `solana:signIn`, `message` for `solana:signMessage`."""

    input: dict[str, str]
    message: str | None
    expires_at_ms: int


class SocketTicket(BaseModel):
    """Shown once on the market socket, it lets the socket follow the account."""

    ticket: str
    expires_at_ms: int


class Me(BaseModel):
    """A signed-in account. `account_id` is the own wallet's address, `wallet` the trading wallet to deposit to."""

    account_id: str
    wallet: str
    simulated: bool
    created_at_ms: int


class Order(BaseModel):
    """An order. `lamports` (paid or received, fee within), `tokens`, `fee_lamports`, `price` exist once filled."""

    order_id: str
    client_order_id: str
    token: str
    side: Side
    state: OrderState
    reason: str | None
    detail: str | None
    amount: str
    bound: str
    lamports: str | None
    tokens: str | None
    fee_lamports: str | None
    price: str | None
    signature: str | None
    accepted_at_ms: int
    decided_at_ms: int | None
    confirmed_at_ms: int | None


class Orders(BaseModel):
    """One page of orders, newest first."""

    orders: list[Order]
    next_cursor: str | None


class Quote(BaseModel):
    """What an order would do now; see `minimum` for the slippage bound to send. Prices: 10^-15 SOL per token."""

    token: str
    seq: int
    side: Side
    amount: str
    tokens: str
    lamports: str
    minimum: str
    slippage_bps: int
    fee_lamports: str
    fee_bps: int
    refund_lamports: str
    rent_lamports: str
    price: str
    price_after: str
    price_impact_bps: int | None
    graduates: bool
    max: str | None


class Launching(BaseModel):
    """A launch on its way to the chain."""

    token: str
    stage: Stage


class Token(BaseModel):
    """A token with its state and indicators. `price` is null before its first trade.

    A graduated token trades in its pool: `reserve_lamports` beside `pool_tokens`, which is null before. Of each input
    `pool_fee_bps` stay in the pool, of the SOL leg `pool_trade_fee_bps` go to platform and creator. `opening_*`: what
    holds for so long from `tradable_at_ms` on. `creator_fees_lamports` wait for the creator's claim. `price_*_ago` are
    null where there was no price yet; volume, traders, shares and these were measured at `measured_at_ms`.
    """

    address: str
    name: str
    symbol: str
    description: str | None
    image: str | None
    uri: str
    creator: str
    vault: str
    simulated: bool
    paused: bool
    held: bool
    failure: str | None
    seq: int
    created_at_ms: int
    tradable_at_ms: int | None
    graduated_at_ms: int | None
    last_trade_at_ms: int | None
    price: str | None
    stage: str
    supply: str
    reserve_lamports: str
    market_cap_lamports: str
    liquidity_lamports: str
    volume_24h_lamports: str
    traders_24h: int
    price_5m_ago: str | None
    price_1h_ago: str | None
    price_6h_ago: str | None
    price_24h_ago: str | None
    top_ten_bps: int
    creator_bps: int
    measured_at_ms: int
    holders: int
    creator_fees_lamports: str
    pool_tokens: str | None
    decimals: int
    total_supply: str
    curve_supply: str
    raise_lamports: str
    graduation_price: str
    fee_bps: int
    minimum_buy_lamports: str
    pool_fee_bps: int
    pool_trade_fee_bps: int
    opening_fee_bps: int
    opening_fee_ms: int
    opening_cap_tokens: str | None
    opening_cap_ms: int


class Tokens(BaseModel):
    """One page of a board column."""

    tokens: list[Token]
    next_cursor: str | None


class Trending(BaseModel):
    """A ranking, the first one leading."""

    tokens: list[Token]


class Trade(BaseModel):
    """A fill, as the live feed says it. `sim`: the trader says of itself that it is a program.

    `first_buy`: the creator's, executed with the launch before anybody else could trade.
    """

    type: str
    token: str
    seq: int
    side: Side
    lamports: str
    tokens: str
    price: str
    price_before: str
    trader: str
    sim: bool
    first_buy: bool
    at_ms: int


class Trades(BaseModel):
    """One page of trades, newest first."""

    trades: list[Trade]
    next_before_seq: int | None


class Candle(BaseModel):
    """`t` the bucket's beginning, `o h l c` prices, `v` lamports, `n` trades."""

    t: int
    o: str
    h: str
    l: str  # noqa: E741
    c: str
    v: str
    n: int


class Candles(BaseModel):
    """Candles, oldest first; one exists only where a trade was. `next_before_ms` asks for the page before this one."""

    candles: list[Candle]
    next_before_ms: int | None


class Holder(BaseModel):
    """An account that holds the token; `share_bps` of the total supply."""

    account: str
    amount: str
    share_bps: int
    creator: bool
    sim: bool


class Holders(BaseModel):
    """The largest holders."""

    holders: list[Holder]


class Metadata(BaseModel):
    """What the mint's `uri` points to, in the shape wallets read."""

    name: str
    symbol: str
    description: str
    image: str | None


class Holding(BaseModel):
    """A token in an account; the value is at the present price."""

    token: str
    name: str
    symbol: str
    image: str | None
    decimals: int
    stage: str
    amount: str
    price: str
    value_lamports: str


class Balances(BaseModel):
    """What an account has. The locked lamports keep its trading wallet alive on the chain."""

    lamports: str
    locked_lamports: str
    free_lamports: str
    account_seq: int
    frozen: str | None
    tokens: list[Holding]


class Claimed(BaseModel):
    """Creator fees that are in the balance; the settlement brings them to the trading wallet."""

    token: str
    lamports: str
    settlement_id: str


class CreatorFee(BaseModel):
    """What one launched token has earned its creator."""

    token: str
    symbol: str
    name: str
    stage: str
    claimable_lamports: str
    claimed_lamports: str


class CreatorFees(BaseModel):
    """Of every token the account launched, the newest first."""

    tokens: list[CreatorFee]


class Image(BaseModel):
    """An uploaded picture."""

    image: str
    url: str


class Faucet(BaseModel):
    """SOL on its way to the trading wallet; it arrives like any deposit."""

    signature: str
    lamports: str


class WithdrawalQuote(BaseModel):
    """What a withdrawal takes besides its amount. `kind` is `transfer` to a trading wallet of ours."""

    asset: str
    destination: str
    kind: Kind
    fee_lamports: str
    rent_lamports: str
    max: str
    minimum: str
    is_new: bool
    delay_ms: int
    sign_in_again: bool
    frozen_since_ms: int | None


class Withdrawal(BaseModel):
    """A withdrawal, or a transfer from another account (`direction` is `in`).

    `state`: `waiting` for its release, `queued`, `sent` to Solana, `confirmed`; or `cancelled`, or `failed` and undone.
    """

    withdrawal_id: str
    client_id: str | None
    kind: Kind
    direction: Literal["in", "out"]
    asset: str
    symbol: str
    decimals: int
    amount: str
    destination: str
    sender: str
    fee_lamports: str
    rent_lamports: str
    state: Literal["waiting", "queued", "sent", "confirmed", "cancelled", "failed"]
    cancellable: bool
    error: str | None
    signature: str | None
    created_at_ms: int
    release_at_ms: int
    confirmed_at_ms: int | None


class Withdrawals(BaseModel):
    """One page, newest first."""

    withdrawals: list[Withdrawal]
    next_cursor: str | None


class ApiKey(BaseModel):
    """A bot's key without its secret."""

    key_id: str
    name: str
    scopes: list[str]
    created_at_ms: int
    used_at_ms: int | None
    revoked_at_ms: int | None


class ApiKeys(BaseModel):
    """The account's keys, newest first."""

    keys: list[ApiKey]


class MadeKey(BaseModel):
    """A new key; `secret` is told this once."""

    key_id: str
    name: str
    scopes: list[str]
    created_at_ms: int
    secret: str


class Session(BaseModel):
    """A signed-in browser."""

    current: bool
    created_at_ms: int
    seen_at_ms: int
    expires_at_ms: int


class Sessions(BaseModel):
    """The account's sessions, newest first."""

    sessions: list[Session]
