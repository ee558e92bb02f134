"""Response bodies as models: the source of /openapi.json, tested against real responses."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from chatapp.web.fields import Access, Splitting
from chatapp.web.image_responses import Image
from chatapp.web.session_responses import Feedback, Session

T = TypeVar("T", bound=BaseModel)


class Page(BaseModel, Generic[T]):
    """A page of a list. `next` is the cursor of the next page."""

    items: list[T]
    next: str | None

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Name a page after its items, for client generators."""
        return f"{params[0].__name__}Page"


class SupplierAnswer(BaseModel):
    """What a supplier answered, without keys."""

    status: int = Field(description="its HTTP status; 0 if there is none")
    text: str = Field(description="at most 2,000 characters, of any form: not to be used as markup")


class ErrorDetails(BaseModel):
    """An error, with its message in the reader's language."""

    code: str
    message: str
    retryable: bool
    fields: dict[str, str] = Field(
        default_factory=dict,
        description="for invalid_request: each invalid field and what it accepts",
    )
    request_id: str | None = None
    upstream: SupplierAnswer | None = Field(
        default=None, description="for administrators, if the error is a supplier's"
    )
    session_id: str | None = Field(
        default=None, description="for /chat: id of the session, if the question was stored"
    )
    message_id: str | None = Field(
        default=None, description="for /chat: id of the answer, if the question was stored"
    )


class ErrorBody(BaseModel):
    """The body of every error response."""

    error: ErrorDetails


class Source(BaseModel):
    """A numbered passage that a search found or the model was given."""

    n: int
    knowledge_base_id: str
    file_id: str
    md5: str
    name: str
    url: str | None = Field(None, description="the address of a web page")
    page: int | None
    heading: str
    start: int
    end: int
    quote: str
    text: str
    score: float
    by: dict[str, float | None] = Field(
        default_factory=dict, description="the score of each ranking: words, vectors, rerank"
    )


class UnreadFile(BaseModel):
    """A file that could not be searched yet when the answer was written."""

    file_id: str
    name: str


class Message(BaseModel):
    """A question or an answer."""

    id: str
    session_id: str
    parent_id: str | None
    role: str
    content: str
    status: str = Field(
        description=(
            "queued, running, complete, stopped, failed or interrupted; questions are complete"
        )
    )
    reasoning: str
    knowledge: str
    sources: list[Source]
    citations: list[int]
    usage: dict[str, Any]
    timings: dict[str, Any]
    supplier: str | None
    model: str | None
    finish_reason: str | None = Field(description="stop, length, content_filter or stopped")
    images: list[Image] = Field(description="the pictures of a question")
    unread: list[UnreadFile]
    searched: bool = Field(description="whether GET /api/messages/{message_id}/search returns it")
    error: ErrorDetails | None
    feedback: Feedback | None = Field(description="of an answer, if the user has given it")
    created_at: datetime


class SessionExport(BaseModel):
    """A whole session."""

    session: Session
    messages: list[Message]


class VectorState(BaseModel):
    """State of the semantic search of a knowledge base: off, ready, building or mismatch."""

    state: str
    made_with: str | None = Field(description="embedding model of its vectors")
    current: str | None = Field(description="embedding model that is configured now")
    done: int = Field(description="chunks with vectors")
    total: int


class SharedWith(BaseModel):
    """A person by name, as it was written: there need not be such a person."""

    name: str
    access: Literal["read", "write"]


class KnowledgeBase(BaseModel):
    """Files that are searched together."""

    id: str
    name: str
    description: str
    splitting: Splitting = Field(description="how files read from now on are split")
    split_otherwise: int = Field(
        description="files that were split otherwise and can be read again"
    )
    files: int
    chunks: int
    failed: int
    pending: int
    state: str
    vectors: VectorState
    bundled: bool
    created_at: datetime
    owner: str | None = Field(description="whose it is; null for a bundled one")
    own: bool = Field(description="whether it is yours")
    may: Literal["read", "write", "manage"] = Field(description="what you may do")
    access: Access = Field(description="what everybody on this installation may do")
    shared_with: list[SharedWith] | None = Field(description="null unless you may manage it")


class LeftOutFile(BaseModel):
    """A file within a document that could not be read."""

    name: str
    reason: str


class WebPage(BaseModel):
    """Where a file comes from that was fetched from the web."""

    url: str
    fetched_at: datetime | None = Field(description="when its content was last seen")
    again: Literal["fetching", "replaced", "unchanged", "failed"] | None = Field(
        description="what became of fetching it again"
    )
    error: ErrorDetails | None = Field(
        description="why it could not be fetched again; its content is that of before"
    )


class KnowledgeFile(BaseModel):
    """A document and its processing status."""

    id: str
    knowledge_base_id: str
    name: str
    md5: str | None = Field(description="null until a web page is fetched")
    size: int
    media_type: str
    status: str
    progress: float
    pages: int | None
    chunks: int
    skipped: int = Field(description="parts that could not be read, such as shapes or pages")
    left_out: list[LeftOutFile] = Field(
        description="those of them that are files of their own: attachments, files in an archive"
    )
    scanned: int = Field(description="pages whose text is in a picture")
    recognised: int = Field(description="how many of them text recognition has done with")
    words_only: int = Field(description="passages that only keyword search finds")
    split: Splitting = Field(description="how it was split")
    split_reason: Literal["off", "away", "language", "long"] | None = Field(
        description="why it was split by size although meaning was chosen: no embedding model, it "
        "was not available, it does not support the language, or the file is too long"
    )
    error: ErrorDetails | None
    created_at: datetime
    web_page: WebPage | None


class UploadedFile(KnowledgeFile):
    """A document that was uploaded."""

    duplicate: bool = Field(description="whether the base already had this file; it is returned")


class RefusedFile(BaseModel):
    """A file that was not accepted, and why."""

    name: str
    error: ErrorDetails


class UploadResult(BaseModel):
    """The files of an upload, in the order sent."""

    items: list[UploadedFile | RefusedFile]


class NewBaseResult(UploadResult):
    """A new knowledge base with its first files."""

    knowledge_base: KnowledgeBase


class FileChunk(BaseModel):
    """A chunk of a document's text."""

    ordinal: int
    page: int | None
    heading: str
    start: int
    end: int
    text: str


class StorageUsage(BaseModel):
    """The amount of data stored for the current user, including temporary sessions."""

    chats: int
    messages: int
    knowledge_bases: int
    files: int
    file_bytes: int
    embedder: str | None = Field(
        description="the remote embedding model that documents and questions are sent to"
    )
    reranker: str | None = Field(
        description="the reranking model that questions and the passages found are sent to"
    )
    home: str | None = Field(description="the data folder; administrators only")
    database: str | None = Field(description="sqlite or postgresql; administrators only")
