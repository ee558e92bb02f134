"""Errors of suppliers, a part of the tree in chatapp/errors.py.

UpstreamError          (any error of a supplier; the next are more specific)
├── UpstreamUnreachable, UpstreamTimeout, UpstreamProtocol, UpstreamEmpty
└── UpstreamAuth, UpstreamRateLimit, UpstreamQuota, UpstreamRefused
"""

from chatapp.errors import ChatAppError


class UpstreamError(ChatAppError):
    """The supplier responded with an error."""

    code, status, retryable = "upstream_error", 502, True


class UpstreamUnreachable(UpstreamError):
    """The supplier cannot be reached."""

    code = "upstream_unreachable"


class UpstreamTimeout(UpstreamError):
    """The supplier exceeded a time limit."""

    code, status = "upstream_timeout", 504


class UpstreamProtocol(UpstreamError):
    """The response is not a chat completion."""

    code = "upstream_protocol"


class UpstreamEmpty(UpstreamError):
    """The answer is empty; `detail` is thinking, thinking_length, length or tool."""

    code = "upstream_empty"


class UpstreamAuth(UpstreamError):
    """The supplier rejects the key, or the key lacks permission."""

    code, retryable = "upstream_auth", False


class UpstreamRateLimit(UpstreamError):
    """Too many requests; `retry_after` is the supplier's."""

    code, status = "upstream_rate_limit", 429


class UpstreamQuota(UpstreamError):
    """The account at the supplier has no credit."""

    code, status, retryable = "upstream_quota", 402, False


class UpstreamRefused(UpstreamError):
    """The supplier rejected this request. `names`: the request fields that it names as a reason."""

    code, status, retryable = "upstream_refused", 422, False
    names: frozenset[str] = frozenset()
