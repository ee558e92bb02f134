"""Quirks of the wire: framing, and events that are no part of an answer."""

from tests.support.quirks import (
    CUT,
    EVENT,
    FIXTURES,
    GARBLED,
    GITHUB,
    STOP,
    Quirk,
    chunk,
    ends,
    says,
    sse,
)

FRAMING = (
    Quirk(
        "comments while the queue is long",
        GITHUB + "openai/openai-go/issues/227",
        b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n" + says("亚") + STOP,
        "亚",
    ),
    Quirk(
        "a comment that a relay wraps as data",
        GITHUB + "mnfst/llm-gateway/issues/2053",
        b"data: : OPENROUTER PROCESSING\n\n" + says("Hi") + STOP,
        "Hi",
    ),
    Quirk(
        "a bare colon as a sign of life",
        GITHUB + "ggml-org/llama.cpp/blob/master/tools/server/server-context.cpp",
        says("a") + b":\n\n" + says("b") + STOP,
        "ab",
    ),
    Quirk(
        "comments between an id and its event",
        GITHUB + "theopenco/llmgateway/pull/2334",
        b"id: 1\n" + says("a") + b": ping\n\nid: 2\n" + says("b") + b"retry: 3000\n\n" + STOP,
        "ab",
    ),
    Quirk(
        "data: without a blank, and a code that is none",
        "https://www.xfyun.cn/doc/spark/HTTP%E8%B0%83%E7%94%A8%E6%96%87%E6%A1%A3.html",
        b'data:{"code":0,"message":"Success","sid":"cha1","choices":[{"delta":{"role":"assistant",'
        b'"content":"\xe4\xbd\xa0\xe5\xa5\xbd"},"index":0}]}\n\ndata:[DONE]\n\n',
        "你好",
    ),
    Quirk(
        "CRLF line ends",
        GITHUB + "farion1231/cc-switch/issues/1787",
        (says("Hi") + STOP).replace(b"\n", b"\r\n"),
        "Hi",
    ),
    Quirk(
        "CR line ends",
        "https://html.spec.whatwg.org/multipage/server-sent-events.html",
        (says("Hi") + STOP).replace(b"\n", b"\r"),
        "Hi",
    ),
    Quirk(
        "a byte order mark",
        "https://html.spec.whatwg.org/multipage/server-sent-events.html",
        b"\xef\xbb\xbf" + says("Hi") + STOP,
        "Hi",
    ),
    Quirk(
        "named events around ordinary chunks",
        "https://doc.fastgpt.io/docs/development/openapi/chat/",
        b"event: answer\n"
        + says("Hi")
        + b'event: flowNodeStatus\ndata: {"status":"running","name":"AI"}\n\n'
        + b"event: answer\ndata: [DONE]\n\n",
        "Hi",
    ),
    Quirk(
        "an empty line between the name and the data",
        GITHUB + "earendil-works/pi/issues/8430",
        b"event: chunk\n\n" + says("Hi") + b"event: chunk\n\n" + STOP,
        "Hi",
    ),
    Quirk(
        "JSON over several data lines",
        GITHUB + "alexrudall/ruby-openai/pull/332",
        b'data: {"choices":[\ndata:   {"index": 0, "delta": {\n'
        b'data: "content": "Hi"}}\ndata: ]}\n\n' + STOP,
        "Hi",
    ),
    Quirk(
        "no empty line between events",
        GITHUB + "anomalyco/opencode/issues/27365",
        (says("a") + says("b") + STOP).replace(b"\n\n", b"\n"),
        "ab",
    ),
    Quirk(
        "the empty line is missing once, in front of an error",
        GITHUB + "Wei-Shaw/sub2api/issues/1471",
        says("a").replace(b"\n\n", b"\n") + sse({"error": {"message": "stream_read_error"}}),
        "a",
        error=EVENT,
    ),
    Quirk(
        "data: twice",
        GITHUB + "paiml/aprender/pull/2015",
        b"data: " + says("Hi") + b"data: " + STOP,
        "Hi",
    ),
    Quirk(
        "the last event without its empty line",
        GITHUB + "openai/openai-node/issues/2725",
        says("Hi") + sse(chunk({"content": "!"}, "stop"), "\n"),
        "Hi!",
    ),
    Quirk(
        "the last event without any line end",
        GITHUB + "google-gemini/gemini-cli/issues/29059",
        says("Hi") + sse(chunk({"content": "!"}, "stop"), ""),
        "Hi!",
    ),
    Quirk(
        "[DONE] without a line end",
        GITHUB + "anomalyco/opencode/issues/40454",
        says("Hi") + b"data: [DONE]",
        "Hi",
    ),
    Quirk(
        "half an event at the end",
        GITHUB + "earendil-works/pi/issues/8460",
        says("Hi") + sse(chunk({"content": "lost"}), "")[:-20],
        "Hi",
        error=CUT,
    ),
    Quirk(
        "half an event is all",
        GITHUB + "vercel/ai/issues/19165",
        b'data: {"choices":[{"index":0,"delta":{"content":"l',
        error=CUT,
    ),
    Quirk(
        "half an event behind the end",
        GITHUB + "openai/openai-node/issues/2725",
        says("Hi") + ends() + b'data: {"choices":[],"usa',
        "Hi",
    ),
    Quirk(
        "an event cut in the middle, the next begins inside it",
        GITHUB + "zai-org/GLM-5/issues/66",
        says("a") + b'data: {"id":"2026","object":"chat.c' + says("b") + STOP,
        "a",
        error=GARBLED,
    ),
    Quirk(
        "numbers that JSON does not know",
        GITHUB + "vllm-project/vllm/issues/5899",
        b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":{"content":'
        b'[{"token":"Hi","logprob":-Infinity,"bytes":null,"top_logprobs":[{"token":"x","logprob":NaN,'
        b'"bytes":null}]}]},"finish_reason":null}]}\n\n' + STOP,
        "Hi",
    ),
    Quirk(
        "half of a character in each of two chunks",
        GITHUB + "ollama/ollama/issues/7288",
        b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"content":"\\ude00"}}]}\n\n' + STOP,
        "\ud83d\ude00",
    ),
    Quirk(
        "bytes that are not UTF-8",
        "https://html.spec.whatwg.org/multipage/server-sent-events.html",
        b'data: {"choices":[{"index":0,"delta":{"content":"a\xffb"}}]}\n\n' + STOP,
        "a\ufffdb",
    ),
    Quirk(
        "a control character in a string",
        "https://docs.python.org/3/library/json.html#json.JSONDecoder",
        b'data: {"choices":[{"index":0,"delta":{"content":"a\tb"}}]}\n\n' + STOP,
        "a\tb",
    ),
)

