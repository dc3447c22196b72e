"""The signer: what stands between every caller and the keys. It reads for itself what it is asked to sign for.

A caller names a settlement and hands over a message. The signer reads the settlement's row with its own eyes, knows
whose key each address must be by the key's name, and signs the one message that the row asks for. So neither a row
that somebody forged nor a message that somebody built can move anything to an address whose key the platform lacks.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from solders.message import MessageV0
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from engine import logs, metrics
from engine.errors import Refusal, Unavailable
from engine.identifiers import SOL, Address
from engine.persistence import settlements as rows
from engine.persistence.database import Connection, Database, DatabaseError
from engine.persistence.switches import Switch, is_set
from engine.ports import Clock, KeyStore, Signed, SigningRequest
from engine.settlement import key_names
from engine.settlement.settlement import Kind, Settlement, State
from engine.settlement.signing import ShapeCheck, SignerRefused
from engine.settlement.transactions import ComputeBudget
from engine.trading.rows import Row

audit = logging.getLogger("blitzhub.audit")

MINT_KEYS: Final = "mint/"


class NotPending(SignerRefused):
    """The settlement is signed already, or over: somebody else was faster."""

    code = "signer_not_pending"
    status = 409


class NotNow(Unavailable):
    """A withdrawal is not due yet, or all of them are frozen: it may be asked for again later."""

    code = "signer_not_now"


class KeyNameRefused(SignerRefused):
    """No key of that name is made on request."""

    code = "signer_key_name"
    status = 422


class LocalSigner:
    """`Signer` over a key store in this process."""

    def __init__(
        self, keys: KeyStore, database: Database, clock: Clock, budget: ComputeBudget, treasury: str = ""
    ) -> None:
        self.keys, self._treasury = keys, treasury
        self._database, self._clock, self._budget = database, clock, budget
        self._shape: ShapeCheck | None = None
        metrics.expose(metrics.SIGNING)

    async def fee_payer(self) -> Address:
        """The platform's address that pays the network; its key and its row are made on first use."""
        return Address((await self._opened()).fee_payer)

    async def create_key(self, name: str) -> Address:
        """Make an account's, a mint's or a vault's key.

        Raises:
            KeyNameRefused: it is no such key's name.
        """
        if not key_names.is_created_on_request(name):
            audit.warning("alert=signer_refused code=%s name=%.100r", KeyNameRefused.code, name)
            raise KeyNameRefused("No key of that name is made on request.")
        return await asyncio.to_thread(self.keys.create, name)

    async def sign(self, wanted: Sequence[SigningRequest]) -> list[Signed | Refusal]:
        """Each request's transaction, or why it is not signed; every refusal is a line in the audit log."""
        shape = await self._opened()
        try:
            stored = await self._database.read(partial(_read, settlement_ids=[each.settlement_id for each in wanted]))
        except DatabaseError as error:
            raise Unavailable("The signer cannot read what it is asked to sign for.") from error
        answers = await asyncio.to_thread(self._sign, shape, wanted, stored)
        metrics.signatures.inc(sum(isinstance(answer, Signed) for answer in answers))
        for request, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Signed):
                logs.step("signed", settlement_id=request.settlement_id, signature=answer.signature)
            if isinstance(answer, SignerRefused):
                told = " ".join(f"{name}={value}" for name, value in answer.data.items())
                audit.warning(
                    "alert=signer_refused code=%s settlement=%.40r reason=%r %s",
                    *(answer.code, request.settlement_id, answer.detail, told),
                )
        return answers

    async def check(self) -> None:
        """Ask the key store and the database.

        Raises:
            engine.errors.Unavailable: one of them does not answer.
        """
        await asyncio.to_thread(self.keys.check)
        try:
            await self._database.check()
        except DatabaseError as error:
            raise Unavailable("The signer's database does not answer.") from error

    async def close(self) -> None:
        """Let go of the key store."""
        await asyncio.to_thread(self.keys.close)

    async def _opened(self) -> ShapeCheck:
        if self._shape is None:
            address = await asyncio.to_thread(self.keys.create, key_names.FEE_PAYER)
            wallet = {
                "address": address,
                "kind": "fee_payer",
                "key_name": key_names.FEE_PAYER,
                "created_at_ms": self._clock.now_ms(),
            }
            try:
                await self._database.write(partial(rows.add_wallet, wallet=wallet))
            except DatabaseError as error:
                raise Unavailable("The signer's database does not answer.") from error
            self._shape = ShapeCheck(address, self._budget.unit_limit, self._budget.unit_price_microlamports)
        return self._shape

    def _sign(self, shape: ShapeCheck, wanted: Sequence[SigningRequest], stored: "_Stored") -> list[Signed | Refusal]:
        """Decide about each, then ask the key store for every signature at once."""
        decided = [self._decide(shape, request, stored) for request in wanted]
        uses = [use for each in decided if isinstance(each, _Allowed) for use in each.uses]
        signatures = iter(self.keys.sign(uses))
        return [_assembled(each, signatures) if isinstance(each, _Allowed) else each for each in decided]

    def _decide(self, shape: ShapeCheck, request: SigningRequest, stored: "_Stored") -> "_Allowed | Refusal":
        try:
            settlement = stored.settlements.get(request.settlement_id)
            if settlement is None:
                raise SignerRefused("there is no such settlement")
            if settlement.state is not State.PENDING:
                raise NotPending("the settlement is not pending", state=settlement.state.value)
            owned = self._owned(settlement, stored) | {shape.fee_payer: key_names.FEE_PAYER}
            message = shape.check(request.message, settlement)
            if settlement.kind.pays_out:
                self._check_released(settlement, stored)
            signers = [str(key) for key in message.account_keys[: message.header.num_required_signatures]]
            return _Allowed(message, [(owned[address], request.message) for address in signers])
        except Refusal as refusal:
            return refusal

    def _owned(self, settlement: Settlement, stored: "_Stored") -> dict[str, str]:
        """The settlement's own addresses and the names of their keys, each held against the key store.

        Raises:
            SignerRefused: the key store holds no such key, or another address under its name.
        """
        names: dict[str, str] = {}
        if settlement.kind is not Kind.SWEEP:
            names[settlement.wallet] = key_names.wallet(settlement.account_id)
        elif not self._treasury or settlement.wallet != self._treasury:
            raise SignerRefused("a sweep goes to another address than the treasury", address=settlement.wallet)
        if settlement.kind.is_withdrawal:
            _check_request(settlement, stored.withdrawals.get(settlement.settlement_id))
            recipient_id = stored.withdrawals[settlement.settlement_id]["recipient_id"]
            if settlement.kind is Kind.TRANSFER:
                names[settlement.vault] = key_names.wallet(recipient_id)
        else:
            names[settlement.vault] = key_names.vault(settlement.token)
        if settlement.kind is Kind.LAUNCH:
            names[settlement.token] = stored.mint_keys.get(settlement.token, "")
            if not names[settlement.token].startswith(MINT_KEYS):
                raise SignerRefused("the mint is none of the platform's", address=settlement.token)
        for address, name in names.items():
            if self.keys.address(name) != address:
                raise SignerRefused("an address is none of the platform's", address=address, key=name)
        return names

    def _check_released(self, settlement: Settlement, stored: "_Stored") -> None:
        """The delay and the freeze hold here too, whatever state a caller has written.

        Raises:
            NotNow: one of them is not over.
        """
        if stored.frozen:
            raise NotNow("withdrawals are frozen")
        if stored.withdrawals[settlement.settlement_id]["release_at_ms"] > self._clock.now_ms():
            raise NotNow("the withdrawal is not due")


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the signer read: settlements and withdrawal requests by id, the names of keys of mints being launched, and
    whether withdrawals are frozen."""

    settlements: Mapping[str, Settlement]
    mint_keys: Mapping[str, str]
    withdrawals: Mapping[str, Row]
    frozen: bool


@dataclass(frozen=True, slots=True)
class _Allowed:
    """A message that may be signed, and the (key's name, message) it takes, in the order of its signers."""

    message: MessageV0
    uses: Sequence[tuple[str, bytes]]


def _read(connection: Connection, settlement_ids: Sequence[str]) -> _Stored:
    found = rows.by_id(connection, settlement_ids)
    mints = [each.token for each in found.values() if each.kind is Kind.LAUNCH]
    asked = [each.settlement_id for each in found.values() if each.kind.is_withdrawal]
    return _Stored(
        found,
        rows.key_names(connection, mints) if mints else {},
        rows.withdrawal_requests(connection, asked) if asked else {},
        bool(asked) and is_set(connection, Switch.WITHDRAWALS_FROZEN),
    )


def _check_request(settlement: Settlement, request: Row | None) -> None:
    """Hold a settlement against the request it is of, which only the web's own hand can write.

    Raises:
        SignerRefused: nobody asked for it, or for something else.
    """
    if request is None:
        raise SignerRefused("nobody asked for this withdrawal")
    is_sol = settlement.token == SOL
    wanted = (
        settlement.kind.value,
        settlement.account_id,
        settlement.vault,
        settlement.token,
        settlement.lamports if is_sol else settlement.tokens,
        settlement.tokens if is_sol else settlement.lamports,
        settlement.rent_lamports,
    )
    names = ("kind", "account_id", "destination", "asset", "amount")
    if wanted != (*(request[name] for name in names), 0, request["rent_lamports"]):
        raise SignerRefused("the settlement is not what was asked for")


def _assembled(allowed: _Allowed, signatures: Iterable[bytes | Refusal]) -> Signed | Refusal:
    own = [signature for _, signature in zip(allowed.uses, signatures, strict=False)]
    refusals = [signature for signature in own if isinstance(signature, Refusal)]
    if refusals:
        return refusals[0]
    signed = [Signature(signature) for signature in own if isinstance(signature, bytes)]
    return Signed(str(signed[0]), bytes(VersionedTransaction.populate(allowed.message, signed)))
