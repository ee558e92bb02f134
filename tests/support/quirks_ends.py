"""Quirks of ends: finish_reasons, [DONE], broken connections; and of counts."""

from tests.support.quirks import (
    ANY,
    CUT,
    DONE,
    FIXTURES,
    GITHUB,
    STOP,
    USAGE,
    Quirk,
    chunk,
    ends,
    says,
    sse,
)

ENDS = (
    Quirk(
        "a finish_reason in every chunk",
        GITHUB + "songquanpeng/one-api/pull/1477",
        b"".join(says(f"w{n} ", "stop") for n in range(5)) + DONE,
        "w0 w1 w2 w3 w4 ",
    ),
    Quirk(
        "the same without [DONE]",
        GITHUB + "BerriAI/litellm/issues/2195",
        b"".join(says(f"w{n} ", "stop") for n in range(5)),
        "w0 w1 w2 w3 w4 ",
    ),
    Quirk(
        "the same, and the connection breaks",
        GITHUB + "BerriAI/litellm/issues/2195",
        b"".join(says(f"w{n} ", "stop") for n in range(5)),
        "w0 w1 w2 w3 w4 ",
        error=CUT,
        breaks=True,
    ),
    Quirk(
        "a finish_reason before any word",
        GITHUB + "Chevey339/kelivo/issues/1003",
        ends() + ends() + says("Hi") + ends() + DONE,
        "Hi",
    ),
    Quirk(
        "a finish_reason before any word, and none behind it",
        GITHUB + "router-for-me/CLIProxyAPI/issues/5651",
        ends() + says("Hi"),
        "Hi",
        error=CUT,
    ),
    Quirk(
        "a finish_reason in the middle",
        GITHUB + "PawanOsman/OpenCursor/issues/88",
        says("One moment. ") + ends() + says("Here it is.") + ends() + DONE,
        "One moment. Here it is.",
    ),
    Quirk(
        "an empty finish_reason",
        GITHUB + "ollama/ollama/issues/4357",
        says("a", "") + says("b", "") + STOP,
        "ab",
    ),
    Quirk(
        "finish_reasons that are no word",
        GITHUB + "songquanpeng/one-api/blob/main/relay/adaptor/ali/main.go",
        says("a", "null")
        + says("b", "None")
        + says("c", "in_progress")
        + says("d", 0)
        + says("e", {"x": 1}),
        "abcde",
        error=CUT,
    ),
    Quirk(
        "a word of no table, at a clean end",
        GITHUB + "vercel/ai/issues/19165",
        says("Hi") + ends("satisfied"),
        "Hi",
    ),
    Quirk(
        "a word of no table, and the connection breaks",
        GITHUB + "vercel/ai/issues/19165",
        says("Hi") + ends("satisfied"),
        "Hi",
        error=CUT,
        breaks=True,
    ),
    Quirk(
        "the connection breaks behind the end",
        GITHUB
        + "coder/coder/blob/main/aibridge/fixtures/openai/chatcompletions/stream_error.txtar",
        says("Hi") + ends(),
        "Hi",
        breaks=True,
    ),
    Quirk(
        "the connection breaks before the end",
        GITHUB + "can1357/oh-my-pi/pull/8563",
        says("Hi"),
        "Hi",
        error=CUT,
        breaks=True,
    ),
    Quirk(
        "neither finish_reason nor [DONE]",
        GITHUB + "ollama/ollama/blob/main/middleware/openai.go",
        says("Once") + sse(chunk({"content": ""}, model="")),
        "Once",
        error=CUT,
    ),
    Quirk(
        "[DONE] without a finish_reason",
        GITHUB + "can1357/oh-my-pi/issues/9433",
        says("Hi") + DONE,
        "Hi",
    ),
    *(
        Quirk(
            f"[DONE] as {done.decode()}",
            GITHUB + "songquanpeng/one-api/blob/main/relay/adaptor/openai/main.go",
            says("Hi") + done + b"\n\n",
            "Hi",
        )
        for done in (
            b"data:[DONE]",
            b"data: [DONE] ",
            b"data: [done]",
            b"data: DONE",
            b'data: "[DONE]"',
            b"[DONE]",
        )
    ),
    Quirk(
        "more behind [DONE]",
        GITHUB + "langchain-ai/langchain/issues/18977",
        says("Hi") + STOP + sse({"id": "", "choices": [], "usage": USAGE}),
        "Hi",
    ),
    Quirk(
        "the end in another field",
        GITHUB + "jakobdylanc/llmcord/issues/84",
        says("Hi")
        + sse(
            {"choices": [{"index": 0, "delta": {}, "finish_reason": None, "finishReason": "stop"}]}
        ),
        "Hi",
    ),
    *(
        Quirk(
            f"the finish_reason {word}",
            GITHUB + "BerriAI/litellm/blob/main/litellm/litellm_core_utils/core_helpers.py",
            says("x") + ends(word),
            "x",
            reason=reason,
        )
        for word, reason in (
            ("MAX_TOKENS", "length"),
            ("model_context_window_exceeded", "length"),
            ("repetition_truncation", "length"),
            ("end_turn", "stop"),
            ("eos_token", "stop"),
            ("COMPLETE", "stop"),
            ("FinishReason.STOP", "stop"),
            ("sensitive", "content_filter"),
            ("content_filter: PROHIBITED_CONTENT", "content_filter"),
            ("SAFETY", "content_filter"),
        )
    ),
    *(
        Quirk(
            f"the finish_reason {word}, then [DONE]",
            source,
            says("Half") + ends(word) + DONE,
            "Half",
            error=ANY,
        )
        for word, source in (
            ("abort", GITHUB + "vllm-project/vllm/issues/57082"),
            ("network_error", GITHUB + "promptfoo/promptfoo/pull/9905"),
            (
                "insufficient_system_resource",
                "https://api-docs.deepseek.com/api/create-chat-completion",
            ),
            ("error", GITHUB + "InternLM/lmdeploy/blob/main/lmdeploy/serve/openai/protocol.py"),
        )
    ),
)

