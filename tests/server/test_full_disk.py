"""A full disk: deleting works, all else says `disk_full`, and nothing that was said is lost."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.modelserver import ModelServer
from tests.support.service import PATIENCE_SECONDS, TOKEN, Reply, Service, Streamed, wait_for
from tests.support.small_disk import NEEDS_MOUNT, fill, small_disk

pytestmark = [pytest.mark.server, NEEDS_MOUNT]
WORDS = 150
BUILTIN = {"llm_config": {"supplier": "builtin"}, "knowledge_config": None}
FULL = re.compile(r"the disk of \S+ is full")
AGAIN = re.compile(r"the disk of \S+ can be written to again")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "home", 40) as made:
        yield made


@pytest.fixture
def service(home: Path, model_server: ModelServer) -> Iterator[Service]:
    with Service(
        home,
        OPENAI_BASE_URL=model_server.base_url,
        OPENAI_API_KEY="sk-test",
        CHATAPP_ADMIN_PASSWORD="a password of the tests",
    ) as running:
        yield running


def is_full(reply: Reply) -> bool:
    return reply.status == 507 and reply.json["error"]["code"] == "disk_full"


def readiness(service: Service) -> tuple[int, str]:
    reply = service.get("/readyz")
    return reply.status, reply.json["status"]


def document(folder: Path, name: str, lines: int = 400) -> Path:
    path = folder / name
    path.write_text("".join(f"Rule {n} of {name}: leave is {n} days.\n" for n in range(lines)))
    return path


class Things:
    """What there is to delete."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service = service
        self.asked = [service.post("/chat", {"question": f"q {n}", **BUILTIN}).json for n in (1, 2)]
        self.base = service.add_documents(
            "Rules", document(folder, "a.txt"), document(folder, "b.txt")
        )
        self.second = service.add_documents("More rules", document(folder, "c.txt"))
        self.file = service.get(f"/api/knowledge/{self.base}/files").json["items"][0]["id"]
        self.token = service.post("/api/auth/tokens", {"name": "script"}).json
        self.supplier = service.post(
            "/api/suppliers", {"name": "mine", "base_url": "http://127.0.0.1:9/v1", "models": ["m"]}
        ).json["id"]

    def paths(self) -> list[str]:
        return [
            f"/api/messages/{self.asked[0]['message_id']}",
            f"/api/sessions/{self.asked[1]['session_id']}",
            f"/api/knowledge/{self.base}/files/{self.file}",
            f"/api/knowledge/{self.base}",
            f"/api/knowledge/{self.second}",
            f"/api/suppliers/{self.supplier}",
            f"/api/auth/tokens/{self.token['id']}",
        ]


class Answer:
    """A live answer that is read in a thread."""

    def __init__(self, service: Service, words: int = WORDS, rate: int = 10) -> None:
        self.streamed: Streamed | None = None
        self._service = service
        self._body = {
            "question": "tell me",
            "llm_config": {"supplier": "openai", "model": f"typewriter-{words}-{rate}"},
        }
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        wait_for(lambda: self.streamed is not None and self.streamed.text(), what="first words")

    def _read(self) -> None:
        def note(streamed: Streamed) -> bool:
            self.streamed = streamed
            return False

        self._service.stream(self._body, until=note)

    def end(self) -> Streamed:
        self._thread.join(PATIENCE_SECONDS)
        assert self.streamed is not None and not self._thread.is_alive()
        return self.streamed


def stored(service: Service, message_id: str) -> Any:
    return service.get(f"/api/messages/{message_id}").json


def test_a_full_disk_takes_deletions_only_and_recovers_by_itself(
    service: Service, home: Path, tmp_path: Path
) -> None:
    things = Things(service, tmp_path)
    answer = Answer(service)
    filler = fill(home)
    before = len(service.output())

    wait_for(lambda: is_full(service.post("/chat", {"question": "now?", **BUILTIN})))
    session = things.asked[0]["session_id"]
    files = f"/api/knowledge/{things.base}/files"
    for reply in (
        service.post("/chat/stream", {"question": "now?", **BUILTIN}),
        service.post("/api/sessions", {"title": "new"}),
        service.request("PATCH", f"/api/sessions/{session}", {"title": "other"}),
        service.post("/api/knowledge", {"name": "new"}),
        service.post("/api/auth/tokens", {"name": "new"}),
        service.upload(things.base, document(tmp_path, "d.txt")),
    ):
        assert is_full(reply), reply
    assert (
        "Delete documents" in service.post("/api/sessions", {"title": "x"}).json["error"]["message"]
    )
    assert readiness(service) == (503, "disk_full")
    assert service.get("/healthz").status == 200
    assert len(service.get(files).json["items"]) == 2
    signed_in = service.post("/api/auth/login", {"password": "a password of the tests"}, token=None)
    assert signed_in.status == 200, "who has to delete something can sign in"

    for path in things.paths():
        assert service.request("DELETE", path).status == 204, path
        assert service.get(path).status == 404 or "tokens" in path or "suppliers" in path, path
    assert service.get("/api/models", token=things.token["token"]).status == 401
    kept = [path for path in (home / "originals").rglob("*") if path.is_file()]
    assert len(kept) == 2, "those of the manual"
    fill(home)  # what the deletions have freed

    ended = answer.end()
    assert len(ended.text().split()) == WORDS, "the reader got everything"
    assert ended.last["code"] == "not_saved"
    said = service.output()[before:]
    assert len(FULL.findall(said)) == 1 and not AGAIN.findall(said)
    assert "Traceback" not in said
    assert len(said.splitlines()) < 20, said
    again = service.stream(path=f"/chat/stream/{ended.message_id}")
    assert (again.text(), again.last["code"]) == (ended.text(), "not_saved"), "also after a reload"

    filler.unlink()
    wait_for(lambda: readiness(service) == (200, "ready"), what="there is space again")
    wait_for(lambda: stored(service, ended.message_id)["status"] == "complete", what="it is saved")
    late = stored(service, ended.message_id)
    assert late["content"] == ended.text() and late["error"] is None
    assert service.stream(path=f"/chat/stream/{ended.message_id}").last["type"] == "done"
    assert service.post("/chat", {"question": "and now?", **BUILTIN}).status == 200
    service.add_documents("New rules", document(tmp_path, "e.txt"))
    said = service.output()[before:]
    assert len(AGAIN.findall(said)) == len(FULL.findall(said)) <= 2, "once in each process"


