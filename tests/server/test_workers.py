"""Several workers on one SQLite file: an answer is read and stopped on any, and survives kills."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.modelserver import ModelServer
from tests.support.service import APP, GUNICORN, PATIENCE_SECONDS, Service, Streamed, wait_for

pytestmark = pytest.mark.server
TURN = {"supplier": "openai", "model": "typewriter-200-40"}


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, model_server: ModelServer
) -> Iterator[Service]:
    """The product with two web workers."""
    home = tmp_path_factory.mktemp("home")
    with Service(
        home, workers=2, OPENAI_BASE_URL=model_server.base_url, OPENAI_API_KEY="sk-test"
    ) as running:
        yield running


@pytest.fixture
def two(shared: Service) -> Service:
    wait_for(lambda: len(shared.workers()) == 2, what="two workers")
    return shared


def begin(service: Service, turn: dict[str, str] = TURN, letters: int = 40) -> Streamed:
    return service.stream(
        {"question": "q", "llm_config": turn}, until=lambda s: len(s.text()) >= letters
    )


def ended(service: Service, message_id: str) -> Any:
    row = service.get(f"/api/messages/{message_id}").json
    return row if row["status"] not in ("queued", "running") else None


def lost_words(started: Streamed, stored: Any) -> int:
    return len(started.text().split()) - len(stored["content"].split())


def test_readers_on_any_worker_get_the_same_answer(two: Service) -> None:
    started = begin(two)
    readers = [two.stream(path=f"/chat/stream/{started.message_id}") for _ in range(6)]
    stored = ended(two, started.message_id)
    assert stored["status"] == "complete"
    assert {reader.text() for reader in readers} == {stored["content"]}
    assert {reader.last["type"] for reader in readers} == {"done"}


def test_a_resume_through_another_worker_continues_at_its_position(two: Service) -> None:
    started = begin(two)
    place, seen = started.messages[-1][1], started.text()
    for _ in range(6):
        part = two.stream(
            path=f"/chat/stream/{started.message_id}",
            until=lambda s: len(s.text()) > 20,
            Last_Event_ID=place,
        )
        assert "reset" not in part.kinds()
        seen += part.text()
        place = next(
            last_id
            for event, last_id, _ in reversed(part.messages)
            if event not in ("status", "ping")
        )
    rest = two.stream(path=f"/chat/stream/{started.message_id}", Last_Event_ID=place)
    assert seen + rest.text() == ended(two, started.message_id)["content"]


def test_stop_reaches_the_worker_that_writes(two: Service, model_server: ModelServer) -> None:
    for _ in range(4):
        started = begin(two)
        request = model_server.requests[-1]
        assert two.request("DELETE", f"/chat/stream/{started.message_id}").status == 204
        wait_for(lambda: request.closed_by_client, what="the model server sees the close")  # noqa: B023
        assert wait_for(lambda: ended(two, started.message_id))["status"] == "stopped"  # noqa: B023


def test_a_killed_worker_leaves_an_interrupted_answer_with_its_text(two: Service) -> None:
    started = begin(two, {**TURN, "model": "typewriter-2000-40"}, 100)
    for pid in two.workers():
        os.kill(pid, signal.SIGKILL)
    stored = wait_for(
        lambda: _ended_or_none(two, started.message_id), "the answer has a final state"
    )
    assert stored["status"] == "interrupted"
    assert stored["error"]["code"] == "interrupted"
    assert lost_words(started, stored) <= 20  # half a second at 40 a second
    rest = two.stream(
        path=f"/chat/stream/{started.message_id}", Last_Event_ID=started.messages[-1][1]
    )
    shown = rest.text() if rest.kinds()[0] == "reset" else started.text() + rest.text()
    assert shown == stored["content"]
    assert rest.last["code"] == "interrupted"


@pytest.mark.parametrize("command", [APP, GUNICORN], ids=str)
def test_after_a_crash_of_everything_the_next_start_ends_what_was_live(
    tmp_path: Path, model_server: ModelServer, command: tuple[str, ...]
) -> None:
    with Service(
        tmp_path, command=command, OPENAI_BASE_URL=model_server.base_url, OPENAI_API_KEY="sk-test"
    ) as service:
        started = begin(service, {**TURN, "model": "typewriter-2000-40"}, 100)
        assert service.process is not None
        pids = {service.process.pid, service.arbiter() or 0, *service.workers()} - {0}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        service.process.wait()
        service.process = None
        service.start()
        stored = ended(service, started.message_id)
        assert stored is not None and stored["status"] == "interrupted"
        assert lost_words(started, stored) <= 20
        more = service.stream(
            {
                "continue_id": started.message_id,
                "llm_config": {"supplier": "openai", "model": "echo"},
            }
        )
        assert more.text().startswith(stored["content"])


def test_bases_stay_while_others_are_deleted(two: Service) -> None:
    """Several processes delete: the one that is asked, and the worker of documents."""

    def replies(number: int) -> list[int]:
        base_id = two.post("/api/knowledge", {"name": f"Base {number}"}).json["id"]
        path = f"/api/knowledge/{base_id}"
        found = [two.get(path).status for _ in range(4)]
        return [*found, two.request("DELETE", path).status]

    with ThreadPoolExecutor(6) as askers:
        seen = list(askers.map(replies, range(100)))
    assert [one for one in seen if one != [200] * 4 + [204]] == []


@pytest.mark.parametrize("command", [APP, GUNICORN], ids=str)
def test_sigterm_ends_streams_in_order(
    tmp_path: Path, model_server: ModelServer, command: tuple[str, ...]
) -> None:
    with Service(
        tmp_path, command=command, OPENAI_BASE_URL=model_server.base_url, OPENAI_API_KEY="sk-test"
    ) as service:
        started = begin(service, {**TURN, "model": "typewriter-60-40"})
        assert service.process is not None
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(PATIENCE_SECONDS) == 0
        service.process = None
        service.start()
        assert ended(service, started.message_id)["status"] == "complete"


def _ended_or_none(service: Service, message_id: str) -> Any:
    try:
        return ended(service, message_id)
    except OSError:  # no worker is up just now
        return None
