"""The API as a client sees it, mounted as the app mounts it, over real SQLite and fake outside parts."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from blitzhub.api import create_api
from engine.services import Services
from tests.fakes import fake_services, migrated_database
from tests.integration.api.client import Browser


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture
def services(tmp_path: Path, migrated: Path) -> Iterator[Services]:
    with fake_services(tmp_path, migrated) as services:
        yield services


@pytest.fixture
def app(services: Services) -> Starlette:
    api = create_api()
    api.state.services = services
    return Starlette(routes=[Mount("/api", api)])


@pytest.fixture
async def visitor(app: Starlette) -> AsyncIterator[Browser]:
    async with Browser(app) as browser:
        yield browser


@pytest.fixture
async def trader(app: Starlette) -> AsyncIterator[Browser]:
    async with Browser(app) as browser:
        await browser.sign_in()
        yield browser
