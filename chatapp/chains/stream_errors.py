"""Recognize errors, and signs of life, among the events of a stream that are no chunks.

Suppliers and the proxies before them report an error in many forms once a stream has begun with
status 200. What such an error means is the business of `upstream`.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

NAME_CHARS = 200  # of a name or a kind that are looked at
TEXT_CHARS = 4000  # of a text, in which words of errors are looked for


class Notice(Enum):
    """What an event without a part of the answer says."""

    NOTHING = auto()  # a sign of life, or something unknown
    DOUBTFUL = auto()  # an error if nothing of the answer follows
    ERROR = auto()


_ERROR_NAME = re.compile(
    r"error|exception|(?<![a-z])fail(ed|ure)?(?![a-z])|fatal|abort", re.IGNORECASE
)
_PLAIN_NAMES = ("", "message", "data", "chunk", "answer")  # those that say nothing of the data
_ALIVE_NAME = re.compile(
    r"ping|pong|heart_?-?beat|keep_?-?alive|progress|processing|queue|pending|running|start|status",
    re.IGNORECASE,
)
_ERROR_TEXT = re.compile(
    r"error|exception|fail|time[ds]? ?-?out|unavailable|overload|too many|rate.?limit|quota"
    r"|denied|forbidden|unauthori[sz]ed|invalid|refused|insufficient|not found|bad gateway|reset by"
    r"|错误|失败|异常|超时|繁忙|限流|频繁|不足|欠费|无效|拒绝",
    re.IGNORECASE,
)
_ALIVE_TEXT = re.compile(
    r"\W*(ping|pong|heart ?beat|keep.?alive|alive|ok|connected|processing|waiting|null|none)?"
    r"[\W\dTZ]*",
    re.IGNORECASE,
)
_KINDS = ("type", "object", "event", "status", "level")
_ERRORS = ("error", "errors")
_DETAILS = ("detail", "error_message", "error_msg", "errmsg", "err_msg")
_CODES = ("code", "status_code", "statusCode", "status", "error_code", "errcode", "err_code")
_MESSAGES = ("message", "msg")
_BROKEN_ERROR = re.compile(r"""[{\[\s]*['"]?(error|errors|detail)['"]?\s*:""")
_FINE_WORDS = ("", "null", "none", "nil", "ok", "success", "false", "0", "no error")


def names_error(name: str) -> bool:
    """Return whether an event's name or a field's reports an error."""
    return bool(_ERROR_NAME.search(name[:NAME_CHARS]))


def notice(name: str, value: Any) -> Notice:
    """Return what an event says that holds no part of an answer."""
    if names_error(name):
        return Notice.ERROR if value is not None else Notice.DOUBTFUL
    if isinstance(value, Mapping):
        found = _object(value)
    elif isinstance(value, list):
        entries = [_object(entry) for entry in value if isinstance(entry, Mapping)]
        found = Notice.ERROR if Notice.ERROR in entries else Notice.NOTHING
    elif isinstance(value, str) and name.lower() in _PLAIN_NAMES:
        found = _text(value)
    else:
        found = Notice.NOTHING
    return found if name.lower() in _PLAIN_NAMES or found is Notice.ERROR else Notice.NOTHING


def error_in(body: Mapping[str, Any]) -> bool:
    """Return whether an object, also one with a part of the answer, has an error beside it."""
    return any(_tells(body.get(field)) for field in _ERRORS) or _failed(body.get("base_resp"))


def tells_error(broken: str) -> bool:
    """Return whether broken JSON is an error all the same: some print Python's own form."""
    return bool(_BROKEN_ERROR.match(broken[:NAME_CHARS]))


def _object(body: Mapping[str, Any]) -> Notice:
    if error_in(body):
        return Notice.ERROR
    kinds = [kind[:NAME_CHARS] for field in _KINDS if isinstance(kind := body.get(field), str)]
    if any(names_error(kind) for kind in kinds):
        return Notice.ERROR
    if any(_ALIVE_NAME.search(kind) for kind in kinds):
        return Notice.NOTHING
    if any(_tells(body.get(field)) for field in _DETAILS) or body.get("success") is False:
        return Notice.ERROR
    codes = [code for field in _CODES if isinstance(code := body.get(field), int | str)]
    says = any(isinstance(body.get(field), str) and body[field] for field in _MESSAGES)
    if any(_is_error(code, says) for code in codes):
        return Notice.ERROR
    says = says and not codes and body.get("success") is not True
    return Notice.DOUBTFUL if says else Notice.NOTHING


def _is_error(code: Any, says: bool) -> bool:
    """Return whether a code reports an error: a number, or a word if there is a message too."""
    number = _number(code)
    if number is None:
        return says and isinstance(code, str) and code.strip().lower() not in _FINE_WORDS
    return number >= 400 or (says and number != 0 and not 200 <= number < 300)


def _text(text: str) -> Notice:
    if len(text) <= NAME_CHARS and _ALIVE_TEXT.fullmatch(text):
        return Notice.NOTHING
    return Notice.ERROR if _ERROR_TEXT.search(text[:TEXT_CHARS]) else Notice.DOUBTFUL


def _tells(value: Any) -> bool:
    """Return whether the value of an error field tells of an error; some send `{"code": 0}`."""
    values = value.values() if isinstance(value, Mapping) else [value]
    return any(
        each.strip().lower() not in _FINE_WORDS if isinstance(each, str) else bool(each)
        for each in values
    )


def _failed(base_resp: Any) -> bool:
    """Return whether MiniMax's `base_resp` reports an error."""
    return isinstance(base_resp, Mapping) and bool(_number(base_resp.get("status_code")))


def _number(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value) else None
