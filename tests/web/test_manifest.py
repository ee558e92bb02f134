"""The web manifest: valid, translated, and right below a public path."""

import re
from dataclasses import replace
from io import BytesIO
from urllib.parse import urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from chatapp import create_app
from chatapp.addresses import parse_public_url
from chatapp.settings import Settings


def address(client: FlaskClient, path: str) -> str:
    """Return the address of the manifest as a page gives it."""
    page = client.get(f"{path}/sign-in").text
    return re.findall(r'rel="manifest" href="([^"]+)"', page)[0]


@pytest.mark.parametrize("path", ["", "/below/here"])
def test_the_app_starts_and_finds_its_icons_where_it_is_published(
    settings: Settings, path: str
) -> None:
    public = parse_public_url(f"https://example.org{path}") if path else None
    client = create_app(replace(settings, public_url=public)).test_client()
    where = address(client, path)
    reply = client.get(where)
    assert reply.status_code == 200 and reply.mimetype == "application/manifest+json"
    described = reply.json or {}
    for field in ("start_url", "scope", "id"):
        assert urljoin(where, described[field]) == f"{path}/"
    kinds = set()
    for icon in described["icons"]:
        found = client.get(urljoin(where, icon["src"]))
        assert found.status_code == 200 and found.mimetype == icon["type"]
        if icon["type"] == "image/png":
            width, height = Image.open(BytesIO(found.data)).size
            assert icon["sizes"] == f"{width}x{height}"
        kinds.add((icon["sizes"], icon["purpose"]))
    assert {("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")} <= kinds


def test_the_manifest_is_in_the_language_of_the_reader(anonymous: FlaskClient) -> None:
    texts = {
        language: anonymous.get(
            "/manifest.webmanifest", headers={"Accept-Language": language}
        ).json["description"]
        for language in ("en", "zh-CN")
    }
    assert texts["en"] == "Chat over your own documents" and texts["en"] != texts["zh-CN"]


def test_the_policy_of_a_page_allows_its_manifest_and_phones_get_an_icon(app: Flask) -> None:
    client = app.test_client()
    page = client.get("/sign-in")
    assert "manifest-src 'self'" in page.headers["Content-Security-Policy"]
    icon = re.findall(r'rel="apple-touch-icon" href="([^"]+)"', page.text)[0]
    image = Image.open(BytesIO(client.get(icon).data))
    assert image.size == (180, 180)
    assert image.convert("RGBA").getextrema()[3] == (255, 255), (
        "phones show black where it is clear"
    )
