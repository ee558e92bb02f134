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


class FoundSession(Session):
    """A session that a search found, with a snippet of the match."""

    snippet: str
