"""The web manifest, with which browsers install the page as an app."""

import json
from typing import Any

from flask import Blueprint, Response, g

from chatapp.web.pages import shell

# (file, sizes, purpose); made by tests/browser/icons.py
ICONS = (
    ("icon.svg", "any", "any"),
    ("icon-192.png", "192x192", "any"),
    ("icon-512.png", "512x512", "any"),
    ("icon-maskable.png", "512x512", "maskable"),
)
SIDE, PAPER = "#f4f1ea", "#fcfbf8"  # as --side and --paper of static/css/tokens.css

bp = Blueprint("manifest", __name__)


@bp.get("/manifest.webmanifest")
def manifest() -> Response:
    """Describe the app; all addresses are relative to this one, also below a public path."""
    known = shell()
    messages = known.catalogues.get(g.language, known.catalogues["en"])
    described: dict[str, Any] = {
        "name": messages["app.name"],
        "short_name": messages["app.name"],
        "description": messages["app.description"],
        "lang": g.language,
        "id": "./",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "theme_color": SIDE,
        "background_color": PAPER,
        "icons": [
            {
                "src": f"static/v-{known.build}/img/{file}",
                "sizes": sizes,
                "type": "image/svg+xml" if file.endswith(".svg") else "image/png",
                "purpose": purpose,
            }
            for file, sizes, purpose in ICONS
        ],
    }
    response = Response(json.dumps(described, ensure_ascii=False))
    response.headers["Content-Type"] = "application/manifest+json"
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.vary.add("Accept-Language")
    return response
