"""/v1 through the real service, asked by OpenAI's own client."""

import base64
import http.client
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI, omit

from tests.support.images import square
from tests.support.modelpictures import name_of
from tests.support.modelserver import ModelServer
from tests.support.service import TOKEN, Service, wait_for

pytestmark = pytest.mark.server
STOP_SECONDS = 1.0
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("weather", "time")
]


def client_of(service: Service, key: str = TOKEN) -> OpenAI:
    return OpenAI(base_url=f"{service.url}/v1", api_key=key, max_retries=0, timeout=60)


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[OpenAI]:
    with client_of(service) as made:
        yield made


def user(text: Any) -> list[Any]:
    return [{"role": "user", "content": text}]


def sent(model_server: ModelServer) -> dict[str, Any]:
    body: dict[str, Any] = model_server.requests[-1].body
    return body


def test_models_are_listed_and_read(client: OpenAI) -> None:
    ids = [model.id for model in client.models.list()]
    assert ids[:2] == ["openai/echo", "builtin/extractive"]
    assert client.models.retrieve("openai/echo").owned_by == "openai"
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("openai/none")
    assert refused.value.code == "model_not_found"


def test_an_answer_comes_whole_with_its_usage(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="openai/echo", messages=user("one two 三"))
    assert answer.id.startswith("chatcmpl-")
    assert (answer.object, answer.model) == ("chat.completion", "openai/echo")
    [choice] = answer.choices
    assert (choice.message.content, choice.finish_reason) == ("one two 三", "stop")
    assert answer.usage is not None and answer.usage.total_tokens == 18


def test_an_answer_streams_with_the_role_first_and_the_usage_last(client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="openai/typewriter-20-100",
            messages=user("q"),
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({chunk.id for chunk in chunks}) == 1
    assert len(chunks) > 5, "tokens were buffered"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == [] and chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 18


def test_a_stream_ends_with_done_and_has_no_usage_unasked(service: Service) -> None:
    body = {"model": "openai/echo", "messages": user("hi"), "stream": True}
    reply = service.post("/v1/chat/completions", body)
    assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    blocks = reply.body.decode().split("\n\n")
    assert blocks[-2:] == ["data: [DONE]", ""]
    told = [block for block in blocks[:-2] if not block.startswith(":")]  # a silence has comments
    assert told and all("usage" not in json.loads(block[6:]) for block in told)


def test_the_whole_conversation_is_sent_as_it_is(client: OpenAI, model_server: ModelServer) -> None:
    conversation: list[Any] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "first"}]},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "second"},
        {"role": "user", "content": "third"},
    ]
    client.chat.completions.create(model="openai/echo", messages=conversation)
    assert [(each["role"], each["content"]) for each in sent(model_server)["messages"]] == [
        ("system", "Be brief."),
        ("user", "first"),
        ("assistant", "one"),
        ("user", "second"),
        ("user", "third"),
    ]


FIELDS = [
    ({"temperature": 0.25}, {"temperature": 0.25}),
    ({"top_p": 0.5}, {"top_p": 0.5}),
    ({"stop": "END"}, {"stop": ["END"]}),
    ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
    ({"max_tokens": 7}, {"max_tokens": 7}),
    ({"max_completion_tokens": 8}, {"max_tokens": 8}),
    ({"seed": 3}, {"seed": 3}),
    ({"presence_penalty": 1, "frequency_penalty": -1}, {"presence_penalty": 1.0}),
    ({"response_format": {"type": "json_object"}}, {"response_format": {"type": "json_object"}}),
    ({"tools": TOOLS, "tool_choice": "none"}, {"tools": TOOLS, "tool_choice": "none"}),
    ({"tools": TOOLS, "parallel_tool_calls": False}, {"parallel_tool_calls": False}),
    ({"extra_body": {"no_such_field": 1}}, {}),
]


@pytest.mark.parametrize(("given", "passed"), FIELDS, ids=lambda value: "-".join(value))
def test_fields_reach_the_supplier(
    client: OpenAI, model_server: ModelServer, given: dict[str, Any], passed: dict[str, Any]
) -> None:
    client.chat.completions.create(model="openai/parameters", messages=user("q"), **given)
    body = sent(model_server)
    assert {name: body.get(name) for name in passed} == passed
    assert "no_such_field" not in body


