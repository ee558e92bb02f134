"""Events that are no chunks: errors in any form, signs of life, and what is doubtful."""

from typing import Any

import pytest

from chatapp.chains.stream_errors import Notice, notice

ERRORS: list[tuple[str, Any]] = [
    ("", {"error": "x"}),
    ("", {"error": {"message": "x"}}),
    ("", {"error": ["x"]}),
    ("", {"error": True}),
    ("ping", {"error": "x"}),
    ("", {"errors": [{"message": "x"}]}),
    ("", {"detail": "Not Found"}),
    ("", {"detail": [{"loc": ["body"], "msg": "field required"}]}),
    ("", {"type": "error", "message": "x"}),
    ("", {"object": "error", "message": "x", "code": 40303}),
    ("", {"type": "overloaded_error"}),
    ("", {"type": "response.failed", "response": {}}),
    ("", {"status": "failed"}),
    ("", {"success": False, "msg": "x"}),
    ("", {"code": 500}),
    ("", {"code": "500", "message": "x"}),
    ("", {"status": 429, "message": "x"}),
    ("", {"code": -1, "msg": "x"}),
    ("", {"code": 11200, "message": "x"}),
    ("", {"code": "InvalidParameter", "message": "x", "request_id": "r"}),
    ("", {"error_code": 336003, "error_msg": "x"}),
    ("", {"errmsg": "x"}),
    ("", {"base_resp": {"status_code": 1004, "status_msg": "x"}}),
    ("", [{"error": {"code": 503}}]),
    ("", [{}, {"type": "error"}]),
    ("error", {}),
    ("error", "gone"),
    ("Error", 0),
    ("upstream_error", {"a": 1}),
    ("response.failed", {"a": 1}),
    ("exception", "x"),
    ("", "Internal Server Error"),
    ("", "upstream connect error or disconnect/reset before headers"),
    ("", "504 Gateway Time-out"),
    ("", "rate limit exceeded"),
    ("message", "请求失败"),
]
NOTHINGS: list[tuple[str, Any]] = [
    ("", None),
    ("", 5),
    ("", 1.5),
    ("", True),
    ("", {}),
    ("", []),
    ("", [1, "a", {}]),
    ("", {"a": 1}),
    ("", {"type": "ping"}),
    ("", {"type": "ping", "message": "x"}),
    ("", {"type": "heartbeat", "timestamp": 1}),
    ("", {"status": "processing", "message": "x"}),
    ("", {"status": "running", "name": "x"}),
    ("", {"error": None}),
    ("", {"error": ""}),
    ("", {"error": {}}),
    ("", {"error": {"code": 0, "message": ""}}),
    ("", {"error": "null"}),
    ("", {"code": 0, "message": "Success"}),
    ("", {"code": 200, "msg": "ok"}),
    ("", {"code": "0", "msg": "ok"}),
    ("", {"success": True, "message": "x"}),
    ("", {"base_resp": {"status_code": 0, "status_msg": ""}}),
    ("", {"message": {"role": "assistant", "content": "x"}, "done": False}),
    ("ping", {}),
    ("ping", "2026-01-01 01:35:43"),
    ("conversation", "66f2c0de-0000"),
    ("done", None),
    ("", ""),
    ("", "ping"),
    ("", "PONG"),
    ("", "[heartbeat]"),
    ("", "keep-alive 17"),
    ("", "2026-01-01T01:35:43Z"),
    ("", "..."),
]
DOUBTFULS: list[tuple[str, Any]] = [
    ("", "The worker went away"),
    ("message", "Bye"),
    ("", {"message": "x"}),
    ("", {"msg": "x", "request_id": "r"}),
    ("error", None),
]


@pytest.mark.parametrize(("name", "value"), ERRORS)
def test_errors(name: str, value: Any) -> None:
    assert notice(name, value) is Notice.ERROR


@pytest.mark.parametrize(("name", "value"), NOTHINGS)
def test_what_says_nothing(name: str, value: Any) -> None:
    assert notice(name, value) is Notice.NOTHING


@pytest.mark.parametrize(("name", "value"), DOUBTFULS)
def test_what_is_an_error_if_nothing_follows(name: str, value: Any) -> None:
    assert notice(name, value) is Notice.DOUBTFUL
