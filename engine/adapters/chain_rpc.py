"""A Solana cluster over JSON-RPC: solana-py's async client, and its WebSocket client for confirmations.

Requests that come in numbers (sends, statuses, signature lists, transactions) travel as JSON-RPC batches through
solana-py's own HTTP provider: one POST costs about a millisecond of CPU here, whatever it carries.
Every request names its commitment. One instance belongs to one event loop.
"""

import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from solana.exceptions import SolanaRpcException
from solana.rpc.async_api import AsyncClient
from solana.rpc.async_http_provider import AsyncHTTPProvider
from solana.rpc.commitment import Commitment, Confirmed, Finalized
from solana.rpc.core import RPCException
from solana.rpc.models import DataSliceOpts
from solders.commitment_config import CommitmentLevel
from solders.errors import SerdeJSONError
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.rpc.config import (
    RpcContextConfig,
    RpcSendTransactionConfig,
    RpcSignaturesForAddressConfig,
    RpcTransactionConfig,
)
from solders.rpc.requests import GetSignaturesForAddress, GetTransaction, IsBlockhashValid, SendRawTransaction
from solders.rpc.responses import (
    GetSignaturesForAddressResp,
    GetTransactionResp,
    IsBlockhashValidResp,
    SendTransactionResp,
    batch_from_json,
)
from solders.signature import Signature
from solders.transaction_status import TransactionConfirmationStatus, UiTransactionEncoding

from engine.adapters.chain_socket import ConfirmationSocket
from engine.errors import Unavailable
from engine.identifiers import SOL
from engine.ports import (
    AddressHistory,
    BalanceChange,
    Blockhash,
    ChainAccount,
    ChainBalances,
    ChainTip,
    Movement,
    SignatureStatus,
)
from engine.settlement.programs import token_account

TIMEOUT_S: Final = 10.0
ACCOUNTS_PER_REQUEST: Final = 100
STATUSES_PER_REQUEST: Final = 256
SENDS_PER_REQUEST: Final = 25
"""A node takes a body of 50 KiB; 25 full transactions in base64 are 41."""
READS_PER_REQUEST: Final = 50
HISTORY_PAGE: Final = 1_000
RECENT_PAGES: Final = 5
AMOUNT: Final = DataSliceOpts(offset=64, length=8)
"""Where a token account keeps its amount; the only bytes of any account that are asked for."""


class ChainUnavailable(Unavailable):
    """The node is out of reach, or its answer is none. Users hear a plain sentence, the log the `reason`."""

    code = "chain_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__("The Solana node cannot be asked for now; nothing was changed.")
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.detail} ({self.reason})"


class _Batch:
    """Requests that travel in one POST; what solana-py's provider needs is `to_json`."""

    def __init__(self, requests: Sequence[Any]) -> None:
        self._requests = requests

    def to_json(self) -> str:
        # solders' own batch_to_json costs 80 µs per request, joining what each says of itself 3.
        return f"[{','.join(request.to_json() for request in self._requests)}]"


