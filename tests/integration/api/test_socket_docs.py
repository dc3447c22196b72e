"""The socket's page says every message of the AsyncAPI document, and gives the client that the contract tests run."""

import yaml

from tests.contract.test_asyncapi import ASKED, DOCS, TOLD
from tests.integration.api.client import Browser


async def test_the_page_names_every_message_and_shows_the_client(visitor: Browser) -> None:
    page = await visitor.get("/api/docs/socket")
    assert page.headers["content-type"].startswith("text/html")
    for name in (*ASKED, *TOLD):
        assert f'<h3 id="{name}">' in page.text
    assert "POST /api/me/socket-ticket" in page.text
    assert "async def trades(url: str, token: str)" in page.text


async def test_the_document_and_the_client_are_served_as_they_are(visitor: Browser) -> None:
    document = await visitor.get("/api/docs/asyncapi.yaml")
    assert yaml.safe_load(document.text)["asyncapi"].startswith("3.")
    client = await visitor.get("/api/docs/market_client.py")
    assert client.text == (DOCS / "market_client.py").read_text()
    compile(client.text, "market_client.py", "exec")
