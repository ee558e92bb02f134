"""Streamed completions from a real model server, valid and faulty."""

import logging
import socket
import threading
import time
from typing import Any

import pytest

from chatapp.chains import completions
from chatapp.chains.build import Finished, build_chain, pieces
from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.models import Models
from chatapp.chains.upstream_errors import UpstreamAuth, UpstreamTimeout, UpstreamUnreachable
from chatapp.core.events import Chunk
from chatapp.core.prompt import Ask, Prompt, Turn
from tests.support.supplier import KEY, Outcome, Supplier

SHORT: dict[str, Any] = {"first_token_seconds": 0.3, "idle_seconds": 0.3}

# model, text, reasoning
RIGHT = [
    ("echo", "Hello there", ""),
    ("cited", "The answer stands in the first passage [1].", ""),
    ("split-utf8", "数据库 🙂", ""),
    ("null-deltas", "Fine.", ""),
    ("crlf", "Fine Fine ", ""),
    ("until-close", "Old style.", ""),
    ("usage-broken", "Counted.", ""),
    ("only-done", "All said.", ""),
    ("json-whole", "All at once.", "Hm."),
    ("reasoning", "The answer.", "Let me think."),
    ("reasoning-field", "The answer.", "Let me think."),
    ("think", "The answer.", "Let me think."),
    ("tools", "Before after.", ""),
    ("refusal", "I cannot help with that.", ""),
    ("flood-3000", "word " * 3000, ""),
    ("huge-delta", "x" * 8 * 1024 * 1024, ""),
    ("weird-text", "a\u2028b\u0085c\u0000\r\n\r\ud800\ud83d\ude00", ""),
    ("slow-first-0.2", "Sorry for the wait.", ""),
    ("bad-utf8", "Good \ufffd\ufffd", ""),
    ("stops-all-the-time-0.1", "One two three ", ""),
    ("stop-then-more-0.1", "One moment. Here it is.", ""),
]


@pytest.mark.parametrize(("model", "text", "reasoning"), RIGHT, ids=[row[0] for row in RIGHT])
def test_unusual_but_valid_streams_arrive_whole(
    supplier: Supplier, model: str, text: str, reasoning: str
) -> None:
    outcome = supplier.ask(model)
    assert outcome.error is None
    assert (outcome.text == text, outcome.reasoning) == (True, reasoning)
    assert outcome.pieces[-1] == outcome.finished
    assert outcome.finished is not None and outcome.finished.finish_reason == "stop"


# model, catalogue key, text that had arrived
WRONG = [
    ("refuse-401", "error.upstream_auth", ""),
    ("refuse-403", "error.upstream_auth.rights", ""),
    ("refuse-402", "error.upstream_quota", ""),
    ("refuse-quota", "error.upstream_quota", ""),
    ("refuse-404", "error.upstream_refused.model", ""),
    ("no-such-model", "error.upstream_refused.model", ""),
    ("refuse-400", "error.upstream_refused", ""),
    ("refuse-content", "error.upstream_refused.content", ""),
    ("refuse-context", "error.context_too_long", ""),
    ("refuse-429", "error.upstream_rate_limit", ""),
    ("refuse-429-1", "error.upstream_rate_limit.after", ""),
    ("refuse-429-3600", "error.upstream_rate_limit.after", ""),
    ("refuse-500", "error.upstream_error", ""),
    ("refuse-503", "error.upstream_error", ""),
    ("redirect", "error.upstream_protocol", ""),
    ("html", "error.upstream_protocol.page", ""),
    ("not-http", "error.upstream_protocol", ""),
    ("empty", "error.upstream_empty", ""),
    ("json-other", "error.upstream_protocol", ""),
    ("json-error", "error.upstream_auth", ""),
    ("broken-json", "error.upstream_protocol", "Good so far "),
    ("drop", "error.upstream_unreachable", ""),
    ("cut", "error.upstream_error.cut", "Half an "),
    ("reset", "error.upstream_error.cut", "Half an "),
    ("no-finish", "error.upstream_error.cut", "Half an "),
    ("error-event", "error.upstream_error.event", "Half an "),
    ("huge-delta-20", "error.upstream_protocol", ""),
]


