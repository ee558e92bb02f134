"""Every error the product can name, drawn as one tree. A leaf: it imports nothing of ours.

    ChatAppError
    ├── InvalidRequest, Unauthorized, Forbidden, NotFound, MethodNotAllowed, OriginRefused
    ├── Busy, TooManyAnswers, DatabaseBusy, DatabaseNewer
    ├── TooLarge, UnsupportedFile, UnreadableFile, DiskFull
    ├── NoModel, ModelGone, ContextTooLong
    ├── UpstreamError          (a supplier's own fault; the next are more precise)
    │   ├── UpstreamUnreachable, UpstreamTimeout, UpstreamProtocol
    │   └── UpstreamAuth, UpstreamRateLimit, UpstreamQuota, UpstreamRefused
    ├── KnowledgeUnavailable, EmbedderUnavailable
    └── AnswerTooLong, Interrupted, NotSaved, Internal

An error carries a code for programs, a catalogue key with parameters for people, and the HTTP status to suggest. It
becomes words at two exits only: the JSON handler and the `error` event. Foreign error text is never a parameter.
"""

from collections.abc import Mapping

Param = str | int


class ChatAppError(Exception):
    """The root. `detail` picks a more precise sentence (`error.<code>.<detail>`); `retry_after` is in seconds."""

    code = "internal"
    status = 500
    retryable = False

    def __init__(
        self, detail: str | None = None, /, *, retry_after: int | None = None, **params: Param
    ) -> None:
        self.detail = detail
        self.retry_after = retry_after
        self.params: Mapping[str, Param] = params
        super().__init__(self.key, dict(params))

    @property
    def key(self) -> str:
        """The catalogue key of the sentence a person reads."""
        return f"error.{self.code}.{self.detail}" if self.detail else f"error.{self.code}"


class InvalidRequest(ChatAppError):
    """A field is wrong: its name and the key of what it takes (`server.reason.<reason>`). What was sent is never repeated."""

    code, status = "invalid_request", 422

    def __init__(self, field: str, reason: str, /, **params: Param) -> None:
        super().__init__()
        self.params = params
        self.reasons: dict[str, tuple[str, Mapping[str, Param]]] = {field: (reason, params)}


class Unauthorized(ChatAppError):
    """Nobody is signed in, or what was shown does not match."""

    code, status = "unauthorized", 401


class Forbidden(ChatAppError):
    """Signed in, but not allowed."""

    code, status = "forbidden", 403


class NotFound(ChatAppError):
    """Not there, or somebody else's: the two are never told apart."""

    code, status = "not_found", 404


class MethodNotAllowed(ChatAppError):
    """The address exists, the verb does not."""

    code, status = "method_not_allowed", 405


class OriginRefused(ChatAppError):
    """A page of another origin asked."""

    code, status = "origin_refused", 403


class Busy(ChatAppError):
    """The same branch of the session has a live answer."""

    code, status, retryable = "busy", 409, True


class TooManyAnswers(ChatAppError):
    """The person's limit of live answers is reached."""

    code, status, retryable = "too_many_answers", 429, True


class Overloaded(TooManyAnswers):
    """The worker's limit of streams is reached."""

    status = 503

    def __init__(self, limit: int) -> None:
        super().__init__("server", retry_after=5, limit=limit)


class Restarting(TooManyAnswers):
    """The worker that was asked is about to leave; another one answers in a moment."""

    status = 503

    def __init__(self) -> None:
        super().__init__("restarting", retry_after=1)


class DatabaseBusy(ChatAppError):
    """Another process held the database for longer than the time-out."""

    code, status, retryable = "database_busy", 503, True


class DatabaseNewer(ChatAppError):
    """The database was made by a newer version of this program."""

    code, status = "database_newer", 503


class TooLarge(ChatAppError):
    """A body, a file or a field is over its limit."""

    code, status = "too_large", 413


class UnsupportedFile(ChatAppError):
    """Of a kind that no parser reads."""

    code, status = "unsupported_file", 415


class UnreadableFile(ChatAppError):
    """Of a known kind, but it cannot be read; `detail` says why."""

    code, status = "unreadable_file", 422


class DiskFull(ChatAppError):
    """No room to keep what was sent."""

    code, status = "disk_full", 507


class NoModel(ChatAppError):
    """No model was chosen and there is no default."""

    code, status = "no_model", 409


class ModelGone(ChatAppError):
    """The chosen model is not offered any more."""

    code, status = "model_gone", 409


class ContextTooLong(ChatAppError):
    """The question does not fit into what the model can read."""

    code, status = "context_too_long", 413


class UpstreamError(ChatAppError):
    """A supplier answered with a fault of its own."""

    code, status, retryable = "upstream_error", 502, True


class UpstreamUnreachable(UpstreamError):
    """No connection to the supplier."""

    code = "upstream_unreachable"


class UpstreamTimeout(UpstreamError):
    """The supplier did not go on in time."""

    code, status = "upstream_timeout", 504


class UpstreamProtocol(UpstreamError):
    """What came is not a chat answer."""

    code = "upstream_protocol"


class UpstreamAuth(UpstreamError):
    """The key is refused."""

    code, retryable = "upstream_auth", False


class UpstreamRateLimit(UpstreamError):
    """Too many requests; `retry_after` says when again."""

    code, status = "upstream_rate_limit", 429


class UpstreamQuota(UpstreamError):
    """The account is empty."""

    code, status, retryable = "upstream_quota", 402, False


class UpstreamRefused(UpstreamError):
    """The supplier declined this request."""

    code, status, retryable = "upstream_refused", 422, False


class AnswerTooLong(ChatAppError):
    """The answer grew over its limit."""

    code, retryable = "answer_too_long", True


class Interrupted(ChatAppError):
    """The process that wrote the answer is gone."""

    code, retryable = "interrupted", True


class NotSaved(ChatAppError):
    """The final state could not be committed."""

    code, retryable = "not_saved", True


class KnowledgeUnavailable(ChatAppError):
    """The documents cannot be searched."""

    code, status, retryable = "knowledge_unavailable", 503, True


class EmbedderUnavailable(KnowledgeUnavailable):
    """No vectors can be had: away, key, refused, garbled, dimension, none. `status_said` is the service's HTTP status, or 0."""

    def __init__(self, detail: str, status_said: int = 0, model: str = "") -> None:
        super().__init__(f"embedder_{detail}", model=model)
        self.status_said = status_said


class Internal(ChatAppError):
    """A fault of ours; the log has the rest under the request id."""

    retryable = True


def status_of(code: str) -> int:
    """Return the HTTP status that belongs to a code."""
    return next(
        (kind.status for kind in _tree(ChatAppError) if kind.code == code), ChatAppError.status
    )


def _tree(kind: type[ChatAppError]) -> list[type[ChatAppError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _tree(child))]
