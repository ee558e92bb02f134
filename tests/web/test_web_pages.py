"""Web pages over HTTP: adding an address, and fetching it again."""

import pytest
from flask.testing import FlaskClient

from tests.support.uploads import TEXT, upload

ADDRESS = "https://example.org/guide"


@pytest.fixture
def base(client: FlaskClient) -> str:
    return str(client.post("/api/knowledge", json={"name": "Handbook"}).json["id"])


def test_an_address_is_accepted_and_listed_at_once(client: FlaskClient, base: str) -> None:
    added = client.post(f"/api/knowledge/{base}/files", json={"url": " example.org/guide#part "})
    assert added.status_code == 202
    [row] = added.json["items"]
    assert (row["status"], row["name"], row["md5"]) == ("fetching", "guide", None)
    assert row["web_page"] == {"url": ADDRESS, "fetched_at": None, "again": None, "error": None}
    assert client.get(f"/api/knowledge/{base}/files").json["items"][0]["id"] == row["id"]
    assert client.get(f"/api/knowledge/{base}").json["state"] == "reading"
    again = client.post(f"/api/knowledge/{base}/files", json={"url": ADDRESS}).json["items"][0]
    assert (again["id"], again["duplicate"]) == (row["id"], True)
    assert client.delete(f"/api/knowledge/{base}/files/{row['id']}").status_code == 204
    assert client.get(f"/api/knowledge/{base}/files").json["items"] == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.org/", "http://"),
        ("http://me:secret@example.org/", "password"),
        ("http://192.168.1.1/", "CHATAPP_FETCH_ALLOW"),
        ("http://[::ffff:127.0.0.1]/", "CHATAPP_FETCH_ALLOW"),
        ("http://0x7f.1/", "https://example.org"),
        ("http://example.org:25/", "port"),
        ("", "blank"),
        (5, "string"),
    ],
)
def test_a_refused_address_says_why(
    client: FlaskClient, base: str, url: object, words: str
) -> None:
    refused = client.post(f"/api/knowledge/{base}/files", json={"url": url})
    assert refused.status_code == 422
    assert words in refused.json["error"]["message"]
    assert "secret" not in refused.text
    chinese = client.post(
        f"/api/knowledge/{base}/files", json={"url": url}, headers={"Accept-Language": "zh-CN"}
    )
    assert chinese.json["error"]["message"] != refused.json["error"]["message"]
    assert client.get(f"/api/knowledge/{base}/files").json["items"] == []


@pytest.mark.parametrize("body", ["", "no json", "[]", "null", "{}"])
def test_a_body_without_an_address_is_refused(client: FlaskClient, base: str, body: str) -> None:
    refused = client.post(
        f"/api/knowledge/{base}/files", data=body, content_type="application/json"
    )
    assert refused.status_code == 422
    assert refused.json["error"]["code"] == "invalid_request"


def test_an_upload_cannot_be_fetched_again(client: FlaskClient, base: str) -> None:
    file = upload(client, base, ("leave.md", TEXT)).json["items"][0]
    refused = client.post(f"/api/knowledge/{base}/files/{file['id']}/fetch")
    assert refused.status_code == 422
    missing = client.post(f"/api/knowledge/{base}/files/nothing/fetch")
    assert missing.status_code == 404
