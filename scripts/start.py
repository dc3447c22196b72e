"""Starts every process of the Procfile: `python scripts/start.py [--demo]`.

Checks the ports first, because a clear sentence is worth more than one traceback per process.
"""

import os
import socket
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROCESSES = ("localnet", "app")
STOP_LIMIT_S = 30  # the app finishes its batch of orders first; honcho's own limit of 5 s may cut that short
DEFAULTS = {
    "BLITZ_PORT": "8600",
    "BLITZ_LOCALNET_PORT": "8899",
    "BLITZ_LOCALNET_CONFIRM_MS": "350",
    "BLITZ_DATA_DIR": ".blitz",
}


class CannotStart(Exception):
    """The message is for the person who typed the command."""


def read_port(name: str) -> int:
    """The port a setting holds."""
    text = os.environ[name]
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:6]) < 65536):
        raise CannotStart(f"{name} was {text!r}: it must be a port from 1 to 65535.")
    return int(text)


def check_free(port: int, setting: str) -> None:
    """Refuse a port that something listens on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CannotStart(f"Port {port} is in use. Stop what uses it, or set {setting} to another port.") from error


def prepare_environment() -> None:
    """Fill in the settings that the Procfile names, and check the ports."""
    for name, value in DEFAULTS.items():
        if not os.environ.get(name):
            os.environ[name] = value
    check_free(read_port("BLITZ_PORT"), "BLITZ_PORT")
    prepare_localnet()
    prepare_processes()


def prepare_localnet() -> None:
    """Check the local chain's two ports; its addresses follow its port unless they were set."""
    port = read_port("BLITZ_LOCALNET_PORT")
    for each in (port, port + 1):
        check_free(each, "BLITZ_LOCALNET_PORT")
    os.environ.setdefault("BLITZ_SOLANA_RPC_URL", f"http://127.0.0.1:{port}")
    os.environ.setdefault("BLITZ_SOLANA_WS_URL", f"ws://127.0.0.1:{port + 1}")


def prepare_processes() -> None:
    """What every process needs: this Python's own commands first, output at once, a directory for its data."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ["PYTHONUNBUFFERED"] = "1"
    Path(os.environ["BLITZ_DATA_DIR"]).mkdir(parents=True, exist_ok=True)


def run_processes(names: list[str], procfile: str = "Procfile") -> None:
    """Hand over to honcho, which ends all processes when one ends. Does not return."""
    from honcho import command, manager

    manager.KILL_WAIT = STOP_LIMIT_S
    sys.argv = ["honcho", "-f", procfile, "start", *names]
    command.main()


def main() -> int:
    """Start the local chain, the app and, with `--demo`, the simulated traders."""
    os.chdir(ROOT)
    try:
        prepare_environment()
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
        return 1
    run_processes([*PROCESSES, "demo"] if "--demo" in sys.argv[1:] else [*PROCESSES])
    return 0


if __name__ == "__main__":
    sys.exit(main())
