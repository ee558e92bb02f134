"""No statement on a request's path reads a whole table that grows, on either database.

Every route is asked while all statements are recorded; then the database explains each of them.
SQLite plans alike whatever its tables hold, as nothing analyses them. PostgreSQL reads small tables
whole where it may: it is told to avoid that.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, event, text

from chatapp.settings import Settings
from chatapp.storage.database import open_database
from chatapp.storage.migrate import migrate
from chatapp.storage.models import Base
from chatapp.web.services import Services
from tests.support.postgres import BOTH
from tests.support.routes import ROWS
from tests.support.world import World, routes

# What an administrator adds, and what is live: it does not grow with use.
SMALL = {
    "users",
    "limits",
    "suppliers",
    "knowledge_bases",
    "runs",
    "segments",
    "unindexed_messages",
}
# Not on a request's path, but may happen meanwhile.
SWEEPS = ("SELECT images.id FROM images",)
EXPLAINED = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
SCAN = re.compile(r"SCAN (\w+)(?! VIRTUAL TABLE)\b")
ASKED = (
    {"question": "How many days?", "llm_config": {"supplier": "builtin"}, "temporary": True},
    {"question": "How many days of leave?", "llm_config": {"supplier": "builtin"}},
)
READ = (
    *(f"/api/sessions/search?q={q}" for q in ("leave", "days leave", "带薪年假", "quixotic", "-")),
    "/api/sessions?limit=1",
    "/api/sessions/{session_id}/messages?leaf=current",
    "/api/sessions/{session_id}/messages?around={message_id}",
    "/api/knowledge/{base_id}/files?limit=1",
)


class Statements:
    """The statements that an engine runs, each with its first parameters and the route."""

    def __init__(self, engine: Engine) -> None:
        self.seen: dict[str, tuple[str, Any]] = {}
        self.route = ""
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(
        self, _conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool
    ) -> None:
        if self.route and EXPLAINED.match(statement) and not statement.startswith(SWEEPS):
            self.seen.setdefault(statement, (self.route, values[0] if many else values))


@pytest.fixture(params=BOTH)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    if request.param == "sqlite":
        made = Settings(home=tmp_path, embedder="off")
        migrate(made)
        yield made
        return
    url = request.getfixturevalue("postgres")
    made = Settings(home=tmp_path, embedder="off", database_url=url)
    migrate(made)
    yield made
    database = open_database(url)
    for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"):
        database.write(lambda t, statement=statement: t.execute(text(statement)) and None)  # type: ignore[misc]
    database.close()


def ask_everything(app: Flask, world: World, statements: Statements) -> None:
    """Ask all routes as the owner and as the administrator, deletions last and parts first."""
    owner = world.clients["owner"]
    for question in ASKED * 2:
        statements.route = "POST /chat"
        assert owner.post("/chat", json=question).status_code == 200
    for path in READ:
        statements.route = path
        page = owner.get(path.format(**world.ids))
        assert page.status_code == 200, page.data
        if following := page.json.get("next"):
            after = owner.get(f"{path.format(**world.ids)}&after={following}")
            assert after.status_code == 200, after.data
    found = sorted(
        routes(app),
        key=lambda each: (each[0] == "DELETE", each[1].endswith("/data"), -len(each[1])),
    )
    for method, rule, _ in found:
        row = ROWS[f"{method} {rule}"]
        for who in ("owner", "admin"):
            statements.route = f"{method} {rule}"
            world.ask(who, method, rule, row)
    statements.route = ""


def scanned(connection: Connection, statement: str, values: Any) -> set[str]:
    """Return the growing tables that a statement reads whole."""
    if connection.dialect.name == "sqlite":
        names = _sqlite_scans(connection, statement, values)
    else:
        names = _postgres_scans(connection, statement, values)
    return names & Base.metadata.tables.keys() - SMALL


def _sqlite_scans(connection: Connection, statement: str, values: Any) -> set[str]:
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    plan = [str(row[-1]) for row in rows]
    if _is_page(statement) and not any("TEMP B-TREE" in line for line in plan):
        return set()
    names = {found[1] for line in plan if (found := SCAN.match(line))}
    aliases = {
        alias: table
        for table, alias in re.findall(r"\b(\w+) (?:AS )?(\w+)\b", statement)
        if table in Base.metadata.tables
    }
    return {aliases.get(name, name) for name in names}


def _postgres_scans(connection: Connection, statement: str, values: Any) -> set[str]:
    explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar()
    [made] = explained if isinstance(explained, list) else json.loads(str(explained))
    if _is_page(statement) and '"Sort"' not in json.dumps(made):
        return set()
    return set(_whole(made["Plan"]))


def _whole(node: dict[str, Any]) -> Iterator[str]:
    """Yield the tables that a plan reads whole, be it in the order of an index."""
    kind = node["Node Type"]
    if kind == "Seq Scan" or (
        kind in ("Index Scan", "Index Only Scan") and "Index Cond" not in node
    ):
        yield node["Relation Name"]
    for below in node.get("Plans", ()):
        yield from _whole(below)


def _is_page(statement: str) -> bool:
    """Return whether a statement reads the first rows of an order, without a condition."""
    return " WHERE " not in statement.replace("\n", " ") and " LIMIT " in statement


def test_no_request_reads_a_whole_table_that_grows(
    app: Flask, services: Services, client: FlaskClient
) -> None:
    world = World(app, services, client)
    world.make()
    statements = Statements(services.database.engine)
    ask_everything(app, world, statements)
    assert len(statements.seen) > 150
    wrong = []
    with services.database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, (route, values) in statements.seen.items():
            if tables := scanned(connection, statement, values):
                wrong.append(f"{route}: {', '.join(tables)}\n  {' '.join(statement.split())}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("SELECT content FROM messages WHERE content = 'a'", {"messages"}),
        ("SELECT m.id FROM sessions s JOIN messages AS m ON m.content = s.title", None),
        ("SELECT id FROM messages WHERE session_id = 'a'", set()),
        ("SELECT id FROM chunks ORDER BY heading LIMIT 3", {"chunks"}),
        ("SELECT number FROM messages ORDER BY number LIMIT 3", set()),
    ],
)
def test_a_scan_is_noticed(settings: Settings, statement: str, tables: set[str] | None) -> None:
    database = open_database(settings.sql_url)
    with database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")
        found = scanned(connection, statement, {} if database.sqlite else None)
    database.close()
    assert found == tables if tables is not None else found