REASONS = [("length", "length"), ("content-filter", "content_filter"), ("echo", "stop")]


@pytest.mark.parametrize(("model", "reason"), REASONS)
def test_finish_reasons(client: OpenAI, model: str, reason: str) -> None:
    answer = client.chat.completions.create(model=f"openai/{model}", messages=user("q"))
    assert answer.choices[0].finish_reason == reason


@pytest.mark.parametrize("model", ["reasoning", "reasoning-field", "think"])
def test_thinking_is_apart_from_the_answer(client: OpenAI, model: str) -> None:
    message = client.chat.completions.create(model=f"openai/{model}", messages=user("q"))
    whole = message.choices[0].message.model_dump()
    assert whole["reasoning_content"] and "think>" not in whole["content"]
    deltas = [
        chunk.choices[0].delta.model_dump()
        for chunk in client.chat.completions.create(
            model=f"openai/{model}", messages=user("q"), stream=True
        )
    ]
    assert "".join(each["content"] or "" for each in deltas) == whole["content"]
    thought = "".join(each.get("reasoning_content") or "" for each in deltas)
    assert thought == whole["reasoning_content"]


def test_pictures_reach_the_model(client: OpenAI) -> None:
    url = f"data:image/png;base64,{base64.b64encode(square()).decode()}"
    parts = [{"type": "text", "text": "q"}, {"type": "image_url", "image_url": {"url": url}}]
    answer = client.chat.completions.create(model="openai/sees", messages=user(parts))
    seen = answer.choices[0].message.content or ""
    assert seen.startswith("I see ") and seen != "I see nothing.", name_of(square())


class TestTools:
    def answer(self, client: OpenAI, model: str, **more: Any) -> Any:
        return client.chat.completions.create(
            model=f"openai/{model}", messages=user("q"), tools=TOOLS, **more
        )

    @pytest.mark.parametrize("model", ["weather", "weather-plain", "weather-unnumbered"])
    def test_calls_without_text_are_a_complete_answer(self, client: OpenAI, model: str) -> None:
        [choice] = self.answer(client, model).choices
        assert choice.finish_reason == "tool_calls"
        assert choice.message.content is None
        first, second = choice.message.tool_calls
        assert (first.id, first.function.name) == ("call_a", "weather")
        assert json.loads(first.function.arguments) == {"city": "Berlin", "unit": "°C"}
        assert (second.id, second.function.name, second.function.arguments) == (
            "call_b",
            "time",
            "{}",
        )

    def test_calls_stream_in_pieces(self, client: OpenAI) -> None:
        found: dict[int, str] = {}
        reasons = []
        for chunk in self.answer(client, "weather", stream=True):
            reasons.append(chunk.choices[0].finish_reason)
            for call in chunk.choices[0].delta.tool_calls or ():
                found[call.index] = found.get(call.index, "") + (call.function.arguments or "")
        assert json.loads(found[0]) == {"city": "Berlin", "unit": "°C"} and found[1] == "{}"
        assert reasons[-1] == "tool_calls"

    def test_text_may_come_before_calls(self, client: OpenAI) -> None:
        [choice] = self.answer(client, "weather-words").choices
        assert choice.message.content == "Let me look." and len(choice.message.tool_calls) == 2

    def test_results_go_back_to_the_model(self, client: OpenAI, model_server: ModelServer) -> None:
        called = self.answer(client, "weather").choices[0].message
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": f"{n} degrees"}
            for n, call in enumerate(called.tool_calls)
        ]
        answer = client.chat.completions.create(
            model="openai/weather", messages=[*user("q"), called, *results], tools=TOOLS
        )
        assert answer.choices[0].message.content == "It is 0 degrees and 1 degrees."
        again = sent(model_server)["messages"][1]
        assert [call["id"] for call in again["tool_calls"]] == ["call_a", "call_b"]

    def test_a_chat_never_sees_them(self, service: Service) -> None:
        config = {"supplier": "openai", "model": "weather-words"}
        streamed = service.stream({"question": "q", "llm_config": config})
        assert set(streamed.kinds()) <= {"context", "status", "chunk", "done"}
        assert streamed.text() == "Let me look."
        later = service.stream(path=f"/chat/stream/{streamed.message_id}")
        assert later.text() == "Let me look." and later.last["type"] == "done"
        bare = service.stream({"question": "q", "llm_config": {**config, "model": "weather"}})
        assert bare.last["code"] == "upstream_empty"


