"""The outside world as the engine sees it: every adapter implements one of these Protocols.

Use cases import this module and never an adapter; `engine/bootstrap.py` puts the two together.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from engine.errors import Refusal
from engine.identifiers import Address, TokenAddress


class Clock(Protocol):
    """Where time comes from."""

    def now_ms(self) -> int:
        """UTC now in epoch milliseconds."""
        ...


class Delivery(NamedTuple):
    """One message as a consumer receives it. `redelivered` says it may have been executed before.

    `given_back` says how often it was delivered and not acknowledged, where the broker counts that.
    """

    token: TokenAddress
    body: bytes
    tag: int
    redelivered: bool
    given_back: int = 0


class Consumer(Protocol):
    """The receiving end of the order queues; messages of one token arrive in the order they were published."""

    @property
    def workers(self) -> int:
        """How many consumers share the queues now, this one included."""
        ...

    async def next_batch(self, limit: int) -> list[Delivery]:
        """Wait for at least one message and return at most `limit`, in arrival order."""
        ...

    def waiting(self) -> Sequence[Delivery]:
        """What has arrived and was not taken yet, in arrival order, without the orders of held tokens."""
        ...

    def owned(self) -> int:
        """Of how many tokens the orders come here."""
        ...

    async def ack(self, batch: Sequence[Delivery]) -> None:
        """Forget every message of the batch; called once, after the commit that executed it."""
        ...

    async def close(self) -> None:
        """Stop receiving; what was not acknowledged will be delivered again."""
        ...


class Depth(NamedTuple):
    """Orders of one token that no consumer has; when the oldest was accepted, where the broker can tell."""

    orders: int
    oldest_at_ms: int | None


class Broker(Protocol):
    """Durable order queues, one per token."""

    async def declare(self, token: TokenAddress) -> None:
        """Make the token's queue exist; done before the token can be traded. Idempotent."""
        ...

    async def recheck_held(self) -> None:
        """Have every consumer read anew which tokens are held: those get no order out until they are released.

        Raises:
            engine.errors.Unavailable: not every consumer was told; each finds out by itself when it reads next.
        """
        ...

    async def publish(self, token: TokenAddress, body: bytes) -> None:
        """Queue one order; returns only when it survives a crash of everything.

        Raises:
            engine.errors.Unavailable: nothing was queued (no queue, or the broker is out of reach).
            engine.errors.OutcomeUnknown: it may have been queued.
        """
        ...

    async def consume(self) -> Consumer:
        """Start receiving from every queue; unacknowledged messages come first."""
        ...

    async def check(self) -> None:
        """Raises `engine.errors.Unavailable` when an order could not be queued now."""
        ...

    async def depths(self, tokens: Sequence[TokenAddress]) -> dict[TokenAddress, Depth]:
        """How many orders of these tokens wait here; a token that nobody knows is left out.

        Raises:
            engine.errors.Unavailable: the broker is out of reach.
        """
        ...

    async def dead_letters(self) -> Consumer | None:
        """Start receiving orders that were delivered too often without being acknowledged; None if nothing counts."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads."""
        ...


class BusMessage(NamedTuple):
    """A live event on a channel. An empty payload says: messages of this channel may have been lost, repair."""

    channel: str
    payload: bytes


class Subscription(Protocol):
    """A changing set of channels and the messages that arrive on them."""

    async def add(self, *channels: str) -> None:
        """Start receiving these channels; when it returns, every later publish arrives."""
        ...

    async def remove(self, *channels: str) -> None:
        """Stop receiving these channels."""
        ...

    def __aiter__(self) -> AsyncIterator[BusMessage]:
        """The messages, until `close`."""
        ...

    async def close(self) -> None:
        """End the iteration."""
        ...


