"""A browser with a wallet, and the database seen from outside: what API tests are written with."""

import base64
import uuid
from typing import Any

import base58
import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, insert, select, update
from sqlmodel import SQLModel
from starlette.applications import Starlette

from engine.identifiers import SOL
from engine.persistence.tables import BalanceRow, TokenRow
from engine.services import Services
from tests.market_data import token_values

ORIGIN = "https://localhost:8600"
TOKEN = "7RyBeyuCcTFuYaUkd1YwTSSHwVJDhTjrC4VvDqzs6ghp"


class Browser(httpx.AsyncClient):
    """An HTTP client with a cookie jar that says its origin, and the wallet of whoever sits before it."""

    def __init__(self, app: Starlette, wallet: Ed25519PrivateKey | None = None) -> None:
        transport = httpx.ASGITransport(app=app)
        super().__init__(transport=transport, base_url=ORIGIN, headers={"Origin": ORIGIN})
        self.wallet = wallet or Ed25519PrivateKey.generate()

    @property
    def address(self) -> str:
        return base58.b58encode(self.wallet.public_key().public_bytes_raw()).decode()

    def signed(self, text: str) -> str:
        return base64.b64encode(self.wallet.sign(text.encode())).decode()

    async def proof(self) -> dict[str, Any]:
        """The body of a correct `POST /api/auth/verify`, fresh."""
        asked = (await self.post("/api/auth/nonce", json={"address": self.address})).json()
        text = asked["message"]
        signature = self.signed(text)
        return {"nonce": asked["input"]["nonce"], "address": self.address, "message": text, "signature": signature}

    async def sign_in(self, **more: Any) -> httpx.Response:
        response = await self.post("/api/auth/verify", json={**(await self.proof()), **more})
        assert response.status_code == 200, response.text
        return response


def buy_body(**changes: Any) -> dict[str, Any]:
    """A buy of 1 SOL that the fresh default token fills; None leaves a field out."""
    body = {"client_order_id": str(uuid.uuid4()), "token": TOKEN, "lamports": "1000000000", "min_tokens_out": "1"}
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def sell_body(**changes: Any) -> dict[str, Any]:
    """A sell of one token; None leaves a field out."""
    body = {"client_order_id": str(uuid.uuid4()), "token": TOKEN, "tokens": "1000000", "min_lamports_out": "1"}
    return {name: value for name, value in {**body, **changes}.items() if value is not None}


def add_token(services: Services, **changes: Any) -> None:
    """A default token on its curve."""
    with services.database.transaction() as connection:
        connection.execute(insert(TokenRow), [token_values(1, **{"address": TOKEN, **changes})])


def set_balance(services: Services, account_id: str, amount: int, asset: str = SOL) -> None:
    """What an account has of an asset, as if it had come in before."""
    with services.database.transaction() as connection:
        mine = (BalanceRow.account_id == account_id, BalanceRow.asset == asset)
        changed = connection.execute(update(BalanceRow).where(*mine).values(amount=amount))
        if not changed.rowcount:
            row = {"account_id": account_id, "asset": asset, "amount": amount, "account_seq": 0}
            connection.execute(insert(BalanceRow), [row])


def row_counts(services: Services) -> dict[str, int]:
    """How many rows each table has: what a refused request leaves unchanged."""
    with services.database.snapshot() as connection:
        tables = SQLModel.metadata.tables.values()
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables
        }


def assert_problem(response: httpx.Response, status: int, code: str) -> None:
    """The answer is a problem document with that status and code."""
    assert (response.status_code, response.json().get("code")) == (status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
