"""/docs lists all of /openapi.json, without scripts, under a strict policy."""

import re

import pytest
from flask.testing import FlaskClient


@pytest.mark.parametrize(("language", "word"), [("en", "Parameters"), ("zh-CN", "参数")])
def test_every_operation_and_shape_is_shown(client: FlaskClient, language: str, word: str) -> None:
    page = client.get("/docs", headers={"Accept-Language": language})
    assert page.status_code == 200 and word in page.text
    spec = client.get("/openapi.json").json
    for path, verbs in spec["paths"].items():
        assert f"<code>{path}</code>" in page.text
        for operation in verbs.values():
            assert f'<details id="{operation["operationId"]}">' in page.text
    ids = set(re.findall(r'id="([^"]+)"', page.text))
    assert {f"shape-{name}" for name in spec["components"]["schemas"]} <= ids
    assert {link for link in re.findall(r'href="#([^"]+)"', page.text) if link[:2] != "i-"} <= ids


def test_the_page_has_no_scripts_and_forbids_them(client: FlaskClient) -> None:
    page = client.get("/docs")
    assert "<script" not in page.text and not re.search(r"\s(style|on[a-z]+)=", page.text)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "script-src" not in policy
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy


def test_the_page_is_for_users_only(anonymous: FlaskClient) -> None:
    reply = anonymous.get("/docs", headers={"Accept": "text/html"})
    assert reply.status_code == 302 and reply.headers["Location"] == "/sign-in"
