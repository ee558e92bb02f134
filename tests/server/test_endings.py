"""Readers of an answer are told the true reason for its end, on any worker."""

import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from chatapp.chat.answers import stored_events
from chatapp.chat.reaping import heartbeats, reap
from chatapp.storage.database import open_database
from chatapp.storage.models import Session
from tests.support.modelserver import ModelServer
from tests.support.service import PATIENCE_SECONDS, Service, Streamed, wait_for
from tests.support.terminal import environ, start

pytestmark = pytest.mark.server
SLOW = "typewriter-4000-20"
DELETED = "This chat or message was deleted while the answer was being written."
SHUT_DOWN = "The service was stopped or restarted while it was writing this answer."
LOST = "The process that was writing this answer ended or stopped responding."
READERS = 4  # of one answer, so that some are on the worker that does not write it


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, model_server: ModelServer) -> Iterator[Service]:
    with Service(
        tmp_path_factory.mktemp("two"),
        workers=2,
        OPENAI_BASE_URL=model_server.base_url,
        OPENAI_API_KEY="sk-test",
        CHATAPP_ANSWERS_PER_USER="0",
    ) as running:
        wait_for(lambda: len(running.workers()) == 2, what="two workers")
        yield running


class Readers:
    """A live answer, and readers that wait for its end."""

    def __init__(
        self, service: Service, pool: ThreadPoolExecutor, supplier: str = "openai", **more: Any
    ) -> None:
        secret = {"token": more.pop("token")} if "token" in more else {}
        self.service = service
        question = {"question": "to be ended", "llm_config": {"supplier": supplier, "model": SLOW}}
        started = service.stream(question | more, until=lambda s: s.text() != "", **secret)
        self.context = started.first("context")
        path = f"/chat/stream/{started.message_id}"
        self._heard: list[Streamed] = []
        self._ends: list[Future[Streamed]] = [
            pool.submit(service.stream, path=path, until=self._note, **secret)
            for _ in range(READERS)
        ]
        wait_for(lambda: len(self._heard) == READERS, what="all readers get text")

    def _note(self, streamed: Streamed) -> bool:
        if streamed.text() and not any(streamed is each for each in self._heard):
            self._heard.append(streamed)
        return False

    def ends(self) -> list[dict[str, Any]]:
        """Wait for the end of the streams; return the last events."""
        return [each.result(timeout=PATIENCE_SECONDS).last for each in self._ends]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(READERS) as made:
        yield made


def delete_chat(readers: Readers) -> None:
    path = f"/api/sessions/{readers.context['session_id']}"
    assert readers.service.request("DELETE", path).status == 204


def delete_answer(readers: Readers) -> None:
    path = f"/api/messages/{readers.context['message_id']}"
    assert readers.service.request("DELETE", path).status == 204


def delete_question(readers: Readers) -> None:
    path = f"/api/messages/{readers.context['question_id']}"
    assert readers.service.request("DELETE", path).status == 204


@pytest.mark.parametrize("delete", [delete_chat, delete_answer, delete_question])
def test_what_was_deleted_is_said_to_be_deleted(
    two: Service,
    pool: ThreadPoolExecutor,
    model_server: ModelServer,
    delete: Callable[[Readers], None],
) -> None:
    readers = Readers(two, pool)
    request = model_server.requests[-1]
    delete(readers)
    for end in readers.ends():
        assert (end["type"], end["code"], end["data"]) == ("error", "not_found", DELETED)
        assert not end["retryable"]
    wait_for(lambda: request.closed_by_client, what="the connection to the model is closed")


def test_all_data_or_the_account_of_a_user_is_deleted(
    two: Service, pool: ThreadPoolExecutor
) -> None:
    for delete in ("data", "account"):
        out, _ = start(environ(two), "users", "add", delete, "--json").communicate(
            timeout=PATIENCE_SECONDS
        )
        link = json.loads(out)["link"].partition("#")[2]
        login = two.post("/api/auth/login", {"link": link}, token=None)
        cookie = login.headers["Set-Cookie"].partition(";")[0]
        made = two.post("/api/auth/tokens", {}, token=None, Cookie=cookie, Origin=two.url)
        token = made.json["token"]
        readers = Readers(two, pool, token=token)
        if delete == "data":
            assert two.request("DELETE", "/api/auth/me/data", token=token).status == 204
        else:
            done = start(environ(two), "users", "delete", delete, "--yes")
            _, errors = done.communicate(timeout=PATIENCE_SECONDS)
            assert done.returncode == 0, errors
        assert {end["data"] for end in readers.ends()} == {DELETED}


