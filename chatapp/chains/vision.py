"""Whether a model sees pictures, by its name. Pure.

Only names that leave no doubt are listed, as of November 2026: a model that is wrongly taken for
blind would not be asked. For all others None is returned, and the supplier's refusal tells.
"""

import re

_SEES = re.compile(
    r"gpt-(4o|4\.1|4\.5|5|[6-9])|chatgpt-4o|gpt-4-turbo|gpt-4.*vision|(^|/)o(1|3|4-mini)(-\d|$)"
    r"|claude-(3|opus|sonnet|haiku|[4-9])|gemini|gemma-?3(?!.*270m)(?!.*\b1b)|gemma-?[4-9]"
    r"|\bvl\b|[-_/.\d]vl(?![a-z])|qvq|omni|vision|llava|minicpm-?[vo]|pixtral|internvl|moondream"
    r"|smolvlm|llama-?4|kimi-k2\.[5-9]|glm-[45](\.\d+)?v|grok-[4-9]|multimodal",
    re.IGNORECASE,
)
_BLIND = re.compile(
    r"gpt-3\.5|(^|/)gpt-4(-0613|-32k.*)?$|gpt-oss|(^|/)o(1|3)-mini"
    r"|deepseek-(chat|reasoner|coder|r1|v[1-4])|codellama|codestral|mixtral|mistral-7b"
    r"|llama-?(2|3|3\.1|3\.3)[-:]|llama3(\.[13])?(:|$)|kimi-k2(-|$)|moonshot-v1-(8|32|128)k(-|$)"
    r"|glm-4(\.[567])?(-|$)|(^|/)qwen-?(2|2\.5|3)(-coder|-next|-math)|(^|/)qwen3-\d+(\.\d+)?b"
    r"|(^|/)qwq|phi-?[34](-mini|$)",
    re.IGNORECASE,
)


def sees_by_name(model: str) -> bool | None:
    """Return whether a model of this name sees pictures; None where its name does not tell."""
    if _SEES.search(model):
        return True
    return False if _BLIND.search(model) else None
