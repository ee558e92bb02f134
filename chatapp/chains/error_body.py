"""What a supplier's error body says: its codes, its words, and the request fields that it names.

Suppliers wrap errors in objects, lists and JSON texts of many forms. Values count as codes only in
fields that hold codes, so a number inside a sentence is never one. Fields that repeat the request
(`input`, `ctx`) are not read: a question must not be taken for a reason.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

MOST_VALUES = 200  # read from one body
TEXT_CHARACTERS = 4000  # of one text
ALL_CHARACTERS = 16_000  # of all texts
DEPTH = 8
_CODES = {
    "code", "type", "status", "status_code", "error_code", "err_code", "errcode", "reason",
    "error_type",
}  # fmt: skip
_TEXTS = {
    "message", "msg", "status_msg", "error_msg", "error_message", "errmsg", "err_msg", "title",
    "description", "reason", "error", "errors", "detail", "details", "raw", "quotaId",
}  # fmt: skip
_INSIDE = {
    "error", "errors", "detail", "details", "message", "msg", "metadata", "violations", "data",
    "header", "innererror",
}  # fmt: skip
_FIELDS = {"param", "parameter", "field", "loc"}  # hold names of request fields
_MINIMAX = "base_resp"
_NO_ERROR = (None, 0, 200, "0", "200", "success", "ok")
_PAGE = re.compile(r"<(!doctype|html|head|body|title)\b", re.IGNORECASE)
_EDGE = re.compile(r"error code: 1\d{3}\b")  # Cloudflare's, for clients that take no HTML
PAGE_CHARACTERS = 1000  # within which a page shows that it is one
_QUOTED = re.compile(r"[`'\"‘“\\]([A-Za-z][A-Za-z0-9_]{1,60})[`'\"’”\\]")
_SNAKE = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b")
_WORD = re.compile(r"\b(temperature|seed)\b", re.IGNORECASE)
# Refused without a name in quotes: roles (chat templates raise such sentences), and streaming.
_ROLE = re.compile(
    r"\b(system|developer)\b[\s`'\"]*(?:role|message|instruction|prompt)s?\b[^.]{0,40}"
    r"\b(?:not|isn't|unsupported|disabled)\b",
    re.IGNORECASE,
)
_ALTERNATE = re.compile(r"roles must alternate|only user and assistant roles", re.IGNORECASE)
_DEVELOPER = re.compile(r"incorrect role information|角色信息不正确", re.IGNORECASE)
_STREAM = re.compile(
    r"verified to stream|stream(ing)?( mode)? (is )?(not supported|unsupported)"
    r"|not support stream(ing)?\b",
    re.IGNORECASE,
)
_CAMEL_NAME = re.compile(r"\b[a-z]+(?:[A-Z][a-z]+)+\b")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error body as it is read; `status` is an HTTP status that it repeats, else 0.

    `codes` are in lower case; MiniMax's are written `base_resp.1004`, since others use the same
    numbers. `names` are words of the body that may be names of request fields.
    """

    codes: frozenset[str] = frozenset()
    text: str = ""
    names: frozenset[str] = frozenset()
    page: bool = False
    status: int = 0


def read_error(body: Any) -> ErrorBody:
    """Read a body: decoded JSON of any form, or its text where it is no JSON."""
    if isinstance(body, bytes):
        body = body.decode(errors="replace")
    if isinstance(body, str):
        begin = body[:PAGE_CHARACTERS].lstrip()
        page = begin.startswith("<") and bool(_PAGE.search(begin)) or bool(_EDGE.match(begin))
        text = body[:TEXT_CHARACTERS]
        return ErrorBody(text=text, names=_names_in(text), page=page)
    reader = _Reader()
    reader.read(body)
    text = " ".join(reader.texts)[:ALL_CHARACTERS]
    codes = frozenset(code.lower() for code in reader.codes)
    return ErrorBody(codes, text, _names_in(text) | reader.fields, False, reader.status)


