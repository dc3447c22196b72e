"""What is sent to Redis without anybody waiting for it: a bounded queue, emptied many commands at once.

Nothing is tried again. While Redis is away the queue fills and then loses; whoever queued something says what a loss
means to it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

QUEUE_LIMIT: Final = 20_000
TOGETHER: Final = 1_000
ALL_OF_THEM: Final = """
local at = 1
while at <= #ARGV do
  local last = at + tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, last))
  at = last + 1
end
"""
"""Many commands as one: the library takes several times longer over a pipeline, for each command and each answer."""

CONNECT_TIMEOUT_S: Final = 0.5
ANSWER_TIMEOUT_S: Final = 1.0
RETRY_S: Final = (0.1, 0.2, 0.5, 1.0)
CLOSE_LIMIT_S: Final = 1.0

BROKEN: Final = (RedisError, OSError)


def client(url: str) -> "Redis":
    """A client that fails at once where the default one would block a caller for seconds with its retries."""
    return Redis.from_url(
        url,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=ANSWER_TIMEOUT_S,
        socket_keepalive=True,
    )


@dataclass(frozen=True, slots=True)
class Command:
    """One command and, for what cannot simply be lost, whom to tell of it."""

    words: tuple[Any, ...]
    lost: Callable[[], None] | None = None


class SideQueue:
    """Commands in the order they were put; `put` may be called from any thread and never waits."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._loop = asyncio.get_running_loop()
        self._commands: deque[Command] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="redis-side-queue")
        self._after_losses: list[Callable[[], None]] = []
        self._has_lost = False
        self.dropped = 0

    def after_losses(self, tell: Callable[[], None]) -> None:
        """Call this when commands go through again after some were lost."""
        self._after_losses.append(tell)

    def put(self, commands: Sequence[Command]) -> None:
        """Send these soon, after what was put before; over the limit they are lost."""
        if self._closing:
            return
        room = QUEUE_LIMIT - len(self._commands)
        self._commands.extend(commands[:room])
        self._lose(commands[max(0, room) :])
        self._ring()

    def _ring(self) -> None:
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            self._wake.set()
        else:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._wake.set)

    def _lose(self, commands: Sequence[Command]) -> None:
        self.dropped += len(commands)
        self._has_lost = self._has_lost or bool(commands)
        for command in commands:
            if command.lost is not None:
                command.lost()

    async def _run(self) -> None:
        failures = 0
        while not (self._closing and not self._commands):
            await self._wake.wait()
            self._wake.clear()
            while self._commands:
                if await self._send():
                    failures = 0
                    self._tell()
                else:
                    if failures == 0:
                        log.error("alert=redis_away BLITZ_REDIS_URL does not answer; live events are lost meanwhile")
                    await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
                    failures += 1

    def _tell(self) -> None:
        if self._has_lost:
            self._has_lost = False
            for tell in self._after_losses:
                tell()

    async def _send(self) -> bool:
        batch = [self._commands.popleft() for _ in range(min(TOGETHER, len(self._commands)))]
        words: list[Any] = []
        for command in batch:
            words.append(len(command.words))
            words.extend(command.words)
        try:
            await self._redis.execute_command("EVAL", ALL_OF_THEM, 0, *words)  # type: ignore[no-untyped-call]
        except BROKEN as error:
            log.info("%d commands were lost: %r", len(batch), error)
            self._lose(batch)
            return False
        return True

    async def close(self) -> None:
        """Send what waits, for a moment, and end."""
        self._closing = True
        self._wake.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._task, CLOSE_LIMIT_S)