# What a request lacks or a supplier answers, and what OpenAI's client makes of it.
ERRORS: list[tuple[str, dict[str, Any], type[openai.APIStatusError], int, str]] = [
    ("unknown model", {"model": "nobody/x"}, openai.NotFoundError, 404, "model_not_found"),
    ("unknown base", {"model": "openai/echo@none"}, openai.NotFoundError, 404, "not_found"),
    ("rate", {"model": "openai/refuse-429-7"}, openai.RateLimitError, 429, "rate_limit_exceeded"),
    (
        "no credit",
        {"model": "openai/refuse-quota"},
        openai.RateLimitError,
        429,
        "insufficient_quota",
    ),
    ("failure", {"model": "openai/refuse-500"}, openai.InternalServerError, 502, "upstream_error"),
    ("key", {"model": "openai/refuse-401"}, openai.InternalServerError, 502, "upstream_auth"),
    (
        "too long",
        {"model": "openai/refuse-context"},
        openai.BadRequestError,
        400,
        "context_length_exceeded",
    ),
    ("content", {"model": "openai/refuse-content"}, openai.BadRequestError, 400, "content_filter"),
    ("n", {"n": 2}, openai.BadRequestError, 400, "invalid_request"),
    ("temperature", {"temperature": 3}, openai.BadRequestError, 400, "invalid_request"),
    (
        "tools",
        {"model": "builtin/extractive", "tools": TOOLS, "tool_choice": "required"},
        openai.BadRequestError,
        400,
        "invalid_request",
    ),
    (
        "a tool by name",
        {
            "model": "builtin/extractive",
            "tools": TOOLS,
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
        },
        openai.BadRequestError,
        400,
        "invalid_request",
    ),
    (
        "an unknown part",
        {"messages": user([{"type": "input_audio", "input_audio": {"data": ""}}])},
        openai.BadRequestError,
        400,
        "invalid_request",
    ),
    ("no messages", {"messages": []}, openai.BadRequestError, 400, "invalid_request"),
    (
        "an address of a picture",
        {"messages": user([{"type": "image_url", "image_url": {"url": "https://a.b/c.png"}}])},
        openai.BadRequestError,
        400,
        "invalid_request",
    ),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("body", "kind", "status", "code"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS]
)
def test_errors_are_the_client_s_own_exceptions(
    client: OpenAI,
    body: dict[str, Any],
    kind: type[openai.APIStatusError],
    status: int,
    code: str,
    stream: bool,
) -> None:
    whole: dict[str, Any] = {"model": "openai/echo", "messages": user("q"), **body}
    with pytest.raises(kind) as refused:
        client.chat.completions.create(**whole, stream=stream)
    assert (refused.value.status_code, refused.value.code) == (status, code)
    assert isinstance(refused.value.body, dict)
    assert set(refused.value.body) == {"message", "type", "param", "code"}
    if code == "rate_limit_exceeded":
        assert refused.value.response.headers["Retry-After"] == "7"


def test_the_built_in_model_answers_though_it_may_call_tools(client: OpenAI) -> None:
    """Open WebUI offers tools with every question."""
    for choice in ("auto", "none", omit):
        answer = client.chat.completions.create(
            model="builtin/extractive",
            messages=user("How do I add documents?"),
            tools=TOOLS,
            tool_choice=choice,
        )
        assert answer.choices[0].finish_reason == "stop" and answer.choices[0].message.content


def test_the_embedder_is_no_chat_model(client: OpenAI) -> None:
    *_, embedder = client.models.list()
    with pytest.raises(openai.NotFoundError, match="/v1/embeddings"):
        client.chat.completions.create(model=embedder.id, messages=user("q"))


