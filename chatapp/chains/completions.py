"""One streamed chat completion in OpenAI's protocol: sends the request and reads the answer.

An answer is complete at `[DONE]`, and where the body ends with a finish_reason that no text has
followed. A connection that breaks or falls silent behind a finish_reason completes it too, unless
this supplier's reasons have proved to be none (see `Ending`). All else was cut. Text that arrives
before an error is yielded before the error is raised. Waiting is limited for the connection, the
first token, each further token (comments do not count as one) and the whole answer.
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
from chatapp.chains.http.read_delay import ReadDelay
from chatapp.chains.http.transport import Broken, Exchange, Transport
from chatapp.chains.http.waiting import Deadline, Limits
from chatapp.chains.retry_delay import retry_after
from chatapp.chains.upstream import READ_CHARACTERS
from chatapp.chains.upstream_errors import UpstreamEmpty
from chatapp.errors import ChatAppError

TAIL_SECONDS = 10.0  # for usage and [DONE] after the finish_reason, and for text all the same
DRAIN_SECONDS = 0.05  # for the end of the body after [DONE]
_OTHER_COUNTS = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}


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
        """Whether the supplier has rate-limited a request in the last ten minutes."""
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
        broke: Broken | TimeoutError | None = None
        tail = False
        begin = b""  # of a body that holds no chunk, for the error
        while not deltas.over:
            try:
                data = exchange.read()
            except (Broken, TimeoutError) as error:
                data, broke = b"", error
            woken = time.monotonic()
            if data:
                deltas.feed(data)
            else:
                deltas.close()
            if not deltas.seen and len(begin) < READ_CHARACTERS:
                begin += data
            taken = deltas.take()
            yield from taken
            if not data:
                break
            if not taken:
                # A supplier that sends comments without a pause must not block the hub.
                time.sleep(0)
            elif not deltas.ending.stands:
                early = woken + self._read_delay.seconds - time.monotonic()
                if early > 0:
                    time.sleep(early)
            # Set after the yields: the consumer's time is not the supplier's.
            if deltas.ending.only_the_tail_follows:
                if not tail:
                    deadline.allow(TAIL_SECONDS)
                tail = True
            elif taken:
                deadline.allow(self._limits.idle)
                tail = False
        if deltas.failure is not None:
            raise self._failed(deltas.failure, model)
        ending = deltas.ending
        if not (deltas.done or (ending.stands if broke is None else ending.sure)):
            if isinstance(broke, TimeoutError):
                raise broke
            raise self._incomplete(deltas, broke, begin) from broke
        yield AIMessageChunk(
            content="",
            response_metadata={"finish_reason": ending.reason or "stop", "model_name": model},
            usage_metadata=_usage(deltas.usage, read_chunk) if deltas.usage else None,
            chunk_position="last",
        )
        if broke is None:
            self._drain(exchange, deadline)

    def _failed(self, failure: Failure, model: str) -> ChatAppError:
        label, secrets = self._target.label, self._target.secrets()
        if failure.body is None:
            error = upstream.garbled(label)
        else:
            wait = retry_after({}, failure.body)
            error = upstream.refusal(0, failure.body, label, model, wait)
        return upstream.with_answer(error, label, 200, failure.text, secrets)

    def _incomplete(self, deltas: Deltas, broke: Broken | None, begin: bytes) -> ChatAppError:
        label = self._target.label
        if broke is not None or deltas.seen or deltas.cut:
            return upstream.cut(label)
        if not deltas.started:
            return UpstreamEmpty(supplier=label)
        error = upstream.garbled(label, begin)
        return upstream.with_answer(error, label, 200, begin, self._target.secrets())

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
    counts = {name: count for name, value in usage.items() if (count := _count(value)) is not None}
    for name, other in _OTHER_COUNTS.items():
        if other in counts:
            counts.setdefault(name, counts[other])
    try:
        message = read_chunk({"choices": [], "usage": counts})
    except (ValueError, TypeError, AttributeError):
        return None
    return message.usage_metadata if message is not None else None


def _count(value: Any) -> Any:
    """Return a count as a whole number, details as they are, and None for anything else."""
    if isinstance(value, Mapping):
        return value
    try:
        return int(float(value))
    except (ValueError, TypeError, OverflowError):
        return None