class RpcChain:
    """`Chain` over an RPC node and its WebSocket."""

    def __init__(self, rpc_url: str, ws_url: str) -> None:
        self._client = AsyncClient(rpc_url, commitment=Confirmed, timeout=TIMEOUT_S)
        self._batches = AsyncHTTPProvider(rpc_url, timeout=TIMEOUT_S)
        self._socket = ConfirmationSocket(ws_url)
        self._rents: dict[int, int] = {}

    async def latest_blockhash(self) -> Blockhash:
        """The newest confirmed blockhash."""
        found = (await _answer(self._client.get_latest_blockhash(Confirmed))).value
        return Blockhash(str(found.blockhash), found.last_valid_block_height)

    async def send(self, transactions: Sequence[bytes]) -> list[str | None]:
        """Hand signed bytes to the cluster; per transaction the node's refusal, None when it was taken."""
        config = RpcSendTransactionConfig(
            skip_preflight=True, preflight_commitment=CommitmentLevel.Confirmed, max_retries=0
        )
        requests = [SendRawTransaction(raw, config, number) for number, raw in enumerate(transactions)]
        answers = await self._batched(requests, SendTransactionResp, SENDS_PER_REQUEST)
        return [None if isinstance(answer, SendTransactionResp) else str(answer) for answer in answers]

    async def statuses(
        self, signatures: Sequence[str], search_history: bool = False, since_slot: int = 0
    ) -> list[SignatureStatus | None]:
        """Where each stands, in the same order, as told by a node that has seen that slot."""
        found: list[SignatureStatus | None] = []
        for part in _parts(signatures, STATUSES_PER_REQUEST):
            wanted = [Signature.from_string(signature) for signature in part]
            answer = await _answer(self._client.get_signature_statuses(wanted, search_history))
            if answer.context.slot < since_slot:
                raise ChainUnavailable(f"the Solana node is at slot {answer.context.slot}, behind {since_slot}")
            found.extend(None if status is None else _status(status) for status in answer.value)
        return found

    def confirmations(self) -> AsyncIterator[str]:
        """Signatures as they reach `confirmed`; ends when the socket breaks."""
        return self._socket.confirmations()

    async def watch(self, signatures: Sequence[str]) -> None:
        """Ask to hear of these signatures; harmless when there is no socket."""
        await self._socket.watch(signatures)

    async def finalized(self) -> ChainTip:
        """The newest finalized block."""
        found = (await _answer(self._client.get_epoch_info(Finalized))).value
        return ChainTip(found.absolute_slot, found.block_height)

    async def usable_blockhashes(self, blockhashes: Sequence[str], since_slot: int) -> set[str]:
        """Those that the finalized state, of that slot or later, still takes."""
        config = RpcContextConfig(CommitmentLevel.Finalized, since_slot)
        requests = [
            IsBlockhashValid(Hash.from_string(blockhash), config, number)
            for number, blockhash in enumerate(blockhashes)
        ]
        answers = await self._batched(requests, IsBlockhashValidResp, READS_PER_REQUEST)
        told = zip(blockhashes, answers, strict=True)
        return {blockhash for blockhash, answer in told if _value(answer, IsBlockhashValidResp)}

    async def balances(
        self, addresses: Sequence[str], token_holdings: Sequence[tuple[str, str]], finalized: bool = False
    ) -> ChainBalances:
        """Lamports of addresses and token amounts of (owner, mint) pairs, at the oldest slot of the read."""
        keys = [Pubkey.from_string(address) for address in addresses]
        keys += [token_account(owner, mint) for owner, mint in token_holdings]
        slot, accounts = await self._accounts(keys, Finalized if finalized else Confirmed)
        lamports = {
            address: 0 if account is None else int(account.lamports)
            for address, account in zip(addresses, accounts, strict=False)
        }
        tokens = {
            holding: 0 if account is None else _amount(account.data)
            for holding, account in zip(token_holdings, accounts[len(addresses) :], strict=True)
        }
        return ChainBalances(slot, lamports, tokens)

    async def _accounts(self, keys: list[Pubkey], commitment: Commitment) -> tuple[int, list[Any]]:
        if not keys:
            return await self.slot(), []
        slots, accounts = [], list[Any]()
        for part in _parts(keys, ACCOUNTS_PER_REQUEST):
            answer = await _answer(self._client.get_multiple_accounts(list(part), commitment, "base64", AMOUNT))
            slots.append(answer.context.slot)
            accounts.extend(answer.value)
        return min(slots), accounts

    async def accounts(self, addresses: Sequence[str]) -> list[ChainAccount | None]:
        """The confirmed accounts at these addresses, None where there is none."""
        _, found = await self._accounts([Pubkey.from_string(address) for address in addresses], Confirmed)
        return [None if one is None else ChainAccount(int(one.lamports), str(one.owner)) for one in found]

    async def rent_lamports(self, size_bytes: int) -> int:
        """The balance that makes an account of that size rent-exempt; asked once per size."""
        rent = self._rents.get(size_bytes)
        if rent is None:
            answer = await _answer(self._client.get_minimum_balance_for_rent_exemption(size_bytes, Confirmed))
            rent = self._rents[size_bytes] = int(answer.value)
        return rent

    async def histories(self, addresses: Sequence[tuple[str, str | None]]) -> list[AddressHistory]:
        """Finalized transactions of each address since a signature of its, in the order asked."""
        requests = [_history_request(address, until, None, number) for number, (address, until) in enumerate(addresses)]
        answers = await self._batched(requests, GetSignaturesForAddressResp, READS_PER_REQUEST)
        histories = []
        for (address, until), answer in zip(addresses, answers, strict=True):
            entries = _value(answer, GetSignaturesForAddressResp)
            page = entries
            while len(page) == HISTORY_PAGE:
                request = _history_request(address, until, page[-1].signature, 0)
                (more,) = await self._batched([request], GetSignaturesForAddressResp, 1)
                page = _value(more, GetSignaturesForAddressResp)
                entries = [*entries, *page]
            succeeded = tuple(str(entry.signature) for entry in reversed(entries) if entry.err is None)
            histories.append(AddressHistory(address, str(entries[0].signature) if entries else until, succeeded))
        return histories

    async def changes(self, wanted: Sequence[tuple[str, str]]) -> list[BalanceChange]:
        """What each (address, signature) did to that address's SOL, in the same order; a change may be 0."""
        signatures = list(dict.fromkeys(signature for _, signature in wanted))
        answers = await self._transactions(signatures, CommitmentLevel.Finalized)
        found = dict(zip(signatures, answers, strict=True))
        return [_change(address, signature, found[signature]) for address, signature in wanted]

    async def lamports_moved(self, wanted: Sequence[tuple[str, str]]) -> list[int | None]:
        """What each confirmed (address, signature) did to that address's lamports; None where it is not shown yet."""
        answers = await self._shown([signature for _, signature in wanted], CommitmentLevel.Confirmed)
        return [
            None if answer is None else _moved(address, SOL, answer)
            for (address, _), answer in zip(wanted, answers, strict=True)
        ]

    async def recent(self, address: str, asset: str, after_slot: int) -> dict[str, int]:
        """Confirmed transactions that named this holding after that slot: signature → slot; the newest 5,000."""
        account = _account_of(address, asset)
        found: dict[str, int] = {}
        before: Signature | None = None
        for _ in range(RECENT_PAGES):
            request = _history_request(str(account), None, before, 0, CommitmentLevel.Confirmed)
            (answer,) = await self._batched([request], GetSignaturesForAddressResp, 1)
            page = _value(answer, GetSignaturesForAddressResp)
            found.update((str(entry.signature), entry.slot) for entry in page if entry.slot > after_slot)
            if len(page) < HISTORY_PAGE or page[-1].slot <= after_slot:
                break
            before = page[-1].signature
        return found

    async def movements(self, address: str, asset: str, signatures: Sequence[str]) -> list[Movement]:
        """What confirmed transactions did to the address's SOL or tokens, in the same order."""
        account = str(_account_of(address, asset))
        answers = await self._transactions(signatures, CommitmentLevel.Confirmed)
        return [
            Movement(signature, answer.slot, _moved(account, asset, answer))
            for signature, answer in zip(signatures, answers, strict=True)
        ]

    async def _transactions(self, signatures: Sequence[str], commitment: CommitmentLevel) -> list[Any]:
        found = await self._shown(signatures, commitment)
        for signature, transaction in zip(signatures, found, strict=True):
            if transaction is None:
                raise ChainUnavailable(f"the Solana node listed {signature} and does not have it yet")
        return found

    async def _shown(self, signatures: Sequence[str], commitment: CommitmentLevel) -> list[Any]:
        """Each transaction, None for one that the node does not have."""
        config = RpcTransactionConfig(UiTransactionEncoding.Json, commitment, 0)
        requests = [
            GetTransaction(Signature.from_string(signature), config, number)
            for number, signature in enumerate(signatures)
        ]
        answers = await self._batched(requests, GetTransactionResp, READS_PER_REQUEST)
        return [_value(answer, GetTransactionResp) for answer in answers]

    async def airdrop(self, address: str, lamports: int) -> str:
        """Ask a local chain's faucet; returns the signature."""
        answer = await _answer(self._client.request_airdrop(Pubkey.from_string(address), lamports, Confirmed))
        return str(answer.value)

    async def slot(self) -> int:
        """The newest confirmed slot."""
        return int((await _answer(self._client.get_slot(Confirmed))).value)

    async def close(self) -> None:
        """Let go of connections."""
        await self._socket.close()
        await self._client.close()
        await self._batches.close()

    async def _batched(self, requests: Sequence[Any], parser: type[Any], size: int) -> list[Any]:
        """The answers in the order of the requests, errors included as values."""
        answers: list[Any] = []
        for part in _parts(requests, size):
            raw = await _answer(self._batches.make_request_unparsed(_Batch(part)))
            parsed = _parsed(raw, [parser] * len(part))
            answers.extend(parsed)
        return answers


