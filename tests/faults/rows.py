"""Rows of the fault matrix that are one question to a misbehaving model or reader.

All run concurrently on one service; each is checked by itself. A row returns the readers whose
answers must keep the seven invariants (invariants.py); its other fields are further expectations.
"""

import http.client
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.faults.reader import Reader, letters
from tests.faults.stage import Stage
from tests.support.service import wait_for

Act = Callable[[Stage], list[Reader]]
ROWS: dict[str, "Row"] = {}
DATABASE = "数据库 🙂"
ODD = "a\u2028b\u0085c\ufffd\r\n\r\ufffd😀"
MOST_CHUNKS_A_SECOND = 60
FIRST_SECONDS, IDLE_SECONDS = 4, 3  # as in stage.LIMITS
BUSY = 6  # times longer may all take when other processes keep the cores busy; a Stop takes 1 s


@dataclass(frozen=True)
class Row:
    """One row: its actions and how answers end; the model gets at most `requests` requests."""

    act: Act
    status: str = "complete"
    code: str = ""
    requests: int = 1
    within: tuple[float, float] = (0, 30)  # seconds from the question to its end
    text: Callable[[str], bool] = lambda _: True
    more: Callable[[Reader], bool] = lambda _: True
    alone: bool = False  # run after the others, since it slows /healthz by itself


def asks(model: str, supplier: str = "openai") -> Act:
    """Ask one model one question and read the answer to its end."""

    def act(stage: Stage) -> list[Reader]:
        return [
            Reader(stage.service, model, llm_config={"supplier": supplier, "model": model}).ask()
        ]

    return act


def row(name: str, **expected: Any) -> Callable[[Act], Act]:
    """Register a row."""

    def register(act: Act) -> Act:
        ROWS[name] = Row(act, **expected)
        return act

    return register


def model(name: str, code: str = "", *, status: str = "", **expected: Any) -> None:
    """Register a row that asks a model of the model server."""
    number, _, behaviour = name.partition(" ")
    row(
        f"{number.zfill(2)}-{behaviour}",
        status=status or ("failed" if code else "complete"),
        code=code,
        **expected,
    )(asks(behaviour))


def none(text: str) -> bool:
    return text == ""


def some(text: str) -> bool:
    return text != ""


