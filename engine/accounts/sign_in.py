"""Signing in: a challenge made here, signed by the visitor's wallet, accepted once."""

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import orjson

from engine.accounts import siws
from engine.accounts.accounts import Account, get_or_create
from engine.accounts.sessions import open_session, secret_hash
from engine.errors import Refusal
from engine.identifiers import AccountId, Address, is_address, new_secret
from engine.persistence import sessions as rows
from engine.services import Services
from engine.settings import Settings

STATEMENT: Final = "Sign in to BlitzHub. This costs nothing and moves nothing."
_NONCE_BYTES: Final = 16
_LOCAL_HOSTS: Final = ("localhost", "127.0.0.1")


class InvalidAddress(Refusal):
    """Not the base58 form of 32 bytes."""

    code = "invalid_address"
    status = 422


class WeakKey(Refusal):
    """A key anybody can sign for."""

    code = "weak_key"
    status = 422


class SignInRefused(Refusal):
    """A sign-in that proves nothing."""

    code = "sign_in_refused"
    status = 401


class UnknownNonce(SignInRefused):
    """Never given to this browser, or used already."""

    code = "unknown_nonce"


class SignInExpired(SignInRefused):
    """Signed too late."""

    code = "sign_in_expired"


class ForeignDomain(SignInRefused):
    """Signed for another site."""

    code = "foreign_domain"


class SignInMismatch(SignInRefused):
    """Not the text that was asked for."""

    code = "sign_in_mismatch"


class BadSignature(SignInRefused):
    """Not that address's signature."""

    code = "bad_signature"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the wallet has to sign. `presession` is the cookie value that binds it to one browser."""

    asked: siws.SignInInput
    message: str | None
    expires_at_ms: int
    presession: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What came back, as received: nothing in it is trusted."""

    nonce: str
    address: str
    message: str
    signature: str
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A finished sign-in and the new session's cookie."""

    account: Account
    cookie: str


def allowed_origins(settings: Settings) -> tuple[str, ...]:
    """The origins this site is reached under, the public one first; a local one answers to both of its names."""
    url = urlsplit(settings.public_url)
    own = urlunsplit((url.scheme, url.netloc, "", "", ""))
    if url.hostname not in _LOCAL_HOSTS:
        return (own,)
    port = f":{url.port}" if url.port else ""
    twins = [f"{url.scheme}://{host}{port}" for host in _LOCAL_HOSTS]
    return (own, *(twin for twin in twins if twin != own))


def chain_id(settings: Settings) -> str:
    """The wallet standard's name of the chain."""
    if settings.localnet:
        return "solana:localnet"
    host = urlsplit(settings.solana_rpc_url).hostname or ""
    named = [name for name in ("devnet", "testnet") if name in host]
    return f"solana:{named[0] if named else 'mainnet'}"


async def challenge(services: Services, origin: str | None, address: str | None, presession: str | None) -> Challenge:
    """Make a nonce for this browser and the text around it.

    `origin` chooses between the names of a local site; an unknown one gets the public name.

    Raises:
        InvalidAddress, WeakKey: the address given cannot sign in.
    """
    if address is not None:
        _checked(address)
    origins = allowed_origins(services.settings)
    uri = origin if origin in origins else origins[0]
    now_ms = services.clock.now_ms()
    expires_at_ms = now_ms + services.settings.nonce_ttl_ms
    asked = siws.SignInInput(
        domain=urlsplit(uri).netloc,
        address=address,
        statement=STATEMENT,
        uri=uri,
        version="1",
        chain_id=chain_id(services.settings),
        nonce=secrets.token_hex(_NONCE_BYTES),
        issued_at=_iso(now_ms),
        expiration_time=_iso(expires_at_ms),
    )
    presession = presession or new_secret()
    stored = orjson.dumps(asked.json()).decode()
    new = rows.NewNonce(asked.nonce, secret_hash(presession), stored, expires_at_ms)
    forget_before_ms = now_ms - services.settings.nonce_ttl_ms
    await services.database.write(partial(rows.add_nonce, new=new, forget_before_ms=forget_before_ms))
    text = None if address is None else siws.message(asked, address)
    return Challenge(asked, text, expires_at_ms, presession)


async def verify(services: Services, proof: Proof, presession: str | None, replaced: str | None) -> SignedIn:
    """Accept a signed challenge once; the nonce is used up whatever comes of it.

    `presession` and `replaced` are the browser's cookies: the one the challenge was bound to, and an earlier session.

    Raises:
        InvalidAddress, WeakKey, UnknownNonce, SignInExpired, ForeignDomain, SignInMismatch, BadSignature.
    """
    address = _checked(proof.address)
    asked = await _consume(services, proof.nonce, presession)
    _compare(services, asked, proof)
    if not siws.is_signed(address, siws.message(asked, address).encode(), _signature_bytes(proof.signature)):
        raise BadSignature("The signature is not this wallet's.")
    account = await get_or_create(services, AccountId(address), proof.simulated)
    return SignedIn(account, await open_session(services, account.account_id, replaced))


async def _consume(services: Services, nonce: str, presession: str | None) -> siws.SignInInput:
    stored = None
    if presession:
        taken = partial(rows.take_nonce, nonce=nonce, presession_hash=secret_hash(presession))
        stored = await services.database.write(taken)
    if stored is None:
        raise UnknownNonce("This sign-in was used already, or belongs to another browser. Please sign in again.")
    if services.clock.now_ms() >= stored["expires_at_ms"]:
        raise SignInExpired("The sign-in was not signed in time. Please sign in again.")
    return siws.from_json(orjson.loads(stored["message_input"]))


def _compare(services: Services, asked: siws.SignInInput, proof: Proof) -> None:
    domains = [urlsplit(origin).netloc for origin in allowed_origins(services.settings)]
    if siws.domain_of(proof.message) not in (*domains, None) or asked.domain not in domains:
        raise ForeignDomain("The wallet signed in to another site.")
    if asked.address not in (None, proof.address) or proof.message != siws.message(asked, proof.address):
        raise SignInMismatch("The wallet signed another text than it was asked to.")


def _checked(address: str) -> Address:
    if not is_address(address):
        raise InvalidAddress("This is not a Solana address.")
    if siws.is_weak(Address(address)):
        raise WeakKey("Anybody can sign for this key.")
    return Address(address)


def _signature_bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
