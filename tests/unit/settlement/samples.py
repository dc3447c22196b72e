"""Settlements to build from, with addresses of made-up keys."""

from dataclasses import replace

from solders.keypair import Keypair

from engine.identifiers import SOL
from engine.settlement.settlement import Kind, Settlement, State
from engine.trading.orders import Side

FEE_PAYER, WALLET, VAULT, MINT = (Keypair.from_seed(bytes([n]) * 32) for n in (1, 2, 3, 4))
KEYS = {str(key.pubkey()): key for key in (FEE_PAYER, WALLET, VAULT, MINT)}
TOKEN_ACCOUNT_RENT = 2_074_080

BUY = Settlement(
    settlement_id="0f" * 16,
    kind=Kind.TRADE,
    side=Side.BUY,
    token=str(MINT.pubkey()),
    seq=2,
    account_id=str(Keypair.from_seed(bytes([9]) * 32).pubkey()),
    account_seq=5,
    wallet=str(WALLET.pubkey()),
    vault=str(VAULT.pubkey()),
    lamports=1_000_000_000,
    tokens=44_721_359_549,
    rent_lamports=TOKEN_ACCOUNT_RENT,
    decimals=6,
    name="Voltage Cat",
    symbol="VOLT",
    uri="https://example.org/t/volt.json",
    state=State.PENDING,
    attempt=0,
    errors=0,
    signature=None,
    signed_bytes=None,
    last_valid_block_height=0,
    created_at_ms=1_000,
)
SELL = replace(
    BUY,
    settlement_id="1e" * 16,
    side=Side.SELL,
    seq=3,
    account_seq=6,
    lamports=9_000_000,
    tokens=5_000_000,
    rent_lamports=0,
)
GRADUATION = replace(
    BUY,
    settlement_id="4b" * 16,
    kind=Kind.GRADUATION,
    side=None,
    seq=4,
    account_seq=0,
    wallet=BUY.vault,
    lamports=80_000_000_000,
    tokens=200_000_000_000,
    rent_lamports=0,
)
CLAIM = replace(GRADUATION, settlement_id="5a" * 16, kind=Kind.CLAIM, wallet=BUY.wallet, lamports=900_000, tokens=0)


def launch(
    name: str = BUY.name, symbol: str = BUY.symbol, uri: str = BUY.uri, mint_rent: int = 3_424_320
) -> Settlement:
    """A launch of 600,000 tokens with these texts."""
    return replace(
        BUY,
        settlement_id="2d" * 16,
        kind=Kind.LAUNCH,
        side=None,
        seq=0,
        account_seq=1,
        rent_lamports=mint_rent,
        lamports=mint_rent + 890_880 + TOKEN_ACCOUNT_RENT,
        tokens=600_000 * 10**6,
        name=name,
        symbol=symbol,
        uri=uri,
    )


STRANGER = str(Keypair.from_seed(bytes([7]) * 32).pubkey())
CHARGE = 10_000


def leaving(kind: Kind = Kind.WITHDRAWAL, to: str = STRANGER, **changes: object) -> Settlement:
    """A withdrawal of 5 SOL to a stranger, or what the changes make of it."""
    plain = replace(
        BUY,
        settlement_id="3c" * 16,
        kind=kind,
        side=None,
        token=str(SOL),
        seq=0,
        account_seq=7,
        vault=to,
        lamports=5_000_000_000,
        tokens=0,
        rent_lamports=0,
        decimals=0,
        charge_lamports=CHARGE,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def leaving_tokens(kind: Kind = Kind.WITHDRAWAL, rent_lamports: int = TOKEN_ACCOUNT_RENT) -> Settlement:
    """A withdrawal of 3 tokens to a stranger."""
    token = {"token": BUY.token, "decimals": 6, "lamports": 0, "tokens": 3_000_000}
    return leaving(kind, rent_lamports=rent_lamports, **token)


def closing() -> Settlement:
    """The wallet's token account given back."""
    return leaving(Kind.CLOSE, BUY.wallet, token=BUY.token, lamports=0, rent_lamports=TOKEN_ACCOUNT_RENT)
