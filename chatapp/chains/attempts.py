"""Retry a request that a supplier refused, if the reason can be removed and no text has arrived.

A setting that the model refuses is left out or sent under its other name, and not sent again to
this model: suppliers differ from model to model, and a chat must not fail because of a temperature.
Settings that change more than the style of an answer are never left out: the error names them. A
refusal that asks to wait for seconds, mostly a rate limit, is waited for once. A model that refuses
pictures is asked again without those of earlier questions, and counts as blind for a while.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Set
from contextlib import closing, suppress
from time import monotonic
from typing import Any, TypeVar

import orjson

from chatapp.chains.call import Target
from chatapp.chains.http.waiting import Deadline
from chatapp.chains.pictures import without_earlier_pictures
from chatapp.chains.upstream_errors import UpstreamError, UpstreamRateLimit, UpstreamRefused

log = logging.getLogger(__name__)

WAIT_SECONDS = 10  # the longest wait
BLIND_SECONDS = 600  # after which a model that refused pictures may be given some again
PAUSE_SECONDS = 600  # no rewriting of follow-up questions after a rate limit
MOST_SETTINGS = 4  # of one question that are changed: suppliers name one at a time
MOST_ATTEMPTS = MOST_SETTINGS + 2  # the first, and one after a wait
MOST_REMEMBERED = 512  # settings, and suppliers

# What is sent instead of a refused setting; None for nothing.
_INSTEAD: dict[str, str | None] = {
    "temperature": None,
    "top_p": None,
    "top_k": None,
    "min_p": None,
    "seed": None,
    "presence_penalty": None,
    "frequency_penalty": None,
    "repetition_penalty": None,
    "parallel_tool_calls": None,
    "stream_options": None,
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}
# Roles of the first message that not every model knows, and what is sent instead; the text of
# `system` goes into the question.
_ROLES = {"developer": "system", "system": "user"}
_NEVER_NAMED = ("model", "messages")

Part = TypeVar("Part")
Payload = dict[str, Any]
_Refused = tuple[str, str, str, bytes]  # address, model, setting, its value as JSON


class Attempts:
    """What suppliers have refused, in this process; shared by all questions."""

    def __init__(self) -> None:
        self._refused: OrderedDict[_Refused, None] = OrderedDict()
        self._limited: OrderedDict[str, float] = OrderedDict()
        self._blind: OrderedDict[tuple[str, str], float] = OrderedDict()

    def recently_limited(self, target: Target) -> bool:
        """Return whether the supplier has rate-limited a request in the last ten minutes."""
        return self._limited.get(target.route.base_url, 0.0) > monotonic()

    def is_blind(self, base_url: str, model: str) -> bool:
        """Return whether a model has refused pictures in the last ten minutes."""
        return self._blind.get((base_url, model), 0.0) > monotonic()

    def parts(
        self,
        target: Target,
        payload: Payload,
        deadline: Deadline,
        patient: bool,
        ask: Callable[[Payload], Generator[Part, None, None]],
    ) -> Generator[Part, None, None]:
        """Yield an answer's parts; ask again where nothing has come and the reason can be removed.

        `patient`: wait if the supplier asks for it.
        """
        tried: set[_Refused] = set()
        for _ in range(MOST_ATTEMPTS):
            payload = self._accepted(target, payload, tried)
            with closing(ask(payload)) as parts:
                try:
                    first = next(parts, None)
                except UpstreamRefused as error:
                    if error.detail == "pictures":
                        payload = self._without_pictures(target, payload, error)
                        continue
                    named = _refused_settings(target, payload, error) - tried
                    if not named or len(tried) >= MOST_SETTINGS:
                        raise _naming(error, target, payload) from error
                    tried |= named
                    continue
                except UpstreamError as error:
                    if isinstance(error, UpstreamRateLimit):
                        self._note_limit(target)
                    if not (patient and _is_short(error.retry_after, deadline)):
                        raise
                    patient, wait = False, float(error.retry_after or 0)
                else:
                    self._remember(target, tried)
                    if first is not None:
                        yield first
                        yield from parts
                    return
            time.sleep(wait)

    def _accepted(self, target: Target, payload: Payload, tried: Set[_Refused]) -> Payload:
        """Return the payload without what this model has refused, now or before."""
        if not (self._refused or tried):
            return payload
        for name in _changeable(payload):
            key = _key(target, payload, name)
            if key in self._refused or key in tried:
                with suppress(KeyError):  # another thread has dropped it
                    self._refused.move_to_end(key)
                changed = self._changed(target, payload, name, tried)
                return self._accepted(target, changed, tried)
        return payload

    def _without_pictures(
        self, target: Target, payload: Payload, error: UpstreamRefused
    ) -> Payload:
        """Return a payload without the pictures of earlier questions; raise the error if it has
        none, or the question has its own."""
        key = target.route.base_url, str(payload.get("model"))
        self._blind[key] = monotonic() + BLIND_SECONDS
        self._blind.move_to_end(key)
        while len(self._blind) > MOST_REMEMBERED:
            self._blind.popitem(last=False)
        messages = without_earlier_pictures(payload.get("messages"))
        if messages is None:
            raise error
        return {**payload, "messages": messages}

    def _remember(self, target: Target, tried: Set[_Refused]) -> None:
        """Keep the settings without which an answer has come."""
        for key in tried:
            self._refused[key] = None
            log.info("supplier %s refuses %s for model %s", target.label, key[2], key[1])
        while len(self._refused) > MOST_REMEMBERED:
            self._refused.popitem(last=False)

    def _changed(
        self, target: Target, payload: Payload, name: str, tried: Set[_Refused]
    ) -> Payload:
        """Return a payload without a setting, or with its other name unless that was refused."""
        if name in _ROLES:
            return {**payload, "messages": _without_role(payload["messages"], name)}
        rest = {field: value for field, value in payload.items() if field != name}
        if name == "stream":
            rest.pop("stream_options", None)
        other = _INSTEAD.get(name)
        if other and other not in rest:
            renamed = {**rest, other: payload[name]}
            key = _key(target, renamed, other)
            if key not in self._refused and key not in tried:
                return renamed
        return rest

    def _note_limit(self, target: Target) -> None:
        address = target.route.base_url
        self._limited[address] = monotonic() + PAUSE_SECONDS
        self._limited.move_to_end(address)
        while len(self._limited) > MOST_REMEMBERED:
            self._limited.popitem(last=False)


def _is_short(wait: int | None, deadline: Deadline) -> bool:
    """Return whether a limit ends soon, and before the time for the answer does."""
    return wait is not None and wait <= WAIT_SECONDS and monotonic() + wait < deadline.at


def _refused_settings(target: Target, payload: Payload, error: UpstreamRefused) -> set[_Refused]:
    return {_key(target, payload, name) for name in _changeable(payload) if name in error.names}


def _changeable(payload: Mapping[str, Any]) -> list[str]:
    """Return the settings of a payload that a model may refuse and that can be changed."""
    names = [name for name in (*_INSTEAD, "stream") if name in payload]
    messages = payload.get("messages")
    if isinstance(messages, list):
        roles = {message.get("role") for message in messages if isinstance(message, dict)}
        names += [role for role in _ROLES if role in roles]
    return names


def _key(target: Target, payload: Mapping[str, Any], name: str) -> _Refused:
    value = b"" if name in _ROLES else orjson.dumps(payload.get(name))
    return target.route.base_url, str(payload.get("model")), name, value


def _without_role(messages: list[dict[str, Any]], role: str) -> list[dict[str, Any]]:
    """Return messages without a role; system texts go before the first question."""
    if _ROLES[role] != "user":
        return [m | {"role": _ROLES[role]} if m.get("role") == role else m for m in messages]
    texts = [m.get("content") for m in messages if m.get("role") == role]
    text = "\n\n".join(content for content in texts if isinstance(content, str))
    others = [m for m in messages if m.get("role") != role]
    for place, message in enumerate(others):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, list):
                content = [{"type": "text", "text": text}, *content]
            else:
                content = f"{text}\n\n{content or ''}"
            return [*others[:place], message | {"content": content}, *others[place + 1 :]]
    return [{"role": "user", "content": text}, *others]


def _naming(error: UpstreamRefused, target: Target, payload: Mapping[str, Any]) -> UpstreamRefused:
    """Return the error that names a refused field of the request which is not left out."""
    names = [n for n in payload if n in error.names and n not in _NEVER_NAMED]
    if error.detail is not None or not names:
        return error
    detail = "field" if names[0] in target.body else "setting"
    named = UpstreamRefused(
        detail, supplier=target.label, model=str(payload.get("model")), setting=names[0]
    )
    named.upstream = error.upstream
    return named
