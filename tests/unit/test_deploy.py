"""What is started by `make up`, by systemd and in containers is the same set of services."""

import re
from pathlib import Path

from scripts import up
from workers.__main__ import SERVICES

ROOT = Path(__file__).parents[2]
UNITS = {path.name: path.read_text() for path in sorted((ROOT / "deploy" / "systemd").glob("*.service"))}
COMPOSE = (ROOT / "deploy" / "compose" / "compose.yaml").read_text()
PROCFILE = (ROOT / up.PROCFILE).read_text()


def services(text: str) -> set[str]:
    """The services of `python -m workers` that a text starts."""
    return set(re.findall(r'-m"?,? "?workers"?,? "?(\w+)', text))


def test_the_procfile_has_every_process_that_up_starts() -> None:
    names = {line.partition(":")[0] for line in PROCFILE.splitlines()}
    assert names == {*up.PROCESSES, "localnet"}


def test_each_service_that_up_starts_has_a_unit_and_a_container() -> None:
    wanted = services(PROCFILE)
    assert {"stream", "trade", "settle", "indicators", "reconcile", "localnet"} <= wanted <= set(SERVICES)
    assert services("".join(UNITS.values())) == wanted
    assert services(COMPOSE) == wanted - {"localnet"}, "the local chain listens on its own machine only"
    assert {"blitzhub-backend@.service", "blitzhub-proxy.service"} <= set(UNITS)


def test_every_unit_is_hardened_and_restarts() -> None:
    for name, text in UNITS.items():
        for option in (
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "PrivateTmp=yes",
            "Restart=always",
            "User=blitzhub",
        ):
            assert option in text, f"{name}: {option}"


def test_every_variable_of_the_proxy_is_given_wherever_it_is_started() -> None:
    config = (ROOT / "deploy" / "haproxy" / "haproxy.cfg").read_text()
    wanted = set(re.findall(r"\$\{?(BLITZ_PROXY_\w+)", config))
    assert wanted == set(up.haproxy_environment("http://localhost", 1, 2, 3, 4, 5))
    readme = (ROOT / "deploy" / "README.md").read_text()
    for name in wanted:
        assert name in COMPOSE
        assert name in readme
