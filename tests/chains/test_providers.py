"""Suppliers with another protocol, through LangChain's integrations: Ollama's own as an example."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda

from chatapp.chains.build import Finished, build_chain, pieces
from chatapp.chains.call import Target
from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.http.connection import Route
from chatapp.chains.http.waiting import Limits
from chatapp.chains.models import Models
from chatapp.chains.providers import ProviderModel
from chatapp.chains.upstream_errors import (
    UpstreamAuth,
    UpstreamProtocol,
    UpstreamRateLimit,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from chatapp.core.events import Chunk
from chatapp.core.prompt import Ask, Prompt, Turn
from chatapp.errors import ChatAppError, ModelGone
from chatapp.i18n import say
from tests.support.ollamaserver import OllamaServer
from tests.support.passages import passage
from tests.support.supplier import KEY, Outcome

PROMPT = Prompt("q", [Turn("user", "q")])


@pytest.fixture(scope="module")
def ollama() -> Iterator[OllamaServer]:
    with OllamaServer() as server:
        yield server


def endpoint(base_url: str, **options: Any) -> Endpoint:
    return Endpoint("native", "Ollama", base_url, KEY, None, {"provider": "ollama", **options})


def ask(models: Models, supplier: Endpoint, parameters: Parameters) -> Outcome:
    return Outcome(
        pieces(build_chain(models.model(supplier, parameters)).stream(Ask("Hello there")))
    )


def test_another_protocol_answers_like_openai_s(ollama: OllamaServer, models: Models) -> None:
    parameters = Parameters("echo", temperature=0.25, max_tokens=99, top_p=0.5)
    outcome = ask(models, endpoint(ollama.base_url, headers={"X-Team": "docs"}), parameters)
    assert outcome.error is None and outcome.text == "Hello there "
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    assert outcome.finished == Finished("stop", usage)
    request = ollama.requests[-1]
    assert request.path == "/api/chat"
    options = request.body["options"]
    assert (options["temperature"], options["num_predict"], options["top_p"]) == (0.25, 99, 0.5)
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-team"] == "docs"


def test_it_answers_from_passages_too(ollama: OllamaServer, models: Models) -> None:
    model = models.model(endpoint(ollama.base_url), Parameters("echo"))
    outcome = Outcome(pieces(build_chain(model, lambda query: [passage()]).stream(Ask("q"))))
    assert outcome.error is None and "leave.pdf, p. 3" in outcome.text


def test_it_takes_options_of_its_own(ollama: OllamaServer, models: Models) -> None:
    options = {"reasoning": True, "num_ctx": 16_384}
    supplier = endpoint(ollama.base_url, provider_options=options)
    outcome = ask(models, supplier, Parameters("think"))
    assert (outcome.reasoning, outcome.text) == ("Let me think.", "Hello there ")
    assert ollama.requests[-1].body["think"] is True
    assert ollama.requests[-1].body["options"]["num_ctx"] == 16_384
    with pytest.raises(UpstreamRefused):
        ask(models, endpoint("", provider_options={"num_ctx": "much"}), Parameters("think"))


@pytest.mark.parametrize(
    ("model", "key", "text"),
    [
        ("llama3", "error.upstream_refused.model", ""),
        ("broken-json", "error.upstream_protocol", "Hello there "),
    ],
)
def test_its_faults_are_our_errors(
    ollama: OllamaServer, models: Models, model: str, key: str, text: str
) -> None:
    outcome = ask(models, endpoint(ollama.base_url), Parameters(model))
    assert (outcome.key, outcome.text) == (key, text)


def test_its_silence_ends_at_the_limit(ollama: OllamaServer, models: Models) -> None:
    silent = endpoint(ollama.base_url, first_token_seconds=0.3)
    outcome = ask(models, silent, Parameters("hang-mid"))
    assert isinstance(outcome.error, UpstreamTimeout) and outcome.text == "Hello there "


def test_an_address_without_a_server_is_unreachable(models: Models) -> None:
    outcome = ask(models, endpoint("http://127.0.0.1:1"), Parameters("echo"))
    assert isinstance(outcome.error, UpstreamUnreachable)


def test_closing_the_pieces_closes_its_connection(ollama: OllamaServer, models: Models) -> None:
    model = models.model(endpoint(ollama.base_url), Parameters("hang-mid"))
    stream = pieces(build_chain(model).stream(Ask("q")))
    assert isinstance(next(stream), Chunk)
    stream.close()
    assert ollama.wait_for(lambda: ollama.requests[-1].closed_by_client)


def test_no_proxy_is_read_from_the_environment(
    ollama: OllamaServer, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask(models, endpoint(ollama.base_url), Parameters("echo")).error is None


@pytest.mark.parametrize(
    ("provider", "key", "words"),
    [
        ("anthropic", "error.model_gone.package", "pip install langchain-anthropic"),
        ("azure_ai", "error.model_gone.package", "pip install langchain-azure-ai"),
        ("nobody", "error.model_gone.provider", "“nobody”"),
    ],
)
def test_a_provider_that_is_missing_is_named_with_what_to_install(
    models: Models, provider: str, key: str, words: str
) -> None:
    supplier = Endpoint("x", "X", "", KEY, None, {"provider": provider})
    with pytest.raises(ModelGone) as caught:
        models.model(supplier, Parameters("claude"))
    assert caught.value.key == key
    for language in ("en", "zh-CN"):
        sentence = say(language, key, dict(caught.value.params))
        assert words in sentence and "{" not in sentence


class ReadTimeout(Exception):
    """Named like httpx's."""


class ConnectError(Exception):
    """Named like httpx's."""


class StatusError(Exception):
    """Shaped like the SDKs' errors."""

    def __init__(self, status: int) -> None:
        self.status_code = status


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ReadTimeout(), UpstreamTimeout),
        (ConnectError(), UpstreamUnreachable),
        (StatusError(401), UpstreamAuth),
        (StatusError(429), UpstreamRateLimit),
        (ValueError("x"), UpstreamProtocol),
    ],
)
def test_the_errors_of_any_integration_are_ours(error: Exception, kind: type[ChatAppError]) -> None:
    def fail(messages: Any) -> Any:
        raise error

    target = Target(Route("http://127.0.0.1:1"), "X", KEY)
    model = ProviderModel(RunnableLambda(fail), target, "m", Limits(1, 2, 3, 4))
    with pytest.raises(kind):
        list(pieces(model.stream_text(PROMPT)))
