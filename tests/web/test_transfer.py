"""Import and export over HTTP: a round trip through the ZIP, the report, refusals."""

import io
import json
import zipfile
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.exports import chatgpt_chat, open_webui_chat

Files = list[tuple[str, bytes]]


def send(client: FlaskClient, *files: tuple[str, bytes], language: str = "en") -> Any:
    data = {"files": [(io.BytesIO(content), name) for name, content in files]}
    return client.post("/api/sessions/import", data=data, headers={"Accept-Language": language})


def test_an_import_reports_what_was_taken_and_what_not(client: FlaskClient) -> None:
    chats = json.dumps([chatgpt_chat(), {"title": "Odd"}]).encode()
    reply = send(client, ("conversations.json", chats), language="zh-CN")
    assert reply.status_code == 200, reply.json
    report = reply.json
    assert (report["chats"], report["messages"], report["left_out_chats"]) == (1, 4, 1)
    assert report["left_out"][0]["title"] == "Odd" and "格式" in report["left_out"][0]["message"]
    assert {part["reason"]: part["count"] for part in report["parts"]} == {
        "tools": 2,
        "hidden": 1,
        "files": 1,
    }
    [session] = client.get("/api/sessions").json["items"]
    messages = client.get(f"/api/sessions/{session['id']}/messages").json["items"]
    answer = next(each for each in messages if each["role"] == "assistant")
    with client.get(f"/chat/stream/{answer['id']}") as stream:
        assert "At noon" in stream.text
    asked = {"question": "More?", "session_id": session["id"], "llm_config": {"model": "extractive",
             "supplier": "builtin"}}  # fmt: skip
    assert client.post("/chat", json=asked).status_code == 200


def test_all_chats_go_out_as_a_zip_and_come_back(client: FlaskClient) -> None:
    both = json.dumps([chatgpt_chat(title='a/b:"c" 港'), open_webui_chat()]).encode()
    send(client, ("export.json", both))
    client.patch(f"/api/sessions/{newest(client)}", json={"settings": {"max_length": 3}})
    reply = client.get("/api/sessions/export")
    assert reply.headers["Content-Type"] == "application/zip" and reply.is_streamed
    archive = zipfile.ZipFile(io.BytesIO(reply.data))
    assert archive.testzip() is None
    names = sorted(archive.namelist())
    assert [name[-3:] for name in names] == ["son", ".md", "son", ".md"]
    assert names[-1].startswith("chats/2023-11-14 a_b_c_ 港 ") or "港" in "".join(names)
    assert "When is the tide high?" in "".join(
        archive.read(name).decode() for name in names if name.endswith(".md")
    )
    assert send(client, ("chats.zip", reply.data)).json["present"] == 2

    client.delete("/api/auth/me/data")
    assert send(client, ("chats.zip", reply.data)).json["chats"] == 2
    titles = {each["title"]: each for each in client.get("/api/sessions").json["items"]}
    assert set(titles) == {'a/b:"c" 港', "Water"}
    assert {each["settings"]["max_length"] for each in titles.values()} == {3, None}
    assert send(client, ("chats.zip", reply.data)).json["messages"] == 0


def newest(client: FlaskClient) -> str:
    return str(client.get("/api/sessions").json["items"][0]["id"])


def test_temporary_chats_are_not_exported(client: FlaskClient) -> None:
    asked = {"question": "psst", "temporary": True, "llm_config": {"supplier": "builtin"}}
    client.post("/chat", json=asked)
    archive = zipfile.ZipFile(io.BytesIO(client.get("/api/sessions/export").data))
    assert archive.namelist() == []


@pytest.mark.parametrize("content", [b"%PDF-1.7", b"hello", b"PK\x03\x04", b'"chat"'])
def test_a_file_that_is_no_export_is_refused_with_what_is_expected(
    client: FlaskClient, content: bytes
) -> None:
    refused = send(client, ("file", content))
    assert refused.status_code == 422
    assert "ChatGPT" in refused.json["error"]["message"]
    assert client.post("/api/sessions/import", json={}).status_code == 422


def test_imports_need_a_user(anonymous: FlaskClient) -> None:
    assert send(anonymous, ("a.json", b"[]")).status_code == 401
    assert anonymous.get("/api/sessions/export").status_code == 401