def test_a_temporary_chat_is_not_cleared_away_while_it_is_answered(
    two: Service, pool: ThreadPoolExecutor
) -> None:
    readers = Readers(two, pool, temporary=True)
    session_id = readers.context["session_id"]
    old = update(Session).where(Session.id == session_id).values(updated_at=datetime(2020, 1, 1))
    database = open_database(f"sqlite:///{two.home / 'chatapp.db'}")
    database.write(lambda t: t.execute(old) and None)
    database.close()
    builtin = {"supplier": "builtin"}
    another = two.post("/chat", {"question": "q", "temporary": True, "llm_config": builtin})
    assert another.status == 200
    assert two.get(f"/api/sessions/{session_id}").status == 200
    path = f"/chat/stream/{readers.context['message_id']}"
    assert two.request("DELETE", path).status == 204
    assert {end["type"] for end in readers.ends()} == {"done"}


def test_an_answer_outlives_its_supplier(
    two: Service, pool: ThreadPoolExecutor, model_server: ModelServer
) -> None:
    supplier = {"name": "leaving", "base_url": model_server.base_url, "models": [SLOW]}
    made = two.post("/api/suppliers", supplier).json
    readers = Readers(two, pool, supplier="leaving")
    assert two.request("DELETE", f"/api/suppliers/{made['id']}").status == 204
    shown = len(readers._heard[0].text())
    wait_for(lambda: len(readers._heard[0].text()) > shown + 40, what="more text")
    path = f"/chat/stream/{readers.context['message_id']}"
    assert two.request("DELETE", path).status == 204
    assert {end["data"]["finish_reason"] for end in readers.ends()} == {"stopped"}


def test_an_answer_that_was_reaped_is_taken_back_by_its_worker(
    two: Service, pool: ThreadPoolExecutor
) -> None:
    """Another worker gives up a run whose owner shows no sign of life, as this test does here."""
    readers = Readers(two, pool)
    message_id = readers.context["message_id"]
    database = open_database(f"sqlite:///{two.home / 'chatapp.db'}")
    assert database.write(
        lambda t: reap(t, {name: at for name, at in heartbeats(t).items() if name == message_id})
    ) == [message_id]
    stored = f"/api/messages/{message_id}"
    wait_for(lambda: two.get(stored).json["status"] == "running", what="it is taken back")
    wait_for(
        lambda: database.read(lambda t: stored_events(t, message_id)), what="it is stored anew"
    )
    database.close()
    path = f"/chat/stream/{message_id}"
    assert two.request("DELETE", path).status == 204
    told = [each.result(timeout=PATIENCE_SECONDS) for each in readers._ends]
    text = two.get(stored).json["content"]
    for streamed in told:
        last, (_, position, _) = streamed.last, streamed.messages[-1]
        if last["type"] == "done":  # beside its writer nothing was noticed
            assert (last["data"]["finish_reason"], streamed.text()) == ("stopped", text)
            continue
        if last["type"] == "error":
            assert (last["code"], last["data"].startswith(LOST)) == ("interrupted", True)
        again = two.stream(path=path, Last_Event_ID=position)
        assert (again.kinds()[0], again.text()) == ("reset", text)


def test_a_service_that_stops_says_so(
    tmp_path: Path, pool: ThreadPoolExecutor, model_server: ModelServer
) -> None:
    with Service(
        tmp_path, OPENAI_BASE_URL=model_server.base_url, OPENAI_API_KEY="sk-test"
    ) as service:
        readers = Readers(service, pool)
        service.end(signal.SIGINT)
        for end in readers.ends():
            assert (end["code"], end["data"].startswith(SHUT_DOWN)) == ("interrupted", True)
        service.start()
        stored = service.get(f"/api/messages/{readers.context['message_id']}").json
        assert stored["status"] == "interrupted"
        assert stored["error"]["message"].startswith(SHUT_DOWN)
        assert stored["content"]
