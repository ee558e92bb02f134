"""Suppliers' refusals as our errors: one table from statuses and error bodies.

An error's sentence is `error.<code>` in static/i18n; web/errors.py and core/sse.py send it.

Suppliers' texts are read here to choose a code, are logged at debug without keys, and go no
further.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from enum import Enum
from time import time
from typing import Any

from chatapp.errors import (
    ChatAppError,
    ContextTooLong,
    UpstreamAuth,
    UpstreamError,
    UpstreamProtocol,
    UpstreamQuota,
    UpstreamRateLimit,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)

log = logging.getLogger(__name__)
LOGGED_CHARACTERS = 500
SECRET_CHARACTERS = 4  # shorter values, as of a header, occur in any text
MAX_RETRY_AFTER = 7 * 24 * 3600  # seconds; longer values are cut to this
_KEY = re.compile(r"(?i)(bearer\s+|\bsk-|\bkey[\"':= ]+)[^\s\"',}]{4,}")


class Kind(Enum):
    """The subject of a refusal."""

    AUTH = "auth"
    QUOTA = "quota"
    RATE = "rate"
    MODEL = "model"
    CONTEXT = "context"
    CONTENT = "content"
    REFUSED = "refused"
    FAULT = "fault"


# Words of codes, types and messages, first match wins. Numbers are Zhipu's (11.., 12.., 13..) and
# SiliconFlow's (20012, 30001):
# https://docs.bigmodel.cn/cn/api/api-code, https://docs.siliconflow.cn/cn/faqs/error-code
_WORDS: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(words, re.IGNORECASE))
    for kind, words in (
        (
            Kind.QUOTA,
            r"insufficient[_ ](user[_ ])?(quota|balance|credits?|funds)|exceeded_current_quota"
            r"|exceeded your current quota|balance.{0,20}insufficient|arrear|out of credits?"
            r"|requires more credits|payment required|billing_(not|hard)"
            r"|\b1113\b|\b30001\b|余额不足|欠费|额度不足|额度已用尽",
        ),
        (
            Kind.CONTEXT,
            r"context_length|context[_ ](size|window)|maximum context|context length"
            r"|exceed_context|prompt is too long"
            r"|too many (input )?tokens|input (is|are) too long|range of input length|\b1261\b"
            r"|上下文.{0,6}(超|过长)|输入.{0,4}过长",
        ),
        (
            Kind.CONTENT,
            r"content[_ ](filter|policy|management)|content_policy|data_inspection"
            r"|inappropriate content|moderation|safety system|\b1301\b|敏感|违规",
        ),
        (
            Kind.MODEL,
            r"model_not_(found|exist|supported)"
            r"|model.{0,80}(not found|not exist|does not exist|not supported|is not available)"
            r"|unknown model|invalid model|not a valid model"
            r"|no (endpoints|available channels?) .{0,20}(found|for)|no such model"
            r"|\b1211\b|\b20012\b|模型不存在|无可用渠道",
        ),
        (
            Kind.AUTH,
            r"invalid[_ ]api[_ ]?key|incorrect api key|authentication|unauthori[sz]ed"
            r"|\b100[0-4]\b|无效的令牌|令牌",
        ),
        (
            Kind.RATE,
            r"rate[_ ]?limit|too many requests|throttl|overloaded|\b130[2345]\b|请求过于频繁|并发",
        ),
    )
)
_STATUS: dict[int, Kind] = {401: Kind.AUTH, 402: Kind.QUOTA, 403: Kind.AUTH, 429: Kind.RATE}
# Kinds that words may turn a status into; any, for the other statuses from 400 to 499.
_MAY_BE: dict[int, tuple[Kind, ...]] = {
    401: (Kind.QUOTA,),
    402: (),
    403: (Kind.QUOTA, Kind.CONTENT, Kind.MODEL, Kind.RATE),
    404: (Kind.MODEL,),
    429: (Kind.QUOTA,),
}


def refusal(
    status: int, body: Any, supplier: str, model: str, retry_after: int | None = None
) -> ChatAppError:
    """Return our error for a supplier's; `status` is 0 for an error event inside a stream."""
    words = _words(body)
    status = status or _status_in(body)
    kind = _kind(status, words)
    match kind:
        case Kind.AUTH:
            return UpstreamAuth(supplier=supplier)
        case Kind.QUOTA:
            return UpstreamQuota(supplier=supplier)
        case Kind.RATE if retry_after:
            return UpstreamRateLimit(
                "after", retry_after=retry_after, supplier=supplier, seconds=retry_after
            )
        case Kind.RATE:
            return UpstreamRateLimit(supplier=supplier)
        case Kind.MODEL:
            return UpstreamRefused("model", supplier=supplier, model=model)
        case Kind.CONTEXT:
            return ContextTooLong()
        case Kind.CONTENT:
            return UpstreamRefused("content", supplier=supplier)
        case Kind.REFUSED:
            return UpstreamRefused(supplier=supplier)
    if 300 <= status <= 405:
        return UpstreamProtocol(supplier=supplier)
    if not status:
        return UpstreamError("event", supplier=supplier)
    return UpstreamError(retry_after=retry_after, supplier=supplier, status=status)


