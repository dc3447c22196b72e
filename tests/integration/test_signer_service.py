"""The signer's door: who may ask what, what comes back when it cannot answer, and that it never waits for ever."""

import asyncio
import datetime
import ipaddress
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from engine.adapters import signer_http
from engine.adapters.signer_http import HttpSigner, SignerUnavailable
from engine.errors import Refusal, Unavailable
from engine.identifiers import Address
from engine.ports import Signed, SigningRequest
from engine.settlement import signer_server
from engine.settlement.signer import NotPending
from engine.settlement.signer_server import Secrets, application
from engine.settlement.signing import SignerRefused
from tests.app import free_port
from tests.signing import SECRETS, SETTLE_SECRET, WEB_SECRET, serving

ADDRESS = Address("1" * 32)
REQUEST = SigningRequest("0f" * 16, b"\x80message")
SIGNED = Signed("5" * 88, b"\x01\x02")


class StillSigner:
    """A signer that answers what a test tells it, when a test lets it."""

    def __init__(self) -> None:
        self.answers: Callable[[SigningRequest], Signed | Refusal] = lambda _: SIGNED
        self.free = asyncio.Event()
        self.free.set()
        self.failure: Exception | None = None
        self.batches: list[int] = []

    async def fee_payer(self) -> Address:
        return ADDRESS

    async def create_key(self, name: str) -> Address:
        if self.failure is not None:
            raise self.failure
        return ADDRESS

    async def sign(self, wanted: Sequence[SigningRequest]) -> list[Signed | Refusal]:
        self.batches.append(len(wanted))
        await self.free.wait()
        if self.failure is not None:
            raise self.failure
        return [self.answers(each) for each in wanted]

    async def check(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def behind() -> StillSigner:
    return StillSigner()


@pytest.fixture
async def url(behind: StillSigner, tmp_path: Path) -> AsyncIterator[str]:
    async with serving(behind, tmp_path / "signer.sock") as address:
        yield address


@pytest.fixture
async def web_caller(url: str) -> AsyncIterator[HttpSigner]:
    caller = HttpSigner(url, WEB_SECRET)
    yield caller
    await caller.close()


@pytest.fixture
async def settle(url: str) -> AsyncIterator[HttpSigner]:
    caller = HttpSigner(url, SETTLE_SECRET)
    yield caller
    await caller.close()


async def test_the_web_may_have_keys_made_and_nothing_signed(web_caller: HttpSigner, behind: StillSigner) -> None:
    assert await web_caller.create_key("wallet/x") == ADDRESS
    assert await web_caller.fee_payer() == ADDRESS
    with pytest.raises(SignerUnavailable, match="403 forbidden"):
        await web_caller.sign([REQUEST])
    assert behind.batches == []


async def test_the_settlement_worker_may_have_settlements_signed_and_no_keys_made(settle: HttpSigner) -> None:
    assert await settle.sign([REQUEST]) == [SIGNED]
    assert await settle.fee_payer() == ADDRESS
    with pytest.raises(SignerUnavailable, match="403 forbidden"):
        await settle.create_key("wallet/x")


@pytest.mark.parametrize("secret", ["", "canary-of-a-stranger", WEB_SECRET[:-1], WEB_SECRET + "x", "é" * 40])
async def test_a_stranger_gets_nothing_and_is_told_about_without_his_secret(
    url: str, behind: StillSigner, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = HttpSigner(url, secret)
    for asked in (stranger.fee_payer, lambda: stranger.create_key("wallet/x"), lambda: stranger.sign([REQUEST])):
        with pytest.raises(SignerUnavailable, match="401 unauthorized"):
            await asked()
    assert behind.batches == []
    assert caplog.text.count("alert=signer_refused code=unauthorized") == 3
    assert not secret or secret not in caplog.text
    await stranger.close()


async def test_a_batch_of_any_size_keeps_its_order(settle: HttpSigner, behind: StillSigner) -> None:
    behind.answers = lambda each: Signed(each.settlement_id, each.message)
    wanted = [SigningRequest(f"{number:032x}", b"%d" % number) for number in range(250)]
    assert await settle.sign(wanted) == [Signed(each.settlement_id, each.message) for each in wanted]
    assert behind.batches == [100, 100, 50]


async def test_refusals_arrive_as_what_they_are(settle: HttpSigner, behind: StillSigner) -> None:
    told: dict[str, Refusal] = {"a": SignerRefused("no"), "b": NotPending("over"), "c": Unavailable("later")}
    behind.answers = lambda each: told[each.settlement_id]
    answers = await settle.sign([SigningRequest(name, b"m") for name in told])
    assert [type(answer) for answer in answers] == [SignerRefused, NotPending, SignerUnavailable]
    assert [answer.detail for answer in answers[:2] if isinstance(answer, Refusal)] == ["no", "over"]


async def test_a_refused_key_name_arrives_as_a_refusal(web_caller: HttpSigner, behind: StillSigner) -> None:
    behind.failure = SignerRefused("no key of that name")
    with pytest.raises(SignerRefused):
        await web_caller.create_key("x")


@pytest.mark.parametrize("failure", [Unavailable("the keys are away"), RuntimeError("a bug")])
async def test_what_fails_behind_the_door_may_be_asked_again(
    settle: HttpSigner, behind: StillSigner, failure: Exception
) -> None:
    behind.failure = failure
    with pytest.raises(SignerUnavailable):
        await settle.sign([REQUEST])
    with pytest.raises(SignerUnavailable):
        await settle.check()
    behind.failure = None
    assert await settle.sign([REQUEST]) == [SIGNED]
    await settle.check()


async def test_who_comes_when_too_many_wait_is_turned_away_at_once(settle: HttpSigner, behind: StillSigner) -> None:
    behind.free.clear()
    most, too_many = signer_server.BATCHES_AT_ONCE + signer_server.BATCHES_WAITING, 3
    asked = {asyncio.create_task(settle.sign([REQUEST])) for _ in range(most + too_many)}
    refused: set[asyncio.Task[Any]] = set()
    started_s = time.monotonic()
    async with asyncio.timeout(5):
        while len(refused) < too_many:
            done, _ = await asyncio.wait(asked - refused, return_when=asyncio.FIRST_COMPLETED)
            refused |= done
    assert time.monotonic() - started_s < 1.0
    for each in refused:
        with pytest.raises(SignerUnavailable, match="signer_busy"):
            each.result()
    assert len(behind.batches) == signer_server.BATCHES_AT_ONCE
    behind.free.set()
    assert await asyncio.gather(*(asked - refused)) == [[SIGNED]] * most


async def test_a_signer_that_hangs_is_given_up_on_both_sides(
    settle: HttpSigner, behind: StillSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind.free.clear()
    monkeypatch.setattr(signer_server, "ANSWER_LIMIT_S", 0.2)
    with pytest.raises(SignerUnavailable, match="too long"):
        await settle.sign([REQUEST])


async def test_a_signer_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    for address in (f"unix:{tmp_path}/nobody.sock", f"http://127.0.0.1:{free_port()}"):
        gone = HttpSigner(address, SETTLE_SECRET)
        with pytest.raises(SignerUnavailable):
            await gone.sign([REQUEST])
        await gone.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"requests":[]}',
        b'{"requests":{}}',
        b'{"requests":[1]}',
        b'{"requests":[{"settlement_id":"a"}]}',
        b'{"requests":[{"settlement_id":"a","message":"!"}]}',
        b'{"requests":[{"settlement_id":7,"message":""}]}',
        b'{"requests":[{"settlement_id":"%s","message":""}]}' % (b"a" * 41),
        b'{"requests":[' + b",".join([b'{"settlement_id":"a","message":""}'] * 101) + b"]}",
    ],
)
async def test_a_body_that_is_none_is_refused(url: str, behind: StillSigner, body: bytes) -> None:
    connector = aiohttp.UnixConnector(url.removeprefix("unix:"))
    async with aiohttp.ClientSession(connector=connector) as session:
        headers = {"Authorization": f"Bearer {SETTLE_SECRET}"}
        async with session.post("http://signer/v1/sign", data=body, headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, "bad_request")
    assert behind.batches == []


