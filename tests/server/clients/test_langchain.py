"""LangChain's classes for OpenAI, unmodified, against the real service."""

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr

from tests.support.clients import QUESTION, Access

pytestmark = pytest.mark.server


def chat(access: Access, model: str, **more: bool) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=access.url, api_key=SecretStr(access.key), model=model, max_retries=0, **more
    )


@pytest.mark.parametrize("api", ["completions", "responses"])
def test_it_answers_and_streams(access: Access, api: str) -> None:
    model = chat(access, "wire/echo", use_responses_api=api == "responses")
    conversation = [
        SystemMessage("Repeat."),
        HumanMessage("Hello"),
        AIMessage("Hello"),
        HumanMessage("Hello once more"),
    ]
    assert model.invoke(conversation).text == "Hello once more"
    assert "".join(chunk.text for chunk in model.stream("Bit by bit")) == "Bit by bit"


@pytest.mark.parametrize("api", ["completions", "responses"])
def test_it_reports_usage(access: Access, api: str) -> None:
    model = chat(access, "wire/usage", use_responses_api=api == "responses", stream_usage=True)
    whole = model.invoke("Count")
    assert isinstance(whole, AIMessage) and whole.usage_metadata is not None
    chunks = list(model.stream("Count"))
    streamed = sum((each.usage_metadata or {}).get("total_tokens", 0) for each in chunks)
    assert streamed == whole.usage_metadata["total_tokens"] > 0


@tool
def weather(city: str, unit: str) -> str:
    """Tell the weather."""
    return f"7 {unit} in {city}"


@tool
def time() -> str:
    """Tell the time."""
    return "noon"


@pytest.mark.parametrize("api", ["completions", "responses"])
def test_a_model_calls_tools(access: Access, api: str) -> None:
    tools = {each.name: each for each in (weather, time)}
    model = chat(access, "wire/weather", use_responses_api=api == "responses").bind_tools(
        list(tools.values())
    )
    question = HumanMessage("How is it?")
    answer = model.invoke([question])
    results = [tools[call["name"]].invoke(call) for call in answer.tool_calls]
    assert model.invoke([question, answer, *results]).text == "It is 7 °C in Berlin and noon."


def test_it_answers_from_documents(access: Access) -> None:
    model = chat(access, f"wire/cited@{access.base}", use_responses_api=True)
    [block] = [each for each in model.invoke(QUESTION).content_blocks if each["type"] == "text"]
    [annotation] = block["annotations"]
    assert annotation["type"] == "citation" and annotation["title"] == "handbook.md"


def test_it_embeds(access: Access) -> None:
    embeddings = OpenAIEmbeddings(
        base_url=access.url,
        api_key=SecretStr(access.key),
        model=access.embedder,
        check_embedding_ctx_length=False,
    )
    [one, two] = embeddings.embed_documents(["paid leave", "printers"])
    assert len(one) == len(two) == len(embeddings.embed_query("holidays"))


def test_errors_are_openais(access: Access) -> None:
    with pytest.raises(openai.AuthenticationError):
        chat(Access(access.url, "sk-wrong", "", ""), "wire/echo").invoke("Hello")
    with pytest.raises(openai.NotFoundError):
        chat(access, "wire/no-such-model").invoke("Hello")
    with pytest.raises(openai.RateLimitError):
        chat(access, "wire/refuse-429").invoke("Hello")
    with pytest.raises(openai.InternalServerError):
        list(chat(access, "wire/refuse-500").stream("Hello"))
