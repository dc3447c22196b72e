"""The localnet service: a Solana node of this machine's own, as a process of its own."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from engine.localnet.faults import Faults, FaultsRefused, parse_faults
from engine.localnet.node import Node
from engine.localnet.store import DataDirectoryInUse
from engine.localnet.timeline import MAX_BLOCKHASH_AGE, Commitment, Timing


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workers localnet",
        description="A Solana JSON-RPC and WebSocket node on 127.0.0.1 that keeps its chain in a directory.",
    )
    parser.add_argument(
        "--port", type=int, required=True, help="HTTP and WebSocket port; the next port serves the same"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="directory of the chain, made if missing"
    )
    parser.add_argument(
        "--confirm-ms",
        type=int,
        default=350,
        metavar="MS",
        help="from a transaction to its `confirmed`, at least the slot it is in (default: %(default)s)",
    )
    parser.add_argument(
        "--finalize-ms",
        type=int,
        default=2_000,
        metavar="MS",
        help="from a transaction to its `finalized`, not less than --confirm-ms (default: %(default)s)",
    )
    parser.add_argument(
        "--slot-ms",
        type=int,
        default=100,
        metavar="MS",
        help="length of a slot; a block hash is good for 150 of them (default: %(default)s)",
    )
    parser.add_argument(
        "--blockhash-blocks",
        type=int,
        default=MAX_BLOCKHASH_AGE,
        metavar="BLOCKS",
        help="how many blocks a block hash is good for (default: %(default)s)",
    )
    parser.add_argument(
        "--faults",
        default="",
        metavar="NAME=VALUE,…",
        help=f"what goes wrong on purpose, none by default: {', '.join(each.name for each in fields(Faults))}; "
        "changed while the node runs by its method localnetFaults",
    )
    return parser


def _timing(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Timing:
    if not 1 <= options.port <= 65_534:
        parser.error("--port must be between 1 and 65534, because the next port is used too")
    if options.slot_ms < 5:
        parser.error("--slot-ms must be at least 5")
    if not 0 <= options.confirm_ms <= options.finalize_ms:
        parser.error("--confirm-ms must not be negative nor exceed --finalize-ms")
    if not 1 <= options.blockhash_blocks <= MAX_BLOCKHASH_AGE:
        parser.error(f"--blockhash-blocks must be between 1 and {MAX_BLOCKHASH_AGE}")
    return Timing(options.confirm_ms, options.finalize_ms, options.slot_ms, options.blockhash_blocks)


def _faults(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Faults:
    try:
        return parse_faults(options.faults)
    except FaultsRefused as error:
        parser.error(f"--faults: {error.detail}")


async def _run(port: int, directory: Path, timing: Timing, faults: Faults) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        node = Node(directory, timing, faults)
    except DataDirectoryInUse as error:
        sys.stderr.write(f"localnet: {error.detail}\n")
        return 1
    try:
        await node.serve(port)
    except OSError as error:
        sys.stderr.write(f"localnet: cannot serve on ports {port} and {port + 1}: {error.strerror}\n")
        await node.close()
        return 1
    slot = node.chain.timeline.point(Commitment.PROCESSED).slot
    sys.stdout.write(f"localnet ready on http://127.0.0.1:{port} (ws {port} and {port + 1}), slot {slot}\n")
    sys.stdout.flush()
    try:
        await node.run(stop)
    finally:
        await node.close()
    return 0


def main(arguments: Sequence[str]) -> int:
    """Run the node until SIGTERM or SIGINT; the process's exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s localnet %(levelname)s %(message)s")
    parser = _parser()
    options = parser.parse_args(arguments)
    return asyncio.run(_run(options.port, options.data, _timing(parser, options), _faults(parser, options)))
