"""How long a supplier asks to wait: from the headers and the body of a refusal, in seconds."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from math import ceil, isfinite
from time import time
from typing import Any

from chatapp.chains.error_body import read_error

MAX_RETRY_AFTER = 7 * 24 * 3600  # seconds; longer values are cut to this
_MOST_RELATIVE = 10**8  # greater numbers are times, in seconds or milliseconds since 1970
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_UNIT = (
    r"(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|d|毫秒|秒|分钟|小时|天)"
)
_CHINESE = {"毫": "ms", "秒": "s", "分": "m", "小": "h", "天": "d"}
_DURATION = re.compile(rf"(\d+(?:\.\d+)?)\s*{_UNIT}(?![a-z])", re.IGNORECASE)
_LENGTH = rf"((?:\d+(?:\.\d+)?\s*{_UNIT}(?![a-z])\s*)+)"
_SAID = re.compile(
    rf"(?:again|retry|wait|reset|resets|available)\b[^\d.]{{0,24}}?{_LENGTH}"
    rf"|{_LENGTH}(?:之?后)?(?:再试|重试|重置)",
    re.IGNORECASE,
)
_LIMITS = re.compile(r"(?:x-|anthropic-)?ratelimit\w*-(?:.*-)?reset.*")


def retry_after(headers: Mapping[str, str], body: Any = None) -> int | None:
    """Return how long to wait, in whole seconds; None where nothing says it.

    Read in this order: `retry-after-ms`, `Retry-After` (seconds or a date), Google's
    RetryInfo, a sentence such as "try again in 20s", and the `ratelimit-reset` headers of limits
    that are used up.
    """
    named = {name.lower(): str(value).strip() for name, value in headers.items()}
    for seconds in _candidates(named, body):
        if seconds is not None and isfinite(seconds) and seconds > 0:
            return min(ceil(seconds), MAX_RETRY_AFTER)
    return None


def _candidates(headers: Mapping[str, str], body: Any) -> Iterator[float | None]:
    milliseconds = _number(headers.get("retry-after-ms", ""))
    yield None if milliseconds is None else milliseconds / 1000
    yield _seconds(headers.get("retry-after", ""))
    if body is not None:
        yield _retry_info(body)
        said = _SAID.search(read_error(body).text)
        yield _duration(said[0]) if said else None
        yield _limits(_inner_headers(body))
    yield _limits(headers)


def _seconds(value: str) -> float | None:
    """Read seconds, a duration such as `1m30s`, a time since 1970, or a date of HTTP or ISO."""
    number = _number(value)
    if number is not None:
        if number < _MOST_RELATIVE:
            return number
        return (number / 1000 if number > _MOST_RELATIVE * 1000 else number) - time()
    if _DURATION.match(value):
        return _duration(value)
    try:
        return parsedate_to_datetime(value).timestamp() - time()
    except (ValueError, TypeError, OverflowError):
        pass
    try:
        return datetime.fromisoformat(value).timestamp() - time()
    except (ValueError, OverflowError):
        return None


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _duration(text: str) -> float:
    seconds = 0.0
    for number, unit in _DURATION.findall(text):
        name = _CHINESE.get(unit[0]) or ("ms" if unit.lower().startswith("mil") else unit.lower())
        seconds += float(number) * _UNITS["ms" if name == "ms" else name[0]]
    return seconds


def _retry_info(body: Any) -> float | None:
    """Return `retryDelay` of google.rpc.RetryInfo, at any depth of lists and objects."""
    pending, left = [body], 200
    while pending and left:
        value, left = pending.pop(), left - 1
        if isinstance(value, list):
            pending += value[:20]
        elif isinstance(value, dict):
            if isinstance(delay := value.get("retryDelay"), str):
                return _duration(delay)
            pending += [inner for inner in value.values() if isinstance(inner, dict | list)]
    return None


def _inner_headers(body: Any) -> Mapping[str, str]:
    """Return the headers that OpenRouter puts into the body."""
    found = body
    for name in ("error", "metadata", "headers"):
        found = found.get(name) if isinstance(found, dict) else None
    return {str(n).lower(): str(v) for n, v in found.items()} if isinstance(found, dict) else {}


def _limits(headers: Mapping[str, str]) -> float | None:
    """Return when the last of the limits that are used up is reset."""
    waits = [
        seconds
        for name, value in headers.items()
        if _LIMITS.fullmatch(name)
        and _number(headers.get(name.replace("reset", "remaining"), "0")) == 0
        and (seconds := _seconds(value)) is not None
    ]
    return max(waits, default=None)