def _kind(status: int, words: str) -> Kind:
    if 300 <= status < 400 or status >= 500:
        return Kind.FAULT
    may_be = _MAY_BE.get(status, tuple(Kind))
    for kind, pattern in _WORDS:
        if kind in may_be and pattern.search(words):
            return kind
    # A 404 that does not name a model comes from a wrong path in the address.
    if status in (0, 404, 405):
        return Kind.FAULT
    return _STATUS.get(status, Kind.REFUSED)


def _words(body: Any) -> str:
    """Join the texts of an error body: {"error": …}, {"message": …}, {"detail": …}, lists."""
    if isinstance(body, list):
        return " ".join(_words(item) for item in body[:3])
    if not isinstance(body, dict):
        return str(body or "")[:4000]
    inner = body.get("error") or body.get("errors") or body.get("detail")
    if isinstance(inner, dict | list):
        return _words(inner)
    parts = (inner, body.get("code"), body.get("type"), body.get("msg"), body.get("message"))
    return " ".join(str(part)[:4000] for part in parts if isinstance(part, str | int))


def _status_in(body: Any) -> int:
    """Return the HTTP status that an error event repeats (OpenRouter, vLLM), else 0."""
    inner = body.get("error") if isinstance(body, dict) else None
    for holder in (inner, body):
        for name in ("code", "status", "status_code"):
            value = holder.get(name) if isinstance(holder, dict) else None
            if isinstance(value, int | str) and str(value).isdigit() and 400 <= int(value) < 600:
                return int(value)
    return 0


def retry_after(headers: Mapping[str, str]) -> int | None:
    """Return Retry-After (seconds or a date) in seconds; None for no or no valid value."""
    value = next(
        (value.strip() for name, value in headers.items() if name.lower() == "retry-after"), ""
    )
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(int(-(-seconds // 1)), MAX_RETRY_AFTER) if 0 < seconds < float("inf") else None


def unreachable(supplier: str, certificate: bool = False) -> ChatAppError:
    """Return the error for no connection to the supplier."""
    return UpstreamUnreachable("certificate" if certificate else None, supplier=supplier)


def too_slow(supplier: str, seconds: int) -> ChatAppError:
    """Return the error for a supplier that did not answer in time."""
    return UpstreamTimeout(supplier=supplier, seconds=seconds)


def cut(supplier: str) -> ChatAppError:
    """Return the error for an incomplete answer."""
    return UpstreamError("cut", supplier=supplier)


def garbled(supplier: str) -> ChatAppError:
    """Return the error for a response that is not a chat answer."""
    return UpstreamProtocol(supplier=supplier)


def log_foreign(supplier: str, status: int, text: object, secrets: Iterable[str]) -> None:
    """Log a supplier's text at debug: shortened, on one line, without the secrets it repeats."""
    if not log.isEnabledFor(logging.DEBUG):
        return
    words = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        if len(secret) >= SECRET_CHARACTERS:
            words = words.replace(secret, "***")
    words = _KEY.sub(r"\1***", words)[:LOGGED_CHARACTERS]
    log.debug("supplier %s answered status %d: %s", supplier, status, ascii(words))
