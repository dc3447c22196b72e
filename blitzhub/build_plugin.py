"""What this project adds to Reflex's frontend build.

The result is served from any host and port (no address stays in it), loads nothing from elsewhere (fonts and
the API page's scripts are vendored), and comes with the hashes of its inline scripts for the security policy.
"""

import base64
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

from reflex_base.plugins.base import Plugin

CSP_HASHES_FILE = "csp.json"
_FONTS = ("inter-latin-wght-normal", "jetbrains-mono-latin-wght-normal")
_SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.S | re.I)
_BAKED_ORIGIN = re.compile(r"`(ws|http)s?://[^/`]+")


def inline_script_hashes(html: str) -> set[str]:
    """The policy sources (`'sha256-…'`) of every inline script of a page."""
    bodies = (body for attributes, body in _SCRIPT.findall(html) if "src=" not in attributes and body)
    return {f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" for body in bodies}


def without_origin(script: str) -> str:
    """The environment script with each baked origin replaced by the one the page came from."""

    def same_origin(match: re.Match[str]) -> str:
        origin = "location.origin.replace(/^http/,`ws`)" if match[1] == "ws" else "location.origin"
        return f"{origin}+`"

    return _BAKED_ORIGIN.sub(same_origin, script)


def _rewrite(path: Path, text: str) -> None:
    path.write_text(text)
    for compressed in path.parent.glob(f"{path.name}.*"):
        compressed.unlink()  # it would be served in place of the rewritten file


def _make_portless(static_dir: Path) -> None:
    scripts = list((static_dir / "assets").glob("reflex-env-*.js"))
    if not scripts:
        raise RuntimeError("the build has no reflex-env script: its addresses cannot be made portless")
    for script in scripts:
        text = without_origin(script.read_text())
        if "://" in text:
            raise RuntimeError(f"{script.name} still names an address after the rewrite")
        _rewrite(script, text)


def _preload_fonts(static_dir: Path) -> None:
    links = "".join(
        f'<link rel="preload" href="/assets/{found.name}" as="font" type="font/woff2" crossorigin="anonymous"/>'
        for font in _FONTS
        for found in (static_dir / "assets").glob(f"{font}-*.woff2")
    )
    for page in static_dir.rglob("*.html"):
        _rewrite(page, page.read_text().replace("</head>", f"{links}</head>", 1))


def _vendor_swagger(static_dir: Path, web_dir: Path) -> None:
    vendor = static_dir / "vendor"
    vendor.mkdir(exist_ok=True)
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        shutil.copy(web_dir / "node_modules" / "swagger-ui-dist" / name, vendor / name)


class BlitzPlugin(Plugin):
    """Fonts, vendored scripts, same-origin addresses and policy hashes."""

    def get_frontend_dependencies(self, **context: Any) -> list[str]:
        """Packages beside those that components name themselves."""
        return [
            "@fontsource-variable/inter@5.2.8",
            "@fontsource-variable/jetbrains-mono@5.2.8",
            "swagger-ui-dist@5.29.0",
        ]

    def get_stylesheet_paths(self, **context: Any) -> list[str]:
        """Font faces, loaded after Radix because this plugin is listed after it."""
        return ["@fontsource-variable/inter/index.css", "@fontsource-variable/jetbrains-mono/index.css"]

    def post_build(self, **context: Any) -> None:
        """Finish the static site in place and write the policy hashes beside it."""
        static_dir: Path = context["static_dir"]
        _vendor_swagger(static_dir, Path(".web"))
        for raw_sources in static_dir.rglob("external"):
            shutil.rmtree(raw_sources)
        _make_portless(static_dir)
        _preload_fonts(static_dir)
        hashes: set[str] = set()
        for page in static_dir.rglob("*.html"):
            hashes |= inline_script_hashes(page.read_text())
        (static_dir.parent / CSP_HASHES_FILE).write_text(json.dumps(sorted(hashes)))
