"""What the API answers with, as models: /openapi.json is made from them, and a test holds real answers against them."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

T = TypeVar("T", bound=BaseModel)


class Page(BaseModel, Generic[T]):
    """A page of a list; `next` is the cursor of the next one."""

    items: list[T]
    next: str | None


class Fault(BaseModel):
    """What went wrong, in the reader's language."""

    code: str
    message: str
    retryable: bool
    fields: dict[str, str] = Field(
        default_factory=dict, description="of invalid_request: field and what it takes"
    )
    request_id: str | None = None
    session_id: str | None = Field(
        default=None, description="of /chat: where the question was stored, if it was"
    )
    message_id: str | None = Field(
        default=None, description="of /chat: the answer's id, if the question was stored"
    )


class ErrorBody(BaseModel):
    """Every refusal has this body."""

    error: Fault


class SessionShape(BaseModel):
    """A conversation."""

    id: str
    title: str
    pinned: bool
    created_at: datetime
    updated_at: datetime
    knowledge_base_id: str | list[str] | None
    filter_by_file_md5: list[str] = Field(
        description="the files that its last question was narrowed down to"
    )
    search_k: int | None = Field(description="how many passages its last question asked for")
    supplier: str | None
    model: str | None
    leaf_id: str | None = Field(description="the last message of the branch last looked at")


class SourceShape(BaseModel):
    """A numbered passage: what a search found, or what was given to the model."""

    n: int
    knowledge_base_id: str
    file_id: str
    md5: str
    name: str
    page: int | None
    heading: str
    start: int
    end: int
    quote: str
    text: str
    score: float
    by: dict[str, float | None] = Field(
        default_factory=dict, description="what each ranking gave it: words, vectors"
    )


class UnreadShape(BaseModel):
    """A file that could not be searched yet when the answer was given."""

    file_id: str
    name: str


class MessageShape(BaseModel):
    """A question or an answer."""

    id: str
    session_id: str
    parent_id: str | None
    role: str
    content: str
    status: str = Field(
        description="queued, running, complete, stopped, failed or interrupted; a question is complete"
    )
    reasoning: str
    knowledge: str
    sources: list[SourceShape]
    citations: list[int]
    usage: dict[str, Any]
    timings: dict[str, Any]
    supplier: str | None
    model: str | None
    finish_reason: str | None = Field(description="stop, length, content_filter or stopped")
    unread: list[UnreadShape]
    error: Fault | None
    created_at: datetime


class FoundShape(SessionShape):
    """A session that a search found, and what it says there."""

    snippet: str


class ExportShape(BaseModel):
    """A whole session."""

    session: SessionShape
    messages: list[MessageShape]


class VectorsShape(BaseModel):
    """Whether a base is also found by what words mean: off, ready, building, or mismatch."""

    state: str
    made_with: str | None = Field(description="the embedding model of its vectors")
    current: str | None = Field(description="the embedding model that is set up now")
    done: int = Field(description="chunks that have their vectors")
    total: int


class KnowledgeBaseShape(BaseModel):
    """Files that are searched together."""

    id: str
    name: str
    description: str
    files: int
    chunks: int
    failed: int
    pending: int
    state: str
    vectors: VectorsShape
    bundled: bool
    created_at: datetime


class FileShape(BaseModel):
    """A document and how far it has been read."""

    id: str
    knowledge_base_id: str
    name: str
    md5: str
    size: int
    media_type: str
    status: str
    progress: float
    pages: int | None
    chunks: int
    error: Fault | None
    created_at: datetime


class UploadShape(FileShape):
    """A document that was uploaded."""

    duplicate: bool = Field(
        description="the base had these bytes already: it is the file that was there"
    )


class RefusedShape(BaseModel):
    """A file that was not taken, and why."""

    name: str
    error: Fault


class UploadedShape(BaseModel):
    """What became of the files of an upload, in the order sent."""

    items: list[UploadShape | RefusedShape]


class ChunkShape(BaseModel):
    """A piece of a document."""

    ordinal: int
    page: int | None
    heading: str
    start: int
    end: int
    text: str


class ModelShape(BaseModel):
    """A model that can be chosen."""

    supplier: str
    model: str
    name: str
    builtin: bool


class SupplierShape(BaseModel):
    """Where models are had; its key is never shown."""

    id: str
    name: str
    label: str
    preset: str | None
    base_url: str
    has_key: bool
    models: list[str]
    enabled: bool
    source: str


class UserShape(BaseModel):
    """Who asks."""

    id: str
    name: str
    role: str
    has_password: bool


class DefaultsShape(BaseModel):
    """How the asker's questions are asked where they do not say so."""

    temperature: float | None = Field(description="null: the model's own")
    system_prompt: str
    max_length: int = Field(description="how many earlier messages go along")
    documents_only: bool


class MeShape(BaseModel):
    """Who asks, how, and whether there are accounts at all."""

    user: UserShape
    auth: str
    language: str
    defaults: DefaultsShape


class StoredShape(BaseModel):
    """How much of the asker's is stored, temporary chats included; where it is, administrators are told."""

    chats: int
    messages: int
    knowledge_bases: int
    files: int
    file_bytes: int
    embedder: str | None = Field(
        description="the embedding model elsewhere that documents and questions are sent to"
    )
    home: str | None = Field(description="the folder of data, for administrators")
    database: str | None = Field(description="sqlite or postgresql, for administrators")


class TokenShape(BaseModel):
    """A personal token, the terminal's own, or the one that CHATAPP_TOKEN names."""

    id: str
    kind: Literal["personal", "terminal", "environment"]
    name: str
    created_at: datetime
    used_at: datetime | None


class TokenMadeShape(TokenShape):
    """A new personal token with its secret, which is shown this once."""

    token: str
