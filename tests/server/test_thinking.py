"""Thinking in every notation and field, for every reader, and what is sent again."""

import threading
from pathlib import Path

import pytest

from tests.support.modelserver import ModelServer
from tests.support.modelthinking import ANSWER, GO_ON, THOUGHT
from tests.support.service import Service, Streamed, wait_for

pytestmark = pytest.mark.server
WAYS = (
    "tags",
    "closing-tag",
    "channels",
    "brackets",
    "thinking",
    "reasoning_text",
    "reasoning_details",
)


def ask(service: Service, model: str, question: str = "Hello", **more: object) -> Streamed:
    config = {"supplier": "openai", "model": model}
    return service.stream({"question": question, "llm_config": config, **more})


@pytest.mark.parametrize("way", WAYS)
def test_thinking_is_kept_apart_and_is_not_sent_again(
    service: Service, model_server: ModelServer, way: str
) -> None:
    streamed = ask(service, f"thinks-in-{way}")
    stored = service.get(f"/api/messages/{streamed.message_id}").json
    assert (stored["status"], stored["content"]) == ("complete", ANSWER)
    assert stored["reasoning"].strip() == THOUGHT.strip()
    again = service.stream(path=f"/chat/stream/{streamed.message_id}")
    assert (again.text(), again.text("reasoning")) == (stored["content"], stored["reasoning"])
    session_id = streamed.first("context")["session_id"]
    ask(service, "echo", "And now?", session_id=session_id)
    sent = [turn["content"] for turn in model_server.requests[-1].body["messages"]]
    assert sent[1:] == ["Hello", ANSWER, "And now?"]


def plain(streamed: Streamed) -> tuple[str, str]:
    """Return reasoning and text as a client that knows `reset` has them."""
    kinds = streamed.kinds()
    at = len(kinds) - kinds[::-1].index("reset") if "reset" in kinds else 0
    rest = Streamed(streamed.status, streamed.headers, streamed.messages[at:])
    return rest.text("reasoning"), rest.text()


def followed(service: Service, path: str, count: int) -> list[Streamed]:
    """Return what so many readers get that have the thought as text before the model goes on."""
    read: list[Streamed] = []
    waiting: set[int] = set()

    def follow(number: int) -> None:
        def has_the_thought(streamed: Streamed) -> bool:
            if streamed.text() == THOUGHT:
                waiting.add(number)
            return False

        read.append(service.stream(path=path, until=has_the_thought))

    readers = [threading.Thread(target=follow, args=(number,)) for number in range(count)]
    for reader in readers:
        reader.start()
    try:
        wait_for(lambda: len(waiting) == count, what="all readers have the thought as text")
    finally:
        GO_ON.set()
        for reader in readers:
            reader.join()
    return read


def test_readers_on_other_workers_learn_of_it(tmp_path: Path, model_server: ModelServer) -> None:
    GO_ON.clear()
    config = {"supplier": "openai", "model": "thinks-slowly"}
    supplier = {"OPENAI_BASE_URL": model_server.base_url, "OPENAI_API_KEY": "sk-test"}
    with Service(tmp_path, workers=2, **supplier) as two:
        wait_for(lambda: len(two.workers()) == 2, what="two workers")
        started = two.stream(
            {"question": "Move", "llm_config": config}, until=lambda s: s.text() == THOUGHT
        )
        for streamed in followed(two, f"/chat/stream/{started.message_id}", 8):
            assert plain(streamed) == (THOUGHT, ANSWER)
            assert streamed.kinds().count("reset") == 1


def test_text_that_was_thinking_is_revised_for_every_reader(service: Service) -> None:
    GO_ON.clear()
    config = {"supplier": "openai", "model": "thinks-slowly"}
    started = service.stream(
        {"question": "Move", "llm_config": config}, until=lambda s: s.text() == THOUGHT
    )
    path, place = f"/chat/stream/{started.message_id}", started.messages[-1][1]
    read = followed(service, path, 3)
    resumed = service.stream(path=path, Last_Event_ID=place)
    fresh = service.stream(path=path)
    assert fresh.kinds().count("reset") == 0 and resumed.kinds()[:2] == ["reset", "context"]
    for streamed in [*read, resumed, fresh]:
        assert plain(streamed) == (THOUGHT, ANSWER)
        assert streamed.last["type"] == "done"
    assert all(streamed.kinds().count("reset") == 1 for streamed in read)
