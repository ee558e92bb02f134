"""OpenAI's Python client, unmodified, against the real service."""

import asyncio
from collections.abc import Iterator
from operator import mul

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from tests.support.clients import PICTURE, QUESTION, Access
from tests.support.modelserver import ModelServer
from tests.support.service import Service, wait_for

pytestmark = pytest.mark.server


@pytest.fixture
def client(access: Access) -> Iterator[OpenAI]:
    with OpenAI(base_url=access.url, api_key=access.key, max_retries=0) as made:
        yield made


def test_it_lists_models_with_and_without_documents(client: OpenAI, access: Access) -> None:
    ids = [model.id for model in client.models.list()]
    assert {"openai/echo", "wire/echo", access.embedder} <= {*ids}
    assert any(each.startswith("wire/echo@") for each in ids)
    assert client.models.retrieve("wire/echo").id == "wire/echo"
    assert client.models.retrieve(access.embedder).id == access.embedder


# --- chat completions -------------------------------------------------------------------------


def test_chat_answers(client: OpenAI) -> None:
    made = client.chat.completions.create(
        model="wire/echo", messages=[{"role": "user", "content": "Hello there"}]
    )
    assert made.choices[0].message.content == "Hello there"
    assert made.choices[0].finish_reason == "stop"


def test_chat_streams_with_usage(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="wire/usage",
        messages=[{"role": "user", "content": "Count"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Counted."
    usage = chunks[-1].usage
    assert usage is not None and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_chat_sees_pictures(client: OpenAI) -> None:
    made = client.chat.completions.create(
        model="wire/sees",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": PICTURE}},
                ],
            }
        ],
    )
    assert str(made.choices[0].message.content).startswith("I see ")
    assert "nothing" not in str(made.choices[0].message.content)


def test_chat_cites_documents(client: OpenAI, access: Access) -> None:
    made = client.chat.completions.create(
        model=f"wire/cited@{access.base}", messages=[{"role": "user", "content": QUESTION}]
    )
    [annotation] = made.choices[0].message.annotations or []
    assert annotation.url_citation.title == "handbook.md"
    text = str(made.choices[0].message.content)
    place = slice(annotation.url_citation.start_index, annotation.url_citation.end_index)
    assert text[place] == "[1]"


def test_the_asynchronous_client_streams(access: Access) -> None:
    async def ask() -> tuple[str, str]:
        async with AsyncOpenAI(base_url=access.url, api_key=access.key) as client:
            stream = await client.chat.completions.create(
                model="wire/echo",
                messages=[{"role": "user", "content": "Hello over there"}],
                stream=True,
            )
            chat = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
            response = await client.responses.create(model="wire/echo", input="Hello again")
            return chat, response.output_text

    assert asyncio.run(ask()) == ("Hello over there", "Hello again")


# --- responses --------------------------------------------------------------------------------


def test_responses_answer(client: OpenAI) -> None:
    response = client.responses.create(
        model="wire/usage", instructions="Be brief.", input="Count", metadata={"for": "a test"}
    )
    assert (response.status, response.output_text) == ("completed", "Counted.")
    assert response.usage is not None and response.usage.output_tokens > 0
    assert response.metadata == {"for": "a test"}


def test_responses_stream(client: OpenAI, access: Access) -> None:
    with client.responses.stream(model=f"wire/cited@{access.base}", input=QUESTION) as stream:
        kinds = [event.type for event in stream]
        response = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert "response.output_text.delta" in kinds
    assert "[1]" in response.output_text
    message = response.output[0]
    assert message.type == "message" and message.content[0].type == "output_text"
    [annotation] = message.content[0].annotations
    assert annotation.type == "url_citation" and annotation.title == "handbook.md"


def test_responses_take_a_conversation_with_pictures(client: OpenAI) -> None:
    response = client.responses.create(
        model="wire/sees",
        input=[
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hello. What is it?"},
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is this?"},
                    {"type": "input_image", "image_url": PICTURE, "detail": "auto"},
                ],
            },
        ],
    )
    assert response.output_text.startswith("I see ") and "nothing" not in response.output_text


def test_closing_a_stream_of_responses_stops_the_model(
    client: OpenAI, model_server: ModelServer
) -> None:
    stream = client.responses.create(model="wire/typewriter-2000-50", input="Type", stream=True)
    next(event for event in stream if event.type == "response.output_text.delta")
    stream.close()
    [asked] = [each for each in model_server.asked() if each.model == "typewriter-2000-50"]
    wait_for(lambda: asked.closed_at, what="the connection to the model is closed")


# --- embeddings -------------------------------------------------------------------------------


def test_embeddings_are_near_where_meanings_are(client: OpenAI, access: Access) -> None:
    texts = ["Employees get 27 days of paid leave.", "The printer is on the second floor."]
    made = client.embeddings.create(model=access.embedder, input=[*texts, QUESTION])
    leave, printer, question = (entry.embedding for entry in made.data)
    assert sum(map(mul, question, leave)) > sum(map(mul, question, printer))
    assert made.usage.total_tokens > 0
    plain = client.embeddings.create(model=access.embedder, input=texts[0], encoding_format="float")
    assert plain.data[0].embedding == pytest.approx(leave, abs=1e-6)


# --- errors -----------------------------------------------------------------------------------


def test_errors_are_the_clients_own(client: OpenAI, access: Access) -> None:
    other = client.with_options(api_key="sk-of-someone-else")
    for ask in (chat, respond, embed):
        with pytest.raises(openai.AuthenticationError):
            ask(other, access.embedder)
        with pytest.raises(openai.NotFoundError) as missing:
            ask(client, "wire/no-such-model")
        assert missing.value.code == "model_not_found"
    for ask in (chat, respond):
        with pytest.raises(openai.RateLimitError):
            ask(client, "wire/refuse-429")
        with pytest.raises(openai.InternalServerError):
            ask(client, "wire/refuse-500")
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="wire/echo", input="Go on", previous_response_id="resp_1")
    assert refused.value.param == "previous_response_id"


def test_an_error_in_a_stream_of_responses_is_its_last_event(client: OpenAI) -> None:
    events = list(client.responses.create(model="wire/error-event", input="Hello", stream=True))
    assert events[-1].type == "response.failed"
    assert events[-1].response.error is not None and events[-1].response.error.message


def test_an_answer_of_a_program_is_not_in_the_list_of_chats(
    client: OpenAI, service: Service
) -> None:
    respond(client, "wire/echo")
    titles = [item["title"] for item in service.get("/api/sessions").json["items"]]
    assert "Hello of a program" not in titles


def chat(client: OpenAI, model: str) -> None:
    client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Hello of a program"}]
    )


def respond(client: OpenAI, model: str) -> None:
    client.responses.create(model=model, input="Hello of a program")


def embed(client: OpenAI, model: str) -> None:
    client.embeddings.create(model=model, input="Hello of a program")