row(
    "01-closed-port",
    status="failed",
    code="upstream_unreachable",
    requests=0,
    within=(0, 5),
    text=none,
)(asks("m", "away"))
row(
    "02-no-such-host",
    status="failed",
    code="upstream_unreachable",
    requests=0,
    within=(0, 5),
    text=none,
)(asks("m", "nameless"))
model("3 refuse-401", "upstream_auth", text=none)
model("3 refuse-403", "upstream_auth", text=none)
model(
    "4 refuse-429-1",
    "upstream_rate_limit",
    requests=3,
    text=none,
    more=lambda reader: reader.end["retry_after"] == 1,
)
model(
    "5 refuse-429-3600",
    "upstream_rate_limit",
    text=none,
    more=lambda reader: reader.end["retry_after"] == 3600,
)
model("6 refuse-500", "upstream_error", requests=3, text=none)
model("6 refuse-502", "upstream_error", requests=3, text=none)
model("6 refuse-503", "upstream_error", requests=3, text=none)
model("6 refuse-503-once", requests=2, text=some)
model("6 drop-once", requests=2, text=some)
model(
    "7 hang-before-headers",
    "upstream_timeout",
    within=(FIRST_SECONDS - 1, 2 * FIRST_SECONDS),
    text=none,
)
model(
    "7 drip-headers", "upstream_timeout", within=(FIRST_SECONDS - 1, 2 * FIRST_SECONDS), text=none
)
model(
    "8 hang-after-headers",
    "upstream_timeout",
    within=(FIRST_SECONDS - 1, 2 * FIRST_SECONDS),
    text=none,
)
model(
    "9 hang-mid",
    "upstream_timeout",
    within=(IDLE_SECONDS - 1, 3 * IDLE_SECONDS),
    text="One two three ".__eq__,
)
model(
    "10 pings", "upstream_timeout", within=(IDLE_SECONDS - 1, 3 * IDLE_SECONDS), text="One ".__eq__
)
model("10 pings-after-finish", text="All said.".__eq__)
model("11 cut", "upstream_error", text="Half an ".__eq__)
model("11 reset", "upstream_error", text="Half an ".__eq__)
model("12 no-finish", "upstream_error", text="Half an ".__eq__)
model("12 only-done", text="All said.".__eq__)
model("13 broken-json", "upstream_protocol", text="Good so far ".__eq__)
model("14 bad-utf8", text="Good \ufffd\ufffd".__eq__)
model("14 split-utf8", text=DATABASE.__eq__)
model("15 weird-text", text=ODD.__eq__)
model("16 huge-delta", "answer_too_long", alone=True, text=lambda text: text == "x" * 1024 * 1024)
model(
    "17 flood-100000",
    alone=True,
    text=lambda text: text == "word " * 100_000,
    more=lambda reader: (
        len(reader.arrivals) < MOST_CHUNKS_A_SECOND * (reader.ended - reader.began + 1)
    ),
)
model(
    "18 length",
    text="Too long ".__eq__,
    more=lambda reader: reader.end["data"]["finish_reason"] == "length",
)
model(
    "18 content-filter",
    text="This ".__eq__,
    more=lambda reader: reader.end["data"]["finish_reason"] == "content_filter",
)
model("19 error-event", "upstream_error", text="Half an ".__eq__)
model("20 html", "upstream_protocol", text=none)
model("20 json-whole", text="All at once.".__eq__)
model("20 json-error", "upstream_auth", text=none)
model("20 json-other", "upstream_protocol", text=none)
model("20 not-http", "upstream_protocol", requests=3, text=none)
model("20 empty", "upstream_empty", text=none)
model("20 null-deltas", text="Fine.".__eq__)
model("21 redirect", "upstream_protocol", text=none)


def typewriter(stage: Stage, count: int = 60, rate: int = 30) -> Reader:
    return Reader(
        stage.service, "typewriter", llm_config=stage.patient(f"typewriter-{count}-{rate}")
    )


def words(count: int) -> Callable[[str], bool]:
    return lambda text: len(text.split()) == count


@contextmanager
def together(count: int) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(count) as pool:
        yield pool


@row("23-tab-closed", text=words(60))
def tab_closed(stage: Stage) -> list[Reader]:
    """Close halfway; reconnect only after the answer has been written."""
    reader = typewriter(stage).ask(letters(20))
    assert reader.stored()["status"] == "complete"
    return [reader]


@row("26-the-same-post-twice-at-once", text=words(60))
def same_post_twice(stage: Stage) -> list[Reader]:
    one = typewriter(stage)
    other = one.another()
    with together(2) as pool:
        list(pool.map(Reader.ask, (one, other)))
    assert one.message_id == other.message_id
    return [one, other]


@row("27-two-tabs-ask-at-once", text=words(60))
def two_tabs(stage: Stage) -> list[Reader]:
    """Two questions in one session: one is answered, the other gets `busy` and retries."""
    first = Reader(stage.service, "first", llm_config=stage.config("echo")).ask()
    session = {"session_id": first.context["session_id"]}
    both = [
        Reader(stage.service, "tab", llm_config=stage.config("typewriter-60-30"), **session)
        for _ in range(2)
    ]
    with together(2) as pool:
        list(pool.map(Reader.ask, both))
    refused = [reader for reader in both if reader.status == 409]
    assert len(refused) == 1 and refused[0].seen[0]["error"]["code"] == "busy", both
    refused[0].ask()
    stored = stage.service.get(f"/api/sessions/{session['session_id']}/messages").json["items"]
    assert [each["parent_id"] for each in stored] == [
        None,
        *(each["id"] for each in stored[:-1]),
    ], "order kept"
    return both


