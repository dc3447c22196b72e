"""Settings: the only module that reads the environment.

Every part is chosen by a URL here, never by a fork in the code. `BLITZ_ENV=production` refuses the embedded parts.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from engine.identifiers import is_address
from engine.units import MAX_AMOUNT

SHARED_COMMIT_SPACING_MS: Final = 28
"""The default of `commit_spacing_ms` where workers are processes of their own and the database counts statements."""


class InvalidSettings(ValueError):
    """The environment asks for something that cannot work; the message names the variable."""


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class LogFormat(StrEnum):
    """`auto` is JSON in production and text everywhere else."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. Each field is read from `BLITZ_` + its name in capitals."""

    env: Environment = Environment.DEVELOPMENT
    data_dir: Path = Path(".blitz")
    database_url: str = ""
    broker_url: str = "sqlite"
    broker_prefix: str = "trades"
    redis_url: str = "memory://"
    signer_url: str = "local"
    signer_token: str = field(default="", repr=False)
    signer_web_token: str = field(default="", repr=False)
    signer_settle_token: str = field(default="", repr=False)
    signer_ca_file: str = ""
    signer_certificate_file: str = ""
    keys_url: str = ""
    vault_token_file: str = ""
    vault_ca_file: str = ""
    solana_rpc_url: str = "http://127.0.0.1:8899"
    solana_ws_url: str = "ws://127.0.0.1:8900"
    solana_fallbacks: str = ""
    solana_lag_slots: int = 50
    public_url: str = "http://localhost:8600"
    backend: str = "local"
    trusted_proxies: str = ""
    crash_points: str = ""

    database_pool_size: int = 4
    database_lock_timeout_ms: int = 3_000
    database_idle_transaction_ms: int = 5_000
    database_wallet_dir: str = ""
    database_wallet_password: str = field(default="", repr=False)

    fee_bps: int = 100
    creator_share_percent: int = 30
    minimum_buy_lamports: int = 10_000_000
    order_deadline_ms: int = 60_000
    batch_limit: int = 1_000
    commit_spacing_ms: int = 0

    confirm_poll_ms: int = 500
    settlements_in_flight: int = 300
    compute_unit_limit: int = 120_000
    compute_unit_price_microlamports: int = 0
    deposit_scan_ms: int = 1_000
    reconcile_ms: int = 10_000
    faucet_lamports: int = 10_000_000_000

    session_idle_ms: int = 7 * 86_400_000
    session_absolute_ms: int = 30 * 86_400_000
    nonce_ttl_ms: int = 300_000
    reauthentication_ms: int = 300_000
    withdrawal_delay_ms: int = 3_600_000
    treasury_address: str = ""
    operators: str = ""
    viewers: str = ""
    operator_reauthentication_ms: int = 900_000
    fee_payer_low_lamports: int = 5_000_000_000
    withdrawals_hourly_lamports: int = 1_000_000_000_000
    market_frames_per_s: int = 5
    sockets_per_address: int = 100
    requests_per_s: int = 20
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0
    log_format: LogFormat = LogFormat.AUTO

    @property
    def localnet(self) -> bool:
        """Whether the chain is a local one, which alone offers the faucet and the demo wallet."""
        return _is_local(self.solana_rpc_url)

    @property
    def secure_cookie(self) -> bool:
        """Whether the browser will keep a Secure cookie: over https, and over http on this machine only."""
        url = urlsplit(self.public_url)
        return url.scheme == "https" or url.hostname in ("127.0.0.1", "localhost")

    @property
    def logs_json(self) -> bool:
        """Whether a line of the log is a JSON object: where programs read it, and nobody at a terminal."""
        if self.log_format is LogFormat.AUTO:
            return self.env is Environment.PRODUCTION
        return self.log_format is LogFormat.JSON

    @property
    def embedded(self) -> bool:
        """Whether orders are queued in this process, so that the app itself runs the workers' loops."""
        return self.broker_url == "sqlite"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Raises:
        InvalidSettings: a value of the wrong form, or an embedded part in production.
    """
    source = os.environ if environ is None else environ
    values: dict[str, object] = {}
    for each in fields(Settings):
        raw = source.get(f"BLITZ_{each.name.upper()}")
        if raw:
            values[each.name] = _read(each.name, raw, each.default)
    if values.get("broker_url", "sqlite") != "sqlite":
        values.setdefault("commit_spacing_ms", SHARED_COMMIT_SPACING_MS)
    return _completed(Settings(**values))  # type: ignore[arg-type]


def _read(name: str, raw: str, default: object) -> object:
    if isinstance(default, StrEnum):
        try:
            return type(default)(raw)
        except ValueError as error:
            expected = ", ".join(type(default))
            raise InvalidSettings(f"BLITZ_{name.upper()} was {raw[:80]!r}, expected one of {expected}") from error
    if isinstance(default, int):
        return _whole(name, raw)
    return Path(raw) if isinstance(default, Path) else raw


_MAY_BE_ZERO: Final = {
    "fee_bps",
    "creator_share_percent",
    "minimum_buy_lamports",
    "commit_spacing_ms",
    "compute_unit_price_microlamports",
    "withdrawal_delay_ms",
    "metrics_port",
}
_AT_MOST: Final = {
    "fee_bps": 9_999,
    "creator_share_percent": 100,
    "batch_limit": 1_000,
    "database_pool_size": 100,
    "metrics_port": 65_535,
}
"""A batch asks which of its orders are known: 1,000 fit one IN list on Oracle."""


def _whole(name: str, raw: str) -> int:
    least, most = int(name not in _MAY_BE_ZERO), _AT_MOST.get(name, MAX_AMOUNT)
    if not (raw.isascii() and raw.isdecimal() and len(raw) <= 19 and least <= int(raw) <= most):
        raise InvalidSettings(f"BLITZ_{name.upper()} was {raw[:80]!r}, expected a whole number from {least} to {most}")
    return int(raw)


def wallets_of(listed: str) -> list[str]:
    """The wallets of BLITZ_OPERATORS or BLITZ_VIEWERS."""
    return [each.strip() for each in listed.split(",") if each.strip()]


_BACKEND_NAME: Final = re.compile(r"[A-Za-z0-9.-]{1,40}")


def fallback_urls(listed: str) -> list[tuple[str, str]]:
    """The further Solana nodes of BLITZ_SOLANA_FALLBACKS: (RPC URL, WebSocket URL) each.

    Raises:
        InvalidSettings: not pairs of such URLs.
    """
    pairs = [tuple(each.split()) for each in filter(str.strip, listed.split(","))]
    if any(len(pair) != 2 or not pair[0].startswith("http") or not pair[1].startswith("ws") for pair in pairs):
        raise InvalidSettings("BLITZ_SOLANA_FALLBACKS expects pairs 'https://RPC wss://SOCKET', separated by commas")
    return [(pair[0], pair[1]) for pair in pairs]


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def _completed(settings: Settings) -> Settings:
    """Fill in what depends on the data directory, and refuse what may not be used in production."""
    settings = replace(
        settings,
        database_url=settings.database_url or f"sqlite:///{settings.data_dir / 'blitzhub.db'}",
        keys_url=settings.keys_url or _own_keys(settings),
    )
    _check_signer(settings.signer_url)
    if settings.crash_points and (settings.env is Environment.PRODUCTION or not settings.localnet):
        raise InvalidSettings("BLITZ_CRASH_POINTS is for tests: it is refused in production and beside any real chain")
    if settings.env is Environment.PRODUCTION:
        _refuse_embedded(settings)
    if not _BACKEND_NAME.fullmatch(settings.backend):
        raise InvalidSettings("BLITZ_BACKEND must be 1 to 40 letters, digits, dots and hyphens")
    _check_networks(settings.trusted_proxies)
    fallback_urls(settings.solana_fallbacks)
    for name, listed in (("OPERATORS", settings.operators), ("VIEWERS", settings.viewers)):
        if not all(is_address(wallet) for wallet in wallets_of(listed)):
            raise InvalidSettings(f"BLITZ_{name} must be addresses of wallets, separated by commas")
    if settings.broker_url == "sqlite" and not settings.database_url.startswith("sqlite:"):
        raise InvalidSettings("BLITZ_BROKER_URL was 'sqlite', which needs BLITZ_DATABASE_URL to be sqlite as well")
    return settings


def _own_keys(settings: Settings) -> str:
    """Where there is a signer, no other process has keys."""
    return f"seed:{settings.data_dir / 'keys.seed'}" if settings.signer_url == "local" else ""


def _check_signer(url: str) -> None:
    """Secrets travel to the signer: over the network in TLS only."""
    address = urlsplit(url)
    if url == "local" or (address.scheme == "unix" and address.path.startswith("/")):
        return
    if address.scheme not in ("http", "https") or not address.hostname:
        raise InvalidSettings("BLITZ_SIGNER_URL is none: expected 'local', unix:/PATH, https://… or http://127.0.0.1:…")
    if address.scheme == "http" and not _is_local(url):
        raise InvalidSettings("BLITZ_SIGNER_URL is http:// to another machine: it must be https://")


def _check_networks(listed: str) -> None:
    for each in filter(None, listed.split(",")):
        try:
            ipaddress.ip_network(each.strip())
        except ValueError as error:
            raise InvalidSettings(
                f"BLITZ_TRUSTED_PROXIES held {each[:80]!r}, expected addresses and networks, separated by commas"
            ) from error


def _refuse_embedded(settings: Settings) -> None:
    embedded = {
        "BLITZ_DATABASE_URL": settings.database_url.startswith("sqlite"),
        "BLITZ_BROKER_URL": settings.broker_url == "sqlite",
        "BLITZ_REDIS_URL": settings.redis_url.startswith("memory:"),
        "BLITZ_SIGNER_URL": settings.signer_url == "local",
        "BLITZ_KEYS_URL": settings.keys_url.startswith("seed:"),
        "BLITZ_SOLANA_RPC_URL": settings.localnet,
        "BLITZ_SOLANA_WS_URL": _is_local(settings.solana_ws_url),
        "BLITZ_SOLANA_FALLBACKS": any(
            _is_local(url) for pair in fallback_urls(settings.solana_fallbacks) for url in pair
        ),
    }
    refused = [name for name, is_embedded in embedded.items() if is_embedded]
    if refused:
        raise InvalidSettings(
            "BLITZ_ENV=production refuses the embedded parts; set " + ", ".join(refused) + " to real servers"
        )
