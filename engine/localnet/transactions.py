"""Transactions: reading and checking what is sent, and what is kept and told about one that landed."""

import base64
import binascii
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import base58
from solders.account import Account
from solders.instruction import CompiledInstruction
from solders.message import Message, MessageV0, VersionedMessage
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import SanitizeError, VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from engine.localnet.accounts import encode_bytes
from engine.localnet.failures import SIGNATURE_FAILURE, UNSUPPORTED_VERSION, RpcError, invalid_params

PACKET_LIMIT: Final = 1232
_LOOKUP_PROGRAM: Final = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
_LOOKUP_HEADER: Final = 56
_MEMO_PROGRAMS: Final = (
    Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"),
    Pubkey.from_string("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"),
)


@dataclass(frozen=True, slots=True)
class LandedTransaction:
    """A transaction that is part of the chain, failed or not. `error` and `meta` are JSON as the RPC tells
    them.
    """

    signature: Signature
    slot: int
    block_time_s: int
    error: Any
    memo: str | None
    wire: bytes
    addresses: tuple[Pubkey, ...]
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """Every account a transaction touches, in the order its instructions index them."""

    all: tuple[Pubkey, ...]
    writable: tuple[bool, ...]
    signer_count: int
    loaded_writable: tuple[Pubkey, ...] = ()
    loaded_readonly: tuple[Pubkey, ...] = ()


def decode_transaction(text: str, encoding: str) -> tuple[VersionedTransaction, bytes]:
    """The transaction and its bytes.

    Raises:
        RpcError: -32602 for text that is no transaction or one of more than 1,232 bytes.
    """
    try:
        wire = base64.b64decode(text, validate=True) if encoding == "base64" else base58.b58decode(text)
    except (binascii.Error, ValueError) as error:
        raise invalid_params(f"invalid {encoding} encoding: {error}") from error
    if len(wire) > PACKET_LIMIT:
        raise invalid_params(
            f"decoded solana_transaction::versioned::VersionedTransaction too large: {len(wire)} bytes "
            f"(max: {PACKET_LIMIT} bytes)"
        )
    try:
        transaction = VersionedTransaction.from_bytes(wire)
    except ValueError as error:
        raise invalid_params(
            f"failed to deserialize solana_transaction::versioned::VersionedTransaction: {error}"
        ) from error
    if not isinstance(transaction.message, Message | MessageV0):
        raise invalid_params("invalid transaction: only legacy and version 0 transactions are known here")
    return transaction, wire


def check_shape(transaction: VersionedTransaction) -> None:
    """Refuse a transaction whose indices point outside it; LiteSVM must never see one.

    Raises:
        RpcError: -32602.
    """
    try:
        transaction.sanitize()
    except SanitizeError as error:
        raise invalid_params(f"invalid transaction: {error}") from error


def check_signatures(transaction: VersionedTransaction) -> None:
    """Refuse a transaction that is not signed by everybody who has to.

    Counting comes first: without any signature `verify_with_results` is `[]`, and `all([])` is true.

    Raises:
        RpcError: -32003.
    """
    required = transaction.message.header.num_required_signatures
    if len(transaction.signatures) != required:
        raise RpcError(SIGNATURE_FAILURE, "Transaction signature verification failure")
    check_shape(transaction)
    if not all(transaction.verify_with_results()):
        raise RpcError(SIGNATURE_FAILURE, "Transaction signature verification failure")


def resolve_keys(message: VersionedMessage, read: Callable[[Pubkey], Account | None]) -> AccountKeys:
    """The accounts of a message, those of its lookup tables included (missing table entries are left out)."""
    header = message.header
    signers, keys = header.num_required_signatures, list(message.account_keys)
    last_writable_signer = signers - header.num_readonly_signed_accounts
    last_writable = len(keys) - header.num_readonly_unsigned_accounts
    writable = [index < last_writable_signer or signers <= index < last_writable for index in range(len(keys))]
    if not isinstance(message, MessageV0) or not message.address_table_lookups:
        return AccountKeys(tuple(keys), tuple(writable), signers)
    loaded_writable: list[Pubkey] = []
    loaded_readonly: list[Pubkey] = []
    for lookup in message.address_table_lookups:
        table = read(lookup.account_key)
        if table is None or table.owner != _LOOKUP_PROGRAM:
            continue
        packed = table.data[_LOOKUP_HEADER:]
        entries = [Pubkey(packed[at : at + 32]) for at in range(0, len(packed), 32)]
        loaded_writable += [entries[i] for i in lookup.writable_indexes if i < len(entries)]
        loaded_readonly += [entries[i] for i in lookup.readonly_indexes if i < len(entries)]
    return AccountKeys(
        (*keys, *loaded_writable, *loaded_readonly),
        (*writable, *[True] * len(loaded_writable), *[False] * len(loaded_readonly)),
        signers,
        tuple(loaded_writable),
        tuple(loaded_readonly),
    )


