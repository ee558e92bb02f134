"""A model behind OpenAI's chat protocol: ChatOpenAI makes the request, this file sends it and reads the answer itself.

ChatOpenAI knows parameters, messages and payload in their dialects; its way of reading costs 90 to 130 µs a token more
than `data: {json}` does (reference/performance.md). Text is streamed as `str`, all else as `AIMessageChunk`.

Rules of truth: an answer is complete when a finish_reason came, or `[DONE]` where the supplier sends none. A body that ends
without either was cut. What arrived before an error is handed on before the error is raised. Waiting ends at the limits
for connection, first token, next token (pings and comments are none) and whole answer.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import astuple
from typing import Any, TypeAlias

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_openai.chat_models.base import BaseChatOpenAI

from chatapp.chains import upstream
from chatapp.chains.call import Target, call
from chatapp.chains.deltas import Deltas, Failure
from chatapp.chains.http.read_delay import ReadDelay
from chatapp.chains.http.transport import Broken, Exchange, Request, Transport
from chatapp.chains.http.waiting import Deadline, Limits
from chatapp.core.prompt import Prompt
from chatapp.errors import ChatAppError

TAIL_SECONDS = 3.0  # how long usage and [DONE] are waited for once the answer has ended
DRAIN_SECONDS = 0.05  # how long the end of the body is waited for
WHOLE_BYTES = 16 * 1024 * 1024  # of an answer that comes as one JSON body
_MESSAGES: dict[str, type[BaseMessage]] = {
    "system": SystemMessage,
    "user": HumanMessage,
    "assistant": AIMessage,
}
Streamed: TypeAlias = str | AIMessageChunk


class OpenAIModel(Runnable[Prompt, Streamed]):
    """A chat model that streams. Cheap to make: what is costly, the ChatOpenAI and the connections, is passed in."""

    def __init__(
        self,
        llm: BaseChatOpenAI,
        transport: Transport,
        read_delay: ReadDelay,
        target: Target,
        limits: Limits,
    ) -> None:
        self._llm = llm
        self._transport = transport
        self._read_delay = read_delay
        self._target = target
        self._limits = limits

    def invoke(
        self, input: Prompt, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessageChunk:
        """Return the whole answer as one message."""
        parts = [
            part if isinstance(part, AIMessageChunk) else AIMessageChunk(content=part)
            for part in self.stream(input)
        ]
        return parts[0] + parts[1:] if len(parts) > 1 else parts[0]

    def within(self, seconds: float) -> "OpenAIModel":
        """Return this model with so much time for its whole answer."""
        short = Limits(*(min(seconds, limit) for limit in astuple(self._limits)))
        return OpenAIModel(self._llm, self._transport, self._read_delay, self._target, short)

    def stream(
        self, input: Prompt, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Streamed]:
        """Yield the answer as it comes. Raises our Upstream errors and ContextTooLong."""
        deadline = Deadline(self._limits)
        try:
            exchange = call(
                self._transport, self._target, self._request(input), deadline, self._llm.model_name
            )
            try:
                yield from self._read(exchange, deadline)
            finally:
                exchange.close()
        except TimeoutError as error:
            raise upstream.too_slow(self._target.label, deadline.waited) from error

    def _request(self, prompt: Prompt) -> Request:
        messages = [
            _MESSAGES.get(turn.role, HumanMessage)(content=turn.content) for turn in prompt.turns
        ]
        options: dict[str, Any] = (
            {"stream_options": {"include_usage": True}} if self._llm.stream_usage else {}
        )
        payload = self._llm._get_request_payload(messages, stream=True, **options)
        payload |= {**(payload.pop("extra_body", None) or {}), **self._target.body}
        return self._target.post("chat/completions", payload)

    def _read(self, exchange: Exchange, deadline: Deadline) -> Iterator[Streamed]:
        deltas = Deltas(self._unknown)
        ended = False
        while not deltas.done:
            data = self._next(exchange, deltas)
            if not data:
                break
            woken = time.monotonic()
            if deltas.begins_whole(data):
                deltas.feed_whole(self._rest(exchange, data))
            else:
                deltas.feed(data)
            taken = deltas.take()
            yield from taken
            if not taken:
                time.sleep(
                    0
                )  # lets others run: a supplier that sends nothing but comments, without a pause, yields nothing here
            if deltas.failure is not None:
                raise self._failed(deltas.failure)
            if (
                taken
                and not deltas.finish_reason
                and (early := woken + self._read_delay.seconds - time.monotonic()) > 0
            ):
                time.sleep(early)
            # Counted from here: a consumer that took its time must not have cost the supplier its own.
            if deltas.finish_reason and not ended:
                ended = True
                deadline.allow(TAIL_SECONDS)
            elif taken and not ended:
                deadline.allow(self._limits.idle)
        yield self._end(deltas)
        self._drain(exchange, deadline)

    def _next(self, exchange: Exchange, deltas: Deltas) -> bytes:
        """Return the next bytes, none at the end: the clean one, or any once the answer is complete."""
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

    def _failed(self, failure: Failure) -> ChatAppError:
        label, model = self._target.label, self._llm.model_name
        upstream.log_foreign(label, 200, failure.said, self._target.api_key)
        if failure.body is None:
            return upstream.garbled(label)
        return upstream.refusal(0, failure.body, label, model)

    def _end(self, deltas: Deltas) -> AIMessageChunk:
        """The message that says how the answer ended; raises where it did not."""
        if not (deltas.finish_reason or deltas.done):
            raise (
                upstream.cut(self._target.label)
                if deltas.seen
                else upstream.garbled(self._target.label)
            )
        metadata = {
            "finish_reason": deltas.finish_reason or "stop",
            "model_name": self._llm.model_name,
        }
        message = AIMessageChunk(content="", response_metadata=metadata)
        if deltas.usage:
            message.usage_metadata = self._usage(deltas.usage)
        return message

    def _usage(self, usage: Mapping[str, Any]) -> UsageMetadata | None:
        """Read what was used the way LangChain does; an answer does not fail by a count that cannot be read."""
        try:
            told = self._llm._convert_chunk_to_generation_chunk(
                {"choices": [], "usage": usage}, AIMessageChunk, None
            )
        except (ValueError, TypeError, AttributeError):
            return None
        return (
            told.message.usage_metadata
            if told and isinstance(told.message, AIMessageChunk)
            else None
        )

    def _unknown(self, chunk: dict[str, Any]) -> AIMessageChunk | None:
        """Read a delta that is more than text the way LangChain does: tool calls, audio, content in parts."""
        told = self._llm._convert_chunk_to_generation_chunk(
            {**chunk, "usage": None}, AIMessageChunk, None
        )
        return told.message if told and isinstance(told.message, AIMessageChunk) else None

    def _drain(self, exchange: Exchange, deadline: Deadline) -> None:
        """Read the end of the body, so that the connection can be used again."""
        deadline.allow(DRAIN_SECONDS)
        try:
            while exchange.read():
                pass
        except (Broken, TimeoutError):
            pass
