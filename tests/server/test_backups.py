"""Backups of the running product, restored on an empty machine: the same answers and sources."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chatapp.backups.archive import verify
from chatapp.backups.create import backups
from chatapp.settings import BUILTIN, OFF
from tests.support.backups import commanded, findings
from tests.support.modelserver import ModelServer
from tests.support.postgres import NEEDS_POSTGRES, new_database
from tests.support.service import Service, wait_for

pytestmark = pytest.mark.server
QUESTIONS = ("How many days of leave do employees get?", "Who keeps the keys?")
DOCUMENTS = {
    "leave.md": "# Leave\n\nEmployees get 27 days of paid leave in a year.\n",
    "keys.md": "# Keys\n\nThe keys are kept by Mr Brown at the front desk.\n",
}
# A backup that is made under load has answers in progress, until their leases end.
NO_LIMIT = {"CHATAPP_ANSWERS_PER_USER": "0"}
ROUNDS = 3
CROWD = 4


def answers(service: Service, base: str) -> list[Any]:
    """Return what the built-in model says once it finds by meaning, and what it quotes."""

    def vectors() -> str:
        return str(service.get(f"/api/knowledge/{base}").json["vectors"]["state"])

    def found() -> list[Any] | None:
        # A question whose vector comes too late, as on a busy machine, finds by words alone.
        replies = asked(service, base)
        both = all(len(sources) == len(DOCUMENTS) for _, sources in replies)
        return replies if both or vectors() == "off" else None

    wait_for(lambda: vectors() in ("ready", "off"), "vectors")
    replies: list[Any] = wait_for(found, "both documents are found by meaning")
    return replies


def asked(service: Service, base: str) -> list[Any]:
    found = []
    for question in QUESTIONS:
        body = {
            "question": question,
            "llm_config": {"supplier": "builtin"},
            "knowledge_config": {"knowledge_base_id": base},
        }
        reply = service.post("/chat", body).json
        assert "answer" in reply, reply
        keys = ("quote", "start", "end", "file_name", "page")
        found.append((reply["answer"], [[s.get(key) for key in keys] for s in reply["sources"]]))
    return found


def documents(folder: Path) -> list[Path]:
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text)
    return [folder / name for name in DOCUMENTS]


@contextmanager
def load(service: Service, folder: Path) -> Iterator[list[str]]:
    """Ask, upload and delete until the end; yield the list of answers that were acknowledged."""
    ended, complete = threading.Event(), list[str]()
    base = service.post("/api/knowledge", {"name": "busy"}).json["id"]

    def ask() -> None:
        body = {"question": "q", "llm_config": {"supplier": "openai", "model": "typewriter-60-60"}}
        while not ended.is_set():
            streamed = service.stream(body)
            assert streamed.last["type"] == "done", streamed.last
            complete.append(streamed.message_id)

    def upload() -> None:
        for n in range(10_000):
            if ended.wait(0.3):
                return
            path = folder / f"busy-{n}.txt"
            path.write_text(f"Rule {n} says that {n} is allowed.\n" * 200)
            [item] = service.upload(base, path).json["items"]
            if n % 2:
                service.request("DELETE", f"/api/knowledge/{base}/files/{item['id']}")

    threads = [threading.Thread(target=each) for each in [*[ask] * CROWD, upload]]
    for each in threads:
        each.start()
    try:
        yield complete
    finally:
        ended.set()
        for each in threads:
            each.join()


def test_backups_under_load_are_restored_with_the_same_answers(
    tmp_path: Path, model_server: ModelServer
) -> None:
    variables = {
        "OPENAI_BASE_URL": model_server.base_url,
        "OPENAI_API_KEY": "sk-test",
        "CHATAPP_EMBEDDER": BUILTIN,
        **NO_LIMIT,
    }
    folder = tmp_path / "backups"
    with Service(tmp_path / "home", **variables) as service:
        base = service.add_documents("rules", *documents(tmp_path / "documents"))
        before = answers(service, base)
        with load(service, tmp_path) as complete:
            for n in range(ROUNDS):
                acknowledged = wait_for(lambda n=n: complete[:] if len(complete) > n else None)
                done = commanded(service.home, "backup", str(folder), "--keep", "2")
                assert done.returncode == 0, done.stderr
                assert "missing" not in done.stderr
        assert commanded(service.home, "restore", str(backups(folder)[-1])).returncode == 1
    assert len(backups(folder)) == 2
    archive = backups(folder)[-1]
    assert verify(archive).missing == []
    with Service(tmp_path / "machine", **variables) as service:
        service.end()
        done = commanded(service.home, "restore", "--replace", str(archive))
        assert done.returncode == 0, done.stderr
        assert "fail" not in findings(service.home, CHATAPP_BIND="127.0.0.1:1").values()
        service.start()
        wait_for(lambda: answers(service, base) == before, "the same answers")
        for message_id in acknowledged:
            assert service.get(f"/api/messages/{message_id}").json["status"] == "complete"
        running = findings(service.home, CHATAPP_BIND=f"127.0.0.1:{service.port}")
        assert "fail" not in running.values(), running


@NEEDS_POSTGRES
def test_postgresql_is_dumped_and_restored_into_an_empty_database(
    tmp_path: Path, postgres: str, model_server: ModelServer
) -> None:
    first, second = new_database(postgres, "kept"), new_database(postgres, "restored")
    variables = {
        "OPENAI_BASE_URL": model_server.base_url,
        "OPENAI_API_KEY": "sk-test",
        "CHATAPP_EMBEDDER": OFF,
        **NO_LIMIT,
    }
    folder = tmp_path / "backups"
    with Service(tmp_path / "home", DATABASE_URL=first, **variables) as service:
        base = service.add_documents("rules", *documents(tmp_path / "documents"))
        before = answers(service, base)
        with load(service, tmp_path) as complete:
            wait_for(lambda: complete)
            done = commanded(service.home, "backup", str(folder), DATABASE_URL=first)
            assert done.returncode == 0, done.stderr
        done = commanded(service.home, "compact", DATABASE_URL=first)
        assert done.returncode == 0, done.stderr
    [archive] = backups(folder)
    used = commanded(tmp_path / "used", "restore", str(archive), DATABASE_URL=first)
    assert used.returncode == 1
    assert "empty database" in used.stderr
    machine = tmp_path / "machine"
    done = commanded(machine, "restore", str(archive), DATABASE_URL=second)
    assert done.returncode == 0, done.stderr
    with Service(machine, DATABASE_URL=second, **variables) as service:
        wait_for(lambda: answers(service, base) == before, "the same answers")
