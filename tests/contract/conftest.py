"""The localnets that contract tests share."""

from collections.abc import AsyncIterator, Iterator

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed

from tests.localnet import Localnet, running_localnet


@pytest.fixture(scope="session")
def localnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localnet]:
    """A node with short delays that tests share and do not restart."""
    data = tmp_path_factory.mktemp("localnet")
    with running_localnet(data, confirm_ms=80, finalize_ms=300, slot_ms=15) as node:
        yield node


@pytest.fixture
async def client(localnet: Localnet) -> AsyncIterator[AsyncClient]:
    """An unmodified solana-py client of the shared node."""
    async with AsyncClient(localnet.rpc_url, commitment=Confirmed) as connected:
        yield connected
