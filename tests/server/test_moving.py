"""A home that is moved to PostgreSQL: killed, continued, compared, and used as before."""

import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, inspect, make_url, select, text

from chatapp.chat.answers import stored_events
from chatapp.core.events import Chunk
from chatapp.home import helpers_run
from chatapp.storage.database import Database, open_database
from chatapp.storage.migrate import UNFINISHED
from chatapp.storage.models import Message, Run, new_id
from tests.support.images import square
from tests.support.modelserver import ModelServer
from tests.support.postgres import NEEDS_POSTGRES, new_database
from tests.support.service import PATIENCE_SECONDS, ROOT, Service, free_port, wait_for

pytestmark = [pytest.mark.server, NEEDS_POSTGRES]

QUESTIONS = ("How many days of leave do employees get?", "重庆办事处的员工有多少天年假？")
PASSWORD = "a-long-Passw0rd-of-ours"
MORE_MESSAGES = 6000
KILLS = 4
SEED = 16


@dataclass
class Move:
    """A home, a database to which it is moved, and what the service told before."""

    home: Path
    url: str
    facts: dict[str, Any]
    cookie: str = ""
    token: str = ""
    killed: str = ""  # an answer that its worker could not finish
    partial: str = ""  # what is stored of it

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "chatapp", *words],
            cwd=ROOT,
            env=self.environ() | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, **variables: str) -> tuple[int, str]:
        process = self.start(*words, **variables)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, said

    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "CHATAPP_HOME": str(self.home),
            "CHATAPP_ENV_FILE": os.devnull,
            "LC_ALL": "C.UTF-8",
        }

    def target(self) -> Database:
        return open_database(self.url)


@pytest.fixture(scope="module")
def variables(model_server: ModelServer) -> dict[str, str]:
    return {
        "OPENAI_BASE_URL": model_server.base_url,
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_MODELS": "echo",
        "CHATAPP_EMBEDDER": "off",
    }


@pytest.fixture(scope="module")
def move(
    tmp_path_factory: pytest.TempPathFactory, postgres: str, variables: dict[str, str]
) -> Move:
    """A home with some of everything, whose service has ended."""
    home = tmp_path_factory.mktemp("home")
    url = new_database(postgres, "moved")
    with Service(home, CHATAPP_ADMIN_PASSWORD=PASSWORD, **variables) as service:
        fill(service, tmp_path_factory.mktemp("documents"), variables["OPENAI_BASE_URL"])
        token = service.post("/api/auth/tokens", {"name": "script"}).json["token"]
        signed_in = service.post(
            "/api/auth/login", {"name": "admin", "password": PASSWORD}, token=None
        )
        cookie = signed_in.headers["Set-Cookie"].partition(";")[0].partition("=")[2]
        add_messages(home)
        found = Move(home, url, facts(service), cookie, token)
        code, said = found.run("move-database", url)
        assert (code, "Stop it" in said) == (1, True), said
        slow = {"supplier": "openai", "model": "typewriter-4000-40"}
        question = {"question": "q", "temporary": True, "llm_config": slow}
        found.killed = service.stream(question, until=lambda s: len(s.text()) > 10).message_id
        wait_for(lambda: stored_text(home), what="a part is stored")
        assert service.process is not None
        os.killpg(service.process.pid, signal.SIGKILL)  # a worker would go on for a while
        service.end()
        wait_for(lambda: not helpers_run(home), what="the helpers end")
    found.partial = stored_text(home)
    return found


def stored_text(home: Path) -> str:
    """Return what is stored of the only answer that has not ended."""
    database = open_database(f"sqlite:///{home / 'chatapp.db'}")
    events = database.read(lambda t: stored_events(t, t.scalars(select(Run.message_id)).one()))
    database.close()
    return "".join(event.text for event in events if isinstance(event, Chunk))


