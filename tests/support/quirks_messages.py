"""Quirks of answers: whole messages, alone and beside deltas, and text said again."""

import json

from tests.support.quirks import DONE, GITHUB, STOP, USAGE, Quirk, chunk, says, sse, whole

MESSAGES = (
    Quirk(
        "an answer that is not streamed",
        GITHUB + "ObolNetwork/llms/issues/4",
        json.dumps(whole("Hi", usage=USAGE)).encode(),
        "Hi",
        usage=(5, 2),
        headers={"Content-Type": "application/json"},
    ),
    Quirk(
        "the same, indented, behind empty lines",
        "https://api-docs.deepseek.com/quick_start/rate_limit",
        b"\n\n\n" + json.dumps(whole("Hi", None), indent=2).encode() + b"\n",
        "Hi",
    ),
    Quirk(
        "the whole message behind the deltas",
        GITHUB + "ENTERPILOT/GoModel/pull/1068",
        says("你好！")
        + says("有什么可以帮你？", "stop")
        + sse({**whole("你好！有什么可以帮你？", usage=USAGE), "base_resp": {"status_code": 0}}),
        "你好！有什么可以帮你？",
        usage=(5, 2),
    ),
    Quirk(
        "the whole message beside the last delta, thinking too",
        GITHUB + "songquanpeng/one-api/issues/2406",
        sse(chunk({"reasoning_content": "Hm."}))
        + says("One ")
        + says("two.")
        + sse(
            {
                "choices": [
                    {
                        "index": 0,
                        "delta": {"content": ""},
                        "finish_reason": "stop",
                        "message": {
                            "role": "assistant",
                            "content": "One two.",
                            "reasoning_content": "Hm.",
                        },
                    }
                ]
            }
        ),
        "One two.",
        "Hm.",
    ),
    Quirk(
        "the message so far beside each delta",
        GITHUB + "perplexityai/api-discussion/issues/209",
        b"".join(
            sse(
                {
                    "choices": [
                        {
                            "index": 0,
                            "delta": {"role": "assistant", "content": new},
                            "message": {"role": "assistant", "content": "One two."[:length]},
                            "finish_reason": reason,
                        }
                    ]
                }
            )
            for new, length, reason in (("One ", 4, None), ("two.", 8, None), ("", 8, "stop"))
        ),
        "One two.",
    ),
    Quirk(
        "whole messages and no delta",
        GITHUB + "abundantbeing/hermes-browser-extension/issues/11",
        sse(chunk({"role": "assistant"})) + sse(whole("Hi")) + DONE,
        "Hi",
    ),
    Quirk(
        "the message so far in each event",
        GITHUB + "infiniflow/ragflow/issues/3738",
        sse(whole("One ", None))
        + sse(whole("One two ", None))
        + sse(whole("One two three."))
        + DONE,
        "One two three.",
    ),
    Quirk(
        "messages that are deltas",
        GITHUB + "songquanpeng/one-api/issues/1394",
        sse(whole("One ", None)) + sse(whole("two ", "")) + sse(whole("three.")) + DONE,
        "One two three.",
    ),
    Quirk(
        "the whole message before its deltas",
        GITHUB + "abundantbeing/hermes-browser-extension/issues/11",
        sse(whole("One two three.", None)) + says("One ") + says("two ") + says("three.") + STOP,
        "One two three.",
    ),
    Quirk(
        "the whole text once more as the last delta",
        GITHUB + "infiniflow/ragflow/issues/15286",
        says("One ") + says("two ") + says("three.") + says("One two three.") + STOP,
        "One two three.",
    ),
    Quirk(
        "the whole text so far in each delta",
        GITHUB + "QwenLM/qwen-code/pull/3896",
        says("Hel") + says("Hello") + says("Hello, world") + says("Hello, world!", "stop") + DONE,
        "Hello, world!",
    ),
    Quirk(
        "the same words twice",
        "https://platform.openai.com/docs/api-reference/chat-streaming",
        says("Say it again. ") + says("Say it again. ") + says("1") + says("1") + STOP,
        "Say it again. Say it again. 11",
    ),
)
