"""`python -m tests.traders.sign_in [URL]`: sign a new account in, fund it, and print its Cookie header, for curl."""

import asyncio
import sys

from tests.traders.client import TraderClient


async def main(url: str) -> None:
    """Print the header once the account has SOL to trade with."""
    trader = TraderClient(url)
    await trader.sign_in()
    await trader.faucet()
    async with asyncio.timeout(30):
        while await trader.free_lamports() <= 0:  # noqa: ASYNC110  the deposit scan of another process changes it
            await asyncio.sleep(0.3)
    sys.stdout.write(f"Cookie: {trader.cookie}\n")
    await trader.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8600"))
