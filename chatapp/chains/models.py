"""Create models from an endpoint and parameters, and list the models of an endpoint.

OpenAIChat objects are cached, because creating one takes 10 ms. They hold no key: a key goes from
the endpoint into the request's header and nowhere else.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from chatapp.chains import upstream
from chatapp.chains.attempts import Attempts
from chatapp.chains.call import Target, call
from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.error_body import holds_error, refuses_list
from chatapp.chains.http.connection import Route
from chatapp.chains.http.read_delay import ReadDelay
from chatapp.chains.http.tls import is_loopback, tls_context
from chatapp.chains.http.transport import Broken, Transport
from chatapp.chains.http.waiting import Deadline, Limits
from chatapp.chains.messages import Model
from chatapp.chains.model_list import can_chat, chat_names, listed_names
from chatapp.chains.presets import (
    PRESETS,
    Preset,
    context_tokens,
    likely_addresses,
    preset,
    whole_address,
)
from chatapp.chains.upstream_errors import (
    UpstreamAuth,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from chatapp.chains.vision import sees_by_name
from chatapp.errors import ChatAppError
from chatapp.settings import Settings
from chatapp.storage import threads

if TYPE_CHECKING:  # at run time where the first model is made: openai takes 45 MB and a second
    from chatapp.chains.openai_chat import OpenAIChat

__all__ = [
    "PRESETS",
    "Endpoint",
    "Found",
    "Models",
    "Parameters",
    "Preset",
    "Tested",
    "context_tokens",
    "preset",
    "whole_address",
]

CACHED_MODELS = 64
LIST_SECONDS = 15.0  # for a list of models
LIST_BYTES = 8 * 1024 * 1024
LOCAL_SECONDS = 0.5  # for the search for model servers on this machine
LOCAL_CONNECT_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Found:
    """A model server that listens on this machine."""

    preset: str
    label: str
    base_url: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tested:
    """The result of a test: the address that answers, its chat models, or an error.

    `note` is the rest of the catalogue key `server.test.…` where there are no models.
    """

    base_url: str
    models: tuple[str, ...] = ()
    note: str = ""
    error: ChatAppError | None = None


Names: TypeAlias = list[str]
Servers: TypeAlias = list[Found]


class Models:
    """Creates models, and lists what endpoints offer."""

    def __init__(self, settings: Settings, read_delay: ReadDelay | None = None) -> None:
        self._settings = settings
        self._read_delay = read_delay or ReadDelay()
        self._transport = Transport(keep=max(1, settings.max_streams))
        self._attempts = Attempts()
        self._cached: OrderedDict[tuple[str, bool, Parameters], OpenAIChat] = OrderedDict()

    def model(self, endpoint: Endpoint, parameters: Parameters) -> Model:
        """Return a model. The first one loads openai, which takes a second; see `preload`.

        Raises ModelGone for a `provider` that is not installed.
        """
        limits, target = self._limits(endpoint.options), self._target(endpoint)
        if provider := endpoint.options.get("provider"):
            from chatapp.chains.providers import provider_model

            further = endpoint.options.get("provider_options") or {}
            return provider_model(str(provider), target, parameters, limits, further)
        from chatapp.chains.completions import Completions

        completions = Completions(self._transport, self._read_delay, target, limits, self._attempts)
        return self._chat(endpoint, parameters).connected_to(completions)

    def is_cached(self, endpoint: Endpoint, parameters: Parameters) -> bool:
        """Return whether `model` returns at once."""
        return not endpoint.options.get("provider") and _key(endpoint, parameters) in self._cached

    def sees(self, base_url: str, options: Mapping[str, Any], model: str) -> bool | None:
        """Return whether a model sees pictures; None where nothing tells.

        The supplier's option `vision` decides, then a recent refusal, then the model's name.
        """
        stated = (options.get("vision") or {}).get(model)
        if stated is not None:
            return bool(stated)
        return False if self._attempts.is_blind(base_url, model) else sees_by_name(model)

    def preload(self) -> None:
        """Load openai and the certificates, so that the first question does not wait for them."""
        from chatapp.chains import openai_chat  # noqa: F401

        tls_context(self._settings.ca_file)

    def list(self, endpoint: Endpoint) -> Names:
        """Return the names of an endpoint's chat models. Raises our Upstream errors."""
        return chat_names(self._listed(endpoint))

    def test(self, endpoint: Endpoint) -> Tested:
        """Check address and key, and list the chat models; try likely addresses if it is no API.

        Raises ModelGone and others for a `provider` that cannot be used. Our Upstream errors are in
        the result.
        """
        if endpoint.options.get("provider"):
            threads.run(lambda: self.model(endpoint, Parameters("test")), threads.MODELS)
            return Tested(endpoint.base_url, note="provider")
        known = preset(endpoint.preset or "")
        if known and known.needs_key and not endpoint.api_key:
            return Tested(endpoint.base_url, error=UpstreamAuth("missing", supplier=endpoint.label))
        first: ChatAppError | None = None
        for address in (endpoint.base_url, *likely_addresses(endpoint.base_url)):
            try:
                return self._tested(replace(endpoint, base_url=address))
            except UpstreamProtocol as error:
                first = first or error
            except ChatAppError as error:
                if first is None or not isinstance(error, UpstreamUnreachable | UpstreamTimeout):
                    return Tested(address, error=error)
        return Tested(endpoint.base_url, error=first)

    def find_local(self, presets: Sequence[Preset] = PRESETS) -> Servers:
        """Return the model servers that listen on this machine. Takes at most half a second."""
        found: dict[str, Found] = {}
        limits = Limits(LOCAL_CONNECT_SECONDS, *[LOCAL_SECONDS * 0.9] * 3)

        def ask(known: Preset) -> None:
            endpoint = Endpoint(known.name, known.label, known.base_url)
            try:
                body = self._fetch(endpoint, "models", limits, attempts=1)
            except ChatAppError:
                return
            names = listed_names(body)
            if names is not None and isinstance(body, dict) and {"data", "models"} & body.keys():
                models = tuple(name for name in names if can_chat(name))
                found[known.name] = Found(known.name, known.label, known.base_url, models)

        places = [known for known in presets if known.port]
        threads = [threading.Thread(target=ask, args=(known,), daemon=True) for known in places]
        for thread in threads:
            thread.start()
        end = monotonic() + LOCAL_SECONDS
        for thread in threads:
            thread.join(max(0.0, end - monotonic()))
        return [found[known.name] for known in places if known.name in found]

    def close(self) -> None:
        """Close the unused connections."""
        self._transport.close()

    def _chat(self, endpoint: Endpoint, parameters: Parameters) -> "OpenAIChat":
        from chatapp.chains.openai_chat import new_chat

        key = _key(endpoint, parameters)
        chat = self._cached.get(key)
        if chat is None:
            chat = self._cached[key] = new_chat(*key)
            while len(self._cached) > CACHED_MODELS:
                self._cached.popitem(last=False)
        else:
            self._cached.move_to_end(key)
        return chat

    def _listed(self, endpoint: Endpoint) -> Names:
        """Return all names of an endpoint's models. Raises our Upstream errors."""
        body = self._fetch(endpoint, "models", self._list_limits(endpoint.options))
        names = listed_names(body)
        if not names and refuses_list(body):
            raise self._explained(upstream.refusal(0, body, endpoint.label, ""), endpoint, body)
        if names is None:
            raise self._explained(upstream.garbled(endpoint.label), endpoint, body)
        return names

    def _tested(self, endpoint: Endpoint) -> Tested:
        known = preset(endpoint.preset or "")
        if known and known.key_check != "models":
            self._fetch(endpoint, known.key_check, self._list_limits(endpoint.options))
        try:
            names = self._listed(endpoint)
        except UpstreamProtocol:
            if not self._chats(endpoint):
                raise
            suggested = known.models if known else ()
            return Tested(endpoint.base_url, tuple(suggested), "" if suggested else "no_list")
        chat = chat_names(names)
        return Tested(
            endpoint.base_url, tuple(chat), "" if chat else "no_chat" if names else "no_models"
        )

    def _chats(self, endpoint: Endpoint) -> bool:
        """Return whether an endpoint refuses an empty chat as a chat API does."""
        target = self._target(endpoint)
        deadline = Deadline(self._list_limits(endpoint.options))
        request = target.post("chat/completions", {"model": "", "messages": []})
        try:
            exchange = call(self._transport, target, request, deadline)
            try:
                body = orjson.loads(exchange.read_all(LIST_BYTES))
            finally:
                exchange.close()
            if holds_error(body) or refuses_list(body):  # LM Studio's "returning 200 anyway"
                raise upstream.refusal(0, body, endpoint.label, "")
            return isinstance(body, dict) and "choices" in body
        except TimeoutError as error:
            raise upstream.too_slow(endpoint.label, deadline.waited) from error
        except (UpstreamProtocol, Broken, ValueError):
            return False
        except ChatAppError as error:
            if error.code in ("upstream_refused", "context_too_long"):
                return True
            raise

    def _fetch(self, endpoint: Endpoint, path: str, limits: Limits, attempts: int = 2) -> Any:
        target = self._target(endpoint)
        deadline = Deadline(limits)
        try:
            exchange = call(self._transport, target, target.get(path), deadline, attempts=attempts)
            try:
                text = exchange.read_all(LIST_BYTES)
            finally:
                exchange.close()
        except TimeoutError as error:
            raise upstream.too_slow(endpoint.label, deadline.waited) from error
        except Broken as error:
            raise upstream.garbled(endpoint.label) from error
        try:
            return orjson.loads(text)
        except ValueError as error:
            garbled = upstream.garbled(endpoint.label, text)
            raise self._explained(garbled, endpoint, text) from error

    def _explained(self, error: ChatAppError, endpoint: Endpoint, body: Any) -> ChatAppError:
        secrets = self._target(endpoint).secrets()
        return upstream.with_answer(error, endpoint.label, 200, body, secrets)

    def _target(self, endpoint: Endpoint) -> Target:
        options = endpoint.options
        proxy = "" if is_loopback(endpoint.base_url) else self._settings.proxy
        route = Route(
            endpoint.base_url,
            str(options.get("proxy", proxy) or ""),
            str(options.get("ca_file", self._settings.ca_file) or ""),
        )
        return Target(
            route,
            endpoint.label,
            endpoint.api_key.strip(),
            options.get("headers") or {},
            options.get("body") or {},
        )

    def _limits(self, options: Mapping[str, Any]) -> Limits:
        names = ("connect_seconds", "first_token_seconds", "idle_seconds", "answer_seconds")
        return Limits(*(float(options.get(name, getattr(self._settings, name))) for name in names))

    def _list_limits(self, options: Mapping[str, Any]) -> Limits:
        limits = self._limits(options)
        wait = min(LIST_SECONDS, limits.first_token)
        return Limits(limits.connect, wait, wait, wait)


def _key(endpoint: Endpoint, parameters: Parameters) -> tuple[str, bool, Parameters]:
    """Return the arguments of `new_chat`: dialect, whether to request usage, parameters."""
    known = preset(endpoint.preset or "")
    dialect = known.dialect if known else "compatible"
    return (
        dialect,
        bool(endpoint.options.get("stream_usage", known.stream_usage if known else False)),
        parameters,
    )
