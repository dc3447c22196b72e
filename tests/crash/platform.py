"""The platform as `make up` runs it, in processes under keepers, on servers of its own and lines that may be cut."""

import os
import secrets
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine.persistence.database import Database
from engine.settings import Settings, load
from tests.app import free_port
from tests.crash.kept import Kept
from tests.crash.weather import WeatherLine
from tests.line import line_to
from tests.localnet import free_port_pair
from tests.servers import Cluster, Server, postgresql_cluster, rabbitmq_server, redis_server

START_LIMIT_S: Final = 120.0
TRADE: Final = ("trade1", "trade2")
SETTLE: Final = ("settle1", "settle2")
SIGNER_SECRETS: Final = {
    name: secrets.token_urlsafe(32) for name in ("BLITZ_SIGNER_WEB_TOKEN", "BLITZ_SIGNER_SETTLE_TOKEN")
}


@dataclass(slots=True)
class Platform:
    """Everything that runs. `lines` lie between the processes and the servers of these names."""

    directory: Path
    port: int
    rabbitmq: Server
    postgresql: Cluster
    redis: Server
    lines: dict[str, WeatherLine]
    own: dict[str, str]
    kept: dict[str, Kept] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the web process answers."""
        return f"http://localhost:{self.port}"

    @property
    def database(self) -> Database:
        """The database for the test itself, on a way that no fault meets. The caller closes it."""
        return Database(self.postgresql.own_url)

    @property
    def settings(self) -> Settings:
        """What opens the same services in the test, past every line."""
        return load(
            self.own
            | {
                "BLITZ_DATABASE_URL": self.postgresql.own_url,
                "BLITZ_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{self.rabbitmq.port}/",
                "BLITZ_REDIS_URL": f"redis://127.0.0.1:{self.redis.port}/0",
            }
        )

    @property
    def chain_file(self) -> Path:
        """What the local chain keeps."""
        return self.directory / "localnet" / "chain.sqlite"

    def answers(self) -> bool:
        """Whether the web process and all of its parts do."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/health/ready", timeout=5):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def wait_until_it_answers(self) -> None:
        """Wait until traders can come."""
        deadline_s = time.monotonic() + START_LIMIT_S
        while not self.answers():
            assert time.monotonic() < deadline_s, self.kept["web"].said[-3_000:]
            time.sleep(0.1)

    def start(self) -> None:
        """Start every process of the platform."""
        chain_port = self.own["BLITZ_SOLANA_RPC_URL"].rpartition(":")[2]
        self._start("localnet", "workers", "localnet", "--port", chain_port, "--data", str(self.chain_file.parent))
        self._start("sign", "workers", "sign", BLITZ_KEYS_URL=f"seed:{self.directory / 'keys.seed'}")
        web_token = SIGNER_SECRETS["BLITZ_SIGNER_WEB_TOKEN"]
        self._start("web", "blitzhub", "--port", str(self.port), BLITZ_SIGNER_TOKEN=web_token)
        for name in TRADE:
            self._start(name, "workers", "trade")
        for name in SETTLE:
            settle_token = SIGNER_SECRETS["BLITZ_SIGNER_SETTLE_TOKEN"]
            self._start(name, "workers", "settle", BLITZ_SIGNER_TOKEN=settle_token)
        self._start("indicators", "workers", "indicators")
        self.wait_until_it_answers()

    def _start(self, name: str, *arguments: str, **settings: str) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("BLITZ_")}
        environment |= self.own | SIGNER_SECRETS | settings
        self.kept[name] = Kept(name, list(arguments), environment, self.directory)

    def stop(self) -> None:
        """End every process of the platform, those first that start nothing."""
        for kept in reversed(self.kept.values()):
            kept.stop()


@contextmanager
def running_platform(directory: Path) -> Iterator[Platform]:
    """The platform, which takes orders when the block begins; what its processes said stays in the directory."""
    with ExitStack() as stack:
        rabbitmq = stack.enter_context(rabbitmq_server())
        postgresql = stack.enter_context(postgresql_cluster())
        redis = stack.enter_context(redis_server())
        ports = {"rabbitmq": rabbitmq.port, "postgresql": postgresql.port, "redis": redis.port}
        lines = {name: stack.enter_context(line_to("127.0.0.1", port, WeatherLine)) for name, port in ports.items()}
        database = Database(postgresql.url())
        database.migrate()
        database.close()
        port, chain_port = free_port(), free_port_pair()
        own = {
            "BLITZ_DATA_DIR": str(directory),
            "BLITZ_DATABASE_URL": postgresql.url(lines["postgresql"].port),
            "BLITZ_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{lines['rabbitmq'].port}/",
            "BLITZ_REDIS_URL": f"redis://127.0.0.1:{lines['redis'].port}/0",
            "BLITZ_SIGNER_URL": f"unix:{directory / 'signer.sock'}",
            "BLITZ_SOLANA_RPC_URL": f"http://127.0.0.1:{chain_port}",
            "BLITZ_SOLANA_WS_URL": f"ws://127.0.0.1:{chain_port + 1}",
            "BLITZ_PUBLIC_URL": f"http://localhost:{port}",
            "BLITZ_FAUCET_LAMPORTS": "1000000000000",
            "BLITZ_REQUESTS_PER_S": "1000",
            "BLITZ_ORDER_DEADLINE_MS": "600000",
        }
        platform = Platform(directory, port, rabbitmq, postgresql, redis, lines, own)
        stack.callback(platform.stop)
        platform.start()
        yield platform


def emptied(directory: Path) -> Path:
    """The directory, made anew."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory
