"""Responses of /v1 as models: the source of their part of /openapi.json."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class OpenAIError(BaseModel):
    """An error in OpenAI's shape."""

    message: str
    type: str
    param: str | None = Field(description="the field that is wrong")
    code: str | None


class OpenAIErrorBody(BaseModel):
    """The body of every error response of /v1."""

    error: OpenAIError


class OpenAIModel(BaseModel):
    """A model, or a model with a knowledge base."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="always 0: it is not known")
    owned_by: str = Field(description="name of the supplier")


class OpenAIModelList(BaseModel):
    """The models that can be asked."""

    object: Literal["list"] = "list"
    data: list[OpenAIModel]


class Citation(BaseModel):
    """A place of the answer that cites a passage, and the passage."""

    start_index: int = Field(description="where the citation begins in `content`")
    end_index: int
    url: str = Field(description="address of the document")
    title: str = Field(description="name of the document, with its page")
    number: int = Field(description="number of the passage, as in the text")
    knowledge_base_id: str
    file_id: str
    filename: str
    page: int | None
    quote: str


class Annotation(BaseModel):
    """A citation of a passage."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: Citation


class CompletionMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: str | None = None
    reasoning_content: str | None = Field(None, description="the model's thinking, if there is any")
    tool_calls: list[dict[str, Any]] | None = None
    annotations: list[Annotation] | None = None


class Choice(BaseModel):
    """The only choice."""

    index: int
    message: CompletionMessage
    logprobs: None
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"]


class ChatCompletion(BaseModel):
    """A complete answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[Choice]
    usage: dict[str, Any] | None = Field(description="null where the supplier does not tell")


class Delta(BaseModel):
    """What a chunk adds to the answer."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    annotations: list[Annotation] | None = None


class ChunkChoice(BaseModel):
    """The only choice."""

    index: int
    delta: Delta
    logprobs: None
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"] | None


class ChatCompletionChunk(BaseModel):
    """A part of a streamed answer, in the `data` of a server-sent event; `[DONE]` ends it."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[ChunkChoice] = Field(description="empty in the chunk with the usage")
    usage: dict[str, Any] | None = None


class OpenAIResponse(BaseModel):
    """An answer of /v1/responses."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    model: str
    output: list[dict[str, Any]] = Field(
        description="items: `reasoning`, `message`, `function_call`"
    )
    error: dict[str, Any] | None
    incomplete_details: dict[str, Any] | None
    usage: dict[str, Any] | None = Field(description="null where the supplier does not tell")


class OpenAIResponseEvent(BaseModel):
    """An event of a streamed response, in the `data` of a server-sent event of the same name."""

    type: str = Field(description="response.created, response.output_text.delta and so on")
    sequence_number: int
    response: OpenAIResponse | None = Field(
        None, description="in the first two events and the last"
    )
    item: dict[str, Any] | None = None
    part: dict[str, Any] | None = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    delta: str | None = None
    text: str | None = None
    arguments: str | None = None
    annotation: dict[str, Any] | None = None
