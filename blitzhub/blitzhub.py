"""The web application: pages, API and security wrapper put together. Nothing else happens here."""

from typing import Final

import reflex as rx
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute

from blitzhub import routes
from blitzhub.api import create_api
from blitzhub.api.market_socket import PATH, market_socket
from blitzhub.components.browser import Toaster
from blitzhub.lifespan import lifespan_of
from blitzhub.offline import error_boundary, not_found, offline_note
from blitzhub.pages.account.page import account
from blitzhub.pages.admin.activity.pages import cohorts, token_metrics, tokens
from blitzhub.pages.admin.audit.page import audit
from blitzhub.pages.admin.engine.page import engine
from blitzhub.pages.admin.overview.page import overview
from blitzhub.pages.admin.switches.page import switches
from blitzhub.pages.board.page import board
from blitzhub.pages.launch.page import launch
from blitzhub.pages.launch.state import LaunchState
from blitzhub.pages.token.page import token
from blitzhub.pages.token.state import TokenState
from blitzhub.pages.wallet.page import wallet
from blitzhub.pages.wallet.state import WalletState
from blitzhub.push import Push
from blitzhub.security import SecurityHeaders
from blitzhub.session import SessionState

_IMAGE: Final = "favicon.svg"

_api = create_api()
_outer = Starlette(routes=[Mount("/api", _api), WebSocketRoute(PATH, market_socket)])

app = rx.App(
    api_transformer=[_outer, SecurityHeaders],
    stylesheets=["/theme.css", "/base.css", "/components.css", "/frame.css", "/live.css", "/pages.css", "/admin.css"],
    head_components=[
        rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml"),
        rx.el.meta(name="viewport", content="width=device-width, initial-scale=1, viewport-fit=cover"),
        rx.el.meta(name="color-scheme", content="dark light"),
    ],
    app_wraps={
        (55, "ErrorBoundary"): lambda stateful: error_boundary(stateful=stateful),
        (5, "Overlay"): lambda stateful: offline_note() if stateful else None,
    },
    html_lang="en",
    toaster=Toaster.create(),
)
app.add_page(board, route=routes.BOARD, title="Board · BlitzHub", image=_IMAGE, on_load=SessionState.load)
app.add_page(
    token, route=routes.TOKEN, title="Token · BlitzHub", image=_IMAGE, on_load=[SessionState.load, TokenState.load]
)
app.add_page(
    launch, route=routes.LAUNCH, title="Launch · BlitzHub", image=_IMAGE, on_load=[SessionState.load, LaunchState.load]
)
app.add_page(
    wallet, route=routes.WALLET, title="Wallet · BlitzHub", image=_IMAGE, on_load=[SessionState.load, WalletState.load]
)
app.add_page(account, route=routes.ACCOUNT, title="Account · BlitzHub", image=_IMAGE, on_load=SessionState.load)
app.add_page(overview, route=routes.ADMIN, title="Operators · BlitzHub", image=_IMAGE, on_load=SessionState.load)
app.add_page(tokens, route=routes.ADMIN_TOKENS, title="Tokens · BlitzHub", image=_IMAGE, on_load=SessionState.load)
app.add_page(token_metrics, route=routes.ADMIN_TOKEN, title="Token · BlitzHub", image=_IMAGE, on_load=SessionState.load)
app.add_page(cohorts, route=routes.ADMIN_COHORTS, title="Cohorts · BlitzHub", image=_IMAGE, on_load=SessionState.load)
for _page, _route in ((engine, routes.ADMIN_ENGINE), (switches, routes.ADMIN_SWITCHES), (audit, routes.ADMIN_AUDIT)):
    app.add_page(_page, route=_route, title="Operators · BlitzHub", image=_IMAGE, on_load=SessionState.load)
app.add_page(not_found, route=routes.NOT_FOUND, title="Not found · BlitzHub", image=_IMAGE)
_push = Push(app, [SessionState, TokenState, WalletState])
_push.install()
app.register_lifespan_task(lifespan_of(_api, _push.lifespan))
