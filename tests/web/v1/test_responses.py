"""/v1/responses: what the model is asked, and what comes back."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openai.types.responses import Response

from chatapp.identity.person import Person
from chatapp.storage.models import User, new_id
from chatapp.web.services import Services
from tests.support.clients import PICTURE
from tests.support.modelserver import ModelServer

TOOL = {"type": "function", "name": "search", "parameters": {"type": "object"}, "strict": True}
ELSEWHERE = {"type": "input_image", "image_url": "https://example.org/cat.png"}


@pytest.fixture
def other_client(app: Flask, services: Services) -> FlaskClient:
    """A client of a second user."""
    user = User(id=new_id(), name="other", role="user")
    services.database.write(lambda t: t.add(user))
    token = services.accounts.tokens.create(Person(user.id, "other", "user", False), "other")
    made = app.test_client()
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token['token']}"
    return made


@pytest.fixture(autouse=True)
def supplier(client: FlaskClient, services: Services, model_server: ModelServer) -> Iterator[None]:
    models = ["echo", "parameters", "tools", "sees", "length"]
    body = {"name": "wire", "base_url": model_server.base_url, "models": models}
    assert client.post("/api/suppliers", json=body).status_code == 201
    yield
    services.suppliers.models.close()


def post(client: FlaskClient, model: str, given: Any, **more: Any) -> Any:
    return client.post("/v1/responses", json={"model": f"wire/{model}", "input": given, **more})


def respond(client: FlaskClient, model: str, given: Any, **more: Any) -> Response:
    reply = post(client, model, given, **more)
    assert reply.status_code == 200, reply.json
    return Response.model_validate(reply.json)


def refused(reply: Any, field: str) -> str:
    assert reply.status_code == 400, reply.json
    assert reply.json["error"]["param"] == field
    return str(reply.json["error"]["message"])


def said(server: ModelServer) -> list[Any]:
    """Return the messages of the last request to the model: role, content and calls."""
    messages = server.asked()[-1].body["messages"]
    return [(each["role"], each["content"]) for each in messages]


def test_a_text_is_answered(client: FlaskClient) -> None:
    response = respond(client, "echo", "Hello", metadata={"a": "b"}, temperature=0.5)
    assert response.output_text == "Hello" and response.status == "completed"
    assert response.id.startswith("resp_") and response.model == "wire/echo"
    assert response.metadata == {"a": "b"} and response.temperature == 0.5


def test_a_stream_has_an_event_in_each_block(client: FlaskClient) -> None:
    body = {"model": "wire/echo", "input": "Hello there", "stream": True}
    reply = client.post("/v1/responses", json=body, buffered=True)
    assert reply.content_type.startswith("text/event-stream")
    blocks = [block for block in reply.text.split("\n\n") if block and block != ": ping"]
    for block in blocks:
        event, data = block.split("\n")
        assert json.loads(data.removeprefix("data: "))["type"] == event.removeprefix("event: ")
    assert blocks[-1].startswith("event: response.completed\n")


def test_parameters_reach_the_model(client: FlaskClient) -> None:
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    response = respond(
        client,
        "parameters",
        "Hello",
        temperature=0.25,
        top_p=0.5,
        max_output_tokens=77,
        text={"format": form},
        reasoning={"effort": "low", "summary": "auto"},
    )
    sent = json.loads(response.output_text)
    assert (sent["temperature"], sent["top_p"], sent["reasoning_effort"]) == (0.25, 0.5, "low")
    assert 77 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))
    schema = {"name": "n", "schema": {"type": "object"}, "strict": True}
    assert sent["response_format"] == {"type": "json_schema", "json_schema": schema}


def test_items_are_a_conversation(client: FlaskClient, model_server: ModelServer) -> None:
    items = [
        {"role": "developer", "content": "Rules."},
        {"role": "user", "content": [{"type": "input_text", "text": "One"}]},
        {"type": "reasoning", "id": "rs_x", "summary": []},
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_x",
            "content": [{"type": "output_text", "text": "1", "annotations": []}],
        },
        {"role": "user", "content": "Two"},
    ]
    assert respond(client, "echo", items, instructions="Repeat.").output_text == "Two"
    assert said(model_server) == [
        ("system", "Repeat."),
        ("system", "Rules."),
        ("user", "One"),
        ("assistant", "1"),
        ("user", "Two"),
    ]


def test_a_response_is_continued_by_its_id(client: FlaskClient, model_server: ModelServer) -> None:
    picture = {"type": "input_image", "image_url": PICTURE}
    parts = [{"type": "input_text", "text": "One"}, picture]
    items = [{"role": "user", "content": parts}]
    first = respond(client, "sees", items, instructions="Be brief.")
    second = respond(client, "sees", "Two", previous_response_id=first.id, instructions="Be long.")
    assert second.output_text == "I see nothing." and second.previous_response_id == first.id
    system, one, answer, two = said(model_server)
    assert system == ("system", "Be long.") and two == ("user", "Two")
    assert answer == ("assistant", first.output_text)
    assert [part["type"] for part in one[1]] == ["text", "image_url"]
    third = respond(client, "echo", "Three", previous_response_id=second.id)
    assert third.output_text == "Three"
    assert [role for role, _ in said(model_server)] == [
        "system",
        *["user", "assistant"] * 2,
        "user",
    ]


def test_an_item_of_an_answer_is_found_by_its_id(
    client: FlaskClient, model_server: ModelServer
) -> None:
    answer = respond(client, "echo", "One").output[0]
    items = [
        {"role": "user", "content": "One"},
        {"type": "item_reference", "id": "rs_of-thinking"},
        {"type": "item_reference", "id": answer.id},
        {"role": "user", "content": "Two"},
    ]
    respond(client, "echo", items)
    assert said(model_server) == [("user", "One"), ("assistant", "One"), ("user", "Two")]


def test_calls_of_functions_go_there_and_back(
    client: FlaskClient, model_server: ModelServer
) -> None:
    message, call = respond(client, "tools", "Find it", tools=[TOOL], tool_choice="auto").output
    assert call.type == "function_call" and call.name == "search" and call.arguments == "{}"
    function = {"name": "search", "parameters": {"type": "object"}, "strict": True}
    assert model_server.asked()[-1].body["tools"] == [{"type": "function", "function": function}]
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "It is there."}
    references = [{"type": "item_reference", "id": each.id} for each in (message, call)]
    whole = [message.to_dict(), call.to_dict()]
    for given in (references, whole):
        items = [{"role": "user", "content": "Find it"}, *given, output]
        respond(client, "echo", items, tools=[TOOL])
        user, assistant, tool = model_server.asked()[-1].body["messages"]
        assert user["content"] == "Find it" and assistant["content"] == "Before after."
        [sent] = assistant["tool_calls"]
        assert (sent["id"], sent["function"]["name"]) == (call.call_id, "search")
        assert (tool["tool_call_id"], tool["content"]) == (call.call_id, "It is there.")


def test_an_answer_that_reaches_the_limit_is_incomplete(client: FlaskClient) -> None:
    response = respond(client, "length", "Hello", max_output_tokens=3)
    assert response.status == "incomplete" and response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"previous_response_id": "resp_no-such"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input"),
        ({"input": [{"role": "user", "content": [ELSEWHERE]}]}, "input"),
        ({"input": []}, "input"),
        ({"temperature": 3}, "temperature"),
    ],
)
def test_what_is_not_offered_is_refused(
    client: FlaskClient, more: dict[str, Any], field: str
) -> None:
    reply = client.post("/v1/responses", json={"model": "wire/echo", "input": "Hello", **more})
    assert refused(reply, field)


def test_files_are_refused(client: FlaskClient) -> None:
    file = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,"}
    reply = post(client, "echo", [{"role": "user", "content": [file]}])
    assert reply.status_code == 400 and reply.json["error"]["param"].startswith("input[0]")


def test_responses_of_others_are_not_found(client: FlaskClient, other_client: FlaskClient) -> None:
    response = respond(client, "echo", "Mine")
    items = [{"type": "item_reference", "id": response.output[0].id}]
    refused(
        post(other_client, "echo", "Go on", previous_response_id=response.id),
        "previous_response_id",
    )
    refused(post(other_client, "echo", items), "input")