def test_an_answer_is_saved_whole_if_there_is_space_again_in_time(
    service: Service, home: Path
) -> None:
    answer = Answer(service, words=60, rate=20)
    filler = fill(home)
    wait_for(lambda: is_full(service.post("/api/sessions", {"title": "new"})))
    filler.unlink()
    ended = answer.end()
    assert ended.last["type"] == "done"
    assert stored(service, ended.message_id)["content"] == ended.text()


def test_a_chat_whose_answer_is_live_is_deleted_on_a_full_disk(
    service: Service, home: Path
) -> None:
    answer = Answer(service, words=4000, rate=20)
    fill(home)
    wait_for(lambda: is_full(service.post("/api/sessions", {"title": "new"})))
    assert answer.streamed is not None
    session_id = answer.streamed.first("context")["session_id"]
    assert service.request("DELETE", f"/api/sessions/{session_id}").status == 204
    assert answer.end().last["code"] == "not_found"


def test_a_service_starts_on_a_full_disk(service: Service, home: Path, tmp_path: Path) -> None:
    things = Things(service, tmp_path)
    service.end()
    filler = fill(home)
    service.ready_path = "/healthz"
    service.start()
    assert readiness(service) == (503, "disk_full")
    for path in things.paths():
        assert service.request("DELETE", path).status == 204, path
    filler.unlink()
    wait_for(lambda: readiness(service) == (200, "ready"), what="there is space again")
    assert service.post("/chat", {"question": "and now?", **BUILTIN}).status == 200


def test_a_document_waits_for_space(service: Service, home: Path, tmp_path: Path) -> None:
    base = service.post("/api/knowledge", {"name": "Rules"}).json["id"]
    assert service.upload(base, document(tmp_path, "long.txt", 30_000)).status == 202
    filler = fill(home)
    wait_for(lambda: is_full(service.post("/api/sessions", {"title": "new"})))
    wait_for(lambda: len(FULL.findall(service.output())) == 2, what="both processes notice it")
    filler.unlink()
    path = f"/api/knowledge/{base}/files"
    wait_for(lambda: service.get(path).json["items"][0]["status"] == "ready", what="it is read")
    assert "Traceback" not in service.output()


FORM = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'


def test_a_full_disk_of_the_files_refuses_uploads_only(
    tmp_path: Path, model_server: ModelServer
) -> None:
    home = tmp_path / "home"
    with (
        small_disk(home / "originals", 8) as originals,
        Service(home) as service,
    ):
        base = service.post("/api/knowledge", {"name": "Rules"}).json["id"]
        path = f"/api/knowledge/{base}/files"
        large = tmp_path / "large.txt"
        large.write_bytes(b"a line of text\n" * 800_000)
        assert is_full(service.upload(base, large)), "it is known before that it does not fit"
        assert [each.name for each in originals.glob("incoming-*")] == []

        with service.connection() as connection, closing(connection):
            connection.putrequest("POST", path)
            connection.putheader("Authorization", f"Bearer {TOKEN}")
            connection.putheader("Content-Type", "multipart/form-data; boundary=b")
            end = b"\r\n--b--\r\n"
            connection.putheader("Content-Length", str(len(FORM) + 4_000_000 + len(end)))
            connection.endheaders(FORM + b"x" * 1_000_000)
            wait_for(lambda: list(originals.glob("incoming-*")), what="it is written")
            filler = fill(originals)
            connection.send(b"x" * 3_000_000 + end)
            response = connection.getresponse()
            assert (response.status, b"disk_full" in response.read()) == (507, True)
        assert list(originals.glob("incoming-*")) == []
        assert service.post("/chat", {"question": "and now?", **BUILTIN}).status == 200
        assert service.get("/readyz").json["missing"][0] == "files"
        assert len(FULL.findall(service.output())) == 1

        filler.unlink()
        wait_for(lambda: service.get("/readyz").json["missing"] == [])
        assert service.upload(base, document(tmp_path, "a.txt")).status == 202
        assert len(AGAIN.findall(service.output())) == 1


def test_a_read_only_disk_of_the_files_is_called_so(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Service(home) as service:
        base = service.post("/api/knowledge", {"name": "Rules"}).json["id"]
        with small_disk(home / "originals", 8, "ro"):
            refused = service.upload(base, document(tmp_path, "a.txt"))
            assert is_full(refused) and "read-only" in refused.json["error"]["message"]
