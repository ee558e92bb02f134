"""One call of a supplier's API: headers and key, one retry, and refusals as our errors."""

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson

from chatapp.chains import upstream
from chatapp.chains.http.connection import Route, Unreachable
from chatapp.chains.http.transport import Broken, Exchange, Garbled, Request, Transport
from chatapp.chains.http.waiting import Deadline
from chatapp.chains.redaction import Secrets, named_secrets
from chatapp.chains.retry_delay import retry_after
from chatapp.chains.upstream_errors import UpstreamAuth
from chatapp.errors import ChatAppError

RETRY_STATUSES = (502, 503)
RETRY_SECONDS = (0.2, 0.6)  # before the second attempt, at random between these
ERROR_BYTES = 64 * 1024
ERROR_SECONDS = 5.0  # for the body of a refusal
KEY_CHARACTERS = 16  # from which a header's value may be a key


@dataclass(frozen=True, slots=True)
class Target:
    """A supplier to call: route, label, key (empty for none), further headers and body fields."""

    route: Route
    label: str
    api_key: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def get(self, path: str) -> Request:
        """Return a GET request for JSON."""
        return Request("GET", path, merged(self._headers(), {"Accept": "application/json"}))

    def post(self, path: str, payload: Mapping[str, Any]) -> Request:
        """Return a POST request with JSON that accepts an event stream."""
        try:
            body = orjson.dumps(payload)
        except TypeError:  # lone surrogates, which UTF-8 does not allow; numbers over 64 bits
            body = json.dumps(_clean(payload), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
        }
        return Request("POST", path, merged(self._headers(), headers), body)

    def _headers(self) -> dict[str, str]:
        headers = merged({"User-Agent": "chatapp"}, self.headers)
        if not self.api_key:
            return headers
        if not self.api_key.isascii() or not self.api_key.isprintable() or " " in self.api_key:
            raise UpstreamAuth("characters", supplier=self.label)
        return merged(headers, {"Authorization": f"Bearer {self.api_key}"})

    def secrets(self) -> Secrets:
        """Return the secrets to redact: keys, header values, credentials in addresses."""
        keys = [self.api_key, *named_secrets(self.body)]
        for address in (self.route.proxy, self.route.base_url):
            credentials = address.partition("://")[2].partition("/")[0].rpartition("@")[0]
            for form in (credentials, unquote(credentials)):
                keys += [form, form.partition(":")[2]]
            keys += [value for _, value in parse_qsl(address.partition("?")[2])]
        values = tuple(self.headers.values())
        long = [value for value in values if len(value) >= KEY_CHARACTERS and " " not in value]
        return Secrets((*keys, *long), values)


def merged(headers: Mapping[str, str], over: Mapping[str, str]) -> dict[str, str]:
    """Return headers with others put over them; names are equal in any case."""
    names = {name.lower() for name in over}
    kept = {name: value for name, value in headers.items() if name.lower() not in names}
    return {**kept, **over}


def call(
    transport: Transport,
    target: Target,
    request: Request,
    deadline: Deadline,
    model: str = "",
    attempts: int = 2,
) -> Exchange:
    """Send a request and return the exchange of a response with a status from 200 to 299.

    It is retried once if no connection could be made, and for 502 and 503: no part of an answer
    has arrived by then. Raises our Upstream errors and ContextTooLong, and TimeoutError
    where the response's head does not arrive in time.
    """
    for attempt in range(1, attempts + 1):
        last = attempt == attempts
        try:
            exchange = transport.send(target.route, request, deadline)
        except Unreachable as error:
            if last or error.final:
                raise upstream.unreachable(target.label, error.certificate) from error
        except Garbled as error:
            raise upstream.garbled(target.label) from error
        else:
            if 200 <= exchange.status < 300:
                if coding := exchange.unreadable:
                    exchange.close()
                    raise upstream.packed(target.label, coding)
                return exchange
            refused = _refusal(exchange, target, deadline, model)
            if (
                last
                or exchange.status not in RETRY_STATUSES
                or not refused.retryable
                or (refused.retry_after or 0) > RETRY_SECONDS[1]
            ):
                raise refused
        time.sleep(min(random.uniform(*RETRY_SECONDS), deadline.remaining()))
    raise AssertionError


def _refusal(exchange: Exchange, target: Target, deadline: Deadline, model: str) -> ChatAppError:
    try:
        with deadline.within(ERROR_SECONDS):
            text = exchange.read_all(ERROR_BYTES)
    except (Broken, TimeoutError):
        text = b""
    finally:
        exchange.close()
    body = _json(text)
    wait = retry_after(exchange.headers, body)
    error = upstream.refusal(exchange.status, body, target.label, model, wait)
    if error.key == UpstreamAuth().key and not (target.api_key or target.headers):
        error = UpstreamAuth("missing", supplier=target.label)
    return upstream.with_answer(error, target.label, exchange.status, text, target.secrets())


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return text.decode(errors="replace")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(name): _clean(entry) for name, entry in value.items()}
    return [_clean(entry) for entry in value] if isinstance(value, list | tuple) else value
