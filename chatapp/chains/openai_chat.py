"""OpenAI's chat models for LangChain, over our own transport.

`OpenAIChat` is langchain-openai's chat model in everything but the request itself: parameters,
messages, tools, structured output and callbacks are LangChain's, while every answer, streamed or
whole, sync or async, is read by `Completions`. So no call reaches the openai SDK's clients, which
support neither our proxy, CA file and time limits nor Stop and the error table, and cost 87 µs of
CPU a token. LangChain's callbacks cost another 31 µs a token: without a callback handler `stream`
skips them, and `stream_text`, which our chains read, yields plain strings.
"""

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.runnables.config import run_in_executor
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import (
    convert_to_openai_function,
    convert_to_openai_tool,
)
from langchain_core.utils.utils import LC_ID_PREFIX
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import BaseModel, Field, SecretStr, ValidationError

from chatapp.chains.completions import Answer, Completions
from chatapp.chains.deltas import Streamed
from chatapp.chains.endpoint import Parameters
from chatapp.chains.messages import to_messages
from chatapp.core.prompt import Prompt

# Options of the SDK's calls; all others that are bound to a model are request fields.
_NOT_IN_THE_BODY = ("extra_headers", "timeout")
# Arguments that LangChain's `generate` and `stream` use for tracing and do not pass on.
_FOR_TRACING = ("ls_structured_output_format", "structured_output_format")


class OpenAIChat(BaseChatOpenAI):
    """A chat model in OpenAI's protocol. `connected_to` returns one that can be asked."""

    completions: Completions | None = Field(default=None, exclude=True, repr=False)
    options: dict[str, Any] = Field(default_factory=dict, exclude=True, repr=False)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return False: a connection cannot be serialized."""
        return False

    def connected_to(self, completions: Completions) -> "OpenAIChat":
        """Return a copy that asks this supplier; takes microseconds, a new model 10 ms."""
        return self.model_copy(update={"completions": completions})

    def within(self, seconds: float) -> "OpenAIChat":
        """Return a copy whose whole answer takes at most so many seconds; it has no options."""
        completions = self._connected().within(seconds)
        return self.model_copy(update={"completions": completions, "options": {}})

    def with_options(self, options: Mapping[str, Any]) -> "OpenAIChat":
        """Return a copy whose `stream_text` sends these request fields."""
        return self.model_copy(update={"options": dict(options)})

    @property
    def recently_limited(self) -> bool:
        """Whether the supplier has rate-limited a request in the last ten minutes."""
        return self._connected().recently_limited

    def stream_text(self, prompt: Prompt) -> Iterator[Streamed]:
        """Yield the answer as it arrives: text as `str`, all else as messages; no callbacks."""
        options = dict(self.options)
        return self._ask(to_messages(prompt), options.pop("stop", None), options).parts

    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Yield the answer as message chunks; callbacks run where there is a handler for them."""
        config = ensure_config(config)
        if self._needs_langchain(config):
            yield from super().stream(input, config, stop=stop, **kwargs)
            return
        options = {name: value for name, value in kwargs.items() if name not in _FOR_TRACING}
        message_id = f"{LC_ID_PREFIX}-{config.get('run_id') or uuid4()}"
        answer = self._ask(self._convert_input(input).to_messages(), stop, options)
        with closing(answer.parts) as parts:
            for part in parts:
                message = AIMessageChunk(content=part) if isinstance(part, str) else part
                message.id = message_id
                yield message

    def get_num_tokens(self, text: str) -> int:
        """Estimate the tokens of a text: tiktoken would download a vocabulary to count them."""
        return count_tokens_approximately([text])

    def get_num_tokens_from_messages(
        self,
        messages: Sequence[BaseMessage],
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] | None = None,
        **_: Any,
    ) -> int:
        """Estimate the tokens of messages and tools."""
        described: list[BaseTool | dict[str, Any]] = [
            convert_to_openai_tool(t) for t in tools or ()
        ]
        return count_tokens_approximately(messages, tools=described or None)

    def _needs_langchain(self, config: RunnableConfig) -> bool:
        """Return whether a stream needs LangChain's own machinery."""
        # `configure` knows all sources of handlers: config, model, context, tracing, debug mode.
        manager = CallbackManager.configure(config.get("callbacks"), self.callbacks, self.verbose)
        return bool(
            manager.handlers
            or self.rate_limiter
            or self.disable_streaming
            or self.output_version == "v1"
        )

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        stream_usage: bool | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        answer = self._ask(messages, stop, {"stream_usage": stream_usage, **kwargs})
        with closing(answer.parts) as parts:
            for part in parts:
                chunk = _generation(part)
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, **kwargs))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        *,
        stream_usage: bool | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        """Read in a thread; a consumer that is cancelled or leaves closes the connection."""
        answer = self._ask(messages, stop, {"stream_usage": stream_usage, **kwargs})
        try:
            while (part := await run_in_executor(None, next, answer.parts, None)) is not None:
                chunk = _generation(part)
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        finally:
            answer.abort()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await agenerate_from_stream(self._astream(messages, stop, **kwargs))

    def _ask(
        self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any]
    ) -> Answer:
        completions = self._connected()
        if (seconds := options.get("timeout")) is not None:
            completions = completions.within(float(seconds))
        if headers := options.get("extra_headers"):
            completions = completions.with_headers(headers)
        payload = self._payload(messages, stop, options)
        schema = payload.get("response_format")
        if not isinstance(schema, type):
            return completions.ask(payload, self._read_chunk)
        payload["response_format"] = _response_format(schema)
        answer = completions.ask(payload, self._read_chunk)
        return Answer(_with_parsed(answer.parts, schema), answer.deadline)

    def _payload(
        self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any]
    ) -> dict[str, Any]:
        fields = {name: value for name, value in options.items() if name not in _NOT_IN_THE_BODY}
        if self._should_stream_usage(fields.pop("stream_usage", None), **fields):
            fields["stream_options"] = {"include_usage": True}
        payload = self._get_request_payload(messages, stop=stop, **{**fields, "stream": True})
        if (payload.get("n") or 1) > 1:
            raise ValueError("n must be 1: every answer is streamed")
        extra = payload.pop("extra_body", None) or {}
        return {**payload, **extra}

    def _read_chunk(self, chunk: dict[str, Any]) -> AIMessageChunk | None:
        """Read a chunk that holds more than text as LangChain does."""
        generation = self._convert_chunk_to_generation_chunk(chunk, AIMessageChunk, None)
        if generation is None or not isinstance(message := generation.message, AIMessageChunk):
            return None
        if generation.generation_info:  # logprobs
            message.response_metadata |= generation.generation_info
        return message

    def _connected(self) -> Completions:
        if self.completions is None:
            raise RuntimeError("the model is not connected to a supplier")
        return self.completions


