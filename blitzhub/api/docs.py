"""The API's documentation page, from vendored scripts only: the framework's own loads a CDN."""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API · BlitzHub</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/vendor/swagger-ui.css">
</head>
<body>
<p style="margin: 16px 20px; font-family: sans-serif">
<a href="/">BlitzHub</a> · <a href="/api/docs/socket">Live data: the market socket</a>
</p>
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
