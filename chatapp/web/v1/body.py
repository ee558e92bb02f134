"""The body of POST /v1/chat/completions: a conversation, and what the model is asked with.

Unknown fields are ignored. Those in `PASSED` go to the supplier as they are.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from chatapp.chat.question import SentMessage
from chatapp.web.fields import Input, as_list
from chatapp.web.question import DATA_URL, MAX_ID_CHARACTERS, MAX_QUESTION_CHARACTERS

MAX_MESSAGES = 2000
MAX_PARTS = 100
MAX_PICTURES = 50  # of all messages
MAX_STOPS = 16
MAX_TOOLS = 128
MAX_TOKENS = 10_000_000
PASSED = (
    "temperature",
    "top_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "reasoning_effort",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
)
Object: TypeAlias = dict[str, Any]


class TextPart(BaseModel):
    """A text."""

    type: Literal["text"]
    text: str = Field(max_length=MAX_QUESTION_CHARACTERS)


class RefusalPart(BaseModel):
    """A refusal of the model."""

    type: Literal["refusal"]
    refusal: str = Field(max_length=MAX_QUESTION_CHARACTERS)


class ImageAddress(BaseModel):
    """A picture as a data URL; other addresses are not fetched."""

    url: str


class ImagePart(BaseModel):
    """A picture."""

    type: Literal["image_url"]
    image_url: ImageAddress


Part = Annotated[TextPart | RefusalPart | ImagePart, Field(discriminator="type")]
_ANY_CONTENT = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "array",
            "maxItems": MAX_PARTS,
            "items": {"type": "object", "required": ["type"], "additionalProperties": True},
        },
        {"type": "null"},
    ],
    "description": (
        "a text, or parts: `text`, and for users `image_url` with a data URL of a picture"
    ),
}


def _as_parts(content: Any) -> Any:
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


Content = Annotated[
    list[Part],
    BeforeValidator(_as_parts),
    Field(max_length=MAX_PARTS),
    WithJsonSchema(_ANY_CONTENT),
]


class CalledFunction(BaseModel):
    """A function with the arguments that the model has chosen, as JSON."""

    name: str = Field(max_length=200)
    arguments: str = "{}"


class ToolCall(BaseModel):
    """A call of a tool by the model."""

    id: str = Field(max_length=200)
    type: Literal["function"] = "function"
    function: CalledFunction


class ChatMessage(BaseModel):
    """A message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content = Field(default_factory=list)
    tool_calls: list[ToolCall] | None = Field(default=None, max_length=MAX_TOOLS)
    tool_call_id: str | None = Field(
        default=None, max_length=200, description="of a `tool` message: the call that it answers"
    )

    @property
    def text(self) -> str:
        """All text of the message."""
        return "\n".join(
            part.refusal if isinstance(part, RefusalPart) else part.text
            for part in self.content
            if not isinstance(part, ImagePart)
        )

    @property
    def pictures(self) -> list[str]:
        """The addresses of its pictures."""
        return [part.image_url.url for part in self.content if isinstance(part, ImagePart)]


def _usable(messages: list[ChatMessage]) -> list[ChatMessage]:
    """Refuse what no supplier takes, and pictures that would have to be fetched."""
    pictures = [picture for message in messages for picture in message.pictures]
    if any(message.pictures and message.role != "user" for message in messages):
        raise ValueError("pictures_of_users")
    if not all(map(_needs_no_fetching, pictures)):
        raise ValueError("picture_address")
    if len(pictures) > MAX_PICTURES:
        raise ValueError("too_many_pictures")
    if any(message.role == "tool" and not message.tool_call_id for message in messages):
        raise ValueError("tool_call_id")
    return messages


def _needs_no_fetching(picture: str) -> bool:
    """Return whether a picture is a data URL, or may be the id of an uploaded one."""
    return picture.startswith(DATA_URL) or (
        len(picture) <= MAX_ID_CHARACTERS and "://" not in picture
    )


class FunctionDefinition(BaseModel):
    """A function that the model may call; it goes to the supplier as it is."""

    model_config = {"extra": "allow"}
    name: str = Field(min_length=1, max_length=200)


class Tool(BaseModel):
    """A tool that the model may call."""

    model_config = {"extra": "allow"}
    type: Literal["function"]
    function: FunctionDefinition


class StreamOptions(BaseModel):
    """Options of a stream."""

    include_usage: bool | None = Field(
        default=None, description="send the usage in a chunk of its own before the end"
    )


class OwnOptions(BaseModel):
    """Options that OpenAI's protocol does not have."""

    sources: Literal["annotations", "text"] = Field(
        default="annotations",
        description="text: also list the sources that are cited at the end of the text",
    )


class ResponseFormat(BaseModel):
    """The form of the answer; it goes to the supplier as it is."""

    model_config = {"extra": "allow"}
    type: Literal["text", "json_object", "json_schema"]


Stops = Annotated[
    list[str],
    BeforeValidator(as_list),
    Field(max_length=MAX_STOPS),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "maxItems": MAX_STOPS},
            ]
        }
    ),
]
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
Tokens = Annotated[int, Field(ge=1, le=MAX_TOKENS)]
ModelName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="`<supplier>/<model>`, with documents `<supplier>/<model>@<knowledge base>`",
    ),
]


class ChatCompletionBody(Input):
    """A conversation that the model answers."""

    model: ModelName
    messages: Annotated[
        list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES), AfterValidator(_usable)
    ]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, ge=1, le=1, description="only 1")
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = Field(
        default=None, description="takes precedence over max_tokens"
    )
    stop: Stops | None = None
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    reasoning_effort: str | None = Field(default=None, max_length=40)
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = Field(default=None, max_length=MAX_TOOLS)
    tool_choice: Literal["none", "auto", "required"] | Object | None = None
    parallel_tool_calls: bool | None = None
    chatapp: OwnOptions | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether the usage is part of the answer."""
        options = self.stream_options
        return not self.stream or bool(options and options.include_usage)

    @property
    def must_call_tool(self) -> bool:
        """Whether the model has to call a tool, and may not answer instead."""
        choice = self.tool_choice
        if isinstance(choice, dict):  # a function, or the ones that are allowed, with a mode
            return (choice.get("allowed_tools") or choice).get("mode") != "auto"
        return bool(self.tools) and choice == "required"

    @property
    def lists_sources(self) -> bool:
        """Whether the sources are listed at the end of the text."""
        return self.chatapp is not None and self.chatapp.sources == "text"

    @property
    def pictures(self) -> list[str]:
        """The addresses of all pictures, in their order."""
        return [picture for message in self.messages for picture in message.pictures]

    def sent(self, image_ids: Sequence[str]) -> list[SentMessage]:
        """Return the messages with the ids of their pictures, in the order of `pictures`."""
        left = list(image_ids)
        found = []
        for message in self.messages:
            count = len(message.pictures)
            found.append(
                SentMessage(
                    "system" if message.role == "developer" else message.role,
                    message.text,
                    tuple(left[:count]),
                    tuple(call.model_dump() for call in message.tool_calls or ()),
                    message.tool_call_id or "",
                )
            )
            left = left[count:]
        return found

    def options(self) -> Object:
        """Return the fields that the supplier is sent."""
        given = self.model_dump(include=set(PASSED), exclude_none=True)
        given = {name: value for name, value in given.items() if value not in ([], {})}
        limit = self.max_completion_tokens or self.max_tokens
        if limit is not None:
            given["max_tokens"] = limit
        if self.wants_usage:
            given["stream_usage"] = True
        return given
