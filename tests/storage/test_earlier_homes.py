"""Homes of every earlier schema: each is migrated, shows its old chats and answers a question.

A schema is what a version of the migrations made. Two migrations were edited before they were
pinned, so some homes lack a column that their revision has. `tests/fixtures/homes` has what earlier
commits really made, named by revision and commit.
"""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import inspect, make_url, text

from chatapp import create_app
from chatapp.settings import Settings
from chatapp.storage import dumps
from chatapp.storage.copies import copies
from chatapp.storage.database import open_database
from chatapp.storage.migrate import FOLDER, migrate
from chatapp.storage.models import Base
from chatapp.storage.revisions import revision_of
from chatapp.storage.schema import Differences, differences
from tests.support.administrator import TOKEN
from tests.support.earlier_homes import ANSWER, BASE, HOMES, ROWS, SESSION, add_rows
from tests.support.postgres import NEEDS_POSTGRES

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
    ("0020", []),
    ("0021", []),
    ("0022", []),
    ("0023", []),
    ("0024", []),
    ("0025", []),
    ("0026", []),
    ("0027", []),
    ("0028", []),
    ("0029", []),
    ("0030", []),
]
# All of them on SQLite. On PostgreSQL each fourth, since later migrations are the same for all.
TRIED = [
    pytest.param(
        kind,
        (revision, lacks),
        id="-".join([kind, revision, *(each.split()[-1] for each in lacks)]),
        marks=[NEEDS_POSTGRES] if kind == "postgresql" else [],
    )
    for kind, schemas in (("sqlite", SCHEMAS), ("postgresql", SCHEMAS[::4]))
    for revision, lacks in schemas
]


def test_every_revision_is_tried() -> None:
    files = (FOLDER / "versions").glob("[0-9]*.py")
    assert {revision for revision, _ in SCHEMAS} == {path.name[:4] for path in files}


@pytest.fixture
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


@pytest.fixture
def client(
    settings: Settings, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[FlaskClient]:
    revision, lacks = request.param
    make_home(settings, revision, lacks, tmp_path / "migrations")
    migrate(settings)
    with serving(settings) as made:
        yield made


@contextmanager
def serving(settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(settings)
    services = app.extensions["chatapp"]
    services.accounts.ensure_admin("", TOKEN)
    made = app.test_client()
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    yield made
    services.runs.close()
    services.database.close()


@pytest.mark.parametrize(("settings", "client"), TRIED, indirect=True)
def test_a_home_of_every_earlier_schema_answers(client: FlaskClient, settings: Settings) -> None:
    assert_upgraded(settings)
    assert_answers(client)


def assert_upgraded(settings: Settings) -> None:
    database = open_database(settings.sql_url)
    found = inspect(database.engine)
    for table in Base.metadata.tables.values():
        columns = {column["name"] for column in found.get_columns(table.name)}
        assert columns == {column.name for column in table.columns}, table.name
    assert database.read(lambda t: differences(t.connection())) == Differences((), (), ())
    database.close()


def assert_answers(client: FlaskClient) -> None:
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


@pytest.mark.parametrize("made", HOMES, ids=[path.stem for path in HOMES])
def test_a_home_that_an_earlier_commit_made_is_upgraded_answers_and_goes_back(
    made: Path, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "home", embedder="off")
    settings.home.mkdir()
    file = settings.home / "chatapp.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.executescript(made.read_text())
    before = schema_of(file)
    old = open_database(settings.sql_url)
    for name in ROWS:
        add_rows(old.engine, name)
    old.close()

    migrate(settings)
    assert_upgraded(settings)
    with serving(settings) as client:
        assert_answers(client)

    [copy] = copies(settings)
    for name in ("chatapp.db-wal", "chatapp.db-shm"):
        (settings.home / name).unlink(missing_ok=True)
    shutil.copyfile(copy, file)
    assert schema_of(file) == before
    with closing(sqlite3.connect(file)) as database:
        revision = database.execute("SELECT version_num FROM alembic_version").fetchone()
        assert revision == (made.stem[:4],)
        said = database.execute("SELECT content FROM messages ORDER BY number").fetchall()
        assert said == [("How many days?",), ("27 days.",)]


def schema_of(file: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(file)) as database:
        return database.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


@pytest.mark.parametrize(
    "settings", [pytest.param("postgresql", marks=NEEDS_POSTGRES)], indirect=True
)
def test_an_upgrade_of_postgresql_is_copied_before_and_undone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tmp_path / "migrations"
    make_home(settings, "0026", [], older)
    migrate(settings)
    assert_upgraded(settings)
    [copy] = copies(settings)
    assert copy.name == "chatapp-before-0026.dump"

    url = make_url(settings.sql_url).set(drivername="postgresql").render_as_string(False)
    empty = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
    subprocess.run(["psql", "-q", "-d", url, "-c", empty], check=True, capture_output=True)
    subprocess.run(["pg_restore", "--no-owner", "-d", url, str(copy)], check=True)
    migrate(settings, older)
    database = open_database(settings.sql_url)
    assert database.read(lambda t: revision_of(t.connection())) == "0026"
    said = database.read(
        lambda t: t.execute(text("SELECT content FROM messages ORDER BY number")).scalars().all()
    )
    assert said == ["How many days?", "27 days."]
    database.close()

    copy.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(dumps, "DEBIANS", tmp_path)
    reasons: list[str] = []
    migrate(settings, on_no_copy=reasons.append)
    assert reasons == [""] and copies(settings) == []
    assert_upgraded(settings)
