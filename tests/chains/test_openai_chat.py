"""The chat model in LangChain's own chains, against a real model server."""

import asyncio
import copy
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from pydantic import BaseModel

from chatapp.chains import completions
from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.models import Models
from chatapp.chains.openai_chat import OpenAIChat, new_chat
from chatapp.chains.upstream_errors import UpstreamAuth, UpstreamRefused, UpstreamTimeout
from tests.support.modelserver import ModelServer
from tests.support.service import ROOT
from tests.support.supplier import KEY, Supplier

PROMPT = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "{question}")])
QUESTION = {"question": "Hello there"}


class Observer(BaseCallbackHandler):
    """Notes what LangChain reports."""

    def __init__(self) -> None:
        self.started: list[tuple[list[str], dict[str, Any], str | None]] = []
        self.tokens: list[str] = []
        self.ends: list[Any] = []
        self.errors: list[BaseException] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **details: Any) -> None:
        self.started.append((details["tags"], details["metadata"], details.get("name")))

    def on_llm_new_token(self, token: Any, **details: Any) -> None:
        self.tokens.append(token)

    def on_llm_end(self, response: Any, **details: Any) -> None:
        self.ends.append(response)

    def on_llm_error(self, error: BaseException, **details: Any) -> None:
        self.errors.append(error)


class search(BaseModel):  # noqa: N801  # the name of the tool that the model server calls
    """Search the documents."""

    query: str = ""


class Days(BaseModel):
    """A number of days."""

    days: int


@pytest.fixture
def chat(supplier: Supplier) -> Callable[..., OpenAIChat]:
    def make(model: str, **options: Any) -> OpenAIChat:
        made = supplier.models.model(supplier.endpoint(**options), Parameters(model))
        assert isinstance(made, OpenAIChat)
        return made

    return make


async def _astream(runnable: Any, value: Any, config: RunnableConfig | None = None) -> list[Any]:
    return [part async for part in runnable.astream(value, config)]


CALLS: dict[str, Callable[[Any, RunnableConfig], str]] = {
    "stream": lambda chain, config: "".join(chain.stream(QUESTION, config)),
    "invoke": lambda chain, config: chain.invoke(QUESTION, config),
    "batch": lambda chain, config: chain.batch([QUESTION], config)[0],
    "astream": lambda chain, config: "".join(asyncio.run(_astream(chain, QUESTION, config))),
    "ainvoke": lambda chain, config: asyncio.run(chain.ainvoke(QUESTION, config)),
    "abatch": lambda chain, config: asyncio.run(chain.abatch([QUESTION], config))[0],
}
WITH_AND_WITHOUT: list[Callable[[], RunnableConfig]] = [
    lambda: {},
    lambda: {"callbacks": [Observer()]},
]