def fill(service: Service, folder: Path, model_url: str) -> None:
    (folder / "leave.txt").write_text("Employees get 25 days of leave.\n\nLaptops may be borrowed.")
    (folder / "重庆.md").write_text(
        "# 年假\n\n重庆办事处的员工有十二天带薪年假。Office in Chongqing."
    )
    base_id = service.add_documents("Handbook 手册", *sorted(folder.iterdir()))
    [person] = [service.post("/api/users", {"name": "reader"}).json["user"]]
    shared = {"shared_with": [{"name": "reader", "access": "read"}]}
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body += square() + b"\r\n--x--\r\n"
    form = {"Content_Type": "multipart/form-data; boundary=x"}
    picture = service.post("/api/images", body, **form).json
    about = {"llm_config": {"supplier": "openai", "model": "echo"}}
    shown = service.post("/chat", {"question": "What?", "images": [picture["id"]], **about})
    answers = [ask(service, base_id, question) for question in QUESTIONS]
    session_id, message_id = answers[0]["session_id"], answers[0]["message_id"]
    assert shown.status == 200, shown.body
    for method, path, change in (
        ("PATCH", f"/api/knowledge/{base_id}", shared),
        ("POST", f"/api/sessions/{session_id}/shares", {"days": 3}),
        ("PUT", f"/api/messages/{message_id}/feedback", {"rating": "up"}),
        ("POST", "/api/prompts", {"name": "p", "text": "Summarise 总结"}),
        ("POST", "/api/suppliers", {"name": "own", "base_url": model_url, "api_key": "sk-own"}),
        ("PATCH", f"/api/limits/{person['id']}", {"storage_mb": 7}),
        ("PATCH", f"/api/sessions/{session_id}", {"pinned": True}),
    ):
        reply = service.request(method, path, change)
        assert reply.status < 300, (path, reply.body)


def ask(service: Service, base_id: str, question: str) -> Any:
    body = {
        "question": question,
        "llm_config": {"supplier": "builtin"},
        "knowledge_config": {"knowledge_base_id": base_id},
    }
    reply = service.post("/chat", body)
    assert reply.status == 200 and reply.json["sources"], reply.body
    return reply.json


def facts(service: Service) -> dict[str, Any]:
    """Return what the service tells about everything that it stores."""
    found: dict[str, Any] = {}

    def items(path: str) -> list[dict[str, Any]]:
        found[path] = service.get(path).json
        listed: list[dict[str, Any]] = found[path]["items"]
        return listed

    for name in ("shares", "prompts", "presets", "suppliers"):
        found[name] = service.get(f"/api/{name}").json
    for session in items("/api/sessions"):
        items(f"/api/sessions/{session['id']}/messages")
    for base in items("/api/knowledge"):
        items(f"/api/knowledge/{base['id']}/files")
        path = f"/api/knowledge/{base['id']}/search"
        for question in QUESTIONS:
            found[f"{path} {question}"] = service.post(path, {"query": question}).json
    items("/api/sessions/search?q=leave")
    return found


def add_messages(home: Path) -> None:
    """Make the database large enough to be killed at many places."""
    database = open_database(f"sqlite:///{home / 'chatapp.db'}")

    def add(t: Any) -> None:
        first = t.scalars(select(Message)).first()
        common = {"session_id": first.session_id, "user_id": first.user_id, "role": "user"}
        rows = [
            {**common, "id": new_id(), "parent_id": first.id, "content": f"number {n} 第{n}条"}
            for n in range(MORE_MESSAGES)
        ]
        t.execute(insert(Message), rows)

    database.write(add)
    database.close()


def rows_moved(target: Database) -> int:
    """Return how many rows are there, -1 before the tables are."""

    def count(t: Any) -> int:
        if t.scalar(text(f"SELECT to_regclass('{UNFINISHED}')")) is None:
            return -1
        return int(t.scalar(text(f"SELECT sum(rows) FROM {UNFINISHED}")))

    return target.read(count)


def kill_at(move: Move, target: Database, rows: int) -> None:
    process = move.start("move-database", move.url)
    wait_for(lambda: rows_moved(target) >= rows or process.poll() is not None, "rows")
    process.send_signal(signal.SIGKILL)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == -signal.SIGKILL, said


