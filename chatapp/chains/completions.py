"""One streamed chat completion in OpenAI's protocol: sends the request and reads the answer.

An answer is complete when a finish_reason has arrived, or `[DONE]` from a supplier that sends no
reason; a body that ends without either was cut. Text that arrives before an error is yielded before
the error is raised. Waiting is limited for the connection, the first token, each further token
(comments do not count as one) and the whole answer.
"""

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from typing import Any, NoReturn

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import UsageMetadata

from chatapp.chains import upstream
from chatapp.chains.attempts import Attempts
from chatapp.chains.call import Target, call, merged
from chatapp.chains.deltas import Deltas, Failure, ReadChunk, Streamed
from chatapp.chains.error_body import holds_error
from chatapp.chains.http.read_delay import ReadDelay
from chatapp.chains.http.transport import Broken, Exchange, Transport
from chatapp.chains.http.waiting import Deadline, Limits
from chatapp.chains.retry_delay import retry_after
from chatapp.chains.upstream import READ_CHARACTERS
from chatapp.errors import ChatAppError, UpstreamEmpty

TAIL_SECONDS = 3.0  # for usage and [DONE] after the finish_reason
DRAIN_SECONDS = 0.05  # for the end of the body after [DONE]
WHOLE_BYTES = 16 * 1024 * 1024  # of an answer that arrives as one JSON body


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its parts as they arrive, and a way to end them from another thread."""

    parts: Generator[Streamed, None, None]
    deadline: Deadline

    def abort(self) -> None:
        """Close the connection, also while another thread waits for the next part."""
        self.deadline.abort()
        with suppress(ValueError):  # a thread is in the generator; its wait ends by the abort
            self.parts.close()


class Completions:
    """Chat completions of one supplier. Holds its key, so it is never cached and has no repr."""

    __slots__ = ("_attempts", "_limits", "_patient", "_read_delay", "_target", "_transport")

    def __init__(
        self,
        transport: Transport,
        read_delay: ReadDelay,
        target: Target,
        limits: Limits,
        attempts: Attempts | None = None,
        patient: bool = True,
    ) -> None:
        self._transport = transport
        self._read_delay = read_delay
        self._target = target
        self._limits = limits
        self._attempts = attempts or Attempts()
        self._patient = patient

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: the bytes would contain the key."""
        raise TypeError("a connection to a supplier cannot be pickled")

    def __deepcopy__(self, memo: object) -> "Completions":
        """Return this object, which never changes; its transport is shared by all copies."""
        return self

    @property
    def recently_limited(self) -> bool:
        """Whether the supplier has refused a request for its rate in the last minutes."""
        return self._attempts.recently_limited(self._target)

    def within(self, seconds: float) -> "Completions":
        """Return the same with all limits cut to so many seconds, and no wait for a rate limit."""
        limits = Limits(*(min(seconds, limit) for limit in astuple(self._limits)))
        return self._with(self._target, limits, patient=False)

    def with_headers(self, headers: Mapping[str, str]) -> "Completions":
        """Return the same with further request headers."""
        target = replace(self._target, headers=merged(self._target.headers, headers))
        return self._with(target, self._limits, self._patient)

    def _with(self, target: Target, limits: Limits, patient: bool) -> "Completions":
        return Completions(
            self._transport, self._read_delay, target, limits, self._attempts, patient
        )

    def ask(self, payload: dict[str, Any], read_chunk: ReadChunk) -> Answer:
        """Return the answer to a request: text, several deltas joined, and messages for all else.

        `read_chunk` turns a chunk that holds more than text (tool calls, usage, audio) into a
        message. The last message holds finish_reason and usage. Reading the parts raises our
        Upstream errors and ContextTooLong.
        """
        deadline = Deadline(self._limits)
        parts = self._attempts.parts(
            self._target,
            {**payload, **self._target.body},
            deadline,
            self._patient,
            lambda accepted: self._parts(accepted, deadline, read_chunk),
        )
        return Answer(parts, deadline)

    def _parts(
        self, payload: dict[str, Any], deadline: Deadline, read_chunk: ReadChunk
    ) -> Generator[Streamed, None, None]:
        target, model = self._target, str(payload["model"])
        try:
            request = target.post("chat/completions", payload)
            exchange = call(self._transport, target, request, deadline, model)
            try:
                yield from self._read(exchange, deadline, model, read_chunk)
            finally:
                exchange.close()
        except TimeoutError as error:
            raise upstream.too_slow(target.label, deadline.waited) from error

    def _read(
        self, exchange: Exchange, deadline: Deadline, model: str, read_chunk: ReadChunk
    ) -> Iterator[Streamed]:
        deltas = Deltas(read_chunk)
        ended = False
        begin = b""  # of a body that holds no chunk, for the error
        while not deltas.done:
            data = self._next(exchange, deltas)
            if not data:
                break
            if not deltas.seen and len(begin) < READ_CHARACTERS:
                begin += data
            woken = time.monotonic()
            if deltas.begins_whole(data):
                deltas.feed_whole(self._rest(exchange, data))
            else:
                deltas.feed(data)
            taken = deltas.take()
            yield from taken
            if not taken:
                # A supplier that sends comments without a pause must not block the hub.
                time.sleep(0)
            if deltas.failure is not None:
                raise self._failed(deltas.failure, model)
            if taken and not deltas.finish_reason:
                early = woken + self._read_delay.seconds - time.monotonic()
                if early > 0:
                    time.sleep(early)
            # Set after the yields: the consumer's time is not the supplier's.
            if deltas.finish_reason and not ended:
                ended = True
                deadline.allow(TAIL_SECONDS)
            elif taken and not ended:
                deadline.allow(self._limits.idle)
        yield self._end(deltas, model, read_chunk, begin)
        self._drain(exchange, deadline)

    def _next(self, exchange: Exchange, deltas: Deltas) -> bytes:
        """Return the next bytes; none at the clean end, or at any end of a complete answer."""
        try:
            return exchange.read()
        except TimeoutError:
            if deltas.finish_reason:
                return b""
            raise
        except Broken as error:
            if deltas.finish_reason:
                return b""
            raise upstream.cut(self._target.label) from error

    def _rest(self, exchange: Exchange, data: bytes) -> bytes:
        try:
            return data + exchange.read_all(WHOLE_BYTES)
        except Broken as error:
            raise upstream.cut(self._target.label) from error

    def _failed(self, failure: Failure, model: str) -> ChatAppError:
        label, secrets = self._target.label, self._target.secrets()
        body = failure.text if holds_error(failure.text) else failure.body
        if body is None:
            error = upstream.garbled(label)
        else:
            error = upstream.refusal(0, body, label, model, retry_after({}, body))
        return upstream.with_answer(error, label, 200, failure.text, secrets)

    def _end(
        self, deltas: Deltas, model: str, read_chunk: ReadChunk, begin: bytes
    ) -> AIMessageChunk:
        """Return the last message, with finish_reason and usage; raise for an incomplete answer."""
        if not (deltas.finish_reason or deltas.done):
            label = self._target.label
            if not deltas.started:
                raise UpstreamEmpty(supplier=label)
            if deltas.seen:
                raise upstream.cut(label)
            error = upstream.garbled(label, begin)
            raise upstream.with_answer(error, label, 200, begin, self._target.secrets())
        metadata = {"finish_reason": deltas.finish_reason or "stop", "model_name": model}
        return AIMessageChunk(
            content="",
            response_metadata=metadata,
            usage_metadata=_usage(deltas.usage, read_chunk) if deltas.usage else None,
            chunk_position="last",
        )

    def _drain(self, exchange: Exchange, deadline: Deadline) -> None:
        """Read the end of the body, so that the connection can be used again."""
        deadline.allow(DRAIN_SECONDS)
        try:
            while exchange.read():
                pass
        except (Broken, TimeoutError):
            pass


def _usage(usage: Mapping[str, Any], read_chunk: ReadChunk) -> UsageMetadata | None:
    """Return what was used; a count that cannot be read does not fail the answer."""
    try:
        message = read_chunk({"choices": [], "usage": usage})
    except (ValueError, TypeError, AttributeError):
        return None
    return message.usage_metadata if message is not None else None
