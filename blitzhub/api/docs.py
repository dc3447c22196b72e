"""The API's documentation page, from vendored scripts only: the framework's own loads a CDN."""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

_PAGE: Final = """<!doctype html>
<html lang="en" class="dark">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API · BlitzHub</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/theme.css">
<link rel="stylesheet" href="/vendor/swagger-ui.css">
<style>
body { margin: 0; background: var(--bh-bg-0); color: var(--bh-text-1); font: 16px/1.55 var(--bh-font-word); }
nav { padding: 16px 20px; }
a { color: var(--bh-accent-text); }
/* The library draws for white paper alone; what is dark there already is turned back. */
#ui { filter: invert(0.93) hue-rotate(180deg); }
#ui .microlight { filter: invert(1) hue-rotate(180deg); }
</style>
</head>
<body>
<nav><a href="/">BlitzHub</a> · <a href="/api/docs/socket">Live data: the market socket</a></nav>
<div id="ui"></div>
<script src="/vendor/swagger-ui-bundle.js"></script>
<script src="/api/docs.js"></script>
</body>
</html>
"""
_SCRIPT: Final = 'SwaggerUIBundle({url: "/api/openapi.json", dom_id: "#ui", validatorUrl: null});\n'

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def page() -> HTMLResponse:
    """The page that draws the OpenAPI document."""
    return HTMLResponse(_PAGE)


@router.get("/docs.js")
async def script() -> Response:
    """Its start script, a file of its own because the policy forbids inline ones."""
    return Response(_SCRIPT, media_type="text/javascript")