class Bus(Protocol):
    """Live events, best effort: any may be lost, so every consumer repairs itself from a snapshot."""

    def publish(self, messages: Sequence[BusMessage]) -> None:
        """Send without waiting; never raises and never slows the caller."""
        ...

    async def subscribe(self, *channels: str) -> Subscription:
        """Receive these channels."""
        ...

    async def check(self) -> None:
        """Raises `engine.errors.Unavailable` when events do not go out now."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Cache(Protocol):
    """Short-lived values; any may be gone at any time."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None when unknown, expired or out of reach."""
        ...

    async def take(self, key: str) -> bytes | None:
        """The value, which is then unknown: of several who ask at once, one gets it."""
        ...

    async def set(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Remember the value for `ttl_ms`; never raises."""
        ...

    def put(self, key: str, value: bytes, ttl_ms: int) -> None:
        """The same without waiting, from any thread: it may take a moment, and comes before a later `Bus.publish`."""
        ...


class KeyStore(Protocol):
    """Private keys by name; they never leave it. Calls may block: only the signer makes them, in a thread.

    Raises:
        engine.errors.Unavailable: from every method, when the store cannot be asked now.
    """

    def create(self, name: str) -> Address:
        """Make the key if it does not exist yet and return its address. Idempotent."""
        ...

    def address(self, name: str) -> Address | None:
        """The address of that name's key, None when there is none."""
        ...

    def sign(self, wanted: Sequence[tuple[str, bytes]]) -> list[bytes | Refusal]:
        """The 64-byte ed25519 signature of each (key's name, message), or why there is none, in the order asked."""
        ...

    def check(self) -> None:
        """Raises `engine.errors.Unavailable` when nothing could be signed now."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """A message to sign with every key it needs, and the stored settlement that asks for it."""

    settlement_id: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction ready to be sent; the signature is the fee payer's, which names the transaction."""

    signature: str
    transaction: bytes


class Signer(Protocol):
    """What stands before the keys: it signs what a stored settlement asks for, and nothing else.

    Raises:
        engine.errors.Unavailable: from every method, when the signer or its key store cannot be asked now.
    """

    async def fee_payer(self) -> Address:
        """The platform's address that pays the network."""
        ...

    async def create_key(self, name: str) -> Address:
        """Make the key of that name if it does not exist yet and return its address. Idempotent."""
        ...

    async def sign(self, wanted: Sequence[SigningRequest]) -> list[Signed | Refusal]:
        """Each request's transaction, or why it is not signed, in the order asked."""
        ...

    async def check(self) -> None:
        """Raises `engine.errors.Unavailable` when nothing could be signed now."""
        ...

    async def close(self) -> None:
        """Let go of connections and keys."""
        ...


@dataclass(frozen=True, slots=True)
class Blockhash:
    """A recent blockhash and the last block height at which a transaction naming it can land."""

    value: str
    last_valid_block_height: int


@dataclass(frozen=True, slots=True)
class ChainTip:
    """The newest finalized block: its slot and its height."""

    slot: int
    height: int


@dataclass(frozen=True, slots=True)
class SignatureStatus:
    """Where a landed transaction stands. `error` is the chain's own text, None for success."""

    slot: int
    confirmed: bool
    finalized: bool
    error: str | None


@dataclass(frozen=True, slots=True)
class ChainBalances:
    """Balances of one read, and the slot they are true at; absent accounts hold 0."""

    slot: int
    lamports: dict[str, int]
    tokens: dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class ChainAccount:
    """An account as it stands: what it holds, and the program that owns it (the System program: a wallet)."""

    lamports: int
    owner: str


@dataclass(frozen=True, slots=True)
class AddressHistory:
    """An address's finalized transactions since a cursor: the new cursor, and those that succeeded, oldest first."""

    address: str
    newest: str | None
    succeeded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BalanceChange:
    """What one finalized transaction did to one address's SOL; `lamports` is signed."""

    signature: str
    address: str
    lamports: int
    slot: int


@dataclass(frozen=True, slots=True)
class Movement:
    """What one confirmed transaction did to one holding; `amount` is signed lamports or base units, and may be 0."""

    signature: str
    slot: int
    amount: int


class Chain(Protocol):
    """A Solana cluster over RPC. Every method raises `engine.errors.Unavailable` when it is out of reach."""

    async def latest_blockhash(self) -> Blockhash:
        """The newest confirmed blockhash."""
        ...

    async def send(self, transactions: Sequence[bytes]) -> list[str | None]:
        """Hand signed bytes to the cluster; its refusal each, None when taken. Says nothing about landing."""
        ...

    async def statuses(
        self, signatures: Sequence[str], search_history: bool = False, since_slot: int = 0
    ) -> list[SignatureStatus | None]:
        """Where each stands, None for not landed; any number, batched by 256.

        A node that has not seen `since_slot` yet is as good as out of reach.
        """
        ...

    def confirmations(self) -> AsyncIterator[str]:
        """Signatures as they reach `confirmed`, for those given to `watch`; ends when the socket breaks.

        An empty string comes first, once the socket stands: what was watched before it must be watched again.
        """
        ...

    async def watch(self, signatures: Sequence[str]) -> None:
        """Ask to hear of these signatures on the confirmations socket; harmless when there is none."""
        ...

    async def finalized(self) -> ChainTip:
        """The newest finalized block: half of what proves that a transaction can never land."""
        ...

    async def usable_blockhashes(self, blockhashes: Sequence[str], since_slot: int) -> set[str]:
        """Those that the finalized state, of `since_slot` or later, still takes; the other half."""
        ...

    async def balances(
        self, addresses: Sequence[str], token_holdings: Sequence[tuple[str, str]], finalized: bool = False
    ) -> ChainBalances:
        """Lamports of addresses and token amounts of (owner, mint) pairs, at the oldest slot of the read.

        At `confirmed`, unless the finalized ones are asked for.
        """
        ...

    async def accounts(self, addresses: Sequence[str]) -> list[ChainAccount | None]:
        """The confirmed accounts at these addresses, None where there is none."""
        ...

    async def rent_lamports(self, size_bytes: int) -> int:
        """The balance that makes an account of that size rent-exempt."""
        ...

    async def histories(self, addresses: Sequence[tuple[str, str | None]]) -> list[AddressHistory]:
        """Finalized transactions of each (address, cursor) since its cursor, in the order asked."""
        ...

    async def changes(self, wanted: Sequence[tuple[str, str]]) -> list[BalanceChange]:
        """What each (address, signature) did to that address's SOL, in the order asked; a change may be 0."""
        ...

    async def lamports_moved(self, wanted: Sequence[tuple[str, str]]) -> list[int | None]:
        """What each (address, signature) that is confirmed did to that address's lamports, in the order asked.

        None where the node does not show the transaction yet.
        """
        ...

    async def recent(self, address: str, asset: str, after_slot: int) -> dict[str, int]:
        """Confirmed transactions that named this holding after that slot, failed ones included: signature → slot.

        The newest 5,000 at most.
        """
        ...

    async def movements(self, address: str, asset: str, signatures: Sequence[str]) -> list[Movement]:
        """What confirmed transactions did to the address's SOL or tokens, in the order asked."""
        ...

    async def airdrop(self, address: str, lamports: int) -> str:
        """Ask a local chain's faucet; returns the signature."""
        ...

    async def slot(self) -> int:
        """The newest confirmed slot."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