def test_a_part_that_is_not_supported_is_refused_with_those_that_are(client: OpenAI) -> None:
    audio = {"type": "input_audio", "input_audio": {"data": ""}}
    with pytest.raises(openai.BadRequestError, match="'image_url'") as refused:
        client.chat.completions.create(model="openai/echo", messages=user([audio]))
    assert refused.value.param == "messages[0].content[0]"


def test_a_base_url_without_its_end_is_told(service: Service) -> None:
    url, match = service.url, f"{service.url}/v1"
    with OpenAI(base_url=url, api_key=TOKEN, max_retries=0) as client:
        with pytest.raises(openai.NotFoundError, match=match):
            client.models.list()
        with pytest.raises(openai.NotFoundError, match=match):
            client.chat.completions.create(model="openai/echo", messages=user("q"))


def test_a_wrong_token_is_an_authentication_error(service: Service) -> None:
    with client_of(service, "wrong") as stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()


# Method, path, body, expected status: every exit has OpenAI's shape.
EXITS: list[tuple[str, str, Any, int]] = [
    ("GET", "/v1/nothing", None, 404),
    ("GET", "/v1", None, 404),
    ("GET", "/models", None, 404),
    ("PUT", "/v1/models", {}, 405),
    ("POST", "/v1/chat/completions", b"{", 400),
    ("POST", "/v1/chat/completions", b"[" * 5000, 400),
    ("POST", "/v1/chat/completions", b" " * 20_000_000, 413),
    ("POST", "/v1/chat/completions", b"", 400),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), EXITS)
def test_every_exit_has_the_shape(
    service: Service, method: str, path: str, body: Any, status: int
) -> None:
    reply = service.request(method, path, body, **{"Content-Type": "application/json"})
    assert reply.status == status
    assert set(reply.json["error"]) == {"message", "type", "param", "code"}


def test_a_request_that_is_not_http_is_answered_in_the_shape(service: Service) -> None:
    with service.connection() as connection:
        connection.connect()
        connection.sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nBad Header: x\r\n\r\n")
        response = http.client.HTTPResponse(connection.sock)
        response.begin()
        assert "type" in json.loads(response.read())["error"]


def test_an_error_in_the_middle_of_a_stream_is_raised(client: OpenAI) -> None:
    text = ""
    with pytest.raises(openai.APIError) as cut:
        for chunk in client.chat.completions.create(
            model="openai/cut", messages=user("q"), stream=True
        ):
            text += chunk.choices[0].delta.content or ""
    assert text and cut.value.code == "upstream_error"


def test_closing_a_call_stops_the_model(service: Service, model_server: ModelServer) -> None:
    """Also one that is silent, and one that is not streamed."""
    for model, stream, reads in (
        ("typewriter-5000-20", True, True),
        ("hang-after-headers", True, False),
        ("hang-after-headers", False, False),
    ):
        before = len(model_server.requests)
        body = {"model": f"openai/{model}", "messages": user("q"), "stream": stream}
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        with service.connection() as connection:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            if reads:
                assert b"assistant" in connection.getresponse().read1(1000)
            asked = wait_for(lambda before=before: model_server.requests[before:])[0]
            closed = time.monotonic()
        wait_for(lambda asked=asked: asked.closed_by_client, what=f"{model} was stopped")
        assert asked.closed_at - closed < STOP_SECONDS * 5, model  # on a busy machine


