"""Which figures there are, and how to record one.

Recording appends to a queue, which is safe from any thread and takes less than a microsecond;
`published.py` counts what is in it once a second. Figures are recorded once an answer, request or
transaction, never for each token. Label values are our own words (states, codes), never input.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal, TypeAlias

Record: TypeAlias = tuple["Figure", tuple[str, ...], float]

MOST_RECORDS = 20_000  # in processes that do not publish, and if publishing falls behind
records: deque[Record] = deque(maxlen=MOST_RECORDS)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: its name, kind, help for operators, labels, and upper bounds of its buckets."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def bounds(self) -> tuple[str, ...]:
        """The upper bounds of its buckets as they are written."""
        return (*map(str, self.buckets), "+Inf")

    def record(self, value: float = 1, *labels: str) -> None:
        """Add to a counter, or record one value of a histogram (in seconds)."""
        records.append((self, labels, value))

    def sample(self, suffix: str, labels: tuple[str, ...], *more: tuple[str, str]) -> str:
        """Return a sample's name with its labels, as Prometheus writes it."""
        pairs = [*zip(self.labels, labels, strict=True), *more]
        written = ",".join(f'{name}="{value}"' for name, value in pairs)
        return f"{self.name}{suffix}{{{written}}}" if written else f"{self.name}{suffix}"


_WAITS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_STEPS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ANSWERS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_PAUSES = (1, 2, 5, 10, 20, 30, 60)
_DOCUMENTS = (0.5, 1, 5, 15, 60, 300, 900)

ANSWERS = Figure("chatapp_answers_total", "counter", "Answers that have ended.", ("state",))
SUPPLIER_ERRORS = Figure(
    "chatapp_supplier_errors_total",
    "counter",
    "Errors of suppliers that have ended an answer.",
    ("code",),
)
FIRST_TOKEN = Figure(
    "chatapp_first_token_seconds",
    "histogram",
    "From the question to the first text of its answer.",
    buckets=_ANSWERS,
)
ANSWER_SECONDS = Figure(
    "chatapp_answer_seconds", "histogram", "From the question to the end.", buckets=_ANSWERS
)
GAP = Figure(
    "chatapp_answer_gap_seconds",
    "histogram",
    "The longest pause within an answer, to a second.",
    buckets=_PAUSES,
)
RETRIEVAL = Figure(
    "chatapp_retrieval_seconds",
    "histogram",
    "From the question to its passages, with rewriting.",
    buckets=_STEPS,
)
DATABASE_WAIT = Figure(
    "chatapp_database_wait_seconds",
    "histogram",
    "Until a transaction has begun: for a thread, a connection and the lock.",
    ("operation",),
    _WAITS,
)
REQUESTS = Figure("chatapp_requests_total", "counter", "HTTP requests.", ("status",))
DOCUMENTS = Figure(
    "chatapp_documents_total",
    "counter",
    "Steps of files (reading, recognition, embedding), by the state they ended in.",
    ("state",),
)
DOCUMENT_SECONDS = Figure(
    "chatapp_document_seconds", "histogram", "The time of one such step.", buckets=_DOCUMENTS
)
PROCESSES = Figure("chatapp_processes", "gauge", "Processes that count: web or worker.", ("kind",))
LIVE_ANSWERS = Figure("chatapp_live_answers", "gauge", "Answers in progress.")
READERS = Figure("chatapp_readers", "gauge", "Open streams to readers.")
CONNECTIONS = Figure("chatapp_database_connections", "gauge", "Connections to the database in use.")
CONNECTIONS_LIMIT = Figure(
    "chatapp_database_connections_limit", "gauge", "Connections that the pools allow."
)
# The same on all hosts of one database.
WAITING = Figure("chatapp_documents_waiting", "gauge", "Files that are not ready yet.", ("state",))
OLDEST = Figure(
    "chatapp_documents_oldest_seconds",
    "gauge",
    "The age of the oldest file that is not searchable yet.",
)

FIGURES = (
    ANSWERS,
    SUPPLIER_ERRORS,
    FIRST_TOKEN,
    ANSWER_SECONDS,
    GAP,
    RETRIEVAL,
    DATABASE_WAIT,
    REQUESTS,
    DOCUMENTS,
    DOCUMENT_SECONDS,
    PROCESSES,
    LIVE_ANSWERS,
    READERS,
    CONNECTIONS,
    CONNECTIONS_LIMIT,
    WAITING,
    OLDEST,
)
