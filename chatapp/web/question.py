"""The request body of a question, completed with the user's defaults (docs/api.md).

A chat's own settings come between the two; they are read with the chat (`chat/turns.py`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from chatapp.chat.chosen_model import ModelRequest
from chatapp.chat.question import Question
from chatapp.core.pasted import pasted_key
from chatapp.identity.defaults import Defaults
from chatapp.web.fields import Id, Ids, Input, Md5s, any_of, as_list

MAX_QUESTION_CHARACTERS = 100_000
MAX_IMAGES = 10
MAX_ID_CHARACTERS = 80
DATA_URL = "data:"


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


SystemPrompt = Annotated[str, Field(max_length=20_000)]
MaxLength = Annotated[
    int, Field(ge=0, le=1000, description="how many earlier messages are included")
]
Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
SearchK = Annotated[int, Field(ge=1, le=50, description="how many passages are given to the model")]


class SettingsBody(Input):
    """Settings of answers. null restores the default; omitted fields are unchanged."""

    temperature: Temperature | None = None
    system_prompt: SystemPrompt | None = None
    max_length: MaxLength | None = None
    documents_only: bool | None = None


class ChatConfig(Input):
    """How the model answers.

    Omitted fields default to the chat's settings, else to the current user's, else to the values
    given here.
    """

    system_prompt: SystemPrompt = Field(
        default=Defaults().system_prompt, description="instructions that precede the conversation"
    )
    max_length: MaxLength = Defaults().max_length
    documents_only: bool = Field(
        default=Defaults().documents_only,
        description="answer only from the documents, and decline if they do not contain the answer",
    )


class LLMConfig(Input):
    """Which model answers.

    Default: the session's, else the last one the user chose, else the first of GET /api/models.
    """

    supplier: str | None = Field(
        default=None, max_length=80, description="a name from GET /api/models, or a preset's name"
    )
    model: str | None = Field(
        default=None, max_length=200, description="omitted: the supplier's first model"
    )
    temperature: Temperature | None = Field(
        default=None,
        description="omitted: the chat's, else the user's default; null: the model's own",
    )
    api_key: str | None = Field(
        default=None,
        max_length=500,
        repr=False,
        description=(
            "a key of the named supplier for this request; neither stored nor logged. Requires "
            "supplier or model"
        ),
    )

    @field_validator("api_key")
    @classmethod
    def _is_a_key(cls, value: str | None) -> str | None:
        return value if value is None else pasted_key(value)

    @model_validator(mode="after")
    def _key_needs_a_supplier(self) -> "LLMConfig":
        """Never send a key to the default supplier."""
        if self.api_key and not (self.supplier or self.model):
            raise ValueError("llm_config.supplier:key_of_whom")
        return self


class KnowledgeConfig(Input):
    """Which documents are searched.

    Default: the session's; in a new session the manual with the built-in model, else none.
    """

    knowledge_base_id: Ids | None = Field(
        default=None, description="one id or several; null or [] for none"
    )
    filter_by_file_md5: Md5s = Field(
        default_factory=list,
        description="search only files with these MD5 hashes; omitted or []: all files",
    )
    search_k: SearchK = 5


def _images(values: list[str]) -> list[str]:
    if any(len(each) > MAX_ID_CHARACTERS and not each.startswith(DATA_URL) for each in values):
        raise ValueError("image")
    return values


Images = Annotated[
    list[str],
    BeforeValidator(lambda value: as_list([] if value is None else value)),
    Field(max_length=MAX_IMAGES),
    AfterValidator(_images),
]


class ChatBody(Input):
    """A question, or the id of a question or answer to write again or to continue."""

    model_config = ConfigDict(json_schema_extra=any_of("question", "question_id", "continue_id"))

    question: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_QUESTION_CHARACTERS,
        description="required unless question_id or continue_id is sent",
    )
    question_id: Id | None = Field(
        default=None, description="id of a question: write another answer to it"
    )
    continue_id: Id | None = Field(
        default=None,
        description="id of an answer that was stopped, cut off, interrupted or failed: continue it",
    )
    session_id: Id | None = Field(
        default=None, description="the session to continue; omitted: a new one"
    )
    parent_id: Id | None = Field(
        default=None,
        description=(
            "the message to continue from, which starts a branch; omitted: the last message; "
            "null: a new first question"
        ),
    )
    client_message_id: Id | None = Field(
        default=None,
        description="an id chosen by the client; repeating it returns the first answer",
    )
    chat_config: Annotated[ChatConfig, BeforeValidator(_or_empty)] = Field(
        default_factory=ChatConfig
    )
    llm_config: Annotated[LLMConfig, BeforeValidator(_or_empty)] = Field(default_factory=LLMConfig)
    knowledge_config: KnowledgeConfig | None = None
    images: Images = Field(
        default_factory=list,
        description="ids of uploaded pictures, or data URLs of pictures, of a new question",
    )
    temporary: bool = Field(default=False, description="kept for 24 hours and never listed")

    @model_validator(mode="after")
    def _has_a_question(self) -> "ChatBody":
        if not (self.question or self.question_id or self.continue_id):
            raise ValueError("question:question_needed")
        if self.question is not None and not self.question.strip():
            raise ValueError("question:blank")
        return self

    def to_question(self, defaults: Defaults, images: Sequence[str] = ()) -> Question:
        """Return the question, with the user's defaults where the request sets nothing.

        `images` are the ids of its pictures.
        """
        settings = self._settings(defaults)
        knowledge = self.knowledge_config or KnowledgeConfig()
        return Question(
            text=self.question,
            question_id=self.question_id,
            continue_id=self.continue_id,
            session_id=self.session_id,
            parent_id=self.parent_id,
            at_root="parent_id" in self.model_fields_set and self.parent_id is None,
            client_message_id=self.client_message_id,
            system_prompt=settings.system_prompt,
            max_length=settings.max_length,
            documents_only=settings.documents_only,
            named=frozenset(self._named()),
            model_request=ModelRequest(
                supplier=self.llm_config.supplier,
                model=self.llm_config.model,
                temperature=settings.temperature,
                api_key=self.llm_config.api_key,
            ),
            bases=self._bases(),
            md5s=knowledge.filter_by_file_md5 if self.knowledge_config else None,
            search_k=knowledge.search_k if self.knowledge_config else None,
            temporary=self.temporary,
            images=tuple(images),
        )

    def _bases(self) -> list[str] | None:
        """Return the knowledge bases to search: [] for none, None for the session's."""
        if "knowledge_config" not in self.model_fields_set:
            return None
        if self.knowledge_config is None:
            return []
        bases = self.knowledge_config.knowledge_base_id
        named = "knowledge_base_id" in self.knowledge_config.model_fields_set
        return [] if named and bases is None else bases

    def _settings(self, defaults: Defaults) -> Defaults:
        return replace(defaults, **self._named())

    def _named(self) -> dict[str, Any]:
        """Return the settings that the request itself sets."""
        named = self.chat_config.model_dump(exclude_unset=True)
        return named | self.llm_config.model_dump(include={"temperature"}, exclude_unset=True)