def holds_error(body: Any) -> bool:
    """Return whether JSON with status 200 is an error by its form: MiniMax's, or a list of one."""
    if isinstance(body, list):
        return bool(body) and holds_error(body[0])
    return isinstance(body, dict) and _is_refused(body)


def refuses_list(body: Any) -> bool:
    """Return whether JSON with status 200 that lists nothing reports an error instead."""
    if not isinstance(body, dict):
        return False
    failed = body.get("success") is False or body.get("code") not in _NO_ERROR
    return _is_refused(body) or failed and bool(body.get("message") or body.get("msg"))


def _is_refused(body: dict[Any, Any]) -> bool:
    """Return whether an object has an `error` or MiniMax's `base_resp` with a code but 0."""
    inner = body.get(_MINIMAX)
    code = inner.get("status_code") if isinstance(inner, dict) else None
    return bool(body.get("error")) or code not in (None, 0, "0")


class _Reader:
    """Collects codes, texts and names from nested JSON."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.texts: list[str] = []
        self.fields: set[str] = set()
        self.status = 0
        self._left = MOST_VALUES

    def read(self, value: Any, depth: int = DEPTH) -> None:
        if depth <= 0 or self._left <= 0:
            return
        self._left -= 1
        if isinstance(value, list):
            for item in value[:MOST_VALUES]:
                self.read(item, depth - 1)
        elif isinstance(value, dict):
            self._read_object(value, depth)
        elif isinstance(value, str):
            self._read_text(value, depth)

    def _read_object(self, value: dict[Any, Any], depth: int) -> None:
        for name, inner in value.items():
            if name in _CODES and isinstance(inner, str | int) and not isinstance(inner, bool):
                self._read_code(str(inner))
            if name in _FIELDS:
                self.fields.update(_path(inner))
            if name == _MINIMAX and isinstance(inner, dict):
                self.codes.append(f"{_MINIMAX}.{inner.get('status_code')}")
                self.read(inner.get("status_msg"), depth - 1)
            elif name in (_TEXTS if isinstance(inner, str) else _INSIDE):
                self.read(inner, depth - 1)

    def _read_code(self, code: str) -> None:
        self.codes.append(code)
        self.texts.append(code[:TEXT_CHARACTERS])
        if not self.status and code.isascii() and code.isdigit() and 400 <= int(code[:9]) < 600:
            self.status = int(code)

    def _read_text(self, text: str, depth: int) -> None:
        """Read a text; gateways put the JSON of the supplier behind them into one."""
        start = min((at for at in (text.find("{"), text.find("[{")) if at >= 0), default=-1)
        if start >= 0 and text.rstrip().endswith(("}", "]")):
            with suppress(ValueError):
                self.read(orjson.loads(text[start:]), depth - 1)
        self.texts.append(text[:TEXT_CHARACTERS])


def _path(value: Any) -> Iterator[str]:
    """Yield the names in `messages[0].role`, `body.temperature` or ["body", "temperature"]."""
    parts = value if isinstance(value, list) else str(value or "").split(".")
    for part in parts[:DEPTH]:
        name = part.partition("[")[0] if isinstance(part, str) else ""
        if name and name not in ("body", "query"):
            yield name


def _names_in(text: str) -> frozenset[str]:
    """Return the names in a text that may be request fields; xAI writes them in camel case."""
    found = {match.lower() for match in (*_WORD.findall(text), *_ROLE.findall(text))}
    found |= set(_SNAKE.findall(text))
    for name in (*_QUOTED.findall(text), *_CAMEL_NAME.findall(text)):
        found |= {name, _CAMEL.sub("_", name).lower()}
    found.discard("stream")  # mentioned beside many others
    if _STREAM.search(text):
        found.add("stream")
    if _ALTERNATE.search(text):
        found.add("system")
    if _DEVELOPER.search(text):
        found.add("developer")
    return frozenset(found)
