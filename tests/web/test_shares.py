"""Links that share a chat: what strangers see, what they never see, and how a link ends."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from chatapp.storage.chat_models import Share
from chatapp.storage.models import now
from chatapp.web.services import Services
from tests.support.exports import chatgpt_chat

OTHER, LATER = "It depends.", "And tomorrow?"
SOURCES = [
    {"n": 1, "name": "tides.pdf", "page": 3, "quote": "High at noon.", "text": "All of the page",
     "file_id": "f", "knowledge_base_id": "b"},
    {"n": 2, "name": "secret.pdf", "page": 1, "quote": "Not cited.", "text": "Not cited."},
]  # fmt: skip


@pytest.fixture
def chat(client: FlaskClient) -> dict[str, Any]:
    """A chat with two answers, of which the first cites a source, and a later question."""
    given = chatgpt_chat(title="Tides <b>")
    rows = [
        {"id": "q", "parent_id": None, "role": "user", "content": "<script>alert(1)</script>"},
        {"id": "a", "parent_id": "q", "role": "assistant", "content": "At **noon** [1].",
         "sources": SOURCES, "citations": [1], "reasoning": "private thoughts"},
        {"id": "b", "parent_id": "q", "role": "assistant", "content": OTHER},
        {"id": "l", "parent_id": "a", "role": "user", "content": LATER},
    ]  # fmt: skip
    own = {"session": {"id": "s", "title": given["title"], "leaf_id": "l"}, "messages": rows}
    data = {"files": (io.BytesIO(json.dumps(own).encode()), "chat.json")}
    assert client.post("/api/sessions/import", data=data).json["chats"] == 1
    [session] = client.get("/api/sessions").json["items"]
    messages = client.get(f"/api/sessions/{session['id']}/messages").json["items"]
    return {"id": session["id"]} | {each["content"][:5]: each["id"] for each in messages}


def share(client: FlaskClient, chat: dict[str, Any], **body: Any) -> dict[str, Any]:
    reply = client.post(
        f"/api/sessions/{chat['id']}/shares", json={"leaf_id": chat["At **"]} | body
    )
    assert reply.status_code == 201, reply.json
    return dict(reply.json)


def test_a_stranger_reads_one_branch_and_the_sentences_it_cites(
    client: FlaskClient, anonymous: FlaskClient, chat: dict[str, Any]
) -> None:
    page = anonymous.get(share(client, chat)["path"])
    assert page.status_code == 200
    for shown in ("At **noon** [1].", "tides.pdf", "High at noon.", "&lt;script&gt;alert(1)"):
        assert shown in page.text, shown
    for hidden in (
        OTHER,
        LATER,
        "secret.pdf",
        "All of the page",
        "private thoughts",
        "<script>alert",
        "<b>",
    ):
        assert hidden not in page.text, hidden
    for identity in chat.values():
        assert identity not in page.text


def test_the_page_has_strict_headers_of_its_own(
    client: FlaskClient, anonymous: FlaskClient, chat: dict[str, Any]
) -> None:
    for path in (share(client, chat)["path"], "/shared/unknown"):
        headers = anonymous.get(path).headers
        policy = headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "connect-src 'none'", "form-action 'none'",
                     "img-src 'self';", "require-trusted-types-for 'script'"):  # fmt: skip
            assert part in policy
        assert headers["X-Robots-Tag"] == "noindex, nofollow, noarchive"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in headers and "Access-Control-Allow-Origin" not in headers


def test_the_link_is_told_once_and_only_its_hash_is_stored(
    client: FlaskClient, services: Services, chat: dict[str, Any]
) -> None:
    made = share(client, chat, days=7)
    secret = made["path"].rpartition("/")[2]
    assert len(secret) >= 43
    [listed] = client.get("/api/shares").json["items"]
    assert listed == {name: value for name, value in made.items() if name != "path"}
    [row] = services.database.read(lambda t: [vars(each) for each in t.scalars(select(Share))])
    assert secret not in str(row)


def test_a_link_ends_at_its_date_when_revoked_and_with_the_chat(
    client: FlaskClient, anonymous: FlaskClient, services: Services, chat: dict[str, Any]
) -> None:
    def works(link: dict[str, Any]) -> bool:
        return anonymous.get(link["path"]).status_code == 200

    links = [share(client, chat) for _ in range(3)]
    assert all(map(works, links))
    assert client.delete(f"/api/shares/{links[0]['id']}").status_code == 204
    assert client.delete(f"/api/shares/{links[0]['id']}").status_code == 404
    ended = update(Share).where(Share.id == links[1]["id"]).values(
        expires_at=now() - timedelta(seconds=1)
    )  # fmt: skip
    services.database.write(lambda t: t.execute(ended) and None)
    assert [works(link) for link in links] == [False, False, True]
    assert [each["id"] for each in client.get("/api/shares").json["items"]] == [links[2]["id"]]
    client.delete(f"/api/messages/{chat['At **']}")
    assert not works(links[2]), "what is deleted is not shown any more"
    again = share(client, chat, leaf_id=None)
    client.delete(f"/api/sessions/{chat['id']}")
    assert not works(again)
    assert client.get("/api/shares").json["items"] == []


@pytest.mark.parametrize("body", [{"days": 0}, {"days": 366}, {"days": "always"}], ids=str)
def test_a_link_always_has_an_end(
    client: FlaskClient, chat: dict[str, Any], body: dict[str, Any]
) -> None:
    assert client.post(f"/api/sessions/{chat['id']}/shares", json=body).status_code == 422


def test_only_the_owner_shares_and_revokes(
    client: FlaskClient, anonymous: FlaskClient, chat: dict[str, Any]
) -> None:
    link = share(client, chat)
    path = f"/api/sessions/{chat['id']}/shares"
    assert anonymous.post(path, json={}).status_code == 401
    assert anonymous.get("/api/shares").status_code == 401
    assert anonymous.delete(f"/api/shares/{link['id']}").status_code == 401
    other = client.post("/api/sessions", json={"title": "empty"}).json["id"]
    assert client.post(f"/api/sessions/{other}/shares", json={}).status_code == 422
    wrong = {"leaf_id": chat["At **"]}
    assert client.post(f"/api/sessions/{other}/shares", json=wrong).status_code == 404
