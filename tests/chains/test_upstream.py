"""The table from suppliers' refusals to our errors."""

from email.utils import formatdate
from time import time
from typing import Any

import pytest

from chatapp.chains.upstream import refusal, retry_after

# status, body, catalogue key
REFUSALS: list[tuple[int, Any, str]] = [
    (401, None, "error.upstream_auth"),
    (403, "<html>Forbidden</html>", "error.upstream_auth"),
    (402, {"error": {"message": "Insufficient Balance"}}, "error.upstream_quota"),
    (
        403,
        {"code": 30001, "message": "Sorry, your account balance is insufficient"},
        "error.upstream_quota",
    ),
    (403, {"error": {"message": "Rate limit reached"}}, "error.upstream_rate_limit"),
    (
        429,
        {
            "error": {
                "type": "insufficient_quota",
                "code": "insufficient_quota",
                "message": "You exceeded",
            }
        },
        "error.upstream_quota",
    ),
    (
        429,
        {"error": {"type": "exceeded_current_quota_error", "message": "…"}},
        "error.upstream_quota",
    ),
    (
        429,
        {"error": {"code": "1113", "message": "您的账户已欠费，请充值后重试"}},
        "error.upstream_quota",
    ),
    (429, {"error": {"code": "1302", "message": "并发数过高"}}, "error.upstream_rate_limit"),
    (429, None, "error.upstream_rate_limit"),
    (400, {"error": {"code": "Arrearage", "message": "Access denied"}}, "error.upstream_quota"),
    (400, {"error": {"code": "context_length_exceeded", "message": "…"}}, "error.context_too_long"),
    (
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 4096 tokens",
            "code": 400,
        },
        "error.context_too_long",
    ),
    (
        400,
        {"error": {"type": "exceed_context_size_error", "code": 400, "message": "…"}},
        "error.context_too_long",
    ),
    (
        400,
        {"error": {"code": "data_inspection_failed", "message": "Output data may contain…"}},
        "error.upstream_refused.content",
    ),
    (
        400,
        {"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}},
        "error.upstream_refused.content",
    ),
    (400, {"error": {"code": "content_filter", "message": "…"}}, "error.upstream_refused.content"),
    (
        400,
        {
            "code": 20012,
            "message": "Model does not exist. Please check it carefully.",
            "data": None,
        },
        "error.upstream_refused.model",
    ),
    (
        400,
        {"error": {"code": "1211", "message": "模型不存在，请检查模型代码。"}},
        "error.upstream_refused.model",
    ),
    (
        400,
        {"error": {"message": "foo/bar is not a valid model ID", "code": 400}},
        "error.upstream_refused.model",
    ),
    (
        404,
        {"error": {"message": 'model "x" not found, try pulling it first'}},
        "error.upstream_refused.model",
    ),
    (
        404,
        {"error": {"message": "No endpoints found for x", "code": 404}},
        "error.upstream_refused.model",
    ),
    (404, {"detail": "Not Found"}, "error.upstream_protocol"),
    (404, "404 page not found", "error.upstream_protocol"),
    (405, None, "error.upstream_protocol"),
    (301, None, "error.upstream_protocol"),
    (307, None, "error.upstream_protocol"),
    (400, {"detail": [{"loc": ["body"], "msg": "field required"}]}, "error.upstream_refused"),
    (422, {"error": "temperature must be at most 2"}, "error.upstream_refused"),
    (500, {"error": {"message": "model_not_found"}}, "error.upstream_error"),
    (502, None, "error.upstream_error"),
    (
        503,
        {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}},
        "error.upstream_error",
    ),
    (
        0,
        {"error": {"message": "The server had an error", "type": "server_error"}},
        "error.upstream_error.event",
    ),
    (0, {"error": {"code": 429, "message": "…"}}, "error.upstream_rate_limit"),
    (0, {"error": {"code": 502, "message": "Provider returned error"}}, "error.upstream_error"),
    (0, {"error": {"code": "rate_limit_exceeded", "message": "…"}}, "error.upstream_rate_limit"),
    (0, {"error": "boom"}, "error.upstream_error.event"),
]


@pytest.mark.parametrize(("status", "body", "key"), REFUSALS)
def test_each_refusal_has_its_error(status: int, body: Any, key: str) -> None:
    error = refusal(status, body, "Canned", "m")
    assert error.key == key
    assert not {str(value) for value in error.params.values()} - {"Canned", "m", str(status), "502"}


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after({"Retry-After": "3600"}) == 3600
    assert retry_after({"retry-after": "0.4"}) == 1
    assert retry_after({"Retry-After": formatdate(time() + 100, usegmt=True)}) in (99, 100, 101)
    for value in ("", "soon", "-1", "0", "inf", "nan"):
        assert retry_after({"Retry-After": value}) is None
    assert retry_after({}) is None
