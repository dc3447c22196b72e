"""The signer's service in this process, and a caller that has both secrets."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from engine.errors import Refusal
from engine.identifiers import Address
from engine.ports import Signed, Signer, SigningRequest
from engine.settlement.signer_server import Secrets, application

WEB_SECRET: Final = "canary-secret-of-the-web-processes-1"
SETTLE_SECRET: Final = "canary-secret-of-the-settlement-worker-1"
SECRETS: Final = Secrets(WEB_SECRET, SETTLE_SECRET)


@dataclass
class Caller:
    """`Signer` that asks with the secret each question takes, as the web and the settlement worker do between them."""

    web: Signer
    settle: Signer

    async def fee_payer(self) -> Address:
        return await self.settle.fee_payer()

    async def create_key(self, name: str) -> Address:
        return await self.web.create_key(name)

    async def sign(self, wanted: Sequence[SigningRequest]) -> list[Signed | Refusal]:
        return await self.settle.sign(wanted)

    async def check(self) -> None:
        await self.web.check()

    async def close(self) -> None:
        await self.web.close()
        await self.settle.close()


@asynccontextmanager
async def serving(signer: Signer, socket: Path) -> AsyncIterator[str]:
    """The service over that signer while the block runs; its address."""
    runner = web.AppRunner(application(signer, SECRETS), shutdown_timeout=1.0)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    try:
        yield f"unix:{socket}"
    finally:
        await runner.cleanup()
