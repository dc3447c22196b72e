"""One WebSocket on which a node tells which signatures reached `confirmed`: fast, and never relied on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from solana.rpc.commitment import Confirmed
from solana.rpc.jsonrpc import SolanaJsonRpcError
from solana.rpc.websocket_api import SolanaWsClient
from solders.rpc.responses import SignatureNotification
from solders.signature import Signature
from websockets.exceptions import WebSocketException

BROKEN: Final = (OSError, WebSocketException, SolanaJsonRpcError, RuntimeError)
"""What solana-py raises when the connection or its server is at fault; RuntimeError is its "not connected"."""


class ConfirmationSocket:
    """Subscriptions of one connection; they die with it, and the next `confirmations()` starts with none."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: SolanaWsClient | None = None
        self._signatures: dict[int, str] = {}

    async def confirmations(self) -> AsyncIterator[str]:
        """Connect and yield watched signatures as they are confirmed; ends when the connection does.

        The first item is an empty string: the socket stands and nothing is watched on it yet.
        """
        client = SolanaWsClient(self._url)
        try:
            async with client:
                self._client, self._signatures = client, {}
                yield ""
                while True:
                    notification = await client.recv()
                    if isinstance(notification, SignatureNotification):
                        signature = self._signatures.pop(notification.subscription, None)
                        if signature is not None:
                            yield signature
        except BROKEN:
            return
        finally:
            if self._client is client:
                self._client = None

    async def watch(self, signatures: Sequence[str]) -> None:
        """Subscribe to these signatures; a broken socket is the reader's business, so nothing is raised here."""
        client = self._client
        if client is not None:
            await asyncio.gather(*(self._subscribe(client, signature) for signature in signatures))

    async def _subscribe(self, client: SolanaWsClient, signature: str) -> None:
        try:
            handle = await client.signature_subscribe(signature=Signature.from_string(signature), commitment=Confirmed)
        except BROKEN:
            return
        self._signatures[handle.subscription_id] = signature

    async def close(self) -> None:
        """Close the connection, which ends `confirmations`."""
        if self._client is not None:
            await self._client.close()
