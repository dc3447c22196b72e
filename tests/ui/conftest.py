"""The running app and the browser for UI tests; every page fails its test on a policy violation or a script error."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

ROOT = Path(__file__).parents[2]
BUILT_PAGE = ROOT / ".web" / "build" / "client" / "index.html"
CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
_START_LIMIT_S = 60
_STOP_LIMIT_S = 30


def _wait_until_live(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the app ended at once with status {process.returncode}"
        try:
            with urllib.request.urlopen(f"{url}/api/health/live", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    raise AssertionError(f"the app did not answer within {_START_LIMIT_S} s")


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _process(*command: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_LIMIT_S)


def _chain_port() -> int:
    """A free port whose next one is free too: the chain's WebSocket is there."""
    while True:
        port = free_port()
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port + 1))
            return port


@contextlib.contextmanager
def running_app(port: int, data_dir: Path) -> Iterator[str]:
    """The built app and a local chain until the block ends; yields the app's address.

    The app must not compile the frontend again.
    """
    if not BUILT_PAGE.exists():
        pytest.skip("the frontend is not built: run `make build`")
    built_at_ns = BUILT_PAGE.stat().st_mtime_ns
    chain_port = _chain_port()
    url = f"http://localhost:{port}"
    environment = os.environ | {
        "BLITZ_DATA_DIR": str(data_dir),
        "BLITZ_PUBLIC_URL": url,
        "BLITZ_SOLANA_RPC_URL": f"http://127.0.0.1:{chain_port}",
        "BLITZ_SOLANA_WS_URL": f"ws://127.0.0.1:{chain_port + 1}",
    }
    chain = ("-m", "workers", "localnet", "--port", str(chain_port), "--data", str(data_dir / "localnet"))
    app = ("-m", "blitzhub", "--port", str(port))
    with _process(*chain, environment=environment), _process(*app, environment=environment) as process:
        _wait_until_live(url, process)
        yield url
    assert BUILT_PAGE.stat().st_mtime_ns == built_at_ns, "starting the app compiled the frontend again"


@pytest.fixture(scope="package")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The built app on a free port with data of its own, for this package."""
    with running_app(free_port(), tmp_path_factory.mktemp("data")) as url:
        yield url


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One headless Chromium for this package: its event loop counts as running, so no async test may come meanwhile."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages, each in a browser context of its own; takes the options of `Browser.new_context`."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def note_console(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            faults.append(message.text)

    def open_page(**options: object) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", note_console)
        page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """One desktop page."""
    return new_page()
