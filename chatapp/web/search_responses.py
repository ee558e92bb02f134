"""The responses about searches: how an answer's passages were chosen, and found sessions."""

from typing import Literal

from pydantic import BaseModel, Field

from chatapp.web.session_responses import Session


class Candidate(BaseModel):
    """A chunk that the search of an answer found."""

    n: int | None = Field(description="the passage that contains it, if the model was given it")
    cut: Literal["below_k", "copy", "joined", "no_room", "gone"] | None = Field(
        description="why it is not a passage of its own"
    )
    chunk_id: int
    knowledge_base_id: str | None
    file_id: str | None
    name: str | None = Field(description="of its file; null if that was deleted")
    page: int | None
    heading: str | None = Field(description="null if the chunk no longer exists, as are the next")
    start: int | None
    end: int | None
    by: dict[str, float | None] = Field(
        description="the score of each ranking: words, vectors, rerank"
    )


class CutToFit(BaseModel):
    """What had no room in the prompt."""

    passages: int
    history: int = Field(description="earlier messages")


class AnswerSearch(BaseModel):
    """How the passages of an answer were chosen."""

    query: str = Field(description="as searched for, after rewriting; at most 400 characters")
    k: int = Field(description="how many passages were asked for")
    found: int = Field(description="how many chunks the search found")
    cut: CutToFit
    candidates: list[Candidate] = Field(description="at most 30")


class FoundSession(Session):
    """A session that a search found, with a snippet of the match."""

    snippet: str
    message_id: str | None
    title_marks: list[tuple[int, int]]
    snippet_marks: list[tuple[int, int]]