def test_a_move_that_is_killed_is_continued_and_all_is_as_before(
    move: Move, variables: dict[str, str]
) -> None:
    target = move.target()
    before = (move.home / "chatapp.db").read_bytes()
    places = random.Random(SEED).sample(range(MORE_MESSAGES), KILLS)
    for rows in (0, *sorted(places)):
        kill_at(move, target, rows)
        assert rows_moved(target) >= rows
    for command in (("prepare",), ("prepare", "--greet", "127.0.0.1:1")):
        code, said = move.run(*command, DATABASE_URL=move.url)
        assert (code, "Not all rows" in said) == (1, True), said

    code, said = move.run("move-database", DATABASE_URL=move.url)
    assert code == 0, said
    assert "messages: 6,0" in said and "DATABASE_URL=postgresql+psycopg://" in said
    assert (move.home / "chatapp.db").read_bytes() == before
    code, said = move.run("move-database", move.url)
    assert (code, "not empty" in said) == (1, True), said
    code, said = move.run("move-database", "--check", move.url)
    assert (code, "are the same" in said) == (0, True), said

    damage = "UPDATE messages SET content = content || '!' WHERE number = 42"
    target.write(lambda t: t.execute(text(damage)) and None)
    code, said = move.run("move-database", "--check", move.url)
    assert (code, "messages: 0 missing, 0 not in SQLite, 1 different" in said) == (1, True), said
    repair = "UPDATE messages SET content = rtrim(content, '!') WHERE number = 42"
    target.write(lambda t: t.execute(text(repair)) and None)
    target.close()

    with Service(move.home, DATABASE_URL=move.url, **variables) as service:
        cookie = f"chatapp_session_{service.port}={move.cookie}"
        me = service.get("/api/auth/me", token=None, Cookie=cookie).json
        assert me["user"]["name"] == "admin"
        assert service.get("/api/auth/me", token=move.token).status == 200
        now = facts(service)
        for name, told in move.facts.items():
            assert now[name] == told, name
        [base_id] = [
            base["id"]
            for base in service.get("/api/knowledge").json["items"]
            if base["name"].startswith("Handbook")
        ]
        path = f"/api/messages/{move.killed}"
        wait_for(lambda: service.get(path).json["status"] == "interrupted", "it is found lost")
        assert service.get(path).json["content"] == move.partial
        for question in QUESTIONS:
            again = ask(service, base_id, question)
            assert again["answer"] in str(move.facts), again
        new = move.home.with_name("new.txt")
        new.write_text("A new document about kiln 7.")
        assert service.add_documents("New", new) != base_id
        found = service.get("/api/sessions/search?q=number%205999").json["items"]
        assert len(found) == 1, found


def test_what_changes_between_two_runs_is_noticed_and_moved_when_it_starts_over(
    move: Move, postgres: str
) -> None:
    other = Move(move.home, new_database(postgres, "again"), {})
    target = other.target()
    kill_at(other, target, 3000)
    database = open_database(f"sqlite:///{move.home / 'chatapp.db'}")
    change = "UPDATE messages SET content = 'changed' WHERE number = 7"
    database.write(lambda t: t.execute(text(change)) and None)
    database.close()
    code, said = other.run("move-database", other.url)
    assert (code, "1 different; the first: 7" in said) == (1, True), said
    code, said = other.run("move-database", "--start-over", other.url)
    assert code == 0, said
    changed = text("SELECT content FROM messages WHERE number = 7")
    assert target.read(lambda t: t.scalar(changed)) == "changed"
    target.close()


def test_another_programs_database_is_left_alone(move: Move, postgres: str) -> None:
    other = Move(move.home, new_database(postgres, "of_others"), {})
    target = other.target()
    target.write(lambda t: t.execute(text("CREATE TABLE orders (n int)")) and None)
    for words in ((), ("--start-over",)):
        code, said = other.run("move-database", *words, other.url)
        assert (code, "not empty" in said) == (1, True), said
    assert target.read(lambda t: inspect(t.connection()).get_table_names()) == ["orders"]
    target.close()


def test_a_user_without_rights_is_told_what_is_missing(
    move: Move, postgres: str, tmp_path: Path
) -> None:
    """Since PostgreSQL 15, the owner of a database alone may create tables in it."""
    made = new_database(postgres, "of_another")
    database = open_database(made)
    database.write(lambda t: t.execute(text("CREATE ROLE guest LOGIN")) and None)
    database.close()
    url = make_url(made).set(username="guest").render_as_string(False)
    for words, home in ((("move-database", url), move.home), (("prepare",), tmp_path)):
        code, said = move.run(*words, DATABASE_URL=url, CHATAPP_HOME=str(home))
        assert (code, "permission denied for schema public" in said) == (1, True), said
        assert "OWNER TO" in said and "Traceback" not in said


def test_the_target_must_be_postgresql(move: Move) -> None:
    for url in ("", "mysql://localhost/x", "sqlite:///other.db", "no address"):
        code, said = move.run("move-database", *([url] if url else []))
        assert (code, "postgresql+psycopg://" in said) == (2, True), said


@pytest.mark.parametrize("part", ["password", "port", "name"])
def test_a_database_that_cannot_be_reached_says_why(move: Move, part: str) -> None:
    url = make_url(move.url)
    wrong = {
        "password": url.set(username="nobody-here", password="s3cret"),
        "port": url.set(host="127.0.0.1", port=free_port(), query={}, password="s3cret"),
        "name": url.set(database="no-such-database"),
    }[part]
    status, said = move.run("move-database", wrong.render_as_string(hide_password=False))
    assert status == 1 and "cannot be reached" in said and "It said:" in said
    words = {"password": "nobody-here", "port": "refused", "name": "no-such-database"}[part]
    assert words in said and "s3cret" not in said and "busy" not in said
    doctor = move.run("doctor", DATABASE_URL=wrong.render_as_string(hide_password=False))[1]
    assert words in doctor and "s3cret" not in doctor