@pytest.fixture(scope="module")
def base_id(service: Service, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("documents") / "leave.md"
    file.write_text("# Leave\n\nEmployees get 30 days of paid leave a year.\n")
    return service.add_documents("Handbook @ 2026", file)


class TestDocuments:
    def test_the_base_is_named_by_id_or_name(self, client: OpenAI, base_id: str) -> None:
        ids = [model.id for model in client.models.list()]
        assert f"builtin/extractive@{base_id}" in ids, "a name with @ is not used in ids"
        answer = client.chat.completions.create(
            model=f"builtin/extractive@{base_id}", messages=user("How many days of paid leave?")
        )
        assert "30 days" in (answer.choices[0].message.content or "")

    @pytest.mark.parametrize("stream", [False, True])
    def test_sources_are_annotations(self, client: OpenAI, base_id: str, stream: bool) -> None:
        answer: Any = client.chat.completions.create(
            model=f"openai/cited@{base_id}",
            messages=user("How many days of paid leave?"),
            stream=stream,
        )
        if stream:
            chunks = list(answer)
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            [annotation] = chunks[-1].choices[0].delta.model_dump()["annotations"]
        else:
            text = answer.choices[0].message.content
            [annotation] = answer.choices[0].message.model_dump()["annotations"]
        found = annotation["url_citation"]
        assert annotation["type"] == "url_citation"
        assert text[found["start_index"] : found["end_index"]] == "[1]"
        assert found["filename"] == "leave.md" and "30 days" in found["quote"]
        assert found["url"].endswith(f"/files/{found['file_id']}/content")

    @pytest.mark.parametrize("stream", [False, True])
    def test_sources_are_listed_when_asked(
        self, client: OpenAI, base_id: str, stream: bool
    ) -> None:
        answer: Any = client.chat.completions.create(
            model=f"openai/cited@{base_id}",
            messages=user("How many days of paid leave?"),
            stream=stream,
            extra_body={"chatapp": {"sources": "text"}},
        )
        text = (
            "".join(chunk.choices[0].delta.content or "" for chunk in answer)
            if stream
            else answer.choices[0].message.content
        )
        assert text.endswith("[1].\n\n**Sources**\n\n[1] leave.md")

    def test_passages_and_rules_join_the_client_s_messages(
        self, client: OpenAI, model_server: ModelServer, base_id: str
    ) -> None:
        client.chat.completions.create(
            model=f"openai/cited@{base_id}",
            messages=[
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "How many days of paid leave?"},
            ],
        )
        system, question = sent(model_server)["messages"]
        assert system["content"].startswith("Be brief.\n\nNumbered passages")
        assert question["content"].startswith("[1] leave.md")
        assert question["content"].endswith("How many days of paid leave?")

    def test_an_ambiguous_name_is_refused_with_the_ids(
        self, service: Service, client: OpenAI
    ) -> None:
        ids = [service.post("/api/knowledge", {"name": "twin"}).json["id"] for _ in range(2)]
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(model="openai/echo@twin", messages=user("q"))
        assert all(base_id in refused.value.message for base_id in ids)
        assert refused.value.param == "model"


def test_calls_are_kept_as_sessions_that_are_not_listed(service: Service, client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="openai/echo",
        messages=[
            {"role": "system", "content": "s"},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": "a word that nobody lists"},
        ],
    )
    message_id = answer.id.removeprefix("chatcmpl-")
    stored = service.get(f"/api/messages/{message_id}").json
    assert (stored["content"], stored["status"]) == ("a word that nobody lists", "complete")
    rows = service.get(f"/api/sessions/{stored['session_id']}/messages").json["items"]
    assert [row["role"] for row in rows] == ["system", "user", "assistant", "user", "assistant"]
    listed = service.get("/api/sessions").json["items"]
    assert stored["session_id"] not in [session["id"] for session in listed]
    found = service.get("/api/sessions/search?q=nobody").json["items"]
    assert stored["session_id"] not in json.dumps(found)


def test_without_accounts_any_token_passes_and_calls_are_deleted_once_answered(
    tmp_path: Path, model_server: ModelServer
) -> None:
    variables = {"CHATAPP_AUTH": "off", "CHATAPP_KEEP_API_SESSIONS": "0"}
    with Service(tmp_path, **variables) as service, client_of(service, "sk-anything") as client:
        answer = client.chat.completions.create(
            model="builtin/extractive", messages=user("How do I add documents?")
        )
        assert answer.choices[0].message.annotations
        assert service.get("/api/sessions", token="sk-anything").status == 401
        with sqlite3.connect(tmp_path / "chatapp.db") as database:
            database.execute("UPDATE sessions SET updated_at = '2020-01-01 00:00:00'")
        database.close()

        def kinds() -> list[str]:
            with sqlite3.connect(tmp_path / "chatapp.db") as read:
                return [row[0] for row in read.execute("SELECT kind FROM sessions")]

        wait_for(lambda: "api" not in kinds(), what="the session of the call was deleted")
