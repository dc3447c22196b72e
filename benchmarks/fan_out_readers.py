"""The load client (fan_out_client.c) as Python sees it: built with the system's compiler, ordered about by lines."""

import asyncio
import json
import resource
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).with_name("fan_out_client.c")
GREETED_LIMIT_S: Final = 120.0
ANSWER_LIMIT_S: Final = 30.0
FILES_BESIDE: Final = 200
"""Files a process has open beside its sockets, at most."""


class CannotMeasure(Exception):
    """The sentence says what the machine lacks."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the readers that were reading have received in a window; latencies in ms, rounded up."""

    sockets: int
    frames: int
    frames_per_s: float
    """To each of them."""
    trades: int
    dropped: int
    """Trades that never came, by the gaps in `seq`."""
    closed: int
    p50_ms: int
    p99_ms: int
    max_ms: int
    least_bytes: int
    mean_bytes: int


class Readers:
    """Sockets that have their first snapshot."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def begin(self) -> None:
        """Count from now on."""
        self._say("begin")

    def stall(self) -> None:
        """Those that were made to stall read no more, for good."""
        self._say("stall")

    async def end(self, seq: int) -> Heard:
        """What was heard since `begin`; waits up to ten seconds for who has not got to `seq`.

        Raises:
            CannotMeasure: the client has ended.
        """
        self._say(f"end {seq}")
        return Heard(**json.loads(await self.line(ANSWER_LIMIT_S)))

    async def line(self, limit_s: float) -> bytes:
        """What it says next."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), limit_s)
        if not line:
            raise CannotMeasure("The load client ended; what it said stands above.")
        return line

    def _say(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n".encode())


async def build(directory: Path) -> Path:
    """The compiled client.

    Raises:
        CannotMeasure: there is no compiler.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise CannotMeasure("A C compiler is missing: install one (on Debian: apt install gcc libc6-dev).")
    program = directory / "fan_out_client"
    process = await asyncio.create_subprocess_exec(compiler, "-O2", "-o", str(program), str(SOURCE))
    if await process.wait():
        raise CannotMeasure(f"The compiler refused {SOURCE.name}.")
    return program


@asynccontextmanager
async def connected(
    program: Path, port: int, sockets: int, stalling: int, tokens: Sequence[str], limit_s: int
) -> AsyncIterator[Readers]:
    """Readers of that port while the block runs, each with its snapshot of one token's trades; dead after `limit_s`."""
    listed = program.with_name("tokens.txt")
    listed.write_text("\n".join(tokens))
    arguments = [str(number) for number in (port, sockets, stalling, limit_s)]
    process = await asyncio.create_subprocess_exec(str(program), *arguments, str(listed), stdin=PIPE, stdout=PIPE)
    readers = Readers(process)
    try:
        await readers.line(GREETED_LIMIT_S)
        yield readers
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def allow_files(sockets: int) -> None:
    """Let this process and those it starts have that many sockets each.

    Raises:
        CannotMeasure: the machine does not let them.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < sockets + FILES_BESIDE:
        raise CannotMeasure(f"A process may have {most} files open here: at most {most - FILES_BESIDE} sockets.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
