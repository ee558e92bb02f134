"""All errors of the product as one tree; those of suppliers: chains/upstream_errors.py.

    ChatAppError
    ├── InvalidRequest, Unauthorized, Forbidden, NotFound, MethodNotAllowed, OriginRefused
    ├── RequestTimeout, Busy, TooManyAnswers, QuotaUsed
    ├── DatabaseNewer, MoveRefused
    ├── StorageUnavailable: DatabaseBusy, DatabaseUnusable, DiskFull
    ├── TooLarge, UnsupportedFile, UnreadableFile, OriginalMissing, PageUnavailable
    ├── NoModel, ModelGone, ContextTooLong
    ├── UpstreamError
    ├── KnowledgeUnavailable, EmbedderUnavailable
    └── AnswerTooLong, Interrupted, NotSaved, Internal

An error has a code for programs, a catalogue key with parameters for people, and an HTTP status.
Its text is made in two places only: the JSON handler and the `error` event. Text of foreign errors
is never a parameter; a supplier's is kept in `upstream`, which the two show to administrators only.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Param = str | int


@dataclass(frozen=True, slots=True)
class SupplierAnswer:
    """What a supplier answered, without secrets. Shown to administrators only."""

    status: int
    text: str


class ChatAppError(Exception):
    """The root. `detail` selects the text `error.<code>.<detail>`; `retry_after` is in seconds."""

    code = "internal"
    status = 500
    retryable = False
    again_seconds: int | None = None  # `retry_after` where none is given
    upstream: SupplierAnswer | None = None

    def __init__(
        self, detail: str | None = None, /, *, retry_after: int | None = None, **params: Param
    ) -> None:
        self.detail = detail
        self.retry_after = self.again_seconds if retry_after is None else retry_after
        self.params: Mapping[str, Param] = params
        super().__init__(self.key, dict(params))

    @property
    def key(self) -> str:
        """The catalogue key of the text."""
        return f"error.{self.code}.{self.detail}" if self.detail else f"error.{self.code}"


class InvalidRequest(ChatAppError):
    """A field is invalid. The text `server.reason.<reason>` says why, without the value."""

    code, status = "invalid_request", 422

    def __init__(self, field: str, reason: str, /, **params: Param) -> None:
        super().__init__()
        self.params = params
        self.reasons: dict[str, tuple[str, Mapping[str, Param]]] = {field: (reason, params)}


class Unauthorized(ChatAppError):
    """Not signed in, or invalid credentials."""

    code, status = "unauthorized", 401


class Forbidden(ChatAppError):
    """The current user is not allowed to do this."""

    code, status = "forbidden", 403


class NotFound(ChatAppError):
    """Missing, or another user's: deliberately indistinguishable."""

    code, status = "not_found", 404


class Deleted(NotFound):
    """The answer was deleted while it was being written."""

    def __init__(self) -> None:
        super().__init__("deleted")


class MethodNotAllowed(ChatAppError):
    """The path exists, the method does not."""

    code, status = "method_not_allowed", 405


class OriginRefused(ChatAppError):
    """The request comes from a page of another origin."""

    code, status = "origin_refused", 403


class Busy(ChatAppError):
    """The same branch of the session has a live answer."""

    code, status, retryable = "busy", 409, True


class TooManyAnswers(ChatAppError):
    """The user's limit of live answers is reached."""

    code, status, retryable = "too_many_answers", 429, True


class QuotaUsed(ChatAppError):
    """The user has used the tokens of a day; `retry_after` is when the next day begins."""

    code, status, retryable = "quota_used", 429, True


class Overloaded(TooManyAnswers):
    """The worker's limit of streams is reached."""

    status = 503

    def __init__(self, limit: int) -> None:
        super().__init__("server", retry_after=5, limit=limit)


class Restarting(TooManyAnswers):
    """This worker is shutting down; another one will accept the request."""

    status = 503

    def __init__(self) -> None:
        super().__init__("restarting", retry_after=1)


class StorageUnavailable(ChatAppError):
    """Nothing can be stored now; what is kept in memory may be stored later."""


class DatabaseBusy(StorageUnavailable):
    """Another process locked the database for longer than the time-out."""

    code, status, retryable, again_seconds = "database_busy", 503, True, 1