class OpenAIOwnChat(OpenAIChat, ChatOpenAI):
    """OpenAI itself: `max_completion_tokens` and developer messages, which not all others know."""


def new_chat(dialect: str, stream_usage: bool, parameters: Parameters) -> OpenAIChat:
    """Return a model without a supplier and without a key, which may be cached.

    The SDK's clients are never used, so none are made: they cost 10 ms and read proxies from the
    environment.
    """
    kind = OpenAIOwnChat if dialect == "openai" else OpenAIChat
    given: dict[str, Any] = {
        "temperature": parameters.temperature,
        "max_tokens": parameters.max_tokens,
        "top_p": parameters.top_p,
    }
    unused: Any = object()
    return kind(
        model=parameters.model,
        api_key=SecretStr("unused"),
        base_url="http://unused.invalid",
        client=unused,
        async_client=unused,
        stream_usage=stream_usage,
        use_responses_api=False,
        output_version="v0",
        cache=False,  # a global cache would mix the answers of suppliers with equal model names
        **{name: value for name, value in given.items() if value is not None},
    )


def _generation(part: Streamed) -> ChatGenerationChunk:
    if isinstance(part, str):
        return ChatGenerationChunk(message=AIMessageChunk(content=part))
    return ChatGenerationChunk(message=part, generation_info=part.response_metadata or None)


def _response_format(schema: type) -> dict[str, Any]:
    """Return the request field for a pydantic class that the answer has to fit."""
    function = convert_to_openai_function(schema, strict=True)
    function["schema"] = function.pop("parameters")
    return {"type": "json_schema", "json_schema": function}


def _with_parsed(
    parts: Generator[Streamed, None, None], schema: type
) -> Generator[Streamed, None, None]:
    """Add the parsed answer to the last message, where LangChain's parsers look for it.

    An answer that does not fit its schema is passed through: the parsers report it.
    """
    text = ""
    with closing(parts):
        for part in parts:
            if isinstance(part, str):
                text += part
            elif part.chunk_position == "last" and issubclass(schema, BaseModel):
                with suppress(ValidationError):
                    part.additional_kwargs["parsed"] = schema.model_validate_json(text)
            yield part
