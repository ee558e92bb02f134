"""Two web hosts behind nginx, a host for documents, PostgreSQL and Chroma, each in a network
namespace of its own: one is cut off from the database, and one is killed.
"""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from chatapp.child import die_with_parent
from chatapp.storage.database import open_database
from chatapp.storage.models import Run
from tests.support.chroma import Chroma
from tests.support.docs import DEPLOYMENT, readme_blocks
from tests.support.embedserver import EmbedServer
from tests.support.modelserver import ModelServer
from tests.support.modelwire import Logged
from tests.support.network import NEEDS_NETWORKS, NETWORK, Host, network
from tests.support.nginx import needs_nginx, nginx
from tests.support.postgres import NEEDS_POSTGRES, new_database, postgres_server
from tests.support.service import PATIENCE_SECONDS, ROOT, Service, Streamed, wait_for

pytestmark = [pytest.mark.server, NEEDS_NETWORKS, NEEDS_POSTGRES, needs_nginx]
PORT = 8000
LONG, BRIEF = "numbered-20000-20", "numbered-100-20"  # a quarter of an hour, and five seconds
ENDS = ("done", "error")


@dataclass
class Web:
    """A web host."""

    host: Host
    service: Service

    def get(self, path: str) -> Any:
        return self.host.run(self.service.get, path).json

    def stream(self, message_id: str, **headers: str) -> Streamed:
        path = f"/chat/stream/{message_id}"
        return self.host.run(self.service.stream, path=path, **headers)

    def reader(self, message_id: str) -> Future[Streamed]:
        """Begin to read an answer; return where its whole stream will be, once it has text."""
        return reading(self.host, self.service, path=f"/chat/stream/{message_id}")[1]

    def kill(self) -> None:
        """Kill all processes of the host."""
        assert self.service.process is not None
        for pid in (self.service.process.pid, *self.service.workers()):
            os.kill(pid, signal.SIGKILL)
        self.service.process.wait()
        self.service.process = None


def reading(host: Host, service: Service, **asked: Any) -> tuple[Streamed, Future[Streamed]]:
    """Begin to read a stream; return it, and where it will be whole, once it has text."""
    has_text, seen = Event(), list[Streamed]()

    def note(streamed: Streamed) -> bool:
        if streamed.text():
            seen[:] = [streamed]
            has_text.set()
        return False

    whole = host.begin(service.stream, until=note, **asked)
    assert has_text.wait(PATIENCE_SECONDS)
    return seen[0], whole


@dataclass
class Asked:
    """An answer that is being written, by which host, and the stream of the question itself."""

    message_id: str
    request: Logged
    owner: Web
    other: Web
    stream: Future[Streamed]

    @property
    def path(self) -> str:
        return f"/api/messages/{self.message_id}"

    @property
    def stream_path(self) -> str:
        return f"/chat/stream/{self.message_id}"


@dataclass
class Place:
    """All hosts. `client` asks through the proxy, in the namespace `front`."""

    front: Host
    data: Host
    web: tuple[Web, Web]
    client: Service
    models: ModelServer
    url: str

    def ask(self, model: str, web: Web | None = None) -> Asked:
        """Ask, through the proxy or a host itself, and wait for text."""
        host, service = (web.host, web.service) if web else (self.front, self.client)
        body = {"question": "q", "llm_config": {"supplier": "openai", "model": model}}
        begun, stream = reading(host, service, body=body)
        pid = self._pid(begun.message_id)
        owner, other = sorted(self.web, key=lambda web: pid not in web.service.workers())
        return Asked(begun.message_id, self.models.requests[-1], owner, other, stream)

    def _pid(self, message_id: str) -> int:
        database = open_database(self.url)
        query = select(Run.owner).where(Run.message_id == message_id)
        owner = database.read(lambda t: t.scalars(query).one())
        database.close()
        return int(owner.split(":")[1])