@pytest.mark.parametrize(("model", "key", "text"), WRONG, ids=[row[0] for row in WRONG])
def test_each_fault_has_its_error_and_the_text_so_far_is_kept(
    supplier: Supplier, model: str, key: str, text: str
) -> None:
    outcome = supplier.ask(model)
    assert (outcome.key, outcome.text, outcome.finished) == (key, text, None)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("hang-before-headers", ""),
        ("hang-after-headers", ""),
        ("drip-headers", ""),
        ("hang-mid", "One two three "),
        ("pings", "One "),
    ],
)
def test_silence_and_pings_time_out(supplier: Supplier, model: str, text: str) -> None:
    before = len(supplier.server.asked())
    outcome = supplier.ask(model, **SHORT)
    assert isinstance(outcome.error, UpstreamTimeout)
    assert outcome.text == text
    requests = supplier.server.asked()[before:]
    assert len(requests) == 1, "a time-out is not tried again"
    assert supplier.server.wait_for(lambda: requests[0].closed_by_client)


def test_the_whole_answer_has_a_limit_too(supplier: Supplier) -> None:
    outcome = supplier.ask("typewriter-400-50", answer_seconds=1.5)
    assert isinstance(outcome.error, UpstreamTimeout)
    assert outcome.text.startswith("The quick brown")


def test_a_complete_answer_does_not_wait_for_done(supplier: Supplier) -> None:
    outcome = supplier.ask("hang-after-finish", answer_seconds=0.4)
    assert outcome.error is None
    assert outcome.finished == Finished("stop", {})


def test_comments_after_the_end_do_not_keep_an_answer_open(supplier: Supplier) -> None:
    outcome = supplier.ask("pings-after-finish", answer_seconds=0.4)
    assert outcome.finished == Finished("stop", {})


def test_a_slow_consumer_does_not_use_up_the_suppliers_time(supplier: Supplier) -> None:
    stream = supplier.stream("typewriter-30-100", idle_seconds=0.2)
    assert isinstance(next(stream), Chunk)
    time.sleep(0.4)
    assert Outcome(stream).error is None


@pytest.mark.parametrize("model", ["length", "content-filter"])
def test_an_answer_that_ends_early_has_its_reason(supplier: Supplier, model: str) -> None:
    finished = supplier.ask(model).finished
    assert finished is not None and finished.finish_reason == model.replace("-", "_")


