"""Suppliers that are known by name: where they are, what they offer, how much their models read. Facts only.

Model names are suggestions, shown until the supplier's own list has been fetched. They and the contexts were looked up in
November 2026; a name that is gone costs nothing but a suggestion.
"""

import re
from dataclasses import dataclass

OLLAMA_TOKENS = 4096  # its OpenAI endpoint cuts silently what is longer


@dataclass(frozen=True, slots=True)
class Preset:
    """A known supplier. `key_check` is what is fetched to see whether a key is good; `port` is where a local one listens."""

    name: str
    label: str
    base_url: str
    models: tuple[str, ...] = ()
    needs_key: bool = True
    local: bool = False
    port: int = 0
    key_check: str = "models"
    dialect: str = "compatible"
    stream_usage: bool = True


def _here(name: str, label: str, port: int) -> Preset:
    return Preset(
        name, label, f"http://127.0.0.1:{port}/v1", needs_key=False, local=True, port=port
    )


PRESETS: tuple[Preset, ...] = (
    Preset(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        ("gpt-5.4-mini", "gpt-5.5", "gpt-4.1-mini"),
        dialect="openai",
    ),
    Preset(
        "deepseek",
        "DeepSeek",
        "https://api.deepseek.com/v1",
        ("deepseek-v4-flash", "deepseek-v4-pro"),
    ),
    Preset(
        "qwen",
        "Qwen (DashScope)",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ("qwen-plus", "qwen-max", "qwen-flash"),
    ),
    Preset(
        "kimi",
        "Kimi (Moonshot)",
        "https://api.moonshot.cn/v1",
        ("kimi-k2.6", "kimi-k2.5", "moonshot-v1-128k"),
    ),
    # Tells its usage unasked, and its documentation does not know stream_options.
    Preset(
        "glm",
        "GLM (Zhipu)",
        "https://open.bigmodel.cn/api/paas/v4",
        ("glm-5.2", "glm-4.7", "glm-4.6"),
        stream_usage=False,
    ),
    Preset(
        "siliconflow",
        "SiliconFlow",
        "https://api.siliconflow.cn/v1",
        ("Qwen/Qwen3-32B", "deepseek-ai/DeepSeek-V3.2"),
    ),
    # Its list of models is public, so a wrong key would pass.
    Preset(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        ("openrouter/auto",),
        key_check="key",
    ),
    Preset("oneapi", "One API", "http://127.0.0.1:3000/v1", local=True),
    _here("ollama", "Ollama", 11434),
    _here("lmstudio", "LM Studio", 1234),
    Preset("vllm", "vLLM", "http://127.0.0.1:8000/v1", needs_key=False, local=True),
    _here("llamacpp", "llama.cpp", 8080),
)
_BY_NAME = {known.name: known for known in PRESETS}

# What a model reads, in tokens, by its name, first match wins; the smaller number where sources differ.
_CONTEXT: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(name, re.IGNORECASE), tokens)
    for name, tokens in (
        (r"gpt-(5\.[4-9]|[6-9])(?!.*(mini|nano))", 1_000_000),
        (r"gpt-5", 272_000),
        (r"gpt-4\.1", 1_000_000),
        (r"gpt-4o|gpt-4-turbo|chatgpt-4o", 128_000),
        (r"gpt-4", 8_192),
        (r"gpt-3\.5", 16_385),
        (r"(^|/)o[134](-|$)", 200_000),
        (r"deepseek-v4|deepseek-ai/deepseek-v4", 1_000_000),
        (r"deepseek-(v3\.[12]|chat|reasoner)", 128_000),
        (r"deepseek", 64_000),
        (r"(^|/)qwen-max$", 32_768),
        (r"(^|/)qwen-(plus|flash|turbo)", 128_000),
        (r"(^|/)qwen-long", 1_000_000),
        (r"qwen-?3", 128_000),
        (r"qwen", 32_768),
        (r"kimi-k2", 256_000),
        (r"moonshot-v1-128k|kimi", 128_000),
        (r"moonshot-v1-32k", 32_768),
        (r"moonshot-v1", 8_192),
        (r"glm-5\.2", 1_000_000),
        (r"glm-(5|4\.[67])", 200_000),
        (r"glm-4\.5|glm-4", 128_000),
        (r"claude", 200_000),
        (r"gemini", 1_000_000),
    )
)


def preset(name: str) -> Preset | None:
    """Return a known supplier, None where the name is not known."""
    return _BY_NAME.get(name)


def context_tokens(preset: str | None, model: str, default: int) -> int:
    """Return how many tokens a model reads; `default` where nobody knows. One that runs here is as large as it was started."""
    if preset == "ollama":
        return OLLAMA_TOKENS
    known = _BY_NAME.get(preset or "")
    if known and known.local and known.needs_key is False:
        return default
    return next((tokens for pattern, tokens in _CONTEXT if pattern.search(model)), default)
