"""Suppliers that do not speak OpenAI's protocol, by LangChain's own integrations (`init_chat_model`).

They read by their own libraries, so the limits here are what those libraries make of one time-out, and their errors are told
apart by their names and statuses. Never cached: the object holds the key.
"""

import logging
from collections.abc import Iterator
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableGenerator

from chatapp.chains import upstream
from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.http.waiting import Limits
from chatapp.core.prompt import Prompt
from chatapp.errors import ChatAppError, ModelGone

log = logging.getLogger(__name__)
_MESSAGES: dict[str, type[BaseMessage]] = {
    "system": SystemMessage,
    "user": HumanMessage,
    "assistant": AIMessage,
}


def foreign_model(
    provider: str, endpoint: Endpoint, parameters: Parameters, limits: Limits
) -> Runnable[Prompt, Any]:
    """Return a model of a LangChain integration. Raises ModelGone where that is not installed or not known."""
    from langchain.chat_models import init_chat_model

    given: dict[str, Any] = {
        "api_key": endpoint.api_key or None,
        "base_url": endpoint.base_url or None,
        "temperature": parameters.temperature,
        "max_tokens": parameters.max_tokens,
        "top_p": parameters.top_p,
        "timeout": limits.first_token,
    }
    try:
        model = init_chat_model(
            parameters.model,
            model_provider=provider,
            **{name: value for name, value in given.items() if value is not None},
        )
    except (ImportError, ValueError) as error:
        log.warning(
            "no LangChain integration %r for supplier %s: %s",
            provider,
            endpoint.name,
            type(error).__name__,
        )
        raise ModelGone(model=parameters.model) from error
    return guarded(model, endpoint.label, parameters.model, limits)


def guarded(
    model: Runnable[Any, Any], label: str, name: str, limits: Limits
) -> Runnable[Prompt, Any]:
    """Return a LangChain model over our prompts, with its errors as ours, around the call and every step of it."""

    def stream(prompts: Iterator[Prompt]) -> Iterator[Any]:
        for prompt in prompts:
            try:
                yield from model.stream(
                    [_MESSAGES[turn.role](content=turn.content) for turn in prompt.turns]
                )
            except ChatAppError:
                raise
            except Exception as error:
                raise _ours(error, label, name, limits) from error

    return RunnableGenerator(stream)


def _ours(error: Exception, label: str, model: str, limits: Limits) -> ChatAppError:
    upstream.log_foreign(label, 0, type(error).__name__, "")
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    if isinstance(status, int) and status >= 300:
        headers = getattr(response, "headers", None) or {}
        return upstream.refusal(
            status, getattr(error, "body", None), label, model, upstream.retry_after(headers)
        )
    words = " ".join(kind.__name__ for kind in type(error).__mro__).lower()
    if "timeout" in words:
        return upstream.too_slow(label, round(limits.first_token))
    if "connect" in words:
        return upstream.unreachable(label)
    return upstream.garbled(label)
