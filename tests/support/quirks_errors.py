"""Quirks of errors that come in a stream with status 200."""

from tests.support.quirks import ANY, DONE, EVENT, GARBLED, GITHUB, Quirk, chunk, ends, says, sse

ERRORS = (
    Quirk(
        "an error as a string",
        GITHUB + "xorbitsai/inference/blob/main/xinference/api/restful_api.py",
        says("Half") + sse({"error": "[address=127.0.0.1:36745, pid=412] CUDA out of memory."}),
        "Half",
        error="error.upstream_error",
    ),
    Quirk(
        "an error, then [DONE]",
        GITHUB + "mudler/LocalAI/blob/master/core/http/endpoints/openai/chat.go",
        says("Half") + sse({"error": {"message": "…", "type": "server_error", "code": 500}}) + DONE,
        "Half",
        error="error.upstream_error",
    ),
    Quirk(
        "an error and [DONE] in one block",
        GITHUB + "BerriAI/litellm/issues/25492",
        sse({"error": {"message": "exceeds the model's maximum context length", "code": 400}}, "\n")
        + DONE,
        error="error.context_too_long",
    ),
    Quirk(
        "an error behind the finish_reason",
        GITHUB + "vllm-project/vllm/issues/57082",
        says("Half") + ends() + sse({"error": {"message": "EngineCore", "code": 500}}) + DONE,
        "Half",
        error="error.upstream_error",
    ),
    Quirk(
        "an error beside choices",
        "https://openrouter.ai/docs/api-reference/streaming",
        says("Half")
        + sse(chunk({"content": ""}, "error", error={"code": 502, "message": "Provider returned"}))
        + DONE,
        "Half",
        error="error.upstream_error",
    ),
    Quirk(
        "an error inside the choice, with finish_reason stop",
        "https://openrouter.ai/docs/api-reference/overview",
        says("Half")
        + sse(
            {
                "choices": [
                    {
                        "delta": {"content": " "},
                        "finish_reason": "stop",
                        "error": {"code": 502, "message": "Upstream error"},
                    }
                ]
            }
        )
        + DONE,
        "Half ",
        error="error.upstream_error",
    ),
    Quirk(
        "an error without a cover",
        GITHUB + "block/goose/pull/8031",
        sse({"object": "error", "message": "The model `x` does not exist.", "code": 404}),
        error="error.upstream_refused.model",
    ),
    Quirk(
        "an error by name",
        GITHUB + "lmstudio-ai/lmstudio-bug-tracker/issues/2322",
        says("Half") + b"event: error\n" + sse({"message": "Compute problem."}),
        "Half",
        error=EVENT,
    ),
    Quirk(
        "an error by name in plain text",
        GITHUB + "octos-org/octos/issues/13",
        says("Half") + b"event: error\ndata: the stream went away\n\n" + DONE,
        "Half",
        error=EVENT,
    ),
    Quirk(
        "an error by name alone",
        GITHUB + "bayesimpact/bayes-platform/issues/639",
        says("Half") + b"event: error\nid: 1\n\n",
        "Half",
        error=EVENT,
    ),
    Quirk(
        "an error in a line of its own kind",
        GITHUB + "ggml-org/llama.cpp/pull/16109",
        says("Half") + b'error: {"code":500,"message":"Compute error.","type":"server_error"}\n\n',
        "Half",
        error="error.upstream_error",
    ),
    Quirk(
        "an error in no field",
        GITHUB + "Wei-Shaw/sub2api/issues/1471",
        says("Half") + b'{"error":{"message":"upstream gone","type":"upstream_error"}}',
        "Half",
        error=EVENT,
    ),
    Quirk(
        "an error in a list",
        "https://discuss.ai.google.dev/t/openai-compatibility-error-response-is-an-array/61017",
        b'[{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}]',
        error=ANY,
    ),
    Quirk(
        "an error in a list as an event",
        "https://discuss.ai.google.dev/t/openai-compatibility-error-response-is-an-array/61017",
        says("Half")
        + sse([{"error": {"code": 503, "message": "The model is overloaded."}}])
        + DONE,
        "Half",
        error=ANY,
    ),
    Quirk(
        "an error as Python prints it",
        GITHUB + "smg-project/smg/pull/1682",
        says("Half") + b'data: {\'error\': {"message": "decode worker"}}\n\n',
        "Half",
        error=EVENT,
    ),
    Quirk(
        "an error in plain words",
        GITHUB + "octos-org/octos/issues/13",
        says("Half") + b"data: Internal Server Error\n\n" + DONE,
        "Half",
        error=EVENT,
    ),
    Quirk(
        "plain words that nothing follows",
        GITHUB + "octos-org/octos/issues/13",
        says("Half") + b"data: The worker went away\n\n" + DONE,
        "Half",
        error=EVENT,
    ),
    Quirk(
        "detail",
        "https://fastapi.tiangolo.com/tutorial/handling-errors/",
        says("Half") + sse({"detail": "Rate limit exceeded"}) + DONE,
        "Half",
        error="error.upstream_rate_limit",
    ),
    Quirk(
        "a code and a message",
        "https://www.xfyun.cn/doc/spark/HTTP%E8%B0%83%E7%94%A8%E6%96%87%E6%A1%A3.html",
        sse({"code": 11200, "message": "AppIdNoAuthError:(…)", "sid": "cha000c"}),
        error=ANY,
    ),
    Quirk(
        "a code beside null choices",
        "https://platform.minimax.io/docs/api-reference/errorcode",
        sse(
            {"id": "", "choices": None, "base_resp": {"status_code": 1008, "status_msg": "balance"}}
        ),
        error=ANY,
    ),
    Quirk(
        "a code beside the end",
        "https://platform.minimax.io/docs/api-reference/errorcode",
        says("Half") + ends(base_resp={"status_code": 1027, "status_msg": "output new_sensitive"}),
        "Half",
        error=ANY,
    ),
    Quirk(
        "a web page in the middle",
        "https://developers.cloudflare.com/support/troubleshooting/http-status-codes/",
        says("Half") + b"<!DOCTYPE html>\n<html><title>524: A timeout occurred</title></html>\n",
        "Half",
        error=EVENT,
    ),
    Quirk(
        "a declined answer",
        "https://help.aliyun.com/zh/model-studio/error-code",
        says("Half")
        + sse(
            {
                "error": {
                    "message": "Output data may contain inappropriate content.",
                    "code": "data_inspection_failed",
                }
            }
        ),
        "Half",
        error="error.upstream_refused.content",
    ),
    Quirk(
        "nothing at all",
        GITHUB + "envoyproxy/ai-gateway/pull/1927",
        b"",
        error=ANY,
    ),
    Quirk("no content", GITHUB + "E-xyza/codicil/pull/4", b"", error=ANY, status="204 No Content"),
    Quirk(
        "JSON that is no answer",
        GITHUB + "nashsu/llm_wiki/pull/628",
        b'{"hello": "world"}',
        error=GARBLED,
    ),
)
