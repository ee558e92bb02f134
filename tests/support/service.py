"""The real product on a free port with its own home, and a small client that reads streams."""

import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from chatapp.child import die_with_parent
from chatapp.core.sse import Decoder
from chatapp.settings import OFF

ROOT = Path(__file__).parents[2]
TOKEN = "the-token-of-the-service-tests"
PATIENCE_SECONDS = 400  # far more than anything takes: no test fails because a machine is busy
PORTS = 10_000, 30_000
GUNICORN = ("-m", "gunicorn", "wsgi:app")
APP = ("app.py",)


def wait_for(
    condition: Callable[[], Any], what: str = "", seconds: float = PATIENCE_SECONDS
) -> Any:
    """Wait until a condition gives something true, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.02)


def free_port() -> int:
    """Return a random free port below the ephemeral ports of the system."""
    while True:
        port = random.randint(*PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Streamed:
    """The messages of a stream: (SSE event, last event id, JSON)."""

    status: int
    headers: dict[str, str]
    messages: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def kinds(self) -> list[str]:
        return [body["type"] for _, _, body in self.messages]

    def text(self, kind: str = "chunk") -> str:
        return "".join(body["data"] for _, _, body in self.messages if body["type"] == kind)

    def first(self, kind: str) -> dict[str, Any]:
        return next(body for _, _, body in self.messages if body["type"] == kind)

    @property
    def last(self) -> dict[str, Any]:
        return self.messages[-1][2]

    @property
    def message_id(self) -> str:
        return str(self.first("context")["message_id"])


class Service:
    """`with Service(home, VARIABLE=…) as service:` starts the product and ends it.

    It finds by words alone, unless a test asks for an embedder: each would embed the manual anew.
    """

    def __init__(
        self,
        home: Path,
        *,
        workers: int = 1,
        arguments: tuple[str, ...] = (),
        command: tuple[str, ...] = GUNICORN,
        root: Path = ROOT,
        **variables: str,
    ) -> None:
        self.home = home
        self._command = command
        self._root = root
        self.ready_path = "/readyz"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._arguments = arguments
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "CHATAPP_ENV_FILE": os.devnull,
            "CHATAPP_HOME": str(home),
            "CHATAPP_BIND": f"127.0.0.1:{self.port}",
            "CHATAPP_TOKEN": TOKEN,
            "CHATAPP_EMBEDDER": OFF,
            "WEB_CONCURRENCY": str(workers),
            **variables,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._output = tempfile.NamedTemporaryFile(prefix="chatapp-service-")  # noqa: SIM115

    def __enter__(self) -> "Service":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        self._output.close()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *self._command, *self._arguments],
            cwd=self._root,
            env=self.environ,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(signal.SIGKILL),
        )
        try:
            wait_for(self._is_ready, "the service is ready")
        except AssertionError:
            self.end()  # __exit__ is not called when __enter__ fails
            raise

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the service ended:\n{self.output()}"
        try:
            return self.get(self.ready_path).status == 200
        except OSError:
            return False

    def end(self, sign: int = signal.SIGTERM) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(sign)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def output(self) -> str:
        return Path(self._output.name).read_text("utf-8", "replace")

    def link(self) -> str:
        """Return the one-time sign-in link that the service printed."""
        return str(re.findall(r"http://\S+/sign-in#\S+", self.output())[-1])

    def workers(self) -> list[int]:
        """Return the processes of the web workers."""
        arbiter = self.arbiter()
        return [] if arbiter is None else _gunicorns_below(arbiter)

    def arbiter(self) -> int | None:
        """Return gunicorn's arbiter: our child, or a grandchild under app.py."""
        assert self.process is not None
        if self._command == GUNICORN:
            return self.process.pid
        return next(iter(_gunicorns_below(self.process.pid)), None)

    @contextmanager
    def connection(self, timeout: float = 30) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            yield connection
        finally:
            connection.close()

    def request(
        self, method: str, path: str, body: Any = None, token: str | None = TOKEN, **headers: str
    ) -> Reply:
        """Send one request; `body` goes as JSON unless it is bytes already."""
        with self.connection() as connection:
            connection.request(method, path, *_prepare(body, token, headers))
            response = connection.getresponse()
            headers = dict(reversed(response.getheaders()))  # the first of several cookies
            return Reply(response.status, headers, response.read())

    def get(self, path: str, **more: Any) -> Reply:
        return self.request("GET", path, **more)

    def post(self, path: str, body: Any, **more: Any) -> Reply:
        return self.request("POST", path, body, **more)

    def stream(
        self,
        body: Any = None,
        path: str = "/chat/stream",
        until: Callable[[Streamed], bool] | None = None,
        token: str | None = TOKEN,
        **headers: str,
    ) -> Streamed:
        """POST a question (GET without a body); read the stream to its end or a condition."""
        with self.connection() as connection:
            connection.request(
                "POST" if body is not None else "GET", path, *_prepare(body, token, headers)
            )
            response = connection.getresponse()
            streamed = Streamed(response.status, dict(response.getheaders()))
            decoder = Decoder()
            while data := response.read1(65536):
                for message in decoder.feed(data):
                    streamed.messages.append(
                        (message.event, message.last_id, json.loads(message.data))
                    )
                if until is not None and until(streamed):
                    break
            return streamed

    def upload(self, base_id: str, *files: Path, **more: str) -> Reply:
        """Upload files as a form."""
        boundary = "----chatapp-tests"
        body = b""
        for file in files:
            disposition = f'form-data; name="files"; filename="{file.name}"'
            head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n"
            body += head.encode() + file.read_bytes() + b"\r\n"
        body += f"--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", **more}
        return self.request("POST", f"/api/knowledge/{base_id}/files", body, **headers)

    def add_documents(self, name: str, *files: Path) -> str:
        """Make a knowledge base of some files, wait until they are ready, and return its id."""
        base_id = str(self.post("/api/knowledge", {"name": name}).json["id"])
        reply = self.upload(base_id, *files)
        assert reply.status == 202, reply.body
        wait_for(lambda: self._all_ready(base_id), "files ready")
        return base_id

    def _all_ready(self, base_id: str) -> bool:
        items = self.get(f"/api/knowledge/{base_id}/files").json["items"]
        assert all(item["status"] != "failed" for item in items), items
        return all(item["status"] == "ready" for item in items)


def _gunicorns_below(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and b"gunicorn" in command:
            found.append(int(stat.parent.name))
    return found


def _prepare(
    body: Any, token: str | None, headers: dict[str, str]
) -> tuple[bytes | None, dict[str, str]]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        sent.setdefault("Authorization", f"Bearer {token}")
    if body is None or isinstance(body, bytes):
        return body, sent
    sent.setdefault("Content-Type", "application/json")
    return json.dumps(body).encode(), sent
