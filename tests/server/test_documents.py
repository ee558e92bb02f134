"""Documents through the real service: indexing, vectors, waiting questions, killed processes."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatapp.home import CHROMA, address, model_folder
from chatapp.knowledge.chroma import CollectionMissing, RequestRejected, VectorIndex
from chatapp.knowledge.json_client import Unreachable
from chatapp.settings import BUILTIN
from tests.support.service import Service, wait_for

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(
        model_folder() is None and os.environ.get("CI") != "true",
        reason="set-up could not make the embedder",
    ),
]

FILES = 10
TOPICS = ("otters", "lighthouses", "bicycles", "bakeries", "glaciers")


def prose(number: int) -> str:
    """Return numbered paragraphs about a topic."""
    topic = TOPICS[number % len(TOPICS)]
    return "\n\n".join(
        f"Report {number}.{part} about {topic}. "
        f"The {topic} of district {number * 31 + part} were counted on day {part}, "
        f"and {part * 7 + number} of them were found to be in good order. "
        "The others are looked at again next year. " * 2
        for part in range(4)
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("home"), CHATAPP_EMBEDDER=BUILTIN) as service:
        yield service


@pytest.fixture
def running(shared: Service) -> Iterator[Service]:
    """The service, whole again after the test before, and without its bases."""
    wait_for(lambda: shared.get("/readyz").json["missing"] == [], what="all services")
    yield shared
    for base in shared.get("/api/knowledge").json["items"]:
        shared.request("DELETE", f"/api/knowledge/{base['id']}")
    wait_for(lambda: not any(state(shared).values()), what="nothing is left")


def processes(service: Service, part: str) -> list[int]:
    """Return the service's processes whose command contains a text."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environ = (folder / "environ").read_bytes().decode()
        except OSError:
            continue
        if part in command and f"CHATAPP_HOME={service.home}\0" in environ:
            found.append(int(folder.name))
    return found


def kill(service: Service, part: str) -> None:
    for pid in processes(service, part):
        os.kill(pid, signal.SIGKILL)


