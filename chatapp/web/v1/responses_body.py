"""The body of POST /v1/responses, and the same question as a body of /v1/chat/completions.

Unknown fields are ignored, as are items of the model's thinking in `input`. What goes on from an
earlier response, or names one of its items, stands on what is still stored of it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from chatapp.web.fields import Input
from chatapp.web.question import MAX_QUESTION_CHARACTERS
from chatapp.web.v1.body import MAX_MESSAGES, MAX_PARTS, MAX_TOOLS, ModelName, Object, Tokens
from chatapp.web.v1.responses_events import REASONING

# from ids to what stands for them in a completion
FindResponse: TypeAlias = Callable[[str], list[Object]]
FindItem: TypeAlias = Callable[[str], Object]


class TextPart(BaseModel):
    """A text: `output_text` where it is of the model."""

    type: Literal["input_text", "output_text", "text"]
    text: str = Field(max_length=MAX_QUESTION_CHARACTERS)


class RefusalPart(BaseModel):
    """A refusal of the model."""

    type: Literal["refusal"]
    refusal: str = Field(max_length=MAX_QUESTION_CHARACTERS)


class ImagePart(BaseModel):
    """A picture as a data URL, or the id of an uploaded one."""

    type: Literal["input_image"]
    image_url: str


Part = Annotated[TextPart | RefusalPart | ImagePart, Field(discriminator="type")]


def _as_parts(content: Any) -> Any:
    return [{"type": "input_text", "text": content}] if isinstance(content, str) else content


Content = Annotated[list[Part], BeforeValidator(_as_parts), Field(max_length=MAX_PARTS)]


class Message(BaseModel):
    """A message of the conversation."""

    type: Literal["message"]
    role: Literal["system", "developer", "user", "assistant"]
    content: Content


class FunctionCall(BaseModel):
    """A call of a function by the model."""

    type: Literal["function_call"]
    call_id: str = Field(max_length=200)
    name: str = Field(max_length=200)
    arguments: str = "{}"


class FunctionOutput(BaseModel):
    """What a function has returned."""

    type: Literal["function_call_output"]
    call_id: str = Field(max_length=200)
    output: Content


class Thinking(BaseModel):
    """The model's thinking, which is not sent again."""

    type: Literal["reasoning"]


class Reference(BaseModel):
    """An item of an earlier response."""

    type: Literal["item_reference"]
    id: str = Field(max_length=200)


Item = Annotated[
    Message | FunctionCall | FunctionOutput | Thinking | Reference, Field(discriminator="type")
]
_ANY_INPUT = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "array",
            "maxItems": MAX_MESSAGES,
            "items": {"type": "object", "additionalProperties": True},
        },
    ],
    "description": (
        "a text, or items: `message` with `input_text`, `output_text` and `input_image` (a data "
        "URL), `function_call`, `function_call_output`, `item_reference`"
    ),
}


def _as_items(given: Any) -> Any:
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list):
        return given
    return [_typed(item) if isinstance(item, dict) else item for item in given]


def _typed(item: Object) -> Object:
    """Name the type where it may be left out, and that of a reference to thinking."""
    item = {"type": "message" if "role" in item else "item_reference"} | item
    thought = item["type"] == "item_reference" and str(item.get("id")).startswith(REASONING)
    return {"type": "reasoning"} if thought else item


def _unsupported(value: Any) -> None:
    if value:
        raise ValueError("not_offered")


Unsupported = Annotated[Any, AfterValidator(_unsupported)]


class FunctionTool(BaseModel):
    """A function that the model may call; it goes to the supplier as it is."""

    type: Literal["function"]
    name: str = Field(min_length=1, max_length=200)
    description: str | None = None
    parameters: Object | None = None
    strict: bool | None = None

    @property
    def chat_form(self) -> Object:
        """The tool as chat completions have it."""
        return {
            "type": "function",
            "function": self.model_dump(exclude={"type"}, exclude_none=True),
        }


def _only_functions(tools: Any) -> Any:
    if isinstance(tools, list) and any(
        isinstance(tool, dict) and tool.get("type") != "function" for tool in tools
    ):
        raise ValueError("only_functions")
    return tools


