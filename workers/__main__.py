"""`python -m workers <service> …`: the table of services. Each is a module of this package with a
`main(arguments)`.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Final, cast

SERVICES: Final = {
    "check": "workers.check",
    "localnet": "workers.localnet",
    "trade": "workers.trade",
    "settle": "workers.settle",
    "sign": "workers.sign",
    "indicators": "workers.indicators",
    "stream": "workers.stream",
    "reconcile": "workers.reconcile",
    "parked": "workers.parked",
    "frozen": "workers.frozen",
    "sweep": "workers.sweep",
    "roles": "workers.roles",
    "audit": "workers.audit",
}
"""Service name → module. The module is imported only when its service is started."""


def service(name: str) -> Callable[[Sequence[str]], int]:
    """The `main` of a service: takes the arguments after its name, returns the exit code."""
    return cast(Callable[[Sequence[str]], int], importlib.import_module(SERVICES[name]).main)


def main(arguments: Sequence[str]) -> int:
    """Run the service named by the first argument."""
    if not arguments or arguments[0] not in SERVICES:
        sys.stderr.write(f"usage: python -m workers <service> [options]\nservices: {', '.join(SERVICES)}\n")
        return 2
    return service(arguments[0])(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