def proxy(folder: Path, *addresses: str) -> Any:
    """Run nginx as the guide says."""
    upstream, more = readme_blocks(DEPLOYMENT / "hosts.md", "nginx")
    for example, address in zip(("10.0.0.2", "10.0.0.3"), addresses, strict=True):
        assert example in upstream
        upstream = upstream.replace(example, address)
    location = readme_blocks(DEPLOYMENT / "proxy.md", "nginx")[0]
    location = location.replace("http://127.0.0.1:8000", "http://chat")
    location = location.rstrip().removesuffix("}") + more + "}"
    return nginx(folder, PORT, f"{upstream} server {{ listen {PORT}; {location} }}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    make = tmp_path_factory.mktemp
    names = ("front", "models", "data", "documents", "web1", "web2")
    with ExitStack() as stack:
        front, model, data, documents, *web = stack.enter_context(network(*names))
        server = stack.enter_context(data.using(postgres_server(data.address, f"{NETWORK}.0/24")))
        url = new_database(server, "chat")
        chroma = stack.enter_context(data.using(Chroma(make("chroma"), data.address)))
        models = stack.enter_context(model.run(ModelServer, address=model.address))
        embedder = stack.enter_context(model.run(EmbedServer, model.address))
        settings = {
            "DATABASE_URL": f"{url.partition('@')[0]}@{data.address}/chat",
            "CHROMA_URL": chroma.url,
            "CHATAPP_FILES": str(make("files")),
            "CHATAPP_SECRET_KEY": Fernet.generate_key().decode(),
            "CHATAPP_EMBEDDER": "words",
            "CHATAPP_EMBEDDER_URL": embedder.base_url,
            "CHATAPP_EMBEDDER_KEY": "sk-test",
            "OPENAI_BASE_URL": models.base_url,
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_MODELS": "echo",
            "CHATAPP_TRUSTED_PROXIES": f"{NETWORK}.0/24",
            "CHATAPP_ANSWERS_PER_USER": "0",
            "CHATAPP_HELPERS": "off",
            "CHATAPP_BIND": f"0.0.0.0:{PORT}",
        }
        hosts = []
        for host in web:
            service = Service(make("web"), workers=2, **settings)
            service.port = PORT
            hosts.append(Web(host, stack.enter_context(host.using(service))))
        environ = {
            **hosts[0].service.environ,
            "CHATAPP_HOME": str(make("documents")),
            "CHATAPP_HELPERS": "worker",
        }
        helpers = documents.run(
            subprocess.Popen,
            [sys.executable, "-m", "chatapp", "helpers"],
            cwd=ROOT,
            env=environ,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),
        )
        stack.callback(helpers.wait, PATIENCE_SECONDS)
        stack.callback(helpers.terminate)
        stack.enter_context(front.using(proxy(make("nginx"), *(host.address for host in web))))
        client = Service(make("client"))
        client.port = PORT
        yield Place(front, data, (hosts[0], hosts[1]), client, models, url)


def test_documents_are_read_on_one_host_and_found_on_all(place: Place, tmp_path: Path) -> None:
    document = tmp_path / "leave.md"
    document.write_text("# Leave\n\nEmployees get 27 days of leave.\n")
    base = place.front.run(place.client.add_documents, "Handbook", document)
    body = {"query": "holiday", "k": 3}  # no word of the document

    def found(web: Web) -> Any:
        reply = web.host.run(web.service.post, f"/api/knowledge/{base}/search", body).json
        return [item["text"] for item in reply["items"] if item["by"]["vectors"] is not None]

    for web in place.web:
        texts = wait_for(lambda web=web: found(web), "it is found by its meaning")
        assert "27 days" in texts[0]


def test_an_answer_is_read_and_stopped_through_the_other_host(place: Place) -> None:
    asked = place.ask(LONG)
    readers = [asked.stream, *(web.reader(asked.message_id) for web in place.web)]
    assert stop(asked, asked.other) == 204
    wait_for(lambda: asked.request.closed_by_client, "the model server sees the close")
    texts = {reader.result(PATIENCE_SECONDS).text() for reader in readers}
    assert texts == {asked.owner.get(asked.path)["content"]}


