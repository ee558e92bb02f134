"""Two web hosts behind nginx, a host for documents, PostgreSQL and Chroma, each in a network
namespace of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import select

from chatapp.child import die_with_parent
from chatapp.home import helpers_run
from chatapp.storage.database import open_database
from chatapp.storage.models import Run
from tests.support.chroma import Chroma
from tests.support.docs import DEPLOYMENT, readme_blocks
from tests.support.embedserver import EmbedServer
from tests.support.modelserver import ModelServer
from tests.support.modelwire import Logged
from tests.support.network import NETWORK, Host, network
from tests.support.nginx import nginx
from tests.support.postgres import new_database, postgres_server
from tests.support.service import PATIENCE_SECONDS, ROOT, Service, Streamed, wait_for

PORT = 8000


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


class Documents:
    """The host that reads documents."""

    def __init__(self, host: Host, environ: dict[str, str]) -> None:
        self._host = host
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Documents":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGTERM)

    def start(self) -> None:
        home = Path(self._environ["CHATAPP_HOME"])
        wait_for(lambda: not helpers_run(home), "no helpers of this home are left")
        self._process = self._host.run(
            subprocess.Popen,
            [sys.executable, "-m", "chatapp", "helpers"],
            cwd=ROOT,
            env=self._environ,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),
        )

    def end(self, number: int) -> None:
        """Send a signal to the supervisor, with which its processes end."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_SECONDS)
            self._process = None


@dataclass
class Place:
    """All hosts. `client` asks through the proxy, in the namespace `front`."""

    front: Host
    data: Host
    web: tuple[Web, Web]
    client: Service
    models: ModelServer
    url: str
    documents: "Documents"

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


def _proxy(folder: Path, *addresses: str) -> Any:
    """Run nginx as the guide says."""
    upstream, more = readme_blocks(DEPLOYMENT / "hosts.md", "nginx")
    for example, address in zip(("10.0.0.2", "10.0.0.3"), addresses, strict=True):
        assert example in upstream
        upstream = upstream.replace(example, address)
    location = readme_blocks(DEPLOYMENT / "proxy.md", "nginx")[0]
    location = location.replace("http://127.0.0.1:8000", "http://chat")
    location = location.rstrip().removesuffix("}") + more + "}"
    return nginx(folder, PORT, f"{upstream} server {{ listen {PORT}; {location} }}")


@contextmanager
def several_hosts(make: Callable[[str], Path]) -> Iterator[Place]:
    """Start everything; `make` makes a folder."""
    names = ("front", "models", "data", "documents", "web1", "web2")
    with ExitStack() as stack:
        front, model, data, reads, *web = stack.enter_context(network(*names))
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
        documents = stack.enter_context(Documents(reads, environ))
        stack.enter_context(front.using(_proxy(make("nginx"), *(host.address for host in web))))
        client = Service(make("client"))
        client.port = PORT
        yield Place(front, data, (hosts[0], hosts[1]), client, models, url, documents)
