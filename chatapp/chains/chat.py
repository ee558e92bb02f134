"""The plain chain: the prompt, then the model."""

from typing import Any

from langchain_core.runnables import Runnable, RunnableLambda

from chatapp.core.prompt import Ask, Prompt, build_prompt


def chat_chain(model: Runnable[Prompt, Any]) -> Runnable[Ask, Any]:
    """Return `prompt | model`."""
    return RunnableLambda(_prompt) | model


def _prompt(ask: Ask) -> Prompt:
    return build_prompt(ask, None)
