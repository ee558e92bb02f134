"""Suppliers' refusals become our errors: documented bodies, statuses, words and waiting times."""

import json
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any

import pytest

from chatapp.chains.retry_delay import retry_after
from chatapp.chains.upstream import refusal
from chatapp.i18n import LANGUAGES, say

# Bodies from suppliers' pages, sources and reports, each with its address.
FIXTURE = Path(__file__).parents[1] / "fixtures" / "refusals.jsonl"
DOCUMENTED = [json.loads(line) for line in FIXTURE.read_text(encoding="utf-8").strip().split("\n")]

# status, body, catalogue key
REFUSALS: list[tuple[int, Any, str]] = [
    (401, None, "error.upstream_auth"),
    (403, "<html>Forbidden</html>", "error.upstream_protocol.page"),
    (403, {"error": {"message": "Forbidden"}}, "error.upstream_auth.rights"),
    (403, None, "error.upstream_auth.rights"),
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
        "error.upstream_error.loading",
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


# Numbers and names that are no reason, bodies inside bodies, and what stands between.
OTHERS: list[tuple[int, Any, str]] = [
    # a number is a code only where a field holds it
    (400, {"error": {"message": "You sent 1113 tokens; n must be 1"}}, "error.upstream_refused"),
    (429, {"error": {"message": "Slow down. Trace 1211-20012-1301."}}, "error.upstream_rate_limit"),
    (400, {"error": {"message": "Request 1004 failed", "code": 1261}}, "error.context_too_long"),
    (0, {"choices": None, "base_resp": {"status_code": "1039"}}, "error.upstream_rate_limit"),
    # the question is not the reason
    (
        422,
        {"detail": [{"loc": ["body", "n"], "msg": "bad", "input": "rate limit? model not found?"}]},
        "error.upstream_refused",
    ),
    # bodies inside bodies
    (
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {
                    "raw": '{"error": {"message": "x", "code": "context_length_exceeded"}}'
                },
            }
        },
        "error.context_too_long",
    ),
    (
        429,
        {"error": {"message": '{\n "error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}'}},
        "error.upstream_rate_limit",
    ),
    (
        429,
        [{"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}}],
        "error.upstream_rate_limit",
    ),
    # a limit of 0: this plan does not include the model
    (
        429,
        {
            "error": {
                "status": "RESOURCE_EXHAUSTED",
                "message": "You exceeded your current quota.\n* Quota exceeded for metric: "
                "generate_content_free_tier_requests, limit: 0, model: gemini-3-pro\n"
                "Please retry in 45.5s.",
            }
        },
        "error.upstream_quota",
    ),
    # words that mean something else here
    (404, {"message": "Route GET:/models not found", "statusCode": 404}, "error.upstream_protocol"),
    (
        429,
        {"message": "Too many tokens, please wait before trying again."},
        "error.upstream_rate_limit",
    ),
    (400, {"error": {"message": "The name is case sensitive"}}, "error.upstream_refused"),
    (500, {"error": "error loading model: invalid header"}, "error.upstream_error"),
    (403, "<html><p>Not available in your country</p>", "error.upstream_refused.region"),
    (
        0,
        {"error": {"message": "Rate limit reached, lower max_tokens", "type": "tokens"}},
        "error.upstream_rate_limit",
    ),
    # memory of the supplier's machine
    (
        500,
        {"error": "CUDA out of memory. Tried to allocate 2.00 GiB"},
        "error.upstream_error.memory",
    ),
    (400, {"error": {"message": "CUDA error: out of memory"}}, "error.upstream_error.memory"),
    # regions
    (451, None, "error.upstream_refused.region"),
    (
        403,
        {"error": {"message": "This model is not available in your region."}},
        "error.upstream_refused.region",
    ),
    (400, {"message": "当前地区不支持访问该服务"}, "error.upstream_refused.region"),
    # web pages of proxies, firewalls and logins
    (413, "<html><h1>413 Request Entity Too Large</h1></html>", "error.context_too_long"),
    (413, None, "error.context_too_long"),
    (
        502,
        "<html><h1>502 Bad Gateway</h1><center>nginx</center></html>",
        "error.upstream_error.gateway",
    ),
    (522, "<!DOCTYPE html><title>522: timed out</title>", "error.upstream_error.gateway"),
    (401, "<!DOCTYPE html><title>Sign in</title>", "error.upstream_protocol.page"),
    (503, "<!doctype html><title>Just a moment...</title>", "error.upstream_protocol.page"),
    (403, "error code: 1020", "error.upstream_protocol.page"),
    (403, "error code: 1009", "error.upstream_refused.region"),
    (530, "error code: 1033", "error.upstream_error.gateway"),
    (429, "<html><title>Access denied | Cloudflare 1015</title>", "error.upstream_rate_limit"),
    (404, "<html><title>Not Found</title></html>", "error.upstream_protocol"),
    (302, "<html>Moved to /login</html>", "error.upstream_protocol"),
    (407, "<html>Proxy Authentication Required</html>", "error.upstream_unreachable.proxy"),
    # the supplier's own haste
    (408, None, "error.upstream_error"),
    (529, None, "error.upstream_error.overloaded"),
]


@pytest.mark.parametrize("row", DOCUMENTED, ids=lambda row: f"{row['supplier']}-{row['error']}")
def test_each_documented_refusal_has_its_error(row: dict[str, Any]) -> None:
    status = 0 if row["status"] == 200 else row["status"]
    wait = retry_after(row.get("headers", {}), row["body"])
    error = refusal(status, row["body"], "Canned", "m", wait)
    assert error.key == f"error.{row['error']}", row["source"]
    if "seconds" in row:
        assert error.retry_after == row["seconds"]
    for language in LANGUAGES:
        assert "{" not in say(language, error.key, dict(error.params))


@pytest.mark.parametrize(("status", "body", "key"), REFUSALS + OTHERS)
def test_each_refusal_has_its_error(status: int, body: Any, key: str) -> None:
    error = refusal(status, body, "Canned", "m")
    assert error.key == key
    assert not {str(value) for value in error.params.values()} - {"Canned", "m", str(status), "502"}


def test_a_fault_may_be_tried_again_and_a_refusal_may_not() -> None:
    for status, body, key in REFUSALS + OTHERS:
        error = refusal(status, body, "Canned", "m")
        never = ("auth", "quota", "refused", "context")
        assert error.retryable is not any(word in key for word in never), key


# headers, body, seconds
WAITS: list[tuple[dict[str, str], Any, int | None]] = [
    ({"Retry-After": "3600"}, None, 3600),
    ({"retry-after": "0.4"}, None, 1),
    ({"retry-after-ms": "1400"}, None, 2),
    ({"Retry-After": "20", "retry-after-ms": "900"}, None, 1),
    *(({"Retry-After": value}, None, None) for value in ("", "soon", "-1", "0", "inf", "nan")),
    ({}, None, None),
    ({"Retry-After": "1m30s"}, None, 90),
    ({}, [{"error": {"details": [{"@type": "…RetryInfo", "retryDelay": "20s"}]}}], 20),
    ({}, {"error": {"message": "Please retry in 20.04s."}}, 21),
    ({}, {"error": {"message": "Rate limit reached. Please try again in 7m12.5s."}}, 433),
    ({}, {"error": {"message": "Please try again in 6ms."}}, 1),
    ({}, {"error": {"message": "Limit 3, please try again after 1 seconds"}}, 1),
    ({}, {"error": {"message": "Please wait 2 minutes and retry"}}, 120),
    ({}, {"error": {"message": "请求过于频繁，请在 5 秒后重试"}}, 5),
    ({}, {"error": {"message": "Request 20s3 of 300 tokens failed"}}, None),
    ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, None, 360),
    ({"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "6m0s"}, None, None),
]


@pytest.mark.parametrize(("headers", "body", "seconds"), WAITS)
def test_how_long_to_wait_is_read(headers: dict[str, str], body: Any, seconds: int | None) -> None:
    assert retry_after(headers, body) == seconds


def test_a_time_of_day_is_read_as_a_wait() -> None:
    at = time() + 100
    inner = {"error": {"metadata": {"headers": {"X-RateLimit-Reset": str(int(at * 1000))}}}}
    for headers, body in (
        ({"Retry-After": formatdate(at, usegmt=True)}, None),
        ({"x-ratelimit-reset": str(int(at))}, None),
        ({}, inner),
    ):
        assert retry_after(headers, body) in range(90, 103)


def test_a_limit_for_a_day_is_not_over_in_seconds() -> None:
    body = {
        "error": {
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}],
        }
    }
    assert refusal(429, body, "Canned", "m", 20).key == "error.upstream_rate_limit.day"
    later = refusal(429, body, "Canned", "m", 30_000)
    assert (later.key, later.retry_after) == ("error.upstream_rate_limit.after", 30_000)
