"""A bot's view of the market socket, through reconnections: every trade of a token, or what happens to an account.

`python docs/market_client.py TOKEN` prints the token's trades, none missed and none twice.
`BLITZ_API_KEY=bh_… python docs/market_client.py account` prints an account's balance and orders as they change.

Both take a further `ws://localhost:8600/ws/market`, need the package `websockets` and nothing of this project. The
messages are described in docs/asyncapi.yaml.
"""

import asyncio
import json
import os
import random
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

URL = "ws://localhost:8600/ws/market"
SILENCE_S = 15.0  # the server says something every five seconds; this long without a word, and the line is dead
PING_EVERY_S = 20.0  # who never says anything is closed after three minutes
LONGEST_PAUSE_S = 20.0
NEW_TICKET = ("ticket_needed", "invalid_ticket")

Frame = dict[str, Any]
GetTicket = Callable[[], Awaitable[str]]


async def trades(url: str, token: str) -> AsyncIterator[dict[str, Any]]:
    """Every trade of the token, oldest first, from the newest fifty on; never ends."""
    seen = 0
    async for frame in frames(url, {"type": "trades", "token": token}):
        for trade in reversed(frame["data"]["trades"]):
            if trade["seq"] > seen:
                seen = trade["seq"]
                yield trade


async def account(url: str, api_key: str) -> AsyncIterator[Frame]:
    """The account's frames: a snapshot (`from_seq` 0), then what changed; never ends."""

    async def get_ticket() -> str:
        return await asyncio.to_thread(ticket, url, api_key)

    async for frame in frames(url, {"type": "account"}, get_ticket):
        yield frame


async def frames(url: str, subscription: dict[str, str], get_ticket: GetTicket | None = None) -> AsyncIterator[Frame]:
    """A channel's frames, each of which continues the one before it or is a snapshot; never ends."""
    seq: int | None = None
    failures = 0
    while True:
        pause_s = min(LONGEST_PAUSE_S, 0.5 * 2**failures) * random.uniform(0.5, 1)
        failures += 1
        try:
            async with connect(url) as socket:
                pinging = asyncio.create_task(ping(socket))
                try:
                    await subscribe(socket, subscription, seq, get_ticket)
                    while True:
                        frame = json.loads(await asyncio.wait_for(socket.recv(), SILENCE_S))
                        failures = 0
                        if frame["channel"] == "error":
                            if frame["data"]["code"] not in NEW_TICKET:
                                raise SystemExit(frame["data"]["detail"])
                            await asyncio.sleep(1)  # somebody signed out of the account
                            await subscribe(socket, subscription, seq, get_ticket)
                        if frame["channel"] == "reconnect":
                            pause_s = frame["data"]["after_ms"] / 1000
                            break
                        if seq is not None and is_behind(frame, seq):
                            await subscribe(socket, subscription, seq)  # ask for all that came after the last one
                        elif "seq" in frame:
                            yield frame
                            seq = frame["seq"]
                finally:
                    pinging.cancel()
        except (OSError, WebSocketException, TimeoutError) as error:
            print(f"reconnecting in {pause_s:.1f} s: {error!r}", file=sys.stderr)
        await asyncio.sleep(pause_s)


def is_behind(frame: Frame, seq: int) -> bool:
    """Whether something that came after this `seq` is missing."""
    if frame["channel"] == "pong":
        return any(said > seq for said in frame["data"]["seqs"].values())
    return bool(frame.get("from_seq")) and (frame["from_seq"] > seq + 1 or bool(frame["data"].get("omitted")))


async def subscribe(
    socket: ClientConnection, subscription: dict[str, str], seq: int | None, get_ticket: GetTicket | None = None
) -> None:
    """Ask for the channel, after the last `seq` known if there is one, with a ticket where it takes one."""
    message: dict[str, Any] = {"method": "subscribe", "subscription": subscription}
    if seq is not None:
        message["after_seq"] = seq
    if get_ticket is not None:
        message["ticket"] = await get_ticket()
    await socket.send(json.dumps(message))


def ticket(url: str, api_key: str) -> str:
    """A ticket for the key's account, good once and for half a minute."""
    site = url.replace("ws", "http", 1).partition("/ws/")[0]
    headers = {"Authorization": f"Bearer {api_key}"}
    request = urllib.request.Request(f"{site}/api/me/socket-ticket", b"", headers)
    try:
        with urllib.request.urlopen(request, timeout=SILENCE_S) as answer:
            return str(json.load(answer)["ticket"])
    except urllib.error.HTTPError as refusal:
        if refusal.code in (429, 503):  # later, then
            raise
        raise SystemExit(json.load(refusal)["detail"]) from refusal


async def ping(socket: ClientConnection) -> None:
    """Say now and then that somebody is here."""
    while True:
        await asyncio.sleep(PING_EVERY_S)
        await socket.send(json.dumps({"method": "ping"}))


async def print_trades(url: str, token: str) -> None:
    """Print until interrupted."""
    async for trade in trades(url, token):
        sol, tokens = int(trade["lamports"]) / 1e9, int(trade["tokens"]) / 1e6
        print(f"{trade['seq']:>8} {trade['side']:<4} {tokens:>18,.6f} tokens {sol:>14,.9f} SOL", flush=True)


async def print_account(url: str, api_key: str) -> None:
    """Print until interrupted."""
    async for frame in account(url, api_key):
        print(f"{frame['seq']:>8} {int(frame['data']['lamports']) / 1e9:>16,.9f} SOL", flush=True)
        for order in reversed(frame["data"].get("orders", [])):
            print(f"{'':>8} {order['side']:<4} {order['state']:<9} {order['client_order_id']}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    where = sys.argv[2] if len(sys.argv) > 2 else URL
    if sys.argv[1] == "account":
        asyncio.run(print_account(where, os.environ["BLITZ_API_KEY"]))
    else:
        asyncio.run(print_trades(where, sys.argv[1]))