NO_CHUNKS = (
    Quirk(
        "a first chunk without choices",
        FIXTURES + "openai/src/chat/__fixtures__/azure-model-router.1.chunks.txt",
        sse({"choices": [], "id": "", "object": "", "prompt_filter_results": [{"prompt_index": 0}]})
        + says("Hi")
        + STOP,
        "Hi",
    ),
    Quirk(
        "a choice without a delta, also behind the finish_reason",
        GITHUB + "langchain-ai/langchain/issues/18977",
        says("Hi")
        + ends()
        + sse({"choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {}}]}),
        "Hi",
    ),
    Quirk(
        "progress of the prompt",
        GITHUB + "menloresearch/jan",
        sse(chunk({"role": "assistant", "content": None}, prompt_progress={"total": 36}))
        + says("Hi")
        + STOP,
        "Hi",
    ),
    Quirk(
        "choices are null",
        GITHUB + "openai/openai-python/issues/1266",
        says("a") + sse({"id": "c1", "choices": None, "usage": None}) + says("b") + STOP,
        "ab",
    ),
    Quirk(
        "an empty object, no data, null",
        GITHUB + "openai/openai-python/issues/2722",
        b"data: {}\n\n" + says("a") + b"data:\n\n" + says("b") + b"data: null\n\n" + STOP,
        "ab",
    ),
    Quirk(
        "numbers, strings and lists as events",
        GITHUB + "openai-php/client/pull/556",
        b'data: 5\n\ndata: "ping"\n\n' + says("a") + b"data: []\n\ndata: [1, 2]\n\n" + STOP,
        "a",
    ),
    Quirk(
        "choices that are none",
        GITHUB + "openai/openai-python/issues/1266",
        says("a") + sse({"choices": 3}) + sse({"choices": [None]}) + sse({"choices": [{}]}) + STOP,
        "a",
    ),
    Quirk(
        "a ping by name",
        "https://docs.anthropic.com/en/docs/build-with-claude/streaming",
        b'event: ping\ndata: {"type": "ping"}\n\n'
        + says("Hi")
        + b"event: ping\ndata: {}\n\n"
        + STOP,
        "Hi",
    ),
    Quirk(
        "a ping with a time",
        GITHUB + "lanqian528/chat2api/pull/25",
        says("a") + b"event: ping\ndata: 2026-01-01 01:35:43\n\n" + says("b") + STOP,
        "ab",
    ),
    Quirk(
        "a ping in words",
        GITHUB + "openai-php/client/pull/734",
        b"data: keep-alive\n\n" + says("a") + b"data: [heartbeat] 17\n\n" + says("b") + STOP,
        "ab",
    ),
    Quirk(
        "a heartbeat object",
        GITHUB + "apache/rocketmq-dashboard/issues/2178",
        says("a") + sse({"type": "heartbeat", "message": "still here"}) + says("b") + STOP,
        "ab",
    ),
    Quirk(
        "a keepalive without data",
        GITHUB + "openai-php/client/pull/556",
        b"event: keepalive\ndata:\n\n" + says("a") + b"event: keepalive\n\n" + says("b") + STOP,
        "ab",
    ),
    Quirk(
        "sources beside the text",
        "https://docs.bigmodel.cn/cn/guide/tools/web-search",
        sse(
            chunk({"role": "assistant", "content": ""}, web_search=[{"title": "T", "content": "C"}])
        )
        + says("Hi")
        + STOP,
        "Hi",
    ),
    Quirk(
        "a field of the supplier's own beside choices",
        GITHUB + "ggml-org/llama.cpp/blob/master/tools/server/server-task.cpp",
        says("Hi", __verbose={"content": "Hi", "error": None}, error=None) + STOP,
        "Hi",
    ),
    Quirk(
        "errors that are none",
        GITHUB + "ggml-org/llama.cpp/blob/master/tools/server/server-task.cpp",
        says("a", error="")
        + says("b", error={})
        + says("c", error={"code": 0, "message": "ok"})
        + STOP,
        "abc",
    ),
    Quirk(
        "text that proves a doubtful event to be none",
        GITHUB + "openai-php/client/pull/734",
        says("a") + b"data: relay 3 took over\n\n" + says("b") + STOP,
        "ab",
    ),
    Quirk(
        "another protocol's events",
        "https://platform.openai.com/docs/api-reference/responses-streaming",
        b"event: response.output_text.delta\n"
        + sse({"type": "response.output_text.delta", "item_id": "m", "delta": "Hi"}),
        error=GARBLED,
    ),
    Quirk(
        "another protocol's lines",
        "https://docs.ollama.com/api/chat",
        b'{"model":"llama3.2","message":{"role":"assistant","content":"The"},"done":false}\n'
        b'{"model":"llama3.2","message":{"role":"assistant","content":""},"done":true}\n',
        error=GARBLED,
    ),
    Quirk(
        "a web page",
        "https://docs.openwebui.com/getting-started/api-endpoints",
        b"<!doctype html>\n<html><head><title>Open WebUI</title>\n<p>Invalid login</p></html>\n",
        error=GARBLED,
        headers={"Content-Type": "text/html"},
    ),
)
