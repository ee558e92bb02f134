"""What the pages say before their script runs."""

import gzip
import re

from flask.testing import FlaskClient

from chatapp.web.pages import STATIC
from tests.support.service import ROOT


def test_a_page_says_that_its_script_has_not_loaded(client: FlaskClient) -> None:
    for path in ("/sign-in", "/"):
        for language, words in (("en", "did not load"), ("zh-CN", "没有加载")):
            page = client.get(path, headers={"Accept-Language": language}).text
            tag = page.partition("data-unloaded")[2].partition("</p>")[0]
            assert words in tag and "hidden" not in tag
    missing = client.get("/nope", headers={"Accept": "text/html"}).text
    assert "data-unloaded" not in missing  # it needs no script


def test_a_diagram_s_frame_may_be_framed_by_the_page_and_does_nothing_else(
    client: FlaskClient,
) -> None:
    def policy(path: str) -> dict[str, str]:
        text = client.get(path).headers["Content-Security-Policy"]
        rules = (rule.partition(" ") for rule in text.split("; "))
        return {name: value for name, _, value in rules}

    page, frame = policy("/"), policy("/diagram")
    assert (page["frame-src"], page["frame-ancestors"]) == ("'self'", "'none'")
    assert page["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in page["style-src"] + page["script-src"]
    assert frame["sandbox"] == "allow-scripts"
    assert (frame["default-src"], frame["script-src"]) == ("'none'", "'self'")
    assert frame["frame-ancestors"] == "'self'"
    assert not {"connect-src", "img-src", "font-src", "frame-src"} & frame.keys()


def test_a_large_library_is_sent_as_set_up_has_packed_it(client: FlaskClient) -> None:
    address = client.get("/diagram").text.partition('vendor/mermaid.js"')[0].rpartition('"')[2]
    plain = client.get(f"{address}vendor/mermaid.js", headers={"Accept-Encoding": "identity"})
    packed = client.get(f"{address}vendor/mermaid.js", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.data == (STATIC / "vendor/mermaid.js.gz").read_bytes()
    assert gzip.decompress(packed.data) == plain.data


def test_templates_of_the_page_have_ids_of_their_own() -> None:
    ids = [
        found
        for path in (ROOT / "templates").rglob("*.html")
        for found in re.findall(r'<template id="([^"]+)"', path.read_text("utf-8"))
    ]
    assert ids and sorted(ids) == sorted(set(ids))