async def test_a_body_beyond_the_limit_is_refused(url: str) -> None:
    connector = aiohttp.UnixConnector(url.removeprefix("unix:"))
    async with aiohttp.ClientSession(connector=connector) as session:
        headers = {"Authorization": f"Bearer {SETTLE_SECRET}"}
        async with session.post("http://signer/v1/sign", data=b"x" * 500_000, headers=headers) as answer:
            assert answer.status == 413


@pytest.mark.parametrize(
    ("web_secret", "settle_secret", "problem"),
    [("a" * 32, "b" * 32, None), ("a" * 31, "b" * 32, "32"), ("a" * 32, "", "32"), ("a" * 32, "a" * 32, "differ")],
)
def test_secrets_are_long_and_differ(web_secret: str, settle_secret: str, problem: str | None) -> None:
    found = Secrets(web_secret, settle_secret).problem()
    assert found is None if problem is None else found is not None and problem in found


def certificate(directory: Path) -> Path:
    """A certificate of this machine's address with its key, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = directory / "signer.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


async def test_over_tls_only_a_signer_with_the_right_certificate_is_told_the_secret(
    behind: StillSigner, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "asyncio")
    path, port = certificate(tmp_path), free_port()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    runner = web.AppRunner(application(behind, SECRETS))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    known = HttpSigner(f"https://127.0.0.1:{port}", SETTLE_SECRET, str(path))
    unknown = HttpSigner(f"https://127.0.0.1:{port}", SETTLE_SECRET)
    try:
        assert await known.sign([REQUEST]) == [SIGNED]
        with pytest.raises(SignerUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await unknown.sign([REQUEST])
        assert behind.batches == [1]
    finally:
        await known.close()
        await unknown.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, {"answers": []}, {"answers": [None]}, {"answers": [{"signature": "s", "transaction": "!"}]}],
)
async def test_an_answer_that_is_none_is_no_transaction(tmp_path: Path, answer: Any) -> None:
    async def told(_: web.Request) -> web.Response:
        return web.json_response(answer)

    app = web.Application()
    app.add_routes([web.post("/v1/sign", told)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "liar.sock")).start()
    caller = HttpSigner(f"unix:{tmp_path}/liar.sock", SETTLE_SECRET)
    try:
        try:
            [found] = await caller.sign([REQUEST])
        except SignerUnavailable as error:
            found = error
        assert isinstance(found, SignerUnavailable)
    finally:
        await caller.close()
        await runner.cleanup()
    assert signer_http.TIMEOUT_S > signer_server.ANSWER_LIMIT_S
