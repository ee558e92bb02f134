"""Suppliers with a protocol of their own, through LangChain's integrations (`init_chat_model`).

They use their own HTTP libraries: only one time-out can be passed to most, and their errors are
recognised by class name and status. Never cached: the object holds the key.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.runnables import Runnable
from pydantic import ValidationError

from chatapp.chains import upstream
from chatapp.chains.call import Target
from chatapp.chains.endpoint import Parameters
from chatapp.chains.http.tls import tls_context
from chatapp.chains.http.waiting import Limits
from chatapp.chains.messages import to_messages
from chatapp.chains.redaction import Secrets
from chatapp.chains.refusals import SETTINGS
from chatapp.chains.retry_delay import retry_after
from chatapp.chains.upstream_errors import UpstreamAuth, UpstreamRefused
from chatapp.core.prompt import Prompt
from chatapp.errors import ChatAppError, ModelGone

log = logging.getLogger(__name__)
_KEY_NEEDED = re.compile(r"api[_ ]?key|credential", re.IGNORECASE)
_PACKAGE = re.compile(r"pip install ([A-Za-z0-9._-]+)")


class ProviderModel:
    """A chat model of LangChain over our prompts, with its errors as ours."""

    def __init__(
        self,
        chat: Runnable[LanguageModelInput, Any],
        target: Target,
        name: str,
        limits: Limits,
        secrets: Sequence[str] = (),
        sent: Sequence[str] = (),
    ) -> None:
        known = target.secrets()
        self._chat = chat
        self._secrets = Secrets((*known.keys, *secrets), known.others)
        self._target = target
        self._name = name
        self._limits = limits
        self._sent = sent  # names of the parameters that are set

    def stream_text(self, prompt: Prompt) -> Iterator[Any]:
        """Yield the answer's messages as they arrive. Raises our Upstream errors."""
        try:
            yield from self._chat.stream(to_messages(prompt))
        except ChatAppError:
            raise
        except Exception as error:
            raise self._translated(error) from error

    def with_options(self, options: Mapping[str, Any]) -> "ProviderModel":
        """Return a model that is called with these request fields, as far as it knows them.

        Raises UpstreamRefused for tools where the integration takes none.
        """
        made = copy(self)
        if tools := options.get("tools"):
            made._chat = self._with_tools(tools, options.get("tool_choice"))
        if stop := options.get("stop"):
            made._chat = made._chat.bind(stop=stop)
        return made

    def _with_tools(self, tools: Sequence[Any], choice: Any) -> Runnable[LanguageModelInput, Any]:
        refused = UpstreamRefused(
            "setting", supplier=self._target.label, model=self._name, setting="tools"
        )
        if not isinstance(self._chat, BaseChatModel):
            raise refused
        more = {"tool_choice": choice} if choice else {}
        try:
            return self._chat.bind_tools(tools, **more)
        except (NotImplementedError, TypeError, ValueError) as error:
            raise refused from error

    def _translated(self, error: Exception) -> ChatAppError:
        label = self._target.label
        response = getattr(error, "response", None)
        status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
        if not isinstance(status, int) or status < 300:
            status = 0
        body = getattr(error, "body", None) or getattr(error, "error", None)
        found = self._refusal(status, response, body) if status else self._failure(error)
        return upstream.with_answer(found, label, status, body or repr(error), self._secrets)

    def _refusal(self, status: int, response: Any, body: Any) -> ChatAppError:
        label = self._target.label
        wait = retry_after(getattr(response, "headers", None) or {}, body)
        error = upstream.refusal(status, body, label, self._name, wait)
        if not isinstance(error, UpstreamRefused) or not (names := error.names & {*self._sent}):
            return error
        return UpstreamRefused(
            "setting", supplier=label, model=self._name, setting=", ".join(sorted(names))
        )

    def _failure(self, error: Exception) -> ChatAppError:
        """Return the error for an exception without a status, by the names of its classes."""
        label = self._target.label
        names = " ".join(kind.__name__ for kind in type(error).__mro__).lower()
        if "timeout" in names:
            return upstream.too_slow(label, round(self._limits.first_token))
        if "connect" in names:
            return upstream.unreachable(label)
        return upstream.garbled(label)


def provider_model(
    provider: str,
    target: Target,
    parameters: Parameters,
    limits: Limits,
    further: Mapping[str, Any],
) -> ProviderModel:
    """Return a model of a LangChain integration, made with `further` arguments of its own.

    Raises ModelGone where its package is not installed or LangChain has none of that name,
    UpstreamAuth where it needs a key, UpstreamRefused for parameters that it does not take, and
    UpstreamUnreachable for a CA file that cannot be read.
    """
    from langchain.chat_models import init_chat_model

    try:
        arguments = {**_arguments(provider, target, parameters, limits), **further}
        given = {name: value for name, value in arguments.items() if value not in (None, "")}
        chat = init_chat_model(parameters.model, model_provider=provider, **given)
    except ImportError as error:
        log.warning("provider %s of supplier %s: %s", provider, target.label, error)
        package = _package(provider, error)
        raise ModelGone("package", provider=provider, package=package) from error
    except OSError as error:  # the CA file, SSLError too
        raise upstream.unreachable(target.label, certificate=True) from error
    except Exception as error:  # each integration raises its own kinds
        raise _not_made(provider, target, error) from error
    sent = [name for name in SETTINGS if given.get(name) is not None]
    return ProviderModel(chat, target, parameters.model, limits, _texts(further), sent)


def _not_made(provider: str, target: Target, error: Exception) -> ChatAppError:
    """Return the error for a model that LangChain or the integration refuses to make."""
    if not target.api_key and _KEY_NEEDED.search(str(error)):
        return UpstreamAuth("missing", supplier=target.label)
    if isinstance(error, ValueError) and not isinstance(error, ValidationError):
        return ModelGone("provider", provider=provider)
    refused = UpstreamRefused(supplier=target.label)
    return upstream.with_answer(refused, target.label, 0, repr(error), target.secrets())


def _texts(value: Any) -> list[str]:
    """Return all texts inside a JSON value: any may be a secret."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def _package(provider: str, error: ImportError) -> str:
    """Return the package to install: LangChain names it in its error."""
    named = _PACKAGE.search(str(error))
    return named[1] if named else f"langchain-{provider.replace('_', '-')}"


def _arguments(
    provider: str, target: Target, parameters: Parameters, limits: Limits
) -> dict[str, Any]:
    """Return the arguments of a provider's class: LangChain's standard names, except for Ollama."""
    shared = {
        "base_url": target.route.base_url,
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
    }
    if provider == "ollama":
        return {
            **shared,
            "num_predict": parameters.max_tokens,
            "client_kwargs": _client_arguments(target, limits),
        }
    return {
        **shared,
        "api_key": target.api_key,
        "max_tokens": parameters.max_tokens,
        "timeout": limits.first_token,
    }


def _client_arguments(target: Target, limits: Limits) -> dict[str, Any]:
    """Return the arguments of an httpx client; no proxy is read from the environment.

    Each model has its own client, which is never closed: so its connection ends with the answer.
    """
    key = {"Authorization": f"Bearer {target.api_key}"} if target.api_key else {}
    return {
        # to connect, between two reads, to write, for the pool
        "timeout": (limits.connect, limits.first_token, limits.first_token, limits.connect),
        "headers": {**target.headers, **key, "Connection": "close"},
        "proxy": target.route.proxy or None,
        "verify": tls_context(target.route.ca_file),
        "trust_env": False,
    }