def memo_of(message: VersionedMessage) -> str | None:
    """The memos of a message as `getSignaturesForAddress` shows them: `[length] text; …`."""
    keys = message.account_keys
    memos = []
    for instruction in message.instructions:
        if instruction.program_id_index < len(keys) and keys[instruction.program_id_index] in _MEMO_PROGRAMS:
            data = bytes(instruction.data)
            memos.append(f"[{len(data)}] {data.decode('utf-8', 'replace')}")
    return "; ".join(memos) or None


def instruction_json(instruction: CompiledInstruction, stack_height: int | None) -> dict[str, Any]:
    """A compiled instruction with its indices."""
    return {
        "programIdIndex": instruction.program_id_index,
        "accounts": list(bytes(instruction.accounts)),
        "data": base58.b58encode(bytes(instruction.data)).decode(),
        "stackHeight": stack_height,
    }


def inner_json(meta: TransactionMetadata) -> list[dict[str, Any]]:
    """The instructions that programs called, by the index of the instruction that called them."""
    return [
        {"index": index, "instructions": [instruction_json(i.instruction(), i.stack_height()) for i in group]}
        for index, group in enumerate(meta.inner_instructions())
        if group
    ]


def encode_transaction(
    wire: bytes, meta: dict[str, Any], encoding: str, max_version: int | None
) -> tuple[Any, dict[str, Any], int | str]:
    """A landed transaction as `getTransaction` tells it: (transaction, meta, version).

    Raises:
        RpcError: -32015 for a version the client did not say it reads; -32602 for an unknown encoding.
    """
    transaction = VersionedTransaction.from_bytes(wire)
    version: int | str = 0 if isinstance(transaction.message, MessageV0) else "legacy"
    if version == 0 and max_version is None:
        raise RpcError(
            UNSUPPORTED_VERSION,
            "Transaction version (0) is not supported by the requesting client. Please try the request again "
            'with the following configuration parameter: "maxSupportedTransactionVersion": 0',
        )
    if encoding == "base58":
        return [base58.b58encode(wire).decode(), encoding], meta, version
    if encoding not in ("json", "jsonParsed"):
        return encode_bytes(wire, encoding), meta, version
    keys = _keys_of(transaction, meta)
    message = transaction.message
    if encoding == "jsonParsed":
        told = _parsed_message(message, keys)
        name = functools.partial(_named_instruction, keys=keys.all)
        groups = meta["innerInstructions"]
        inner = [{**group, "instructions": [name(i) for i in group["instructions"]]} for group in groups]
        meta = {**meta, "innerInstructions": inner}
        del meta["loadedAddresses"]
    else:
        told = _raw_message(message)
    return {"signatures": [str(s) for s in transaction.signatures], "message": told}, meta, version


def _keys_of(transaction: VersionedTransaction, meta: dict[str, Any]) -> AccountKeys:
    plain = resolve_keys(transaction.message, lambda _: None)
    loaded = meta["loadedAddresses"]
    writable = tuple(Pubkey.from_string(key) for key in loaded["writable"])
    readonly = tuple(Pubkey.from_string(key) for key in loaded["readonly"])
    flags = (*plain.writable, *[True] * len(writable), *[False] * len(readonly))
    return AccountKeys((*plain.all, *writable, *readonly), flags, plain.signer_count, writable, readonly)


def _raw_message(message: VersionedMessage) -> dict[str, Any]:
    header = message.header
    told: dict[str, Any] = {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [instruction_json(instruction, None) for instruction in message.instructions],
    }
    return told | _lookups(message)


def _lookups(message: VersionedMessage) -> dict[str, Any]:
    if not isinstance(message, MessageV0):
        return {}
    lookups = [
        {
            "accountKey": str(lookup.account_key),
            "writableIndexes": list(bytes(lookup.writable_indexes)),
            "readonlyIndexes": list(bytes(lookup.readonly_indexes)),
        }
        for lookup in message.address_table_lookups
    ]
    return {"addressTableLookups": lookups}


def _parsed_message(message: VersionedMessage, keys: AccountKeys) -> dict[str, Any]:
    static_count = len(message.account_keys)
    told: dict[str, Any] = {
        "accountKeys": [
            {
                "pubkey": str(key),
                "signer": index < keys.signer_count,
                "writable": keys.writable[index],
                "source": "transaction" if index < static_count else "lookupTable",
            }
            for index, key in enumerate(keys.all)
        ],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            _named_instruction(instruction_json(instruction, None), keys.all) for instruction in message.instructions
        ],
    }
    return told | _lookups(message)


def _named_instruction(instruction: dict[str, Any], keys: Sequence[Pubkey]) -> dict[str, Any]:
    return {
        "programId": str(keys[instruction["programIdIndex"]]),
        "accounts": [str(keys[index]) for index in instruction["accounts"]],
        "data": instruction["data"],
        "stackHeight": instruction["stackHeight"],
    }