class TextForm(BaseModel):
    """The form of the answer; it goes to the supplier as it is."""

    model_config = {"extra": "allow"}
    type: Literal["text", "json_object", "json_schema"]

    @property
    def chat_form(self) -> Object:
        """The form as chat completions have it."""
        rest = self.model_dump(exclude={"type"}, exclude_none=True)
        return {"type": self.type} | ({self.type: rest} if self.type == "json_schema" else {})


class TextConfig(BaseModel):
    """What the text of the answer is like."""

    format: TextForm | None = None


class ReasoningConfig(BaseModel):
    """How much the model thinks."""

    effort: str | None = Field(None, max_length=40)


class ResponsesBody(Input):
    """A conversation that the model answers."""

    model: ModelName
    input: Annotated[
        list[Item],
        BeforeValidator(_as_items),
        Field(min_length=1, max_length=MAX_MESSAGES),
        WithJsonSchema(_ANY_INPUT),
    ]
    instructions: str | None = Field(
        None, max_length=MAX_QUESTION_CHARACTERS, description="stands before `input`"
    )
    stream: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    max_output_tokens: Tokens | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    tools: (
        Annotated[list[FunctionTool], BeforeValidator(_only_functions), Field(max_length=MAX_TOOLS)]
        | None
    ) = None
    tool_choice: Literal["none", "auto", "required"] | Object | None = None
    parallel_tool_calls: bool | None = None
    metadata: dict[str, str] | None = Field(None, max_length=16)
    previous_response_id: str | None = Field(
        None, max_length=200, description="a response, still stored, that this one continues"
    )
    conversation: Unsupported = Field(None, description="is refused")
    background: Unsupported = Field(None, description="is refused")

    def as_completion(self, find_response: FindResponse, find_item: FindItem) -> Object:
        """Return the body of a chat completion that asks the same.

        The two return the messages of an earlier response, and of one of its items.
        """
        choice = self.tool_choice
        if isinstance(choice, dict) and choice.get("type") == "function":
            choice = {"type": "function", "function": {"name": choice.get("name")}}
        given = {
            "model": self.model,
            "messages": _joined(self._messages(find_response, find_item)),
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_completion_tokens": self.max_output_tokens,
            "reasoning_effort": self.reasoning.effort if self.reasoning else None,
            "response_format": self._format(),
            "tools": [tool.chat_form for tool in self.tools or ()] or None,
            "tool_choice": choice,
            "parallel_tool_calls": self.parallel_tool_calls,
        }
        return {name: value for name, value in given.items() if value is not None}

    def _format(self) -> Object | None:
        return self.text.format.chat_form if self.text and self.text.format else None

    def _messages(self, find_response: FindResponse, find_item: FindItem) -> Iterator[Object]:
        said = find_response(self.previous_response_id) if self.previous_response_id else []
        if self.instructions:
            yield {"role": "system", "content": self.instructions}
            if said and said[0]["role"] == "system":  # these take their place
                del said[0]
        yield from said
        for item in self.input:
            if isinstance(item, Reference):
                yield find_item(item.id)
            elif not isinstance(item, Thinking):
                yield _message(item)


def _message(item: Message | FunctionCall | FunctionOutput) -> Object:
    if isinstance(item, FunctionCall):
        function = {"name": item.name, "arguments": item.arguments}
        call = {"id": item.call_id, "type": "function", "function": function}
        return {"role": "assistant", "content": [], "tool_calls": [call]}
    if isinstance(item, FunctionOutput):
        content = [_part(part) for part in item.output]
        return {"role": "tool", "tool_call_id": item.call_id, "content": content}
    return {"role": item.role, "content": [_part(part) for part in item.content]}


def _joined(messages: Iterable[Object]) -> list[Object]:
    """Return messages with each call of a function in the message of the model that it is part of.

    Suppliers take the calls of one answer in one message only.
    """
    found: list[Object] = []
    for message in messages:
        calls = message.get("tool_calls")
        if calls and found and found[-1]["role"] == "assistant":
            found[-1] = {**found[-1], "tool_calls": [*found[-1].get("tool_calls", ()), *calls]}
        else:
            found.append(message)
    return found


def _part(part: TextPart | RefusalPart | ImagePart) -> Object:
    if isinstance(part, ImagePart):
        return {"type": "image_url", "image_url": {"url": part.image_url}}
    if isinstance(part, RefusalPart):
        return {"type": "refusal", "refusal": part.refusal}
    return {"type": "text", "text": part.text}