def ask_sql(service: Service, query: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{service.home}/chatapp.db?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


OWN_CHUNKS = (
    "SELECT c.id FROM chunks c JOIN files f ON f.id = c.file_id "
    "JOIN knowledge_bases b ON b.id = f.knowledge_base_id WHERE b.bundled IS NULL"
)


def state(service: Service) -> dict[str, set[int]]:
    """Return the numbers of chunks in SQL, chunks with vectors, and chunks in Chroma."""
    index = VectorIndex(lambda: f"http://{at}" if (at := address(service.home, CHROMA)) else None)
    held: set[int] = set()
    for (name,) in ask_sql(
        service, "SELECT collection FROM knowledge_bases WHERE collection IS NOT NULL"
    ):
        try:
            held |= index.chunk_ids(name)
        except (Unreachable, CollectionMissing, RequestRejected):  # e.g. being deleted
            held = {-1}
    return {
        "chunks": {row[0] for row in ask_sql(service, OWN_CHUNKS)},
        "vectors": {row[0] for row in ask_sql(service, "SELECT chunk_id FROM vectors")},
        "chroma": held,
    }


def is_exact(service: Service) -> bool:
    found = state(service)
    return bool(found["chunks"]) and found["chunks"] == found["vectors"] == found["chroma"]


def upload_all(service: Service, folder: Path) -> str:
    folder.mkdir()
    files = []
    for number in range(FILES):
        files.append(folder / f"report-{number}.txt")
        files[-1].write_text(prose(number))
    base = str(service.post("/api/knowledge", {"name": "Reports"}).json["id"])
    assert service.upload(base, *files).status == 202
    return base


def files_of(service: Service, base: str) -> list[dict[str, Any]]:
    return list(service.get(f"/api/knowledge/{base}/files").json["items"])


@pytest.mark.parametrize("victim", ["chatapp.processes.worker", "chromadb_rust_bindings"])
def test_kills_while_files_are_processed_lose_and_repeat_nothing(
    running: Service, tmp_path: Path, victim: str
) -> None:
    base = upload_all(running, tmp_path / "texts")
    for share in (2, 5, 8):
        wait_for(
            lambda share=share: (
                sum(file["status"] == "ready" for file in files_of(running, base)) >= share
            ),
        )
        kill(running, victim)
    wait_for(
        lambda: all(file["status"] == "ready" for file in files_of(running, base)),
        "all are ready",
    )
    wait_for(lambda: is_exact(running), what="SQL and Chroma hold the same")
    files = files_of(running, base)
    assert len(files) == FILES and sum(file["chunks"] for file in files) == len(
        state(running)["chunks"]
    )
    assert running.get(f"/api/knowledge/{base}").json["vectors"]["state"] == "ready"


def test_answers_continue_and_the_index_is_rebuilt_when_chroma_s_folder_is_deleted(
    running: Service, tmp_path: Path
) -> None:
    base = upload_all(running, tmp_path / "texts")
    wait_for(
        lambda: (
            all(file["status"] == "ready" for file in files_of(running, base)) and is_exact(running)
        ),
    )
    query = {"query": "sea mammals with whiskers", "k": 3}

    def by_meaning() -> Any:
        items = running.post(f"/api/knowledge/{base}/search", query).json["items"]
        return items if items and items[0]["by"]["vectors"] is not None else None

    before = wait_for(by_meaning, "the question's vector, which may come too late")
    shutil.rmtree(running.home / "vectors")
    kill(running, "chromadb_rust_bindings")
    during = running.post(f"/api/knowledge/{base}/search", query).json["items"]
    assert [item["text"] for item in during] == [item["text"] for item in before]
    wait_for(lambda: is_exact(running), what="the index was made again")
    after = running.post(f"/api/knowledge/{base}/search", query).json["items"]
    assert {item["text"] for item in after} == {item["text"] for item in before}


def test_a_question_waits_for_a_file_that_is_being_read(running: Service, tmp_path: Path) -> None:
    file = tmp_path / "otters.md"
    file.write_text(
        "# Otters\n\nThe otter Waldemar eats eleven pounds of fish a day.\n\n" + prose(3) * 40
    )
    base = str(running.post("/api/knowledge", {"name": "otters"}).json["id"])
    for pid in processes(running, "chatapp.processes.worker"):
        os.kill(pid, signal.SIGSTOP)
    running.upload(base, file)
    body = {
        "question": "What does the otter Waldemar eat?",
        "knowledge_config": {"knowledge_base_id": base},
    }

    def go_on(streamed: Any) -> bool:
        if "reading" in [
            message["data"] for kind, _, message in streamed.messages if kind == "status"
        ]:
            for pid in processes(running, "chatapp.processes.worker"):
                os.kill(pid, signal.SIGCONT)
        return False

    answer = running.stream(body, until=go_on)
    stages = [message["data"] for kind, _, message in answer.messages if kind == "status"]
    assert stages[0] == "reading" and "searching" in stages
    assert "eleven pounds of fish" in answer.text()
    assert "unread" not in answer.last["data"]


def test_deleting_a_file_deletes_its_vectors(running: Service, tmp_path: Path) -> None:
    base = upload_all(running, tmp_path / "texts")
    wait_for(
        lambda: (
            all(file["status"] == "ready" for file in files_of(running, base)) and is_exact(running)
        ),
    )
    for file in files_of(running, base)[:-1]:
        assert running.request("DELETE", f"/api/knowledge/{base}/files/{file['id']}").status == 204
    wait_for(lambda: is_exact(running))
    assert running.request("DELETE", f"/api/knowledge/{base}").status == 204
    wait_for(
        lambda: (
            ask_sql(running, "SELECT count(*) FROM knowledge_bases WHERE bundled IS NULL") == [(0,)]
        ),
        what="the base is gone",
    )
    index = VectorIndex(lambda: f"http://{address(running.home, CHROMA)}")
    assert index.names("kb_") == [] and ask_sql(running, "SELECT count(*) FROM vectors") == [(0,)]
