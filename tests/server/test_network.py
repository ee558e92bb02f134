"""Two web hosts behind nginx, a host for documents, PostgreSQL and Chroma, each in a network
namespace of its own: one is cut off from the database, and one is killed.
"""

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosts import Asked, Place, Web, several_hosts
from tests.support.network import NEEDS_NETWORKS
from tests.support.nginx import needs_nginx
from tests.support.postgres import NEEDS_POSTGRES
from tests.support.service import PATIENCE_SECONDS, Streamed, wait_for

pytestmark = [pytest.mark.server, NEEDS_NETWORKS, NEEDS_POSTGRES, needs_nginx]
LONG, BRIEF = "numbered-20000-20", "numbered-100-20"  # a quarter of an hour, and five seconds
ENDS = ("done", "error")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with several_hosts(tmp_path_factory.mktemp) as made:
        yield made


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