@row("28-a-refresh-a-second-tab-a-second-device", text=words(60))
def many_readers(stage: Stage) -> list[Reader]:
    """Three readers reconnect three times each, others start over: all see the same text."""
    first = typewriter(stage).ask(letters(20))
    others = [first.another() for _ in range(4)]

    def refresh(reader: Reader) -> None:
        for step in range(1, 4):
            if reader.end is None:
                reader.resume(letters(step * 60))
        reader.follow()

    with together(5) as pool:
        list(pool.map(refresh, [first, *others]))
    assert {reader.text for reader in others} == {first.text}
    return [first, *others]


@row("29-odd-positions", text=words(60))
def odd_positions(stage: Stage) -> list[Reader]:
    """Unknown, future and foreign positions: refused, or everything again; never a gap."""
    reader = typewriter(stage).ask()
    foreign = typewriter(stage, 5, 100).ask()
    end = int(reader.place.rpartition(":")[2])
    for place in (
        f"{reader.message_id}:{end + 1000}",
        "nonsense",
        f"{reader.message_id}:-3",
        f"{reader.message_id}:99999999999999",
    ):
        again = reader.another().resume(place=place)
        assert again.text == reader.text and again.end == reader.end, (place, again)
    assert reader.another().resume(place=f"{reader.message_id}:{end}").seen == []
    assert reader.another().resume(place=foreign.place).status == 404
    nobody = reader.another()
    nobody.context = {"message_id": "0" * 36}
    assert nobody.resume().status == 404
    return [reader]


def stopped(name: str, stage_of: str, until: Callable[[Reader], bool]) -> None:
    @row(f"30-stop-{stage_of}", status="stopped", within=(0, 30))
    def act(stage: Stage) -> list[Reader]:
        reader = Reader(stage.service, stage_of, llm_config=stage.config(name)).ask(until)
        wait_for(lambda: stage.requests(reader.question), what="the model is asked")
        began = time.monotonic()
        assert {reader.stop() for _ in range(2)} == {204}
        wait_for(
            lambda: all(each.t_end for each in stage.requests(reader.question)),
            what="the model sees the close",
        )
        (request,) = stage.requests(reader.question)
        assert request.closed_at is not None and request.closed_at - began < BUSY, (
            request.closed_at and request.closed_at - began
        )
        return [reader]


stopped("slow-first-20", "before-headers", lambda reader: "context" in reader.kinds)
stopped("typewriter-8000-30", "mid-stream", letters(20))
stopped("typewriter-20000-300", "in-a-fast-stream", letters(200))


@row("30-stop-after-the-end", text=words(5))
def stop_after_the_end(stage: Stage) -> list[Reader]:
    reader = typewriter(stage, 5, 100).ask()
    assert {reader.stop() for _ in range(2)} == {204}
    return [reader]


@row("43-base-deleted-while-a-chat-uses-it", text=words(60))
def base_deleted(stage: Stage) -> list[Reader]:
    base = stage.service.post("/api/knowledge", {"name": "short-lived"}).json["id"]
    config = {
        "llm_config": stage.config("typewriter-60-30"),
        "knowledge_config": {"knowledge_base_id": base},
    }
    reader = Reader(stage.service, "base", **config).ask(letters(20))
    assert stage.service.request("DELETE", f"/api/knowledge/{base}").status == 204
    return [reader.follow()]


@row("41-upload-cut-off-while-an-answer-is-read", text=words(60))
def upload_cut(stage: Stage) -> list[Reader]:
    base = stage.service.post("/api/knowledge", {"name": "cut off"}).json["id"]
    reader = typewriter(stage).ask(letters(20))
    connection = http.client.HTTPConnection("127.0.0.1", stage.service.port, timeout=30)
    connection.putrequest("POST", f"/api/knowledge/{base}/files")
    headers = {
        "Authorization": f"Bearer {stage.service.environ['CHATAPP_TOKEN']}",
        "Content-Length": "1000000",
    }
    for name, value in (headers | {"Content-Type": "multipart/form-data; boundary=b"}).items():
        connection.putheader(name, value)
    connection.endheaders(
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhalf of'
    )
    time.sleep(0.3)
    connection.close()
    reader.follow()
    assert stage.service.get(f"/api/knowledge/{base}/files").json["items"] == []
    return [reader]
