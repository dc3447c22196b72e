"""The RPC methods that send, simulate and look up transactions."""

import secrets
from collections.abc import Callable
from typing import Any, Final

from solders.instruction import AccountMeta, Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from engine.localnet.accounts import encode_account, encode_bytes
from engine.localnet.chain import Chain, Simulation
from engine.localnet.failures import PREFLIGHT_FAILURE, RpcError, error_json, error_text, invalid_params, status_json
from engine.localnet.faults import Dice
from engine.localnet.params import Config, Params, read_pubkey, read_signature
from engine.localnet.rpc_accounts import point_for, with_context
from engine.localnet.timeline import Commitment
from engine.localnet.transactions import (
    check_shape,
    check_signatures,
    decode_transaction,
    encode_transaction,
    inner_json,
)

MAX_STATUSES: Final = 256
_MAX_SIGNATURES_FOR_ADDRESS: Final = 1_000
_MEMO: Final = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")


class TransactionMethods:
    """`sendTransaction` and its relatives. `now_ms` is the node's monotonic clock, `on_landed` is told of
    each landing, `later` calls something after so many ms.
    """

    def __init__(
        self,
        chain: Chain,
        dice: Dice,
        now_ms: Callable[[], float],
        on_landed: Callable[[Signature], None],
        later: Callable[[int, Callable[[], None]], object],
    ) -> None:
        self._chain = chain
        self._dice = dice
        self._later = later
        self._now_ms = now_ms
        self._on_landed = on_landed

    def table(self) -> dict[str, Callable[[Params], Any]]:
        """The methods by name."""
        return {
            "sendTransaction": self.send_transaction,
            "simulateTransaction": self.simulate_transaction,
            "requestAirdrop": self.request_airdrop,
            "getSignatureStatuses": self.get_signature_statuses,
            "getTransaction": self.get_transaction,
            "getSignaturesForAddress": self.get_signatures_for_address,
        }

    def send_transaction(self, params: Params) -> str:
        """Execute a transaction unless preflight shows that it would fail; its first signature."""
        config = params.config(1)
        transaction, wire = decode_transaction(params.text(0), config.encoding("base58"))
        check_signatures(transaction)
        if not config.flag("skipPreflight"):
            self._preflight(transaction)
        if not self._dice.drops():
            delay_ms = self._dice.delay_ms()
            if delay_ms:
                self._later(delay_ms, lambda: self._execute(transaction, wire))
            else:
                self._execute(transaction, wire)
        return str(transaction.signatures[0])

    def _preflight(self, transaction: VersionedTransaction) -> None:
        simulation = self._chain.simulate(transaction)
        if simulation.error is not None:
            told = error_json(simulation.error)
            raise RpcError(
                PREFLIGHT_FAILURE,
                f"Transaction simulation failed: {error_text(told)}",
                _simulation_json(simulation),
            )

    def _execute(self, transaction: VersionedTransaction, wire: bytes) -> None:
        if self._chain.execute(transaction, wire, self._now_ms()):
            self._on_landed(transaction.signatures[0])

    def simulate_transaction(self, params: Params) -> Any:
        """What a transaction would do on the newest state."""
        config = params.config(1)
        transaction, _ = decode_transaction(params.text(0), config.encoding("base58"))
        replace = config.flag("replaceRecentBlockhash")
        if config.flag("sigVerify"):
            if replace:
                raise invalid_params("sigVerify may not be used with replaceRecentBlockhash")
            check_signatures(transaction)
        check_shape(transaction)
        point = self._chain.timeline.current
        simulation = self._chain.simulate(transaction, check_blockhash=not replace)
        told = _simulation_json(simulation)
        wanted = config.nested("accounts")
        if wanted is not None:
            told["accounts"] = self._simulated_accounts(simulation, wanted)
        if replace:
            told["replacementBlockhash"] = {
                "blockhash": str(self._chain.hashes.latest),
                "lastValidBlockHeight": point.height,
            }
        return with_context(point.slot, told)

    def _simulated_accounts(self, simulation: Simulation, wanted: Config) -> list[Any]:
        slot, encoding = self._chain.timeline.current.slot, wanted.encoding("base64")
        told: list[Any] = []
        for address in wanted.items("addresses"):
            key = read_pubkey(address)
            account = simulation.post_accounts.get(key) or self._chain.account(key, slot)
            shown = account is not None and account.lamports > 0
            told.append(
                encode_account(account, encoding, None, self._chain.tokens.decimals_of) if account and shown else None
            )
        return told

    def request_airdrop(self, params: Params) -> str:
        """Transfer lamports from the faucet: a transaction like any other, made unique by a random memo."""
        receiver, lamports = params.pubkey(0), params.number(1)
        faucet = self._chain.faucet
        memo = Instruction(_MEMO, f"airdrop {secrets.token_hex(8)}".encode(), list[AccountMeta]())
        pay = transfer(TransferParams(from_pubkey=faucet.pubkey(), to_pubkey=receiver, lamports=lamports))
        message = MessageV0.try_compile(faucet.pubkey(), [pay, memo], [], self._chain.hashes.latest)
        transaction = VersionedTransaction(message, [faucet])
        self._preflight(transaction)
        self._execute(transaction, bytes(transaction))
        return str(transaction.signatures[0])

    def get_signature_statuses(self, params: Params) -> Any:
        """Where up to 256 transactions are, null for the unknown."""
        values = params.items(0)
        if len(values) > MAX_STATUSES:
            raise invalid_params(f"Too many inputs provided; max {MAX_STATUSES}")
        history = params.config(1).flag("searchTransactionHistory")
        statuses = [self._status(read_signature(value), history) for value in values]
        return with_context(self._chain.timeline.current.slot, statuses)

    def _status(self, signature: Signature, history: bool) -> dict[str, Any] | None:
        landed = self._chain.landed(signature, history)
        if landed is None:
            return None
        timeline = self._chain.timeline
        commitment = timeline.commitment_of(landed.slot)
        final = commitment is Commitment.FINALIZED
        return {
            "slot": landed.slot,
            "confirmations": None if final else timeline.current.slot - landed.slot,
            "err": landed.error,
            "status": status_json(landed.error),
            "confirmationStatus": commitment.value,
        }

    def get_transaction(self, params: Params) -> Any:
        """A whole transaction, null until it has reached the commitment."""
        signature, config = params.signature(0), params.config(1)
        root = self._chain.timeline.point(_at_least_confirmed(config))
        stored = self._chain.store.find(signature)
        if stored is None or stored.slot > root.slot:
            return None
        told, meta, version = encode_transaction(
            *self._chain.store.body(stored.slot, stored.position),
            config.encoding("json"),
            config.number("maxSupportedTransactionVersion"),
        )
        return {
            "slot": stored.slot,
            "transaction": told,
            "meta": meta,
            "blockTime": stored.block_time_s,
            "version": version,
        }

    def get_signatures_for_address(self, params: Params) -> Any:
        """The transactions that name an address, newest first."""
        address, config = params.pubkey(0), params.config(1)
        limit = config.number("limit")
        if limit is None:
            limit = _MAX_SIGNATURES_FOR_ADDRESS
        if not 1 <= limit <= _MAX_SIGNATURES_FOR_ADDRESS:
            raise invalid_params(f"Invalid limit; max {_MAX_SIGNATURES_FOR_ADDRESS}")
        _at_least_confirmed(config)
        slot = point_for(self._chain, config).slot
        found = self._chain.store.mentioning(
            address, slot, config.signature("before"), config.signature("until"), limit
        )
        return [
            {
                "signature": str(stored.signature),
                "slot": stored.slot,
                "err": stored.error,
                "memo": stored.memo,
                "blockTime": stored.block_time_s,
                "confirmationStatus": self._chain.timeline.commitment_of(stored.slot).value,
            }
            for stored in found
        ]


def _at_least_confirmed(config: Config) -> Commitment:
    commitment = config.commitment()
    if commitment is Commitment.PROCESSED:
        raise invalid_params("Method does not support commitment below `confirmed`")
    return commitment


def _simulation_json(simulation: Simulation) -> dict[str, Any]:
    meta = simulation.meta
    return {
        "err": error_json(simulation.error),
        "logs": [] if meta is None else meta.logs(),
        "accounts": None,
        "unitsConsumed": 0 if meta is None else meta.compute_units_consumed(),
        "returnData": None if meta is None else _return_data(meta),
        "innerInstructions": None if meta is None else inner_json(meta),
    }


def _return_data(meta: TransactionMetadata) -> dict[str, Any] | None:
    returned = meta.return_data()
    if not returned.data:
        return None
    return {"programId": str(returned.program_id), "data": encode_bytes(bytes(returned.data), "base64")}
