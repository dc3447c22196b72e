"""Creator fees through the API: what has accrued, and how it becomes the creator's."""

from typing import Any

import pytest
from sqlalchemy import select

from engine.identifiers import SOL
from engine.persistence.trading import BALANCES, SETTLEMENTS, TOKENS, TRANSFERS
from engine.services import Services
from tests.integration.api.client import TOKEN, Browser, add_token, assert_problem, row_counts, set_balance

CLAIM = f"/api/tokens/{TOKEN}/claim"
FEES = 3_456_789


def rows(services: Services, table: Any) -> list[dict[str, Any]]:
    with services.database.snapshot() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


async def test_a_claim_brings_every_fee_into_the_creators_balance_once(trader: Browser, services: Services) -> None:
    add_token(services, creator=trader.address, creator_fees_lamports=FEES, platform_fees_lamports=7, seq=4)
    set_balance(services, trader.address, 1_000)
    own = {"token": TOKEN, "symbol": "VOLT", "name": "Voltage Cat", "stage": "curve"}
    waiting = (await trader.get("/api/me/creator-fees")).json()
    assert waiting == {"tokens": [own | {"claimable_lamports": str(FEES), "claimed_lamports": "0"}]}
    answer = await trader.post(CLAIM)
    assert (answer.status_code, answer.json()["lamports"]) == (202, str(FEES))
    assert_problem(await trader.post(CLAIM), 409, "too_little_to_claim")
    claimed = (await trader.get("/api/me/creator-fees")).json()
    assert claimed == {"tokens": [own | {"claimable_lamports": "0", "claimed_lamports": str(FEES)}]}

    [token], [sol] = rows(services, TOKENS), [row for row in rows(services, BALANCES) if row["asset"] == SOL]
    assert (token["creator_fees_lamports"], token["platform_fees_lamports"], token["seq"]) == (0, 7, 5)
    assert (sol["amount"], sol["account_seq"]) == (1_000 + FEES, 1)
    [transfer], [settlement] = rows(services, TRANSFERS), rows(services, SETTLEMENTS)
    assert (transfer["kind"], transfer["amount"], transfer["account_seq"]) == ("claim", FEES, 1)
    assert transfer["settlement_id"] == settlement["settlement_id"] == answer.json()["settlement_id"]
    legs = ("kind", "token", "seq", "account_seq", "lamports", "tokens", "vault", "state")
    assert [settlement[name] for name in legs] == ["claim", TOKEN, 5, 1, FEES, 0, token["vault"], "pending"]
    assert settlement["wallet"] != token["vault"]


async def test_what_accrues_is_public(visitor: Browser, services: Services) -> None:
    add_token(services, creator_fees_lamports=FEES)
    assert (await visitor.get(f"/api/tokens/{TOKEN}")).json()["creator_fees_lamports"] == str(FEES)


@pytest.mark.parametrize(
    ("fees", "status", "code"), [(0, 409, "too_little_to_claim"), (999_999, 409, "too_little_to_claim")]
)
async def test_too_little_is_not_claimed(
    trader: Browser, services: Services, fees: int, status: int, code: str
) -> None:
    add_token(services, creator=trader.address, creator_fees_lamports=fees)
    before = row_counts(services)
    assert_problem(await trader.post(CLAIM), status, code)
    assert row_counts(services) == before


async def test_nobody_else_claims_them(trader: Browser, visitor: Browser, services: Services) -> None:
    add_token(services, creator_fees_lamports=FEES)
    before = row_counts(services)
    assert_problem(await trader.post(CLAIM), 403, "not_the_creator")
    assert_problem(await visitor.post(CLAIM), 401, "not_signed_in")
    assert_problem(await trader.post("/api/tokens/nonsense/claim"), 404, "unknown_token")
    assert_problem(await trader.post(CLAIM, headers={"Origin": "https://evil.example"}), 403, "foreign_origin")
    assert row_counts(services) == before
