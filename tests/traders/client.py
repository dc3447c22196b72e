"""A trader's client of the HTTP API: signs in with a key of its own and trades like anybody else.

Also what the tests and the crash drills use, so that they go through the front door.
"""

import base64
import uuid
from http.cookies import SimpleCookie
from typing import Any

import httpx
from solders.keypair import Keypair


class Refused(Exception):
    """The API said no; `code` is the problem's stable code, `retry_after_s` what it asked to wait."""

    def __init__(self, response: httpx.Response) -> None:
        problem = response.json() if "json" in response.headers.get("content-type", "") else {}
        self.status = response.status_code
        self.code = str(problem.get("code", "unreadable"))
        self.retry_after_s = float(response.headers.get("retry-after", 1))
        self.headers = response.headers
        super().__init__(f"{self.status} {self.code}: {problem.get('detail', response.text[:200])}")


class TraderClient:
    """One account's view of the API. Amounts are integers here and decimal strings on the wire."""

    def __init__(
        self, url: str, keypair: Keypair | None = None, *, simulated: bool = False, continent: str | None = None
    ) -> None:
        """`continent`: where a proxy shall take the trader to be, as Cloudflare would say it."""
        self.keypair = keypair or Keypair()
        self.account_id = str(self.keypair.pubkey())
        self._simulated = simulated
        # Kept by hand: Python's cookie jar gives no Secure cookie back over http, which browsers do on this machine.
        self._cookies: dict[str, str] = {}
        headers = {"Origin": url} | ({"CF-IPContinent": continent} if continent else {})
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=30)

    def seen_from(self, continent: str) -> "TraderClient":
        """The same account in the same session, which a proxy takes to be on that continent."""
        other = TraderClient(str(self._http.base_url).rstrip("/"), self.keypair, continent=continent)
        other._cookies = self._cookies
        return other

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def get(self, path: str, **query: str | int) -> Any:
        """The JSON of a GET.

        Raises:
            Refused: any answer but 2xx.
            httpx.TransportError: no answer.
        """
        return await self._send("GET", path, params=query)

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON of a POST; raises like `get`."""
        return await self._send("POST", path, json=body)

    async def sign_in(self) -> None:
        """Sign in with Solana: ask for the message, sign it, keep the cookie."""
        asked = await self.post("/auth/nonce", {"address": self.account_id})
        message: str = asked["message"]
        body = {
            "nonce": asked["input"]["nonce"],
            "address": self.account_id,
            "message": message,
            "signature": base64.b64encode(bytes(self.keypair.sign_message(message.encode()))).decode(),
            "simulated": self._simulated,
        }
        await self.post("/auth/verify", body)

    async def faucet(self) -> str:
        """Ask the local chain's faucet for SOL; returns the airdrop's signature."""
        return str((await self.post("/faucet", {}))["signature"])

    async def free_lamports(self) -> int:
        """The SOL that can be used now."""
        return int((await self.get("/me/balances"))["free_lamports"])

    async def holdings(self) -> dict[str, int]:
        """Base units held, by token, empty ones left out."""
        tokens = (await self.get("/me/balances"))["tokens"]
        return {held["token"]: int(held["amount"]) for held in tokens if held["amount"] != "0"}

    async def upload(self, picture: bytes) -> str:
        """Store a picture; returns its hash."""
        stored = await self._send("POST", "/images", content=picture, headers={"content-type": "image/png"})
        return str(stored["image"])

    async def launch(
        self, name: str, symbol: str, *, first_buy_lamports: int = 0, image: str | None = None, description: str = ""
    ) -> str:
        """Launch a token; returns its address. It trades once the chain has confirmed it."""
        body: dict[str, Any] = {"client_id": str(uuid.uuid4()), "name": name, "symbol": symbol}
        if first_buy_lamports:
            body |= {"first_buy_lamports": str(first_buy_lamports), "first_buy_min_tokens_out": "1"}
        body |= {"image": image} if image else {}
        body |= {"description": description} if description else {}
        return str((await self.post("/tokens", body))["token"])

    async def quote(self, token: str, side: str, amount: int, slippage_bps: int = 100) -> dict[str, Any]:
        """What the order would do now; `minimum` is the bound to send with it."""
        query = {"side": side, "amount": str(amount), "slippage_bps": slippage_bps}
        found: dict[str, Any] = await self.get(f"/tokens/{token}/quote", **query)
        return found

    async def buy(
        self, token: str, lamports: int, min_tokens_out: int = 1, client_order_id: str | None = None
    ) -> dict[str, Any]:
        """Queue a buy."""
        order = {"token": token, "lamports": str(lamports), "min_tokens_out": str(min_tokens_out)}
        return await self._order("/buy", order, client_order_id)

    async def sell(
        self, token: str, tokens: int, min_lamports_out: int = 1, client_order_id: str | None = None
    ) -> dict[str, Any]:
        """Queue a sell."""
        order = {"token": token, "tokens": str(tokens), "min_lamports_out": str(min_lamports_out)}
        return await self._order("/sell", order, client_order_id)

    async def order(self, client_order_id: str) -> dict[str, Any]:
        """Where an order stands."""
        found: dict[str, Any] = await self.get(f"/orders/{client_order_id}")
        return found

    async def _order(self, path: str, order: dict[str, str], client_order_id: str | None) -> dict[str, Any]:
        body = {"client_order_id": client_order_id or str(uuid.uuid4()), **order}
        answer: dict[str, Any] = await self.post(path, body)
        return answer

    @property
    def cookie(self) -> str:
        """The Cookie header that makes a request this account's."""
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    async def _send(self, method: str, path: str, **request: Any) -> Any:
        headers = {"Cookie": self.cookie, **request.pop("headers", {})}
        response = await self._http.request(method, f"/api{path}", headers=headers, **request)
        for line in response.headers.get_list("set-cookie"):
            self._cookies.update((name, morsel.value) for name, morsel in SimpleCookie(line).items())
        if not response.is_success:
            raise Refused(response)
        return response.json() if response.content else None
