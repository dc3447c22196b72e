"""The RPC methods about the cluster itself: slots, heights, block hashes, versions and fees."""

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Any, Final

import base58
from solders.message import from_bytes_versioned
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from engine.localnet.chain import Chain
from engine.localnet.failures import invalid_params
from engine.localnet.faults import Dice
from engine.localnet.params import Config, Params
from engine.localnet.rpc_accounts import API_VERSION, point_for, with_context
from engine.localnet.timeline import ChainPoint
from engine.localnet.transactions import check_shape

_SLOTS_PER_EPOCH: Final = 432_000


class ClusterMethods:
    """`getSlot` and its relatives over one chain."""

    def __init__(self, chain: Chain, dice: Dice) -> None:
        self._chain = chain
        self._dice = dice

    def table(self) -> dict[str, Callable[[Params], Any]]:
        """The methods by name."""
        return {
            "getHealth": lambda _: "ok",
            "getVersion": lambda _: {"solana-core": API_VERSION, "feature-set": 0},
            "getGenesisHash": self.get_genesis_hash,
            "getSlot": lambda params: self._told(params.config(0)).slot,
            "getBlockHeight": lambda params: self._told(params.config(0)).height,
            "getEpochInfo": self.get_epoch_info,
            "getLatestBlockhash": self.get_latest_blockhash,
            "isBlockhashValid": self.is_blockhash_valid,
            "getFeeForMessage": self.get_fee_for_message,
            "getRecentPrioritizationFees": self.get_recent_prioritization_fees,
        }

    def _told(self, config: Config) -> ChainPoint:
        return self._lagging(point_for(self._chain, config))

    def _lagging(self, point: ChainPoint) -> ChainPoint:
        blocks = self._dice.lag_blocks()
        return ChainPoint(max(0, point.slot - blocks), max(0, point.height - blocks))

    def get_genesis_hash(self, _: Params) -> str:
        """A name of this chain that no other chain has."""
        return base58.b58encode(hashlib.sha256(b"genesis" + self._chain.genesis.salt).digest()).decode()

    def get_epoch_info(self, params: Params) -> Any:
        """Where the chain is in its epoch."""
        point = self._told(params.config(0))
        return {
            "absoluteSlot": point.slot,
            "blockHeight": point.height,
            "epoch": point.slot // _SLOTS_PER_EPOCH,
            "slotIndex": point.slot % _SLOTS_PER_EPOCH,
            "slotsInEpoch": _SLOTS_PER_EPOCH,
            "transactionCount": self._chain.transaction_count,
        }

    def get_latest_blockhash(self, params: Params) -> Any:
        """The newest block hash, whatever commitment is asked for, and the last height it is good for."""
        params.config(0).commitment()
        point = self._lagging(self._chain.timeline.current)
        value = {
            "blockhash": str(self._chain.hashes.latest),
            "lastValidBlockHeight": point.height + self._chain.hashes.age_blocks,
        }
        return with_context(point.slot, value)

    def is_blockhash_valid(self, params: Params) -> Any:
        """Whether a block at the asked commitment would take a transaction that names the hash."""
        point = point_for(self._chain, params.config(1))
        return with_context(point.slot, self._chain.hashes.usable_at(params.blockhash(0), point.height))

    def get_fee_for_message(self, params: Params) -> Any:
        """Lamports a message would pay, or null if its block hash is not usable any more."""
        try:
            message = from_bytes_versioned(base64.b64decode(params.text(0), validate=True))
        except (binascii.Error, ValueError) as error:
            raise invalid_params(f"failed to deserialize VersionedMessage: {error}") from error
        unsigned = [Signature.default()] * message.header.num_required_signatures
        transaction = VersionedTransaction.populate(message, unsigned)
        check_shape(transaction)
        meta = self._chain.simulate(transaction).meta
        return with_context(self._chain.timeline.current.slot, None if meta is None else meta.fee())

    def get_recent_prioritization_fees(self, _: Params) -> Any:
        """Nobody has to pay for priority here."""
        return [{"slot": self._chain.timeline.current.slot, "prioritizationFee": 0}]
