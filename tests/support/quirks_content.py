"""Quirks of answers: the shapes in which text and thinking come."""

from tests.support.quirks import DONE, FIXTURES, GITHUB, STOP, USAGE, Quirk, chunk, ends, says, sse

CONTENT = (
    Quirk(
        "content is null beside thinking",
        FIXTURES + "alibaba/src/__fixtures__/alibaba-reasoning.chunks.txt",
        sse(chunk({"content": None, "role": "assistant", "reasoning_content": ""}))
        + sse(chunk({"content": None, "reasoning_content": "We"}))
        + sse(chunk({"content": "3", "reasoning_content": None}))
        + STOP,
        "3",
        "We",
    ),
    Quirk(
        "no finish_reason instead of null",
        FIXTURES + "xai/src/__fixtures__/xai-text.chunks.txt",
        sse({"choices": [{"index": 0, "delta": {"reasoning_content": "First"}}]})
        + sse({"choices": [{"index": 0, "delta": {"content": "Hello"}}]})
        + ends(),
        "Hello",
        "First",
    ),
    Quirk(
        "thinking in another field, beside empty content",
        GITHUB + "ollama/ollama/blob/main/openai/openai.go",
        sse(chunk({"role": "assistant", "content": "", "reasoning": "Okay"})) + says("Hi") + STOP,
        "Hi",
        "Okay",
    ),
    Quirk(
        "content is a list of parts",
        FIXTURES + "mistral/src/__fixtures__/mistral-reasoning.chunks.txt",
        says([{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}])
        + says([{"type": "text", "text": "2 + 2"}, {"type": "text", "text": " = 4"}])
        + STOP,
        "2 + 2 = 4",
        "Hm.",
    ),
    Quirk(
        "a role in every chunk, counts too",
        FIXTURES + "perplexity/src/__fixtures__/perplexity-text.chunks.txt",
        sse(chunk({"role": "assistant", "content": "Eco"}, usage={**USAGE, "completion_tokens": 1}))
        + sse(chunk({"role": "assistant", "content": "logy"}, usage=USAGE))
        + sse(chunk({"role": "assistant", "content": ""}, "stop", object="chat.completion.done")),
        "Ecology",
        usage=(5, 2),
    ),
    Quirk(
        "an empty role",
        GITHUB + "MiniMax-AI/MiniMax-M2.5/issues/2",
        sse(chunk({"role": "", "reasoning_content": ""}, usage={"total_tokens": 0}))
        + says("Hi")
        + STOP,
        "Hi",
    ),
    Quirk(
        "the last delta is null",
        GITHUB + "mozilla-ai/any-llm/pull/657",
        says("Hi") + sse({"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]}),
        "Hi",
    ),
    Quirk(
        "text and finish_reason in one chunk",
        GITHUB + "vllm-project/vllm/pull/36944",
        says("The") + says(" end.", "length") + DONE,
        "The end.",
        reason="length",
    ),
    Quirk(
        "content is a number",
        GITHUB + "huggingface/text-generation-inference/issues/2239",
        says(42) + says(" is it") + STOP,
        "42 is it",
    ),
    Quirk(
        "content is an object",
        GITHUB + "huggingface/text-generation-inference/issues/2239",
        says({"type": "text", "text": "Hi"}) + STOP,
        "Hi",
    ),
    Quirk(
        "text without a delta",
        "https://platform.openai.com/docs/api-reference/completions",
        sse({"choices": [{"text": " Hi", "index": 0, "logprobs": None, "finish_reason": None}]})
        + sse({"choices": [{"text": "!", "index": 0, "logprobs": None, "finish_reason": "stop"}]}),
        " Hi!",
    ),
    Quirk(
        "a refusal instead of content",
        "https://platform.openai.com/docs/guides/structured-outputs",
        sse(chunk({"role": "assistant", "content": "", "refusal": None}))
        + sse(chunk({"refusal": "I can't assist "}))
        + sse(chunk({"refusal": "with that."}))
        + STOP,
        "I can't assist with that.",
    ),
    Quirk(
        "padding beside the choices",
        FIXTURES + "openai/src/chat/__fixtures__/openai-text.chunks.txt",
        says(" respect", obfuscation="wz", service_tier="default") + STOP,
        " respect",
    ),
    Quirk(
        "token ids and log probabilities",
        GITHUB + "InternLM/lmdeploy/blob/main/lmdeploy/serve/openai/chat_completions/serving.py",
        sse(
            {
                "choices": [
                    {
                        "index": 0,
                        "delta": {"content": "Hi"},
                        "token_ids": [13347],
                        "logprobs": {
                            "content": [
                                {
                                    "token": "Hi",
                                    "logprob": -0.1,
                                    "bytes": [72, 105],
                                    "top_logprobs": [],
                                }
                            ]
                        },
                    }
                ]
            }
        )
        + STOP,
        "Hi",
    ),
    Quirk(
        "a second choice, which comes first",
        "https://platform.openai.com/docs/api-reference/chat-streaming",
        sse({"choices": [{"index": 1, "delta": {"content": "B"}}]})
        + sse(
            {
                "choices": [
                    {"index": 0, "delta": {"content": "A"}},
                    {"index": 1, "delta": {"content": "B"}},
                ]
            }
        )
        + sse(
            {
                "choices": [
                    {"index": 1, "delta": {}, "finish_reason": "stop"},
                    {"index": 0, "delta": {"content": "!"}, "finish_reason": "stop"},
                ]
            }
        ),
        "A!",
    ),
    Quirk(
        "the only choice has index 1",
        GITHUB + "BerriAI/litellm/issues/376",
        b"".join(sse({"choices": [{"index": 1, "delta": {"content": f"{n} "}}]}) for n in range(12))
        + DONE,
        "".join(f"{n} " for n in range(12)),
    ),
    Quirk(
        "another id in each chunk",
        GITHUB + "zai-org/GLM-5/issues/66",
        sse({**chunk({"content": "a"}), "id": "2026"})
        + sse({**chunk({"content": "b"}), "id": "7"})
        + STOP,
        "ab",
    ),
    Quirk(
        "annotations and images",
        "https://openrouter.ai/docs/features/web-search",
        says("Hi")
        + sse(chunk({"content": "", "annotations": [{"type": "url_citation", "url_citation": {}}]}))
        + sse(
            chunk({"content": "", "images": [{"type": "image_url", "image_url": {"url": "data:"}}]})
        )
        + STOP,
        "Hi",
    ),
    Quirk(
        "a tool call without an index beside text",
        GITHUB + "noho/dayu-agent/issues/45",
        says("Hi")
        + sse(
            chunk(
                {
                    "tool_calls": [
                        {
                            "id": "j",
                            "type": "function",
                            "function": {"name": "s", "arguments": "{}"},
                        }
                    ]
                }
            )
        )
        + STOP,
        "Hi",
    ),
    Quirk(
        "the transcript of speech",
        "https://help.aliyun.com/zh/model-studio/qwen-omni",
        says("Hi") + sse(chunk({"content": None, "audio": {"data": "/v8A", "id": "a"}})) + STOP,
        "Hi",
    ),
)

THINKING = (
    Quirk(
        "the same thought in two fields",
        GITHUB + "huggingface/responses.js/pull/19",
        sse(
            chunk(
                {
                    "content": "",
                    "reasoning": ", so I",
                    "reasoning_details": [{"type": "reasoning.text", "text": ", so I"}],
                }
            )
        )
        + says("Hi")
        + STOP,
        "Hi",
        ", so I",
    ),
    Quirk(
        "encrypted and summarised thoughts",
        "https://openrouter.ai/docs/use-cases/reasoning-tokens",
        sse(
            chunk(
                {
                    "reasoning_details": [
                        {"type": "reasoning.summary", "summary": "**Plan**"},
                        {"type": "reasoning.encrypted", "data": "gAAA"},
                    ]
                }
            )
        )
        + says("Hi")
        + STOP,
        "Hi",
        "**Plan**",
    ),
    Quirk(
        "the whole thought so far in each delta",
        "https://platform.minimax.io/docs/api-reference/text-openai-api",
        sse(chunk({"content": "", "reasoning_details": [{"text": "The user"}]}))
        + sse(chunk({"content": "", "reasoning_details": [{"text": "The user says hi"}]}))
        + says("Hi")
        + STOP,
        "Hi",
        "The user says hi",
    ),
    Quirk(
        "thinking is an object",
        GITHUB + "envoyproxy/ai-gateway/pull/1222",
        sse(chunk({"role": "assistant", "reasoning_content": {"text": "I nee"}}))
        + sse(chunk({"role": "assistant", "reasoning_content": {"text": "d it"}}))
        + says("Hi")
        + STOP,
        "Hi",
        "I need it",
    ),
    Quirk(
        "thinking in tags, which are cut",
        GITHUB + "can1357/oh-my-pi/pull/2434",
        says("<thi") + says("nk>Hm. </th") + says("ink>\n\nHello") + STOP,
        "Hello",
        "Hm. ",
    ),
    Quirk(
        "thinking in tags and in a field",
        GITHUB + "can1357/oh-my-pi/issues/2433",
        sse(chunk({"content": "<think>The user", "reasoning_content": "The user"}))
        + sse(chunk({"content": " greets.</think>Hi", "reasoning_content": " greets."}, "stop")),
        "Hi",
        "The user greets.",
    ),
)
