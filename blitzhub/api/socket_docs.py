"""The market socket's documentation page, drawn from docs/asyncapi.yaml, with the example client beside it.

No script: what the contract tests hold against both servers is written out message by message.
"""

import html
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from fastapi import APIRouter
from fastapi.responses import HTMLResponse, PlainTextResponse

_DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
_DOCUMENT: Final = _DOCS / "asyncapi.yaml"
_CLIENT: Final = _DOCS / "market_client.py"
_CODE: Final = re.compile(r"`([^`]+)`")
_STYLE: Final = """
body { margin: 0; background: var(--bh-bg-0); color: var(--bh-text-1); font: 16px/1.55 var(--bh-font-word); }
main { max-width: 860px; margin: 0 auto; padding: 24px 16px 64px; }
a, code { color: var(--bh-accent-text); }
h1 { font-size: 28px; } h2 { margin-top: 40px; } h3 { margin: 28px 0 4px; }
code, pre { font: 13px/1.5 var(--bh-font-figure); }
p, code { overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: 12px; border-radius: 8px; }
pre { border: 1px solid var(--bh-line-1); background: var(--bh-bg-1); }
summary { cursor: pointer; padding: 4px 0; }
"""

router = APIRouter(prefix="/docs", include_in_schema=False)


@router.get("/socket")
async def page() -> HTMLResponse:
    """The page for people."""
    return HTMLResponse(_page())


@router.get("/asyncapi.yaml")
async def document() -> PlainTextResponse:
    """The document for programs."""
    return PlainTextResponse(_text(_DOCUMENT), media_type="application/yaml")


@router.get("/market_client.py")
async def client() -> PlainTextResponse:
    """The example client, to be saved and run."""
    return PlainTextResponse(_text(_CLIENT))


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _page() -> str:
    found: dict[str, Any] = yaml.safe_load(_text(_DOCUMENT))
    messages, info = found["components"]["messages"], found["info"]
    sections = [
        _section(
            operation["summary"], [reference["$ref"].rsplit("/", 1)[1] for reference in operation["messages"]], messages
        )
        for operation in found["operations"].values()
    ]
    parts = "".join(_folded(name, schema) for name, schema in found["components"]["schemas"].items())
    return f"""<!doctype html>
<html lang="en" class="dark">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Market socket · BlitzHub</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/theme.css">
<style>{_STYLE}</style>
</head>
<body>
<main>
<p><a href="/">BlitzHub</a> · <a href="/api/docs">HTTP API</a> ·
<a href="/api/docs/asyncapi.yaml">AsyncAPI document</a></p>
<h1>{html.escape(info["title"])}</h1>
<p><code>{html.escape(found["channels"]["market"]["address"])}</code></p>
{_paragraphs(info["description"])}
{"".join(sections)}
<h2>Shared parts</h2>
{parts}
<h2 id="client">A client that runs</h2>
<p><a href="/api/docs/market_client.py">Save it</a>, install <code>websockets</code>, run it with a token's address.</p>
<pre>{html.escape(_text(_CLIENT))}</pre>
</main>
</body>
</html>
"""


def _section(title: str, names: list[str], messages: dict[str, Any]) -> str:
    told = [
        f'<h3 id="{name}"><code>{name}</code></h3>{_paragraphs(messages[name]["summary"])}'
        + _folded("payload", messages[name]["payload"])
        for name in names
    ]
    return f"<h2>{html.escape(title)}</h2>{''.join(told)}"


def _folded(name: str, schema: Any) -> str:
    written = html.escape(yaml.safe_dump(schema, sort_keys=False, allow_unicode=True, width=100))
    return f"<details><summary><code>{html.escape(name)}</code></summary><pre>{written}</pre></details>"


def _paragraphs(text: str) -> str:
    parts = (_CODE.sub(r"<code>\1</code>", html.escape(part)) for part in text.split("\n\n"))
    return "".join(f"<p>{part}</p>" for part in parts)