def test_usage_has_openais_names(supplier: Supplier) -> None:
    finished = supplier.ask("usage").finished
    assert finished == Finished(
        "stop", {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    )


def test_usage_is_requested_where_the_option_is_set(supplier: Supplier) -> None:
    supplier.ask("echo")
    assert "stream_options" not in supplier.server.asked()[-1].body
    finished = supplier.ask("echo", stream_usage=True).finished
    assert supplier.server.asked()[-1].body["stream_options"] == {"include_usage": True}
    assert finished is not None and finished.usage["completion_tokens"] == 7


def test_retry_after_is_reported_without_waiting(supplier: Supplier) -> None:
    before = len(supplier.server.asked())
    outcome = supplier.ask("refuse-429-3600")
    assert outcome.error is not None and outcome.error.retry_after == 3600
    assert outcome.error.params["seconds"] == 3600
    assert len(supplier.server.asked()) == before + 1


@pytest.mark.parametrize(
    ("model", "requests", "text"),
    [
        ("refuse-503-once", 2, "Hello there"),
        ("drop-once", 2, "Hello there"),
        ("refuse-502", 2, ""),
        ("refuse-500", 1, ""),
        ("cut", 1, "Half an "),
    ],
)
def test_a_request_is_retried_only_before_the_first_byte(
    supplier: Supplier, model: str, requests: int, text: str
) -> None:
    before = len(supplier.server.asked())
    assert supplier.ask(model).text == text
    assert len(supplier.server.asked()) - before == requests


def test_a_redirect_is_not_followed(supplier: Supplier) -> None:
    supplier.ask("redirect")
    assert not [request for request in supplier.server.requests if "elsewhere" in request.path]


def test_closing_the_pieces_closes_the_connection_at_once(supplier: Supplier) -> None:
    stream = supplier.stream("typewriter-1000-50")
    assert isinstance(next(stream), Chunk)
    request = supplier.server.asked()[-1]
    stream.close()  # type: ignore[attr-defined]
    assert supplier.server.wait_for(lambda: request.closed_by_client)


def test_closing_the_retrieval_chain_closes_the_connection_at_once(
    supplier: Supplier, models: Models
) -> None:
    model = models.model(supplier.endpoint(), Parameters("typewriter-1000-50"))
    stream = pieces(build_chain(model, lambda query: []).stream(Ask("q")))
    while not isinstance(next(stream), Chunk):
        pass
    request = supplier.server.asked()[-1]
    stream.close()  # type: ignore[attr-defined]
    assert supplier.server.wait_for(lambda: request.closed_by_client)


def test_a_finished_answer_returns_its_connection_to_the_pool(
    supplier: Supplier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completions, "DRAIN_SECONDS", 60)  # the model server may be slow to end
    numbers = set()
    for _ in range(3):
        supplier.ask("echo")
        numbers.add(supplier.server.asked()[-1].connection)
    assert len(numbers) == 1


def test_parameters_headers_and_body_are_sent(supplier: Supplier, models: Models) -> None:
    endpoint = supplier.endpoint(headers={"X-Team": "docs"}, body={"enable_thinking": False})
    parameters = Parameters("echo", temperature=0.25, max_tokens=99, top_p=0.5)
    Outcome(
        pieces(
            build_chain(models.model(endpoint, parameters)).stream(
                Ask("q", system_prompt="Be brief.")
            )
        )
    )
    request = supplier.server.asked()[-1]
    body = {name: value for name, value in request.body.items() if name != "messages"}
    assert body == {
        "model": "echo",
        "temperature": 0.25,
        "max_tokens": 99,
        "top_p": 0.5,
        "stream": True,
        "enable_thinking": False,
    }
    assert [message["role"] for message in request.body["messages"]] == ["system", "user"]
    assert request.body["messages"][0]["content"].startswith("Be brief.")
    assert request.headers["x-team"] == "docs"
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_openais_dialect_differs(supplier: Supplier, models: Models) -> None:
    endpoint = Endpoint("openai", "OpenAI", supplier.server.base_url, KEY, "openai")
    model = models.model(endpoint, Parameters("o3", max_tokens=5))
    Outcome(pieces(model.stream_text(Prompt("q", [Turn("system", "s"), Turn("user", "q")]))))
    body = supplier.server.asked()[-1].body
    assert body["max_completion_tokens"] == 5 and "max_tokens" not in body
    assert body["messages"][0]["role"] == "developer"


def test_lone_surrogates_in_a_question_are_replaced(supplier: Supplier) -> None:
    assert supplier.ask("echo", "half \ud83d").text == "half ?"


def test_the_key_is_in_no_log_line_and_no_error(
    supplier: Supplier, models: Models, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "chatapp"):
        for model in ("refuse-500", "refuse-401", "error-event", "broken-json", "echo", "drop"):
            outcome = supplier.ask(model)
            assert KEY not in repr(outcome.error)
    assert "Canned answered status 500" in caplog.text
    assert KEY not in caplog.text and "leak" not in caplog.text
    assert KEY not in repr(supplier.endpoint())


@pytest.mark.parametrize("key", ["sk-ümlaut", "sk\r\nX-Evil: 1", "sk\u2028x"])
def test_an_impossible_key_is_refused_before_it_is_sent(
    supplier: Supplier, models: Models, key: str
) -> None:
    endpoint = Endpoint("x", "X", supplier.server.base_url, key)
    outcome = Outcome(
        pieces(build_chain(models.model(endpoint, Parameters("echo"))).stream(Ask("q")))
    )
    assert isinstance(outcome.error, UpstreamAuth)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/v1",
        "http://no-such-host.invalid/v1",
        "ftp://x/v1",
        "nonsense",
        "http://[::1/v1",
    ],
)
def test_a_wrong_address_is_unreachable(models: Models, address: str) -> None:
    endpoint = Endpoint("x", "X", address, KEY)
    outcome = Outcome(
        pieces(build_chain(models.model(endpoint, Parameters("echo"))).stream(Ask("q")))
    )
    assert isinstance(outcome.error, UpstreamUnreachable)


def test_a_host_that_drops_packets_times_out(models: Models) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        endpoint = Endpoint(
            "x",
            "X",
            f"http://127.0.0.1:{full.getsockname()[1]}/v1",
            KEY,
            None,
            {"connect_seconds": 0.3, **SHORT},
        )
        outcome = Outcome(
            pieces(build_chain(models.model(endpoint, Parameters("echo"))).stream(Ask("q")))
        )
        assert outcome.error is not None and outcome.error.code in (
            "upstream_unreachable",
            "upstream_timeout",
        )
        for filler in fillers:
            filler.close()


def test_concurrent_answers_do_not_mix(supplier: Supplier) -> None:
    outcome: list[str] = []
    threads = [
        threading.Thread(
            target=lambda n=n: outcome.append(supplier.ask("echo", f"question {n}").text)
        )
        for n in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome) == sorted(f"question {n}" for n in range(40))
