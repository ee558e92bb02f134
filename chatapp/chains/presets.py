"""Presets of known suppliers: address, suggested models, and the context sizes of models.

To add a supplier, add a Preset. Model names are suggestions, shown until the supplier's own list
has been fetched. Names and context sizes are as of November 2026.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

OLLAMA_TOKENS = 4096  # its OpenAI endpoint silently cuts longer prompts


@dataclass(frozen=True, slots=True)
class Preset:
    """A known supplier. `key_check`: the path that checks a key; `port`: of a local server."""

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


def _local(name: str, label: str, port: int) -> Preset:
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
    # Sends usage unasked; its documentation does not mention stream_options.
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
    # Its list of models is public, so it does not check a key.
    Preset(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        ("openrouter/auto",),
        key_check="key",
    ),
    Preset("oneapi", "One API", "http://127.0.0.1:3000/v1", local=True),
    _local("ollama", "Ollama", 11434),
    _local("lmstudio", "LM Studio", 1234),
    Preset("vllm", "vLLM", "http://127.0.0.1:8000/v1", needs_key=False, local=True),
    _local("llamacpp", "llama.cpp", 8080),
)
_BY_NAME = {known.name: known for known in PRESETS}
_VERSION = re.compile(r"/v\d+[a-z]*\d*$")

# Context size in tokens by model name, first match wins; the smaller one where sources differ.
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
    """Return a preset by name, None for an unknown one."""
    return _BY_NAME.get(name)


def context_tokens(preset: str | None, model: str, default: int) -> int:
    """Return a model's context size in tokens; `default` if unknown, and for local servers."""
    if preset == "ollama":
        return OLLAMA_TOKENS
    known = _BY_NAME.get(preset or "")
    if known and known.local and known.needs_key is False:
        return default
    return next((tokens for pattern, tokens in _CONTEXT if pattern.search(model)), default)


def whole_address(base_url: str) -> str:
    """Return an address with the path of its API where it is the host of a preset alone."""
    parts = urlsplit(base_url)
    if parts.path or parts.port or parts.query:
        return base_url
    found = (known.base_url for known in PRESETS if urlsplit(known.base_url).netloc == parts.netloc)
    return next(found, base_url)


def likely_addresses(base_url: str) -> list[str]:
    """Return addresses on the same host at which the API may be instead.

    These are `/v1` below the address and below the host, and the same over https where the address
    has none.
    """
    parts = urlsplit(base_url)
    path = parts.path.rstrip("/")
    paths = []
    if not _VERSION.search(path):
        paths += [f"{path}/v1", f"{path.removesuffix('/api')}/v1", "/v1"]
    schemes = [parts.scheme]
    if parts.scheme == "http" and "." in (parts.hostname or "") and not parts.port:
        schemes.append("https")
        paths.append(path)
    found = dict.fromkeys(
        urlunsplit((scheme, parts.netloc, place, parts.query, ""))
        for scheme in schemes
        for place in paths
    )
    return [address for address in found if address != base_url]