def stop(asked: Asked, web: Web) -> int:
    return web.host.run(web.service.request, "DELETE", asked.stream_path).status


def numbers(text: str) -> int:
    """Return how many numbers a text has, of which none may be missing or repeated."""
    found = [int(word) for word in text.split()]
    assert found == list(range(len(found)))
    return len(found)


def test_a_host_that_is_cut_off_from_the_database_loses_nothing(place: Place) -> None:
    asked = place.ask(LONG)
    owner, other, request = asked.owner, asked.other, asked.request
    brief, halted = place.ask(BRIEF, owner), place.ask(LONG, owner)
    follows = other.reader(asked.message_id)
    with owner.host.cut_off(place.data):
        sent = len(request.sent)
        assert stop(halted, other) == 204
        stored = wait_for(lambda: ended(other, asked.path), "the other host gives it up")
        assert (stored["status"], stored["error"]["code"]) == ("interrupted", "interrupted")
        before = numbers(stored["content"])
        assert brief.stream.result(PATIENCE_SECONDS).last["code"] == "not_saved"
        wait_for(lambda: len(request.sent) > sent + 500, "the model is read on")
        assert not request.closed_by_client
    wait_for(lambda: other.get(asked.path)["status"] == "running", "it is taken back")
    wait_for(lambda: halted.request.closed_by_client, "what was stopped meanwhile has ended")
    assert other.get(halted.path)["status"] == "stopped"

    def saved() -> Any:
        row = other.get(brief.path)
        return row if row["status"] == "complete" else None

    assert numbers(wait_for(saved, "the brief one is saved")["content"]) == 100
    lost = follows.result(PATIENCE_SECONDS)
    assert lost.last["code"] == "interrupted"
    back = other.host.begin(other.stream, asked.message_id, Last_Event_ID=lost.messages[-1][1])
    wait_for(lambda: len(request.sent) > sent + 600, "it goes on")
    assert stop(asked, other) == 204
    returned, stayed = back.result(PATIENCE_SECONDS), asked.stream.result(PATIENCE_SECONDS)
    content = other.get(asked.path)["content"]
    assert numbers(content) > before + 500
    assert next(kind for kind in returned.kinds() if kind != "ping") == "reset"
    assert returned.text() == stayed.text() == content
    assert returned.last["type"] == stayed.last["type"] == "done"


def ended(web: Web, path: str) -> Any:
    row = web.get(path)
    return row if row["status"] not in ("queued", "running") else None


def test_readers_of_a_host_that_is_killed_go_on_with_the_other(place: Place) -> None:
    asked = place.ask(LONG)
    seen: list[Streamed] = []

    def read(last: str = "") -> Streamed:
        """Read until the end, or until the connection breaks."""
        here: list[Streamed] = []

        def note(streamed: Streamed) -> bool:
            here[:] = [streamed]
            if streamed.text() and not any(streamed is each for each in seen):
                seen.append(streamed)
            return False

        headers = {"Last_Event_ID": last} if last else {}
        with contextlib.suppress(OSError, http.client.HTTPException):
            return place.client.stream(path=asked.stream_path, until=note, **headers)
        return here[0]

    readers = [place.front.begin(read) for _ in range(4)]
    wait_for(lambda: len(seen) == 4, "all read")
    asked.owner.kill()
    for reader in readers:
        streamed = reader.result(PATIENCE_SECONDS)
        if streamed.last["type"] in ENDS:  # it was with the other host all the time
            continue
        again = place.front.run(read, streamed.messages[-1][1])  # the first attempt
        assert (again.status, again.last["code"]) == (200, "interrupted")
    stored = wait_for(lambda: ended(asked.other, asked.path), "it has an end")
    assert stored["status"] == "interrupted" and numbers(stored["content"]) > 0
    after = place.front.run(place.client.post, "/chat", {"question": "and now?"})
    assert after.status == 200
    asked.owner.host.run(asked.owner.service.start)
