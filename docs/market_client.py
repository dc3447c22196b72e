"""A bot's view of the market socket: prints every trade of a token, none missed and none twice, through reconnections.

`python docs/market_client.py TOKEN [ws://localhost:8600/ws/market]`; needs the package `websockets` and nothing of this
project. The messages are described in docs/asyncapi.yaml.
"""

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

URL = "ws://localhost:8600/ws/market"
SILENCE_S = 15.0  # the server says something every five seconds; this long without a word, and the line is dead
PING_EVERY_S = 60.0  # who never says anything is closed after three minutes
LONGEST_PAUSE_S = 20.0


async def trades(url: str, token: str) -> AsyncIterator[dict[str, Any]]:
    """Every trade of the token, oldest first, from the newest fifty on; never ends."""
    seq: int | None = None
    failures = 0
    while True:
        pause_s = min(LONGEST_PAUSE_S, 0.5 * 2**failures) * random.uniform(0.5, 1)
        failures += 1
        try:
            async with connect(url) as socket:
                pinging = asyncio.create_task(ping(socket))
                try:
                    await subscribe(socket, token, seq)
                    while True:
                        frame = json.loads(await asyncio.wait_for(socket.recv(), SILENCE_S))
                        failures = 0
                        if frame["channel"] == "error":
                            raise SystemExit(frame["data"]["detail"])
                        if frame["channel"] == "reconnect":
                            pause_s = frame["data"]["after_ms"] / 1000
                            break
                        if frame["channel"] != f"trades:{token}":
                            continue
                        gap = frame["from_seq"] and seq is not None and frame["from_seq"] > seq + 1
                        if gap or frame["data"].get("omitted"):
                            await subscribe(socket, token, seq)  # ask for all that came after the last one
                            continue
                        for trade in reversed(frame["data"]["trades"]):
                            if seq is None or trade["seq"] > seq:
                                yield trade
                        seq = max(frame["seq"], seq or 0)
                finally:
                    pinging.cancel()
        except (OSError, WebSocketException, TimeoutError) as error:
            print(f"reconnecting in {pause_s:.1f} s: {error!r}", file=sys.stderr)
        await asyncio.sleep(pause_s)


async def subscribe(socket: ClientConnection, token: str, seq: int | None) -> None:
    """Ask for the tape, after the last trade known if there is one."""
    message: dict[str, Any] = {"method": "subscribe", "subscription": {"type": "trades", "token": token}}
    if seq is not None:
        message["after_seq"] = seq
    await socket.send(json.dumps(message))


async def ping(socket: ClientConnection) -> None:
    """Say now and then that somebody is here."""
    while True:
        await asyncio.sleep(PING_EVERY_S)
        await socket.send(json.dumps({"method": "ping"}))


async def main(token: str, url: str = URL) -> None:
    """Print until interrupted."""
    async for trade in trades(url, token):
        sol, tokens = int(trade["lamports"]) / 1e9, int(trade["tokens"]) / 1e6
        print(f"{trade['seq']:>8} {trade['side']:<4} {tokens:>18,.6f} tokens {sol:>14,.9f} SOL", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    asyncio.run(main(*sys.argv[1:3]))
