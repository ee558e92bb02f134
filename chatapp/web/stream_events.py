"""The events of an answer's stream as models for /openapi.json; tests check real streams with them.

core/sse.py writes the events.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chatapp.web.responses import Source, SupplierAnswer, UnreadFile


class ContextEvent(BaseModel):
    """The first event: what the answer is based on, and the ids of session, question and answer."""

    type: Literal["context"]
    data: str = Field(
        description="names of the knowledge bases, or of the model if there are none; never empty"
    )
    session_id: str
    message_id: str = Field(description="id of the answer")
    question_id: str


class StatusEvent(BaseModel):
    """The current stage; `reading` waits for files that were just uploaded."""

    type: Literal["status"]
    data: Literal["reading", "rewriting", "searching", "writing"]


class SourcesEvent(BaseModel):
    """The numbered passages that are given to the model, before the first chunk."""

    type: Literal["sources"]
    data: list[Source]


class ReasoningEvent(BaseModel):
    """The next part of the model's reasoning."""

    type: Literal["reasoning"]
    data: str


class ChunkEvent(BaseModel):
    """The next part of the answer."""

    type: Literal["chunk"]
    data: str


class DoneData(BaseModel):
    """How an answer ended."""

    finish_reason: Literal["stop", "length", "content_filter", "stopped"]
    usage: dict[str, Any] = Field(description="what the supplier reports")
    timings: dict[str, Any] = Field(description="durations in milliseconds")
    citations: list[int] = Field(description="numbers of the sources that the answer cites")
    unread: list[UnreadFile] = Field(
        default_factory=list, description="files that could not be searched yet"
    )


class DoneEvent(BaseModel):
    """The last event of an answer that has not failed."""

    type: Literal["done"]
    data: DoneData


class ErrorEvent(BaseModel):
    """The last event of an answer that failed."""

    type: Literal["error"]
    data: str = Field(description="a message in the reader's language")
    code: str
    retryable: bool
    retry_after: int | None = Field(description="seconds")
    upstream: SupplierAnswer | None = Field(
        default=None, description="for administrators, if the error is a supplier's"
    )


class Empty(BaseModel):
    """An empty object."""

    model_config = ConfigDict(extra="forbid")


class ResetEvent(BaseModel):
    """Discard the text received so far; everything is sent again.

    After resuming, or when text turns out to be reasoning.
    """

    type: Literal["reset"]
    data: Empty


class PingEvent(BaseModel):
    """A keep-alive after 10 seconds without another event, and immediately after resuming."""

    type: Literal["ping"]
    data: Empty


EVENTS: dict[str, type[BaseModel]] = {
    "context": ContextEvent,
    "status": StatusEvent,
    "sources": SourcesEvent,
    "reasoning": ReasoningEvent,
    "chunk": ChunkEvent,
    "done": DoneEvent,
    "error": ErrorEvent,
    "reset": ResetEvent,
    "ping": PingEvent,
}
