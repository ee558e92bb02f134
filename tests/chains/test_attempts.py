"""A refused setting is left out, a short rate limit is waited for, and nothing is said twice."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from chatapp.chains.attempts import MOST_REMEMBERED, MOST_SETTINGS, WAIT_SECONDS, Attempts
from chatapp.chains.build import build_chain, pieces
from chatapp.chains.call import Target
from chatapp.chains.endpoint import Parameters
from chatapp.chains.http.connection import Route
from chatapp.chains.http.waiting import Deadline, Limits
from chatapp.chains.models import Models
from chatapp.chains.upstream_errors import UpstreamRateLimit, UpstreamRefused
from chatapp.core.events import Status
from chatapp.core.prompt import Ask, Turn
from tests.support.modelserver import ModelServer
from tests.support.supplier import Outcome, Supplier

OPTIONS: dict[str, Any] = {"stream_usage": True, "body": {"top_k": 5}}


def ask(supplier: Supplier, model: str, temperature: float | None = 0.2, **options: Any) -> Outcome:
    endpoint = supplier.endpoint(**options)
    parameters = Parameters(model, temperature, top_p=0.5)
    chain = build_chain(supplier.models.model(endpoint, parameters))
    return Outcome(pieces(chain.stream(Ask("q", system_prompt="Be brief."))))


def requests(supplier: Supplier, model: str) -> list[dict[str, Any]]:
    return [request.body for request in supplier.server.asked() if request.model == model]


@pytest.mark.parametrize("name", ["temperature", "top_p", "stream_options", "top_k"])
def test_a_setting_that_the_model_refuses_is_left_out_and_remembered(
    supplier: Supplier, name: str
) -> None:
    model = f"picky-{name}"
    outcome = ask(supplier, model, **OPTIONS)
    told = json.loads(outcome.text)
    everything = {"temperature", "top_p", "stream_options", "top_k"}
    assert told.keys() & everything == everything - {name}
    assert len(requests(supplier, model)) == 2
    assert ask(supplier, model, **OPTIONS).error is None
    assert len(requests(supplier, model)) == 3, "it is not sent again"


def test_settings_that_are_refused_one_by_one_are_all_left_out(supplier: Supplier) -> None:
    outcome = ask(supplier, "picky-temperature+stream_options+top_p", **OPTIONS)
    assert outcome.error is None
    assert len(requests(supplier, "picky-temperature+stream_options+top_p")) == 4


def test_another_value_and_another_model_are_tried_anew(supplier: Supplier) -> None:
    ask(supplier, "picky-temperature-a", 1.5)
    ask(supplier, "picky-temperature-a", 0.5)
    ask(supplier, "picky-temperature-b", 1.5)
    sent = [body.get("temperature") for body in requests(supplier, "picky-temperature-a")]
    assert sent == [1.5, None, 0.5, None]
    assert requests(supplier, "picky-temperature-b")[0]["temperature"] == 1.5


def test_the_other_name_of_a_setting_is_used(supplier: Supplier, models: Models) -> None:
    model = models.model(supplier.endpoint(), Parameters("renamed-max-tokens", max_tokens=99))
    for _ in range(2):
        outcome = Outcome(pieces(build_chain(model).stream(Ask("q"))))
        told = json.loads(outcome.text)
        assert told["max_completion_tokens"] == 99 and "max_tokens" not in told
    assert len(requests(supplier, "renamed-max-tokens")) == 3


def test_a_model_that_may_not_stream_answers_whole(supplier: Supplier) -> None:
    told = json.loads(ask(supplier, "picky-stream", **OPTIONS).text)
    assert not {"stream", "stream_options"} & told.keys() and "temperature" in told


def test_a_refused_role_goes_into_the_question(supplier: Supplier) -> None:
    outcome = ask(supplier, "no-system")
    roles, _, question = outcome.text.partition("|")
    assert roles == "user" and question.startswith("Be brief.") and question.endswith("q")


def test_an_error_event_before_the_first_word_counts_too(supplier: Supplier) -> None:
    assert ask(supplier, "refuses-in-the-stream").text == "q"


def test_a_field_of_the_supplier_s_options_is_named_and_never_left_out(supplier: Supplier) -> None:
    outcome = ask(supplier, "picky-store", body={"store": False})
    assert outcome.key == "error.upstream_refused.field"
    assert outcome.error is not None
    assert outcome.error.params == {
        "supplier": "Canned",
        "model": "picky-store",
        "setting": "store",
    }
    assert outcome.error.upstream is not None and "not supported" in outcome.error.upstream.text
    assert len(requests(supplier, "picky-store")) == 1


def test_a_refusal_that_names_nothing_is_not_tried_again(supplier: Supplier) -> None:
    assert ask(supplier, "refuse-400").key == "error.upstream_refused"
    assert len(requests(supplier, "refuse-400")) == 1


def test_a_short_rate_limit_is_waited_for_once(supplier: Supplier) -> None:
    assert ask(supplier, "refuse-429-1-once").text == "q"
    assert len(requests(supplier, "refuse-429-1-once")) == 2
    assert ask(supplier, "refuse-429-1").key == "error.upstream_rate_limit.after"
    assert len(requests(supplier, "refuse-429-1")) == 2


def test_other_faults_that_ask_to_wait_are_waited_for_once_too(supplier: Supplier) -> None:
    assert ask(supplier, "refuse-503-1-once").text == "q"
    assert len(requests(supplier, "refuse-503-1-once")) == 2


def test_a_long_rate_limit_or_a_late_one_is_told_at_once(supplier: Supplier) -> None:
    long = WAIT_SECONDS + 1
    assert ask(supplier, f"refuse-429-{long}").error is not None
    assert len(requests(supplier, f"refuse-429-{long}")) == 1
    assert ask(supplier, "refuse-429-3", first_token_seconds=2).error is not None
    assert len(requests(supplier, "refuse-429-3")) == 1


def test_after_a_rate_limit_questions_are_not_rewritten(models: Models) -> None:
    history = [Turn("user", "How many days of leave?"), Turn("assistant", "Thirty.")]

    def stages(server: ModelServer) -> list[str]:
        supplier = Supplier(server, models)
        model = models.model(supplier.endpoint(), Parameters("limited-rewrite"))
        chain = build_chain(model, lambda query: [], rewrite=True)
        outcome = Outcome(pieces(chain.stream(Ask("And interns?", history))))
        assert outcome.text == "And interns?"
        return [piece.stage for piece in outcome.pieces if isinstance(piece, Status)]

    with ModelServer() as server, ModelServer() as other:
        assert stages(server) == ["rewriting", "searching", "writing"]
        assert stages(server) == ["searching", "writing"]
        assert len(server.asked()) == 3, "the rewriting was not waited for, nor repeated"
        assert stages(other)[0] == "rewriting", "another supplier is not affected"


TARGET = Target(Route("http://127.0.0.1:9/v1"), "Canned")
LIMITS = Limits(9, 9, 9, 9)


def refuses(*names: str) -> UpstreamRefused:
    error = UpstreamRefused(supplier="Canned")
    error.names = frozenset(names)
    return error


def run(attempts: Attempts, payload: dict[str, Any], answer: Any) -> list[Any]:
    def parts(sent: dict[str, Any]) -> Iterator[Any]:
        yield from answer(sent)

    return list(attempts.parts(TARGET, payload, Deadline(LIMITS), True, parts))  # type: ignore[arg-type]


def test_nothing_is_repeated_once_a_word_has_come() -> None:
    asked: list[dict[str, Any]] = []

    def answer(sent: dict[str, Any]) -> Iterator[str]:
        asked.append(sent)
        yield "Half"
        raise refuses("temperature")

    with pytest.raises(UpstreamRefused):
        run(Attempts(), {"model": "m", "temperature": 1}, answer)
    assert len(asked) == 1


def test_what_did_not_help_is_not_remembered() -> None:
    attempts = Attempts()

    def answer(sent: dict[str, Any]) -> Iterator[str]:
        if sent.get("top_p") == 0.1:
            raise refuses("temperature", "messages")
        yield json.dumps(sent)

    with pytest.raises(UpstreamRefused) as caught:
        run(attempts, {"model": "m", "temperature": 1, "top_p": 0.1}, answer)
    assert caught.value.key == "error.upstream_refused"
    [told] = run(attempts, {"model": "m", "temperature": 1}, answer)
    assert json.loads(told)["temperature"] == 1


def test_attempts_and_memory_have_a_limit() -> None:
    attempts = Attempts()
    count = 0

    def all_refused(sent: dict[str, Any]) -> Iterator[str]:
        nonlocal count
        count += 1
        raise refuses(*list(sent)[1:2])
        yield

    names = ("temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty")
    with pytest.raises(UpstreamRefused):
        run(attempts, {"model": "m", **dict.fromkeys(names, 1)}, all_refused)
    assert count == MOST_SETTINGS + 1

    def answer(sent: dict[str, Any]) -> Iterator[str]:
        if "seed" in sent:
            raise refuses("seed")
        yield "ok"

    for n in range(MOST_REMEMBERED + 50):
        assert run(attempts, {"model": f"m{n}", "seed": n}, answer) == ["ok"]
        attempts._note_limit(Target(Route(f"http://127.0.0.1:{n}/v1"), "Canned"))
    assert len(attempts._refused) == len(attempts._limited) == MOST_REMEMBERED


def test_closing_closes_the_answer() -> None:
    closed = threading.Event()

    def answer(sent: dict[str, Any]) -> Iterator[str]:
        try:
            yield "One"
            yield "two"
        finally:
            closed.set()

    stream = Attempts().parts(TARGET, {"model": "m"}, Deadline(LIMITS), True, answer)  # type: ignore[arg-type]
    assert next(stream) == "One"
    stream.close()
    assert closed.is_set()


def test_an_impatient_question_does_not_wait() -> None:
    def answer(sent: dict[str, Any]) -> Iterator[str]:
        raise UpstreamRateLimit("after", retry_after=1, supplier="Canned", seconds=1)
        yield

    with pytest.raises(UpstreamRateLimit):
        list(Attempts().parts(TARGET, {"model": "m"}, Deadline(LIMITS), False, answer))  # type: ignore[arg-type]