COUNTS = (
    Quirk(
        "counts inside the choice",
        GITHUB + "earendil-works/pi/issues/2017",
        says("Hi")
        + sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}]}),
        "Hi",
        usage=(5, 2),
    ),
    Quirk(
        "counts in a chunk of their own",
        FIXTURES + "alibaba/src/__fixtures__/alibaba-reasoning.chunks.txt",
        says("Hi", usage=None) + ends() + sse({"choices": [], "usage": USAGE}) + DONE,
        "Hi",
        usage=(5, 2),
    ),
    Quirk(
        "counts in the supplier's own field",
        FIXTURES + "groq/src/__fixtures__/groq-text.chunks.txt",
        says("Hi") + ends(x_groq={"id": "req", "usage": USAGE}) + DONE,
        "Hi",
        usage=(5, 2),
    ),
    Quirk(
        "counts that grow in every chunk",
        GITHUB + "rashidrazak/opencode-cmd-provider/pull/213",
        says("a", usage={**USAGE, "completion_tokens": 1}) + says("b", "stop", usage=USAGE),
        "ab",
        usage=(5, 2),
    ),
    Quirk(
        "counts with other names, as strings and fractions",
        "https://platform.openai.com/docs/api-reference/responses",
        says("Hi")
        + ends(usage={"input_tokens": "5", "output_tokens": 2.0, "prompt_tokens": None})
        + DONE,
        "Hi",
        usage=(5, 2),
    ),
    Quirk(
        "counts that are none",
        GITHUB + "langchain-ai/langchain/issues/18977",
        says("Hi", usage="many") + ends(usage=[5, 2]) + DONE,
        "Hi",
    ),
)