async def _answer(request: Any) -> Any:
    try:
        return await request
    except (SolanaRpcException, RPCException, SerdeJSONError) as error:
        raise ChainUnavailable(f"the Solana node did not answer: {error}") from error


def _parsed(raw: str, parsers: list[Any]) -> list[Any]:
    try:
        answers = batch_from_json(raw, parsers)
    except (SerdeJSONError, ValueError) as error:
        raise ChainUnavailable(f"the Solana node answered a batch with {raw[:200]!r}") from error
    if len(answers) != len(parsers):
        raise ChainUnavailable(f"the Solana node answered {len(answers)} of {len(parsers)} requests of a batch")
    return answers


def _value(answer: Any, expected: type[Any]) -> Any:
    if not isinstance(answer, expected):
        raise ChainUnavailable(f"the Solana node refused: {answer}")
    return answer.value


def _parts(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _status(status: Any) -> SignatureStatus:
    finalized = status.confirmation_status == TransactionConfirmationStatus.Finalized
    return SignatureStatus(
        slot=status.slot,
        confirmed=finalized or status.confirmation_status == TransactionConfirmationStatus.Confirmed,
        finalized=finalized,
        error=None if status.err is None else str(status.err),
    )


def _amount(data: bytes) -> int:
    return int(struct.unpack("<Q", data)[0]) if len(data) == AMOUNT.length else 0


def _account_of(address: str, asset: str) -> Pubkey:
    """The account that holds this asset of the address: itself, or its token account."""
    return Pubkey.from_string(address) if asset == SOL else token_account(address, asset)


def _history_request(
    address: str,
    until: str | None,
    before: Signature | None,
    number: int,
    commitment: CommitmentLevel = CommitmentLevel.Finalized,
) -> GetSignaturesForAddress:
    config = RpcSignaturesForAddressConfig(
        before=before,
        until=None if until is None else Signature.from_string(until),
        limit=HISTORY_PAGE,
        commitment=commitment,
    )
    return GetSignaturesForAddress(Pubkey.from_string(address), config, number)


def _change(address: str, signature: str, transaction: Any) -> BalanceChange:
    return BalanceChange(signature, address, _moved(address, SOL, transaction), transaction.slot)


def _moved(account: str, asset: str, transaction: Any) -> int:
    """What a transaction did to an account: lamports, or base units of that mint in it."""
    encoded = transaction.transaction
    keys = [str(key) for key in encoded.transaction.message.account_keys]
    loaded = encoded.meta.loaded_addresses
    if loaded is not None:
        keys += [str(key) for key in (*loaded.writable, *loaded.readonly)]
    place, meta = keys.index(account), encoded.meta
    if asset == SOL:
        return int(meta.post_balances[place] - meta.pre_balances[place])
    before, after = (
        sum(
            int(held.ui_token_amount.amount)
            for held in balances or ()
            if held.account_index == place and str(held.mint) == asset
        )
        for balances in (meta.pre_token_balances, meta.post_token_balances)
    )
    return after - before
