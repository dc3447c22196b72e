"""Reflex configuration only. The build knows no address; the running app knows the origins it answers to."""

import os

import reflex as rx

from blitzhub.build_plugin import BlitzPlugin


def _origins() -> list[str]:
    """The exact origins a browser may come from; the default of `*` would let any site use a signed-in socket."""
    if public_url := os.environ.get("BLITZ_PUBLIC_URL"):
        return [public_url.rstrip("/")]
    port = os.environ.get("BLITZ_PORT", "8600")
    return [f"http://localhost:{port}", f"http://127.0.0.1:{port}"]


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
