"""Errors of signing in. They belong to the tree in `chatapp/errors.py`."""

from chatapp.errors import ChatAppError


class TooManyAttempts(ChatAppError):
    """Passwords were tried too often, or too many are being checked right now."""

    code, status, retryable = "too_many_attempts", 429, True

    def __init__(self, seconds: int, detail: str | None = None) -> None:
        super().__init__(detail, retry_after=seconds, seconds=seconds)


class ProviderUnavailable(ChatAppError):
    """The identity provider does not answer as expected; `detail` is answer or client."""

    code, status, retryable = "provider_unavailable", 502, True


class SignInRefused(ChatAppError):
    """Signing in by a provider fails.

    `detail`: expired (no sign-in is pending in this browser), denied (by the provider), invalid
    (what it sent does not belong to this sign-in), not_allowed, disabled.
    """

    code, status = "sign_in_refused", 403
