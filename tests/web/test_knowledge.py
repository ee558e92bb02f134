"""/api/knowledge over HTTP."""

import dataclasses
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from chatapp import create_app
from chatapp.identity.person import Person
from chatapp.settings import MB, Settings
from chatapp.web.services import Services
from tests.support.administrator import TOKEN
from tests.support.shelf import add_user
from tests.support.uploads import TEXT, left, upload, work

DISPOSITION = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="a.txt"\r\n\r\n'


@pytest.fixture
def base(client: FlaskClient) -> str:
    return str(client.post("/api/knowledge", json={"name": "Handbook"}).json["id"])


def form(size: int) -> bytes:
    """Return the body of an upload. The test client would leave a temporary file open."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
    return head + b"x" * size + b"\r\n--x--\r\n"


def test_a_knowledge_base_is_created_read_updated_and_deleted(client: FlaskClient) -> None:
    made = client.post("/api/knowledge", json={"name": "  Hand  book ", "description": "of ours"})
    assert made.status_code == 201
    base = made.json
    assert {
        "id",
        "name",
        "description",
        "files",
        "chunks",
        "state",
        "created_at",
        "bundled",
        "failed",
        "pending",
    } <= base.keys()
    assert (base["name"], base["state"]) == ("Hand book", "empty")
    assert base["created_at"].endswith("Z")
    assert base in client.get("/api/knowledge").json["items"]
    changed = client.patch(f"/api/knowledge/{base['id']}", json={"name": "Rules"}).json
    assert (changed["name"], changed["description"]) == ("Rules", "of ours")
    assert client.delete(f"/api/knowledge/{base['id']}").status_code == 204
    assert client.get(f"/api/knowledge/{base['id']}").status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "   "}, {"name": "x" * 201}, {"name": 5}]
)
def test_a_knowledge_base_requires_a_name(client: FlaskClient, body: dict[str, Any]) -> None:
    refused = client.post("/api/knowledge", json=body)
    assert refused.status_code == 422
    assert "name" in refused.json["error"]["fields"]


def test_a_base_chooses_how_its_files_are_split(client: FlaskClient, services: Services) -> None:
    made = client.post("/api/knowledge", json={"name": "Handbook"}).json
    assert (made["splitting"], made["split_otherwise"]) == ("size", 0)
    path = f"/api/knowledge/{made['id']}"
    assert client.patch(path, json={"splitting": "meaning"}).json["splitting"] == "meaning"
    assert client.patch(path, json={"name": "Rules"}).json["splitting"] == "meaning"
    for body in ({"splitting": "taste"}, {"splitting": 1}):
        refused = client.patch(path, json=body)
        assert refused.status_code == 422 and "splitting" in refused.json["error"]["fields"]
    chosen = client.post("/api/knowledge", json={"name": "By meaning", "splitting": "meaning"})
    assert chosen.json["splitting"] == "meaning"
    file = upload(client, chosen.json["id"], ("leave.md", TEXT)).json["items"][0]
    work(services)
    shown = client.get(f"/api/knowledge/{chosen.json['id']}/files/{file['id']}").json
    assert (shown["status"], shown["split"], shown["split_reason"]) == ("ready", "size", "off")


def test_new_bases_are_split_as_is_configured(settings: Settings) -> None:
    app = create_app(dataclasses.replace(settings, splitting="meaning"))
    services: Services = app.extensions["chatapp"]
    services.accounts.ensure_admin("", TOKEN)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    assert client.post("/api/knowledge", json={"name": "a"}).json["splitting"] == "meaning"
    asked = {"name": "b", "splitting": "size"}
    assert client.post("/api/knowledge", json=asked).json["splitting"] == "size"
    services.runs.close()
    services.database.close()


def test_a_document_is_uploaded_searched_and_deleted(
    client: FlaskClient, services: Services, base: str, settings: Settings
) -> None:
    answer = upload(
        client,
        base,
        ("leave rules.md", TEXT),
        ("年假.txt", "员工每年享有十五天带薪年假。".encode("gb18030")),
    )
    assert answer.status_code == 202
    first, second = answer.json["items"]
    assert (first["status"], first["knowledge_base_id"], second["name"]) == (
        "queued",
        base,
        "年假.txt",
    )
    assert (settings.home / "wake").exists()
    assert services.knowledge.has_work()
    work(services)
    row = client.get(f"/api/knowledge/{base}/files/{first['id']}").json
    assert (row["status"], row["media_type"], row["chunks"], row["error"]) == (
        "ready",
        "text/markdown",
        1,
        None,
    )
    assert {item["name"] for item in client.get(f"/api/knowledge/{base}/files").json["items"]} == {
        "leave rules.md",
        "年假.txt",
    }
    (chunk,) = client.get(f"/api/knowledge/{base}/files/{first['id']}/chunks").json["items"]
    assert (chunk["heading"], chunk["start"]) == ("Leave", 0)
    found = client.post(
        f"/api/knowledge/{base}/search", json={"query": "How many days of leave?", "k": 3}
    ).json["items"]
    assert (found[0]["n"], found[0]["name"], found[0]["md5"]) == (1, "leave rules.md", first["md5"])
    assert found[0]["quote"] == "Employees get 25 days of paid leave in a year."
    only = {"query": "带薪年假", "filter_by_file_md5": first["md5"]}
    assert client.post(f"/api/knowledge/{base}/search", json=only).json["items"] == []
    only["filter_by_file_md5"] = second["md5"]
    assert [
        item["name"]
        for item in client.post(f"/api/knowledge/{base}/search", json=only).json["items"]
    ] == ["年假.txt"]
    assert client.delete(f"/api/knowledge/{base}/files/{first['id']}").status_code == 204
    assert client.get(f"/api/knowledge/{base}/files/{first['id']}").status_code == 404
    assert len(left(settings)) == 1


def test_the_original_is_served_as_a_download_only(client: FlaskClient, base: str) -> None:
    page = b"<html><script>alert(1)</script>"
    row = upload(client, base, ("页 page.html", page)).json["items"][0]
    answer = client.get(f"/api/knowledge/{base}/files/{row['id']}/content")
    assert answer.data == page
    assert answer.content_type == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    answer.close()


def test_each_file_of_an_upload_is_accepted_or_refused_separately(
    client: FlaskClient, base: str
) -> None:
    answer = upload(client, base, ("good.txt", b"text"), ("empty.txt", b""))
    assert answer.status_code == 202
    good, empty = answer.json["items"]
    assert good["status"] == "queued"
    assert (empty["name"], empty["error"]["code"]) == ("empty.txt", "unreadable_file")
    assert empty["error"]["message"]
    assert upload(client, base, ("empty.txt", b"")).status_code == 422
    assert upload(client, base).json["error"]["fields"] == {
        "files": "is required: multipart/form-data, field “files”"
    }


def test_the_reason_for_refusing_a_file_is_localized(
    client: FlaskClient, services: Services, base: str
) -> None:
    row = upload(client, base, ("blank.txt", b"   ")).json["items"][0]
    work(services)
    path = f"/api/knowledge/{base}/files/{row['id']}"
    assert client.get(path).json["error"] == {
        "code": "unreadable_file",
        "message": "This file is empty.",
        "retryable": False,
    }
    assert (
        client.get(path, headers={"Accept-Language": "zh-CN"}).json["error"]["message"]
        == "文件为空。"
    )
    assert client.post(f"{path}/retry").json["status"] == "queued"


def test_uploading_a_file_again_returns_the_first_one(client: FlaskClient, base: str) -> None:
    one = upload(client, base, ("a.txt", b"text")).json["items"][0]
    again = upload(client, base, ("b.txt", b"text")).json["items"][0]
    assert (again["id"], again["name"]) == (one["id"], "a.txt")
    assert (one["duplicate"], again["duplicate"]) == (False, True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        DISPOSITION % b"files" + b"cut in the mid",
        DISPOSITION % b"other" + b"text\r\n--x--\r\n",
    ],
)
def test_a_malformed_form_is_refused_and_leaves_no_file(
    client: FlaskClient, base: str, settings: Settings, body: bytes
) -> None:
    answer = client.post(
        f"/api/knowledge/{base}/files", data=body, content_type="multipart/form-data; boundary=x"
    )
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "invalid_request")
    assert left(settings) == []


def test_a_file_that_is_too_large_is_refused_before_anything_is_written(
    tmp_path: Path, settings: Settings
) -> None:
    app = create_app(Settings(home=settings.home, upload_bytes=MB))
    services: Services = app.extensions["chatapp"]
    services.accounts.ensure_admin("", TOKEN)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    base = client.post("/api/knowledge", json={"name": "x"}).json["id"]
    for size in (3 * MB, MB + 1):  # over the limit of a request, over the limit of a file
        answer = client.post(
            f"/api/knowledge/{base}/files",
            data=form(size),
            content_type="multipart/form-data; boundary=x",
        )
        assert (answer.status_code, answer.json["error"]["code"]) == (413, "too_large")
        assert "1 MB" in answer.json["error"]["message"]
        assert left(settings) == []
    services.database.close()


def test_another_user_s_knowledge_base_is_not_found(
    client: FlaskClient, services: Services, admin: Person
) -> None:
    other = add_user(services.database, "other")
    base = services.knowledge.create(other, "theirs")["id"]
    row = services.knowledge.add_file(other, base, "a.txt", BytesIO(b"text"))
    file = f"/api/knowledge/{base}/files/{row['id']}"
    for verb, path in (
        ("GET", f"/api/knowledge/{base}"),
        ("PATCH", f"/api/knowledge/{base}"),
        ("DELETE", f"/api/knowledge/{base}"),
        ("GET", f"/api/knowledge/{base}/files"),
        ("GET", file),
        ("DELETE", file),
        ("GET", f"{file}/content"),
        ("GET", f"{file}/chunks"),
        ("POST", f"{file}/retry"),
    ):
        answer = client.open(path, method=verb, json={"name": "mine"} if verb == "PATCH" else None)
        assert answer.status_code == 404, (verb, path)
    assert client.post(f"/api/knowledge/{base}/search", json={"query": "text"}).status_code == 404
    assert upload(client, base, ("a.txt", b"x")).status_code == 404
    assert base not in {item["id"] for item in client.get("/api/knowledge").json["items"]}


def test_reindexing_requires_an_embedder(tmp_path: Path, settings: Settings) -> None:
    app = create_app(dataclasses.replace(settings, embedder="off"))
    app.extensions["chatapp"].accounts.ensure_admin("", TOKEN)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    base = client.post("/api/knowledge", json={"name": "b"}).json
    assert base["vectors"] == {
        "state": "off",
        "made_with": None,
        "current": None,
        "done": 0,
        "total": 0,
    }
    refused = client.post(f"/api/knowledge/{base['id']}/reindex", headers={"Accept-Language": "zh"})
    assert refused.status_code == 503
    assert refused.json["error"]["code"] == "knowledge_unavailable"
    assert "向量模型" in refused.json["error"]["message"]
    app.extensions["chatapp"].database.close()


def test_reindexing_queues_every_ready_file(tmp_path: Path, settings: Settings) -> None:
    app = create_app(
        dataclasses.replace(settings, embedder="some-model", embedder_url="http://127.0.0.1:9/v1")
    )
    services: Services = app.extensions["chatapp"]
    services.accounts.ensure_admin("", TOKEN)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    base = str(client.post("/api/knowledge", json={"name": "b"}).json["id"])
    upload(client, base, ("a.md", TEXT))
    work(services)
    begun = client.post(f"/api/knowledge/{base}/reindex")
    assert begun.status_code == 202
    assert begun.json["vectors"] == {
        "state": "building",
        "made_with": None,
        "current": "some-model",
        "done": 0,
        "total": 1,
    }
    [file] = client.get(f"/api/knowledge/{base}/files").json["items"]
    assert file["status"] == "embedding"
    found = client.post(f"/api/knowledge/{base}/search", json={"query": "days of leave"}).json[
        "items"
    ]
    assert found[0]["name"] == "a.md" and found[0]["by"] == {"words": 1.0, "vectors": None}
    services.database.close()


def test_the_manual_s_name_is_localized(
    client: FlaskClient, services: Services, tmp_path: Path
) -> None:
    folder = tmp_path / "manual"
    folder.mkdir()
    (folder / "en.md").write_text("# Handbook\n\nStop ends the answer.", "utf-8")
    services.knowledge.install_manual(folder)
    work(services)
    chinese = {"Accept-Language": "zh-CN"}
    ask = {"question": "What does Stop end?", "llm_config": {"supplier": "builtin"}}
    with client.post("/chat/stream", json=ask, headers=chinese) as streamed:
        assert '"data":"使用手册"' in streamed.get_data(as_text=True)
    (found,) = client.get("/api/knowledge", headers=chinese).json["items"]
    session = client.get("/api/sessions").json["items"][0]["id"]
    messages = client.get(f"/api/sessions/{session}/messages").json["items"]
    assert (found["name"], messages[-1]["knowledge"]) == ("使用手册", "Manual")
    assert client.get(f"/api/knowledge/{found['id']}").json["name"] == "Manual"
    assert [source["name"] for source in messages[-1]["sources"]] == ["Handbook.md"]


# --- an upload to a new knowledge base


def own(client: FlaskClient) -> list[Any]:
    return [one for one in client.get("/api/knowledge").json["items"] if not one["bundled"]]


def upload_to_new(client: FlaskClient, name: str, *files: tuple[str, bytes]) -> Any:
    return client.post(
        "/api/knowledge/files",
        query_string={"name": name},
        data={"files": [(BytesIO(content), name) for name, content in files]},
        content_type="multipart/form-data",
    )


def test_an_upload_creates_a_knowledge_base(client: FlaskClient) -> None:
    answer = upload_to_new(client, " North  sea ", ("a.txt", TEXT), ("empty.txt", b""))
    assert answer.status_code == 202
    made = answer.json["knowledge_base"]
    assert (made["name"], made["files"]) == ("North sea", 1)
    file, empty = answer.json["items"]
    assert (file["knowledge_base_id"], file["status"]) == (made["id"], "queued")
    assert empty["error"]["code"] == "unreadable_file"
    assert own(client) == [made]


def test_an_upload_of_which_every_file_is_refused_creates_none(
    client: FlaskClient, settings: Settings
) -> None:
    refused = upload_to_new(client, "North sea", ("empty.txt", b""))
    assert (refused.status_code, refused.json["error"]["code"]) == (422, "unreadable_file")
    both = upload_to_new(client, "North sea", ("empty.txt", b""), ("none.txt", b""))
    assert (both.status_code, len(both.json["items"])) == (422, 2)
    assert "knowledge_base" not in both.json
    assert "files" in upload_to_new(client, "North sea").json["error"]["fields"]
    assert "name" in upload_to_new(client, "  ", ("a.txt", TEXT)).json["error"]["fields"]
    assert own(client) == []
    assert left(settings) == []