@pytest.mark.parametrize("config", WITH_AND_WITHOUT, ids=["plain", "observed"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_way_to_call_a_chain_goes_over_our_transport(
    supplier: Supplier, chat: Any, call: Any, config: Any
) -> None:
    chain = PROMPT | chat("echo") | StrOutputParser()
    assert call(chain, config()) == "Hello there"
    request = supplier.server.asked()[-1]
    assert request.headers["user-agent"] == "chatapp"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert [message["role"] for message in request.body["messages"]] == ["system", "user"]


@pytest.mark.parametrize("config", WITH_AND_WITHOUT, ids=["plain", "observed"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_way_to_call_a_chain_has_our_errors_and_limits(
    chat: Any, call: Any, config: Any
) -> None:
    with pytest.raises(UpstreamAuth):
        call(PROMPT | chat("refuse-401") | StrOutputParser(), config())
    slow = chat("hang-mid", idle_seconds=0.2)
    with pytest.raises(UpstreamTimeout):
        call(PROMPT | slow | StrOutputParser(), config())


def test_alone_it_streams_message_chunks_that_add_up_to_one_message(chat: Any) -> None:
    *texts, last = chat("usage").stream("Hello there")
    assert all(type(part) is AIMessageChunk for part in [*texts, last])
    whole = texts[0] + [*texts[1:], last]
    assert whole.text == "Counted."
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.usage_metadata is not None and whole.usage_metadata["total_tokens"] == 18
    assert last.chunk_position == "last"
    assert len({part.id for part in [*texts, last]}) == 1 and last.id


def test_a_stream_says_the_same_with_and_without_callbacks(chat: Any) -> None:
    for model in ("reasoning", "tools", "refusal", "length", "usage"):
        plain, observed = (
            AIMessageChunk(content="") + list(chat(model).stream("q", config()))
            for config in WITH_AND_WITHOUT
        )
        for message in (plain, observed):
            message.id = None
        assert plain == observed, model


def test_callbacks_tags_and_metadata_are_reported(chat: Any) -> None:
    observer = Observer()
    chain = (PROMPT | chat("cited") | StrOutputParser()).with_config(tags=["outer"])
    config = RunnableConfig(callbacks=[observer], tags=["mine"], metadata={"team": "docs"})
    text = "".join(chain.stream(QUESTION, config))
    tags, metadata, _ = observer.started[0]
    assert {"outer", "mine"} <= set(tags) and metadata["team"] == "docs"
    assert "".join(observer.tokens) == text
    assert observer.ends[0].generations[0][0].text == text
    with pytest.raises(UpstreamAuth):
        list(chat("refuse-401").stream("q", config))
    assert isinstance(observer.errors[0], UpstreamAuth)


def test_a_handler_on_the_model_or_in_the_context_is_found(chat: Any) -> None:
    observer = Observer()
    list(chat("echo").model_copy(update={"callbacks": [observer]}).stream("q"))
    assert len(observer.ends) == 1
    token = var_child_runnable_config.set({"callbacks": [observer]})
    try:
        list(chat("echo").stream("q"))
    finally:
        var_child_runnable_config.reset(token)
    assert len(observer.ends) == 2


@pytest.mark.parametrize("config", WITH_AND_WITHOUT, ids=["plain", "observed"])
def test_tools_are_offered_and_called(supplier: Supplier, chat: Any, config: Any) -> None:
    bound = chat("tools").bind_tools([search])
    parts = list(bound.stream("q", config()))
    whole = parts[0] + parts[1:]
    called = [{"name": "search", "args": {}, "id": "t1", "type": "tool_call"}]
    assert whole.text == "Before after." and whole.tool_calls == called
    assert supplier.server.asked()[-1].body["tools"][0]["function"]["name"] == "search"
    for message in (bound.invoke("q", config()), asyncio.run(bound.ainvoke("q", config()))):
        assert type(message) is AIMessage and message.tool_calls == called


def test_output_is_structured_by_tool_by_schema_and_by_json_mode(
    supplier: Supplier, chat: Any
) -> None:
    assert chat("tools").with_structured_output(search).invoke("q") == search()
    assert supplier.server.asked()[-1].body["tool_choice"]["function"]["name"] == "search"
    for method in ("json_schema", "json_mode"):
        structured = chat("echo").with_structured_output(Days, method=method)
        assert structured.invoke('{"days": 25}') == Days(days=25)
        assert asyncio.run(structured.ainvoke('{"days": 25}')) == Days(days=25)
        sent = supplier.server.asked()[-1].body["response_format"]
        assert sent["type"] == method.replace("json_mode", "json_object")
    assert "days" in str(chat("echo").with_structured_output(Days.model_json_schema()))


def test_an_answer_that_does_not_fit_its_schema_is_reported_by_the_parser(chat: Any) -> None:
    structured = chat("echo").with_structured_output(Days, method="json_schema", include_raw=True)
    found = structured.invoke("no JSON")
    assert found["parsed"] is None and found["parsing_error"] is not None
    assert found["raw"].text == "no JSON"


def test_what_is_bound_reaches_the_request(supplier: Supplier, chat: Any) -> None:
    bound = chat("echo").bind(
        stop=["END"], seed=7, extra_body={"top_k": 3}, extra_headers={"X-Team": "docs"}
    )
    bound.invoke("q")
    request = supplier.server.asked()[-1]
    assert {name: request.body[name] for name in ("stop", "seed", "top_k")} == {
        "stop": ["END"],
        "seed": 7,
        "top_k": 3,
    }
    assert "extra_headers" not in request.body and request.headers["x-team"] == "docs"
    with pytest.raises(UpstreamTimeout):
        chat("hang-mid").bind(timeout=0.2).invoke("q")
    with pytest.raises(ValueError, match="n must be 1"):
        chat("echo").bind(n=2).invoke("q")


def test_history_with_tool_results_is_sent(supplier: Supplier, chat: Any) -> None:
    call = {"name": "search", "args": {"query": "x"}, "id": "t1", "type": "tool_call"}
    messages = [
        HumanMessage("q"),
        AIMessage("", tool_calls=[call]),  # type: ignore[list-item]
        {"role": "tool", "tool_call_id": "t1", "content": "found"},
    ]
    chat("echo").invoke(messages)
    sent = supplier.server.asked()[-1].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]


@pytest.mark.parametrize("model", ["hang-before-headers", "hang-after-headers", "hang-mid"])
@pytest.mark.parametrize("method", ["ainvoke", "astream"])
def test_a_cancelled_coroutine_closes_its_connection(
    supplier: Supplier, chat: Any, model: str, method: str
) -> None:
    before = len(supplier.server.asked())

    async def cancel() -> None:
        asked = chat(model).ainvoke("q") if method == "ainvoke" else _astream(chat(model), "q")
        task = asyncio.create_task(asked)
        while len(supplier.server.asked()) == before:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    request = supplier.server.asked()[before]
    assert supplier.server.wait_for(lambda: request.closed_by_client)


def test_leaving_a_stream_closes_its_connection(supplier: Supplier, chat: Any) -> None:
    stream = chat("typewriter-1000-50").stream("q")
    next(stream)
    stream.close()
    first = supplier.server.asked()[-1]
    assert supplier.server.wait_for(lambda: first.closed_by_client)

    async def leave() -> None:
        stream = chat("typewriter-1000-50").astream("q")
        await anext(stream)
        await stream.aclose()

    asyncio.run(leave())
    second = supplier.server.asked()[-1]
    assert second is not first
    assert supplier.server.wait_for(lambda: second.closed_by_client)


def test_an_answer_read_in_a_thread_leaves_its_connection_for_the_next(
    supplier: Supplier, chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completions, "DRAIN_SECONDS", 60)  # the model server may be slow to end
    asyncio.run(chat("echo").ainvoke("q"))
    first = supplier.server.asked()[-1].connection
    asyncio.run(chat("echo").ainvoke("q"))
    assert supplier.server.asked()[-1].connection == first


def test_the_key_is_in_no_repr_and_no_dump(chat: Any) -> None:
    model: BaseChatModel = chat("echo")
    chain = PROMPT | model.bind(stop=["x"]) | StrOutputParser()
    for text in (repr(model), str(model), repr(chain), repr(model.model_dump())):
        assert KEY not in text
    assert KEY not in repr(model._serialized) and KEY not in repr(model._get_invocation_params())


def test_a_cached_model_is_not_connected() -> None:
    with pytest.raises(RuntimeError, match="not connected"):
        new_chat("compatible", False, Parameters("m")).invoke("q")


def test_openai_s_own_models_take_other_names(model_server: ModelServer, models: Models) -> None:
    endpoint = Endpoint("openai", "OpenAI", model_server.base_url, KEY, "openai")
    model: Any = models.model(endpoint, Parameters("o3", max_tokens=5))
    with pytest.raises(UpstreamRefused):  # the server has no such model
        model.bind(stream=False).invoke([("system", "s"), ("user", "q")])
    body = model_server.asked()[-1].body
    assert body["max_completion_tokens"] == 5 and "max_tokens" not in body
    assert body["messages"][0]["role"] == "developer"
    assert body["stream"] is True


def test_chats_in_many_threads_share_nothing_but_the_pool(chat: Any) -> None:
    chain = PROMPT | chat("echo") | StrOutputParser()
    found = chain.batch([{"question": f"question {n}"} for n in range(20)])
    assert found == [f"question {n}" for n in range(20)]
    assert threading.active_count() < 60


def test_a_connected_model_is_copied_but_not_pickled(chat: Any) -> None:
    model = chat("echo")
    assert copy.deepcopy(model).invoke("Hello there").text == "Hello there"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(model)


def test_tokens_are_estimated_without_a_download(chat: Any) -> None:
    model = chat("echo")
    assert 1 < model.get_num_tokens("How many days of leave?") < 20
    messages = [HumanMessage("How many days of leave?")]
    with_tools = model.get_num_tokens_from_messages(messages, tools=[search])
    assert model.get_num_tokens_from_messages(messages) < with_tools


def test_bound_headers_replace_equal_ones_in_any_case(supplier: Supplier, chat: Any) -> None:
    model = chat("echo", headers={"X-Team": "a"})
    model.bind(extra_headers={"x-team": "b", "user-agent": "tests"}).invoke("q")
    headers = supplier.server.asked()[-1].headers
    assert (headers["x-team"], headers["user-agent"]) == ("b", "tests")


TRACED = """
from chatapp.chains.build import build_chain, pieces
from chatapp.chains.extractive import Extractive
from chatapp.core.prompt import Ask
from langchain_core.callbacks import CallbackManager
assert not CallbackManager.configure().handlers
assert list(pieces(build_chain(Extractive()).stream(Ask("q"))))
"""


@pytest.mark.parametrize(
    "variable", ["LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LANGCHAIN_TRACING"]
)
def test_langchain_s_tracing_is_ignored(variable: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", TRACED],
        env={**os.environ, variable: "true", "LANGSMITH_ENDPOINT": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert run.returncode == 0, run.stderr
