"""How the web server is started: whose word about a visitor's address it takes."""

import pytest
import uvicorn

from blitzhub import __main__ as serving
from blitzhub import build_plugin


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> list[uvicorn.Config]:
    configs: list[uvicorn.Config] = []

    class Recorder:
        started = True

        def __init__(self, config: uvicorn.Config, _: str) -> None:
            configs.append(config)

        def run(self) -> None:
            """It would serve."""

    monkeypatch.setattr(serving, "_Server", Recorder)
    monkeypatch.setattr(serving, "_BUILD_FINISHED", serving.Path(build_plugin.__file__))
    monkeypatch.setattr(serving.os, "environ", dict(serving.os.environ))
    return configs


def clients_of(config: uvicorn.Config, *peers: str) -> list[str]:
    """Whom the server takes requests of these peers to come from, each claiming to be 203.0.113.7."""
    heard: list[str] = []

    async def app(scope: uvicorn._types.Scope, *_: object) -> None:
        heard.append(scope["client"][0])

    config.app = app
    config.factory, config.loop, config.interface = False, "none", "asgi3"
    config.load()
    for peer in peers:
        scope = {"type": "http", "client": (peer, 1), "headers": [(b"x-forwarded-for", b"203.0.113.7")]}
        call = config.loaded_app(scope, None, None)
        with pytest.raises(StopIteration):
            call.send(None)
    return heard


def test_without_a_trusted_proxy_nobody_speaks_for_another(started: list[uvicorn.Config]) -> None:
    assert serving.main([]) == 0
    assert clients_of(started[0], "127.0.0.1") == ["127.0.0.1"]


def test_only_the_trusted_proxy_tells_the_visitors_address(
    started: list[uvicorn.Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(serving.os.environ, "BLITZ_TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8")
    assert serving.main([]) == 0
    told = clients_of(started[0], "127.0.0.1", "10.1.2.3", "192.0.2.1")
    assert told == ["203.0.113.7", "203.0.113.7", "192.0.2.1"]
