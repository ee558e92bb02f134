"""Response bodies of sessions and what belongs to them; see `responses.py`."""

from datetime import datetime

from pydantic import BaseModel, Field


class ChatSettings(BaseModel):
    """Settings of a chat; null: the user's default."""

    temperature: float | None
    system_prompt: str | None
    max_length: int | None
    documents_only: bool | None


class Session(BaseModel):
    """A chat, with its settings."""

    id: str
    title: str
    pinned: bool
    temporary: bool = Field(description="deleted after 24 hours and never listed")
    created_at: datetime
    updated_at: datetime
    knowledge_base_id: str | list[str] | None
    filter_by_file_md5: list[str] = Field(
        description="the files that the last question was limited to"
    )
    search_k: int | None = Field(description="how many passages the last question asked for")
    supplier: str | None
    model: str | None
    settings: ChatSettings = Field(description="what its questions use if they set nothing else")
    leaf_id: str | None = Field(description="the last message of the branch last shown")


class Feedback(BaseModel):
    """What the user thinks of an answer."""

    rating: str = Field(description="up or down")
    reason: str
    updated_at: datetime


class LeftOutChat(BaseModel):
    """A chat of an import file that was not taken."""

    title: str
    reason: str = Field(
        description="too_large, too_deep, unreadable, cut_off, unknown, empty or broken"
    )
    message: str = Field(description="the reason in the reader's language")


class LeftOutParts(BaseModel):
    """Parts of imported chats that were not taken, by reason."""

    reason: str = Field(
        description="files, tools, reasoning, hidden, sources, too_long, broken or other"
    )
    count: int
    message: str = Field(description="what they are, in the reader's language")


class ImportReport(BaseModel):
    """What an import took, and what not."""

    chats: int = Field(description="chats that were added")
    messages: int = Field(description="messages that were added")
    grown: int = Field(description="chats of an earlier import that gained messages")
    present: int = Field(description="chats that were here already, with all messages")
    left_out_chats: int
    left_out: list[LeftOutChat] = Field(description="at most 100 of them")
    parts: list[LeftOutParts]


class Share(BaseModel):
    """A read-only link to a branch of a session, without its secret."""

    id: str
    session_id: str
    title: str = Field(description="the session's, when the link was made")
    created_at: datetime
    expires_at: datetime


class NewShare(Share):
    """A new link, whose address is returned only once."""

    path: str = Field(description="follows the address of the service")


class Prompt(BaseModel):
    """A saved prompt."""

    id: str
    name: str
    text: str
    created_at: datetime


class Preset(BaseModel):
    """What a chat can be started with."""

    id: str
    name: str
    supplier: str | None
    model: str | None
    knowledge_base_id: str | list[str] | None
    settings: ChatSettings
    created_at: datetime