class DatabaseNewer(ChatAppError):
    """A newer version of the product created the database."""

    code, status = "database_newer", 503


class DatabaseUnusable(StorageUnavailable):
    """The database cannot be used until somebody repairs it.

    `detail` is damaged, gone (the file was removed or replaced) or unwritable (by this user).
    """

    code, status = "database_unusable", 503


class MoveRefused(ChatAppError):
    """A database cannot be moved, or used while it is moved; `detail` says why."""

    code, status = "move_refused", 503


class RequestTimeout(ChatAppError):
    """The body of a request stopped arriving, or arrives too slowly."""

    code, status, retryable = "request_timeout", 408, True


class TooLarge(ChatAppError):
    """A body, file or field exceeds its limit."""

    code, status = "too_large", 413


class HeadTooLarge(TooLarge):
    """The head of a request has too many bytes or fields."""

    status = 431

    def __init__(self) -> None:
        super().__init__("head")


class AddressTooLong(TooLarge):
    """The address in the first line of a request is too long."""

    status = 414

    def __init__(self) -> None:
        super().__init__("address")


class Malformed(ChatAppError):
    """A request that is not HTTP as the server understands it."""

    code, status = "invalid_request", 400

    def __init__(self, status: int = status) -> None:
        super().__init__("http")
        self.status = status


class UnsupportedFile(ChatAppError):
    """No parser reads this kind of file."""

    code, status = "unsupported_file", 415


class UnreadableFile(ChatAppError):
    """A file of a supported kind cannot be read; `detail` says why."""

    code, status = "unreadable_file", 422


class OriginalMissing(ChatAppError):
    """The uploaded copy of a file is not on the server's disk, or not all of it; the file waits."""

    code, status, retryable = "original_missing", 503, True


class PageUnavailable(ChatAppError):
    """A web page cannot be fetched or has no text; `detail` says why.

    `passing`: it is tried again without being asked, after `retry_after` seconds where the server
    names them.
    """

    code, status = "page_unavailable", 502
    PASSING = frozenset(
        ("names", "unreachable", "timed_out", "too_slow", "broken", "proxy", "busy", "server")
    )

    def __init__(self, detail: str, retry_after: int | None = None, **params: Param) -> None:
        super().__init__(detail, retry_after=retry_after, **params)
        self.passing = detail in self.PASSING
        self.retryable = self.passing


class DiskFull(StorageUnavailable):
    """The disk is full or read-only."""

    code, status = "disk_full", 507


class NoModel(ChatAppError):
    """No model is selected and there is no default."""

    code, status = "no_model", 409


class ModelGone(ChatAppError):
    """The selected model is no longer offered."""

    code, status = "model_gone", 409


class ContextTooLong(ChatAppError):
    """The question exceeds the model's context."""

    code, status = "context_too_long", 413


class AnswerTooLong(ChatAppError):
    """The answer exceeds its limit."""

    code, retryable = "answer_too_long", True


class Interrupted(ChatAppError):
    """The process that wrote the answer has ended; `shutdown`: it was asked to."""

    code, retryable = "interrupted", True


class NotSaved(ChatAppError):
    """The final state of the answer could not be committed."""

    code, retryable = "not_saved", True


class KnowledgeUnavailable(ChatAppError):
    """The knowledge base cannot be searched."""

    code, status, retryable = "knowledge_unavailable", 503, True


class EmbedderUnavailable(KnowledgeUnavailable):
    """The embedding service fails; `detail` is away, key, refused, garbled, dimension or none.

    `http_status` is the status that it returned, or 0.
    """

    def __init__(self, detail: str, http_status: int = 0, model: str = "") -> None:
        super().__init__(f"embedder_{detail}", model=model)
        self.http_status = http_status


class Internal(ChatAppError):
    """An error of the product; the log has the details under the request id."""

    retryable = True


def status_of(code: str) -> int:
    """Return the HTTP status of a code."""
    return next(
        (kind.status for kind in _tree(ChatAppError) if kind.code == code), ChatAppError.status
    )


def _tree(kind: type[ChatAppError]) -> list[type[ChatAppError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _tree(child))]
