"""Stopping an answer at every stage; a dropped connection does not stop it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.modelserver import ModelServer
from tests.support.service import Service, wait_for

pytestmark = pytest.mark.server


def start_answer(service: Service, model: str, kinds: set[str]):
    config = {"supplier": "openai", "model": model}
    return service.stream(
        {"question": f"to be stopped: {model}", "llm_config": config},
        until=lambda s: kinds <= set(s.kinds()),
    )


@pytest.mark.parametrize(
    ("model", "stage"),
    [
        ("hang-before-headers", {"context"}),
        ("hang-mid", {"chunk"}),
        ("typewriter-4000-20", {"chunk"}),
        ("pings", {"context"}),
    ],
)
def test_stop_closes_the_connection_to_the_model_and_keeps_the_text(
    service: Service, model_server: ModelServer, model: str, stage: set[str]
) -> None:
    started = start_answer(service, model, stage)
    request = wait_for(
        lambda: [r for r in model_server.requests if r.body and r.body.get("model") == model]
    )[-1]
    for _ in range(3):
        assert service.request("DELETE", f"/chat/stream/{started.message_id}").status == 204
    wait_for(lambda: request.closed_by_client, what="the model server sees the close")
    stored = wait_for(lambda: _ended(service, started.message_id))
    assert stored["status"] == "stopped"
    assert stored["finish_reason"] == "stopped"
    assert stored["content"].startswith(started.text())
    question = service.get(f"/api/messages/{stored['parent_id']}").json
    assert question["content"] == f"to be stopped: {model}"


def test_stop_ends_the_wait_for_a_rate_limit(service: Service, model_server: ModelServer) -> None:
    started = start_answer(service, "refuse-429-9", {"context"})

    def asked() -> int:
        return sum(1 for request in model_server.requests if request.model == "refuse-429-9")

    wait_for(asked)
    assert service.request("DELETE", f"/chat/stream/{started.message_id}").status == 204
    assert wait_for(lambda: _ended(service, started.message_id))["status"] == "stopped"
    assert asked() == 1


def test_clients_of_a_stopped_answer_receive_its_end(service: Service) -> None:
    started = start_answer(service, "typewriter-4000-20", {"chunk"})
    service.request("DELETE", f"/chat/stream/{started.message_id}")
    rest = service.stream(path=f"/chat/stream/{started.message_id}")
    assert rest.last["type"] == "done"
    assert rest.last["data"]["finish_reason"] == "stopped"


def test_a_dropped_connection_does_not_stop_the_answer(service: Service) -> None:
    started = start_answer(service, "typewriter-40-40", {"chunk"})
    stored = wait_for(lambda: _ended(service, started.message_id))
    assert stored["status"] == "complete"


def test_concurrent_stops_give_all_clients_the_same_end(service: Service) -> None:
    for _ in range(3):
        started = start_answer(service, "typewriter-4000-40", {"chunk"})
        path = f"/chat/stream/{started.message_id}"
        with ThreadPoolExecutor(16) as pool:
            stops = [pool.submit(service.request, "DELETE", path) for _ in range(10)]
            readers = [pool.submit(service.stream, path=path) for _ in range(6)]
            assert {stop.result().status for stop in stops} == {204}
            assert {reader.result().last["data"]["finish_reason"] for reader in readers} == {
                "stopped"
            }
        assert service.stream(path=path).last["type"] == "done"


def test_deleting_a_live_answer_stops_it(service: Service, model_server: ModelServer) -> None:
    started = start_answer(service, "hang-mid", {"chunk"})
    request = model_server.requests[-1]
    assert service.request("DELETE", f"/api/messages/{started.message_id}").status == 204
    wait_for(lambda: request.closed_by_client, what="the model server sees the close")
    assert service.get(f"/chat/stream/{started.message_id}").status == 404


def test_stopping_a_finished_answer_changes_nothing(service: Service) -> None:
    done = start_answer(service, "echo", {"done"})
    before = service.get(f"/api/messages/{done.message_id}").json
    assert service.request("DELETE", f"/chat/stream/{done.message_id}").status == 204
    assert service.get(f"/api/messages/{done.message_id}").json == before


def test_a_stopped_answer_can_be_continued(service: Service, model_server: ModelServer) -> None:
    started = start_answer(service, "typewriter-4000-20", {"chunk"})
    service.request("DELETE", f"/chat/stream/{started.message_id}")
    partial = wait_for(lambda: _ended(service, started.message_id))["content"]
    assert partial
    more = service.stream(
        {"continue_id": started.message_id, "llm_config": {"supplier": "openai", "model": "echo"}}
    )
    assert more.text().startswith(partial) and len(more.text()) > len(partial)
    assert any(turn["content"] == partial for turn in model_server.requests[-1].body["messages"])


def _ended(service: Service, message_id: str):
    row = service.get(f"/api/messages/{message_id}").json
    return row if row["status"] not in ("queued", "running") else None
