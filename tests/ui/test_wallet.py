"""The wallet page: what comes in by the faucet and is traded goes out to one's own wallet, and the chain agrees."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Page, expect
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from tests.app import App, running_app
from tests.localnet import Localnet, running_localnet
from tests.ui.conftest import PHONE
from tests.ui.trader import SLOW_MS, launch, part, sign_in, take_test_sol

LOCKED = 890_880
FEE = 10_000


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    with running_localnet(tmp_path_factory.mktemp("chain")) as node:
        yield node


@pytest.fixture(scope="module")
def app(chain: Localnet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    delay = {"BLITZ_WITHDRAWAL_DELAY_MS": "600000", "BLITZ_REAUTHENTICATION_MS": "4000"}
    with running_app(tmp_path_factory.mktemp("data"), chain, delay) as started:
        yield started


def lamports_on_chain(chain: Localnet, address: str) -> int:
    """Playwright's own loop owns this thread."""

    async def ask() -> int:
        async with AsyncClient(chain.rpc_url, commitment=Confirmed) as client:
            return int((await client.get_balance(Pubkey.from_string(address))).value)

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, ask()).result()


def expect_on_chain(chain: Localnet, address: str, lamports: int) -> None:
    """The ledger knows first; what it says stands on the chain once that is settled."""
    give_up_s = time.monotonic() + SLOW_MS / 1000
    while (found := lamports_on_chain(chain, address)) != lamports and time.monotonic() < give_up_s:
        time.sleep(0.1)
    assert found == lamports


def open_wallet(page: Page, app: App) -> None:
    page.goto(f"{app.url}/wallet")
    expect(part(page, "deposit-address")).to_be_visible(timeout=SLOW_MS)


def movement(page: Page, kind: str, state: str) -> str:
    """The signature of the one movement of that kind, once it stands there."""
    row = page.locator(f'[data-testid="movement"][data-kind="{kind}"][data-state="{state}"]')
    expect(row).to_have_count(1, timeout=SLOW_MS)
    return row.get_attribute("data-signature") or ""


@pytest.mark.browser
def test_what_was_deposited_and_traded_is_withdrawn_to_the_own_wallet(app: App, chain: Localnet, page: Page) -> None:
    account = sign_in(page, app.url)
    take_test_sol(page)
    launch(page, app.url, "OUT")
    open_wallet(page, app)
    wallet = part(page, "deposit-address").get_attribute("data-address") or ""
    assert movement(page, "deposit", "confirmed")
    free = int(part(page, "wallet-free").get_attribute("data-lamports") or 0)
    expect_on_chain(chain, wallet, free + LOCKED)

    part(page, "withdraw-max").click()
    expect(part(page, "withdraw-fee")).to_contain_text("0.000010000 SOL", timeout=SLOW_MS)
    part(page, "withdraw-submit").click()
    part(page, "withdraw-confirm").click()
    assert movement(page, "withdrawal", "confirmed")
    expect(part(page, "wallet-free")).to_have_attribute("data-lamports", "0", timeout=SLOW_MS)
    expect_on_chain(chain, account, free - FEE)
    expect_on_chain(chain, wallet, LOCKED)


@pytest.mark.browser
def test_a_new_address_takes_another_sign_in_waits_and_is_taken_back_on_a_phone(
    app: App, new_page: Callable[..., Page]
) -> None:
    page, friend = new_page(viewport=PHONE), str(Keypair().pubkey())
    page.goto(app.url)
    part(page, "sign-in").click()
    page.get_by_role("button", name="Demo wallet").click()
    part(page, "account").click(timeout=SLOW_MS)
    part(page, "menu-faucet").click()
    page.keyboard.press("Escape")
    open_wallet(page, app)
    expect(part(page, "wallet-sol")).to_have_attribute("data-lamports", "10000000000", timeout=SLOW_MS)
    part(page, "withdraw-elsewhere").click()
    part(page, "withdraw-address").fill(friend)
    part(page, "withdraw-amount").fill("1.5")
    expect(page.get_by_text("You have not sent to this address before.")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_text("Your wallet will ask you to sign in again.")).to_be_visible(timeout=SLOW_MS)
    part(page, "withdraw-submit").click()
    expect(part(page, "confirm-address")).to_have_text(" ".join(friend[at : at + 4] for at in range(0, len(friend), 4)))
    part(page, "withdraw-confirm").click()
    expect(part(page, "wallet-free")).to_have_attribute(
        "data-lamports", str(8_500_000_000 - LOCKED - FEE), timeout=SLOW_MS
    )
    part(page, "movement-cancel").click(timeout=SLOW_MS)
    movement(page, "withdrawal", "cancelled")
    expect(part(page, "wallet-sol")).to_have_attribute("data-lamports", "10000000000", timeout=SLOW_MS)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], "the page does not scroll sideways"


@pytest.mark.browser
def test_a_key_is_shown_once_works_for_a_bot_and_ends_when_revoked(app: App, page: Page) -> None:
    account = sign_in(page, app.url)
    page.goto(f"{app.url}/account")
    part(page, "key-name").fill("Bot")
    part(page, "key-make").click()
    secret = part(page, "key-secret").inner_text(timeout=SLOW_MS)
    assert asked_with(app, secret) == (200, account)
    part(page, "key-done").click()
    expect(page.get_by_text(secret)).to_have_count(0)
    part(page, "key-revoke").click()
    expect(page.locator('[data-testid="key-row"][data-revoked="true"]')).to_be_visible(timeout=SLOW_MS)
    assert asked_with(app, secret)[0] == 401
    part(page, "sign-out-everywhere").click()
    expect(part(page, "sign-in")).to_be_visible(timeout=SLOW_MS)


def asked_with(app: App, secret: str) -> tuple[int, str]:
    """Who the API takes a bot with that key for."""
    request = urllib.request.Request(f"{app.url}/api/me", headers={"Authorization": f"Bearer {secret}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)["account_id"]
    except urllib.error.HTTPError as error:
        return error.code, ""
