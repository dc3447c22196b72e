"""Reflex configuration only. The build knows no address; the running app knows the origins it answers to."""

import reflex as rx

from blitzhub.build_plugin import BlitzPlugin
from engine import settings


def _origins() -> list[str]:
    """The exact origins a browser may come from; the default of `*` would let any site use a signed-in socket."""
    public_url = settings.load().public_url.rstrip("/")
    by_name = "http://localhost:"
    if public_url.startswith(by_name):
        return [public_url, public_url.replace(by_name, "http://127.0.0.1:")]
    return [public_url]


config = rx.Config(
    app_name="blitzhub",
    api_url="http://localhost:8600",
    deploy_url="http://localhost:8600",
    cors_allowed_origins=_origins(),
    show_built_with_reflex=False,
    telemetry_enabled=False,
    plugins=[
        rx.plugins.RadixThemesPlugin(
            theme=rx.theme(
                appearance="dark",
                accent_color="yellow",
                gray_color="slate",
                radius="medium",
                panel_background="solid",
            )
        ),
        BlitzPlugin(),
    ],
    disable_plugins=[rx.plugins.SitemapPlugin],
)
