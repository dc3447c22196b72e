"""The signer as the other processes see it: its HTTP service, over a Unix socket, this machine's network or TLS."""

import base64
import binascii
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import aiohttp
import orjson

from engine.errors import Refusal, Unavailable
from engine.identifiers import Address, is_address
from engine.ports import Signed, SigningRequest
from engine.settlement.signer import NotPending
from engine.settlement.signing import SignerRefused

TIMEOUT_S: Final = 25.0
CONNECT_S: Final = 3.0
REQUESTS_AT_ONCE: Final = 100


class SignerUnavailable(Unavailable):
    """The signer is out of reach, busy, or its keys are. Users hear a plain sentence, the log the `reason`."""

    code: ClassVar[str] = "signer_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__("Keys cannot be used for now; nothing was changed.")
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.detail} ({self.reason})"


class HttpSigner:
    """`Signer` over the service of `engine.settlement.signer_server`. One instance belongs to one event loop."""

    def __init__(self, url: str, token: str, ca_file: str = "") -> None:
        """Nothing is connected yet; `ca_file` is the one authority that is believed for an https address."""
        self._socket = urlsplit(url).path if url.startswith("unix:") else ""
        self._base = "http://signer" if self._socket else url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None
        self._fee_payer: Address | None = None

    async def fee_payer(self) -> Address:
        """The platform's address that pays the network; asked once."""
        if self._fee_payer is None:
            self._fee_payer = _address(await self._ask("GET", "/v1/fee-payer"))
        return self._fee_payer

    async def create_key(self, name: str) -> Address:
        """Make the key of that name if it does not exist yet and return its address."""
        return _address(await self._ask("POST", "/v1/keys", {"name": name}))

    async def sign(self, wanted: Sequence[SigningRequest]) -> list[Signed | Refusal]:
        """Each request's transaction, or why it is not signed, in the order asked."""
        answers: list[Signed | Refusal] = []
        for start in range(0, len(wanted), REQUESTS_AT_ONCE):
            part = wanted[start : start + REQUESTS_AT_ONCE]
            requests = [
                {"settlement_id": each.settlement_id, "message": base64.b64encode(each.message).decode()}
                for each in part
            ]
            told = (await self._ask("POST", "/v1/sign", {"requests": requests})).get("answers")
            if not isinstance(told, list) or len(told) != len(part):
                raise SignerUnavailable("its answer is none")
            answers += map(_answer, told)
        return answers

    async def check(self) -> None:
        """Raises `SignerUnavailable` when nothing could be signed now."""
        await self._ask("GET", "/ready")

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else orjson.dumps(body)
        try:
            async with self._opened().request(method, self._base + path, data=data) as answer:
                told = orjson.loads(await answer.read())
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError) as error:
            raise SignerUnavailable(f"{type(error).__name__}: {error}") from error
        if not isinstance(told, dict):
            raise SignerUnavailable("its answer is none")
        if status == 200:
            return told
        code, detail = str(told.get("code")), str(told.get("detail"))
        if status in (403, 422) and code.startswith("signer_"):
            raise SignerRefused(detail)
        raise SignerUnavailable(f"{status} {code}: {detail}")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector: aiohttp.BaseConnector
            if self._socket:
                connector = aiohttp.UnixConnector(self._socket)
            else:
                trusted = ssl.create_default_context(cafile=self._ca_file or None)
                connector = aiohttp.TCPConnector(ssl=trusted)
            timeout = aiohttp.ClientTimeout(TIMEOUT_S, connect=CONNECT_S)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, headers=self._headers)
        return self._session


def _address(told: Mapping[str, Any]) -> Address:
    address = told.get("address")
    if not is_address(address):
        raise SignerUnavailable("its answer is no address")
    return Address(str(address))


def _answer(told: Any) -> Signed | Refusal:
    if not isinstance(told, dict):
        return SignerUnavailable("its answer is none")
    if "code" in told:
        code, detail = told["code"], str(told.get("detail"))
        if told.get("again"):
            return SignerUnavailable(f"{code}: {detail}")
        return NotPending(detail) if code == NotPending.code else SignerRefused(detail)
    try:
        return Signed(str(told["signature"]), base64.b64decode(told["transaction"], validate=True))
    except (KeyError, TypeError, ValueError, binascii.Error):
        return SignerUnavailable("its answer is none")
