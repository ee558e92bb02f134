"""Homes of every earlier schema: each is migrated, shows its old chats and answers a question.

A schema is what a version of the migrations made. Two migrations were edited before they were
pinned, so some homes lack a column that their revision has.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, MetaData, Table, insert, inspect, text

from chatapp import create_app
from chatapp.settings import Settings
from chatapp.storage.database import open_database
from chatapp.storage.migrate import FOLDER, migrate
from chatapp.storage.models import Base, new_id, now
from tests.support.administrator import TOKEN
from tests.support.postgres import BOTH

NO_OPTIONS = "ALTER TABLE sessions DROP COLUMN knowledge_options"
NO_EMBEDDED = "ALTER TABLE files DROP COLUMN embedded"
# The revision of a home, and what its migrations did not make yet when it ran them.
SCHEMAS = [
    ("0001", [NO_OPTIONS]),
    ("0001", []),
    ("0002", [NO_OPTIONS, NO_EMBEDDED]),
    ("0002", [NO_EMBEDDED]),
    ("0002", [NO_OPTIONS]),
    ("0002", []),
    ("0003", [NO_OPTIONS, NO_EMBEDDED]),
    ("0003", [NO_EMBEDDED]),
    ("0003", [NO_OPTIONS]),
    ("0003", []),
    ("0004", [NO_EMBEDDED]),
    ("0004", []),
    ("0005", []),
    ("0006", []),
    ("0007", []),
    ("0008", []),
    ("0009", []),
    ("0010", []),
    ("0011", []),
    ("0012", []),
    ("0013", []),
    ("0014", []),
    ("0015", []),
    ("0016", []),
    ("0017", []),
    ("0018", []),
    ("0019", []),
]
USER, SESSION, QUESTION, ANSWER, BASE, FILE = (new_id() for _ in range(6))
ROWS = {
    "users": [{"id": USER, "name": "admin", "role": "admin", "disabled": False}],
    "sessions": [
        {
            "id": SESSION,
            "user_id": USER,
            "kind": "chat",
            "title": "Leave",
            "pinned": False,
            "supplier": "builtin",
            "model": "extractive",
            "knowledge_base_ids": [],
            "knowledge_options": {},
            "leaf_id": ANSWER,
            "updated_at": now(),
        }
    ],
    "messages": [
        {"id": QUESTION, "parent_id": None, "role": "user", "content": "How many days?"},
        {"id": ANSWER, "parent_id": QUESTION, "role": "assistant", "content": "27 days."},
    ],
    "knowledge_bases": [{"id": BASE, "user_id": USER, "name": "Handbook", "description": ""}],
    "files": [
        {
            "id": FILE,
            "knowledge_base_id": BASE,
            "name": "leave.txt",
            "md5": "0" * 32,
            "sha256": "0" * 64,
            "size": 10,
            "media_type": "text/plain",
            "status": "ready",
            "progress": 1.0,
        }
    ],
}
OF_MESSAGES = {
    "session_id": SESSION,
    "user_id": USER,
    "status": "complete",
    "knowledge": "extractive",
    "reasoning": "",
    "sources": [],
    "citations": [],
    "usage": {},
    "timings": {},
    "cut": {},
    "shape": [],
}
NUMBERS = {"chunks": 0, "tokens": 0, "changed": 0, "indexed": 0, "attempts": 0, "skipped": 0}


def test_every_revision_is_tried() -> None:
    files = (FOLDER / "versions").glob("[0-9]*.py")
    assert {revision for revision, _ in SCHEMAS} == {path.name[:4] for path in files}


@pytest.fixture(params=BOTH)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    home = tmp_path / "home"
    if request.param == "sqlite":
        yield Settings(home=home, embedder="off")
        return
    url = request.getfixturevalue("postgres")
    yield Settings(home=home, embedder="off", database_url=url)
    database = open_database(url)
    for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"):
        database.write(lambda t, statement=statement: t.execute(text(statement)) and None)  # type: ignore[misc]
    database.close()


def make_home(settings: Settings, revision: str, lacks: list[str], folder: Path) -> None:
    """Make a home with the migrations up to a revision, and with some rows."""
    shutil.copytree(FOLDER, folder)
    for path in (folder / "versions").glob("[0-9]*.py"):
        if path.name[:4] > revision:
            path.unlink()
    migrate(settings, folder)
    database = open_database(settings.sql_url)
    for statement in lacks:
        database.write(lambda t, statement=statement: t.execute(text(statement)) and None)  # type: ignore[misc]
    for name in ROWS:
        add_rows(database.engine, name)
    database.close()


def add_rows(engine: Engine, name: str) -> None:
    """Insert the rows of a table, with the columns that this schema has."""
    table = Table(name, MetaData(), autoload_with=engine)
    common = {**NUMBERS, "created_at": now(), **(OF_MESSAGES if name == "messages" else {})}
    rows = [
        {key: value for key, value in (common | row).items() if key in table.c}
        for row in ROWS[name]
    ]
    with engine.begin() as connection:
        connection.execute(insert(table), rows)


@pytest.fixture
def client(
    settings: Settings, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[FlaskClient]:
    revision, lacks = request.param
    make_home(settings, revision, lacks, tmp_path / "migrations")
    migrate(settings)
    app = create_app(settings)
    services = app.extensions["chatapp"]
    services.accounts.ensure_admin("", TOKEN)
    made = app.test_client()
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    yield made
    services.runs.close()
    services.database.close()


@pytest.mark.parametrize(
    "client",
    SCHEMAS,
    indirect=True,
    ids=lambda schema: "-".join([schema[0], *(each.split()[-1] for each in schema[1])]),
)
def test_a_home_of_every_earlier_schema_answers(client: FlaskClient, settings: Settings) -> None:
    database = open_database(settings.sql_url)
    found = inspect(database.engine)
    for table in Base.metadata.tables.values():
        columns = {column["name"] for column in found.get_columns(table.name)}
        assert columns == {column.name for column in table.columns}, table.name
    database.close()

    [session] = client.get("/api/sessions").json["items"]
    assert (session["id"], session["title"], session["filter_by_file_md5"]) == (
        SESSION,
        "Leave",
        [],
    )
    messages = client.get(f"/api/sessions/{SESSION}/messages").json["items"]
    assert [each["content"] for each in messages] == ["How many days?", "27 days."]
    assert not any(each["searched"] for each in messages)
    assert client.get(f"/api/messages/{ANSWER}/search").status_code == 404
    assert "27 days." in client.get(f"/chat/stream/{ANSWER}").text
    [file] = client.get(f"/api/knowledge/{BASE}/files").json["items"]
    assert (file["name"], file["status"]) == ("leave.txt", "ready")

    for session_id in (SESSION, None):
        asked = {"question": "and now?", "llm_config": {"supplier": "builtin"}}
        reply = client.post(
            "/chat", json=asked | ({"session_id": session_id} if session_id else {})
        )
        assert (reply.status_code, bool(reply.json["answer"])) == (200, True), reply.json
    assert client.get("/api/sessions/search?q=days 27").json["items"][0]["id"] == SESSION
