"""Tokens: the board's columns, one token with its candles, trades and holders, quotes, and launching."""

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from blitzhub.api.bodies import Launch
from blitzhub.api.dependencies import (
    CLAIMS,
    LAUNCHES,
    READS,
    InServices,
    PerAccount,
    PerAddress,
    Trader,
    Visitor,
    own_origin,
)
from blitzhub.api.models import (
    PROBLEMS,
    Candles,
    Claimed,
    Holders,
    Launching,
    Metadata,
    Quote,
    Token,
    Tokens,
    Trades,
    Trending,
)
from engine.identifiers import is_address
from engine.indicators.candles import Interval
from engine.indicators.rolling import Window
from engine.ledger import claims
from engine.persistence import accounts as account_rows
from engine.persistence import market, ranking
from engine.persistence.candles import MAX_CANDLES
from engine.persistence.paging import MAX_PAGE
from engine.services import Services
from engine.trading import quotes
from engine.trading.inputs import UnknownToken
from engine.trading.launch import request_launch
from engine.trading.launch_form import LaunchForm, read_launch
from engine.trading.orders import Side
from engine.trading.prices import Stage
from engine.units import MAX_AMOUNT

_DEFAULT_SLIPPAGE_BPS: Final = 100
_FOR_EVER: Final = "public, max-age=31536000, immutable"

Page = Annotated[int, Query(ge=1, le=MAX_PAGE)]

router = APIRouter(prefix="/tokens", tags=["tokens"], responses=PROBLEMS)
_READ = [Depends(PerAddress(READS))]


@router.get("", response_model=Tokens, dependencies=_READ, summary="One column of the board")
async def tokens(
    services: InServices,
    column: market.Column = market.Column.NEW,
    limit: Page = 50,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
    market_cap_lamports: Annotated[int, Query(ge=0, le=MAX_AMOUNT)] = 0,
    holders: Annotated[int, Query(ge=0, le=MAX_AMOUNT)] = 0,
    raised_percent: Annotated[int, Query(ge=0, le=100)] = 0,
    people: bool = False,
) -> dict[str, Any]:
    """New tokens, those about to graduate, or graduated ones; of all there are, those with at least so much."""
    wanted = market.Wanted(market_cap_lamports, holders, raised_percent, people)
    read = partial(market.tokens, column=column, limit=limit, cursor=cursor, wanted=wanted)
    page, next_cursor = await services.database.read(read)
    return {"tokens": page, "next_cursor": next_cursor}


@router.post(
    "",
    status_code=202,
    response_model=Launching,
    dependencies=[Depends(own_origin), Depends(PerAccount(LAUNCHES))],
    summary="Launch a token",
)
async def launch(body: Launch, services: InServices, account: Trader) -> dict[str, Any]:
    """Mint a token's real supply on the chain; it is tradable once that is confirmed, after the creator's first buy."""
    request = await read_launch(services, LaunchForm(**body.model_dump()))
    token = await request_launch(services, account.account_id, request)
    return {"token": token, "stage": Stage.LAUNCHING}


@router.get("/trending", response_model=Trending, dependencies=_READ, summary="The trending tokens")
async def trending(services: InServices, window: Window = Window.H1, limit: Page = 50) -> dict[str, Any]:
    """The ranking of the last 5 minutes, 1, 6 or 24 hours, as the indicators worker last made it."""
    found = await services.database.read(lambda connection: ranking.trending(connection, limit, window))
    return {"tokens": found[window]}


@router.get("/{address}", response_model=Token, dependencies=_READ, summary="One token")
async def token(address: str, services: InServices) -> dict[str, Any]:
    """The token whatever its stage."""
    return await _token(services, address)


@router.get("/{address}/quote", response_model=Quote, dependencies=_READ, summary="What an order would do now")
async def quote(
    address: str,
    services: InServices,
    visitor: Visitor,
    side: Side,
    amount: str,
    slippage_bps: int = _DEFAULT_SLIPPAGE_BPS,
) -> dict[str, Any]:
    """A price without effect, by the function that fills. Signed in, rent and `max` are the account's own."""
    _address(address)
    made = await quotes.quote(services, address, side, amount, slippage_bps, visitor)
    return made.json()


@router.get("/{address}/candles", response_model=Candles, dependencies=_READ, summary="Candles")
async def candles(
    request: Request,
    address: str,
    services: InServices,
    interval: Interval = Interval.M1,
    limit: Annotated[int, Query(ge=1, le=MAX_CANDLES)] = 300,
    before_ms: Annotated[int | None, Query(ge=0, le=MAX_AMOUNT)] = None,
) -> Response:
    """The newest candles that begin before that moment, oldest first. A page that can never change says so."""
    found = await _token(services, address)
    page = await services.candles.page(found, interval, limit, before_ms)
    headers = {"etag": page.tag, "cache-control": _FOR_EVER if page.closed else "no-cache"}
    if page.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(page.body, media_type="application/json", headers=headers)


@router.get("/{address}/trades", response_model=Trades, dependencies=_READ, summary="Trades")
async def trades(
    address: str,
    services: InServices,
    limit: Page = 50,
    before_seq: Annotated[int | None, Query(ge=0, le=MAX_AMOUNT)] = None,
) -> dict[str, Any]:
    """The newest trades before that `seq`."""
    await _token(services, address)
    read = partial(market.trades, address=address, limit=limit, before_seq=before_seq)
    page = await services.database.read(read)
    more = len(page) == limit and page[-1]["seq"] > 1
    return {"trades": page, "next_before_seq": page[-1]["seq"] if more else None}


@router.get("/{address}/holders", response_model=Holders, dependencies=_READ, summary="The largest holders")
async def holders(address: str, services: InServices, limit: Page = 50) -> dict[str, Any]:
    """Accounts by how much of the token they hold; vaults are none."""
    await _token(services, address)
    read = partial(account_rows.holders_json, token=address, limit=limit)
    return {"holders": await services.database.read(read)}


@router.get("/{address}/metadata.json", response_model=Metadata, summary="What the mint points to")
async def metadata(address: str, services: InServices) -> dict[str, Any]:
    """The off-chain metadata of the mint, as wallets and explorers read it."""
    found = await _token(services, address)
    image = found["image"]
    return {
        "name": found["name"],
        "symbol": found["symbol"],
        "description": found["description"] or "",
        "image": None if image is None else f"{services.settings.public_url.rstrip('/')}{image}",
    }


async def _token(services: Services, address: str) -> dict[str, Any]:
    _address(address)
    found = await services.tokens.token(address)
    if found is None:
        raise UnknownToken("There is no token at this address.")
    return found


@router.post(
    "/{address}/claim",
    status_code=202,
    response_model=Claimed,
    dependencies=[Depends(own_origin), Depends(PerAccount(CLAIMS))],
    summary="Claim the creator's fees",
)
async def claim(address: str, services: InServices, account: Trader) -> dict[str, Any]:
    """Everything the token's trades have earned its creator: in their balance at once, on its way on the chain."""
    _address(address)
    made = await claims.claim(services, account, address)
    return {"token": made.token, "lamports": str(made.lamports), "settlement_id": made.settlement_id}


def _address(address: str) -> None:
    if not is_address(address):
        raise UnknownToken("There is no token at this address.")
