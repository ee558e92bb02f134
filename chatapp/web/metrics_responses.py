"""Response bodies of figures for operators."""

from datetime import datetime

from pydantic import BaseModel, Field


class MetricsNow(BaseModel):
    """Figures of this moment."""

    processes: int = Field(description="web workers and document workers")
    live_answers: int
    readers: int = Field(description="open streams")
    connections: int = Field(description="to the database, in use")
    connections_limit: int
    documents_waiting: int = Field(description="files that are not ready yet")
    documents_oldest_seconds: float = Field(description="age of the oldest unread file")


class MetricsMinute(BaseModel):
    """A minute. Durations are averages, null if there were none."""

    time: datetime = Field(description="when the minute begins")
    live_answers: int = Field(description="the most at once")
    answers: int
    supplier_errors: int
    first_token_seconds: float | None
    retrieval_seconds: float | None
    database_wait_seconds: float | None


class Metrics(BaseModel):
    """Figures of this host."""

    now: MetricsNow
    supplier_errors: dict[str, int] = Field(description="numbers by error code")
    minutes: list[MetricsMinute]
