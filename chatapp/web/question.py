"""What a question over HTTP may say, and how it is asked where it does not say: as its asker has set it. See wire.md."""

import re
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from chatapp.chat.suppliers import ModelRequest
from chatapp.chat.turns import Question
from chatapp.identity.defaults import Defaults
from chatapp.web.request import Input

QUESTION_MOST = 100_000


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Id = Annotated[str, Field(min_length=1, max_length=80)]
ONE_OR_MANY = WithJsonSchema(
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
)
Ids = Annotated[list[Id], BeforeValidator(_one_or_many), Field(max_length=100), ONE_OR_MANY]


def _md5s(values: list[str]) -> list[str]:
    found = [value.lower() for value in values]
    if not all(re.fullmatch("[0-9a-f]{32}", value) for value in found):
        raise ValueError("md5")
    return found


Md5s = Annotated[
    list[str],
    BeforeValidator(_one_or_many),
    Field(max_length=1000),
    AfterValidator(_md5s),
    ONE_OR_MANY,
]


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


SystemPrompt = Annotated[str, Field(max_length=20_000)]
MaxLength = Annotated[int, Field(ge=0, le=1000, description="how many earlier messages go along")]
Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]


class ChatConfig(Input):
    """How to talk. What is left out is the asker's default, which is what stands here where they have set none."""

    system_prompt: SystemPrompt = Field(
        default=Defaults().system_prompt, description="what the model is told first"
    )
    max_length: MaxLength = Defaults().max_length
    documents_only: bool = Field(
        default=Defaults().documents_only,
        description="where the documents do not say, neither does it",
    )


class LLMConfig(Input):
    """Which model: left out, the chat's, else the last one its asker used, else the first that GET /api/models lists."""

    supplier: str | None = Field(
        default=None,
        max_length=80,
        description="a supplier's name in GET /api/models, or a preset's",
    )
    model: str | None = Field(
        default=None, max_length=200, description="left out: the supplier's first"
    )
    temperature: Temperature | None = Field(
        default=None, description="left out: the asker's default; null: the model's own"
    )
    api_key: str | None = Field(
        default=None,
        max_length=500,
        repr=False,
        description="of the named supplier, for this request; neither stored nor logged",
    )

    @model_validator(mode="after")
    def _says_whose_key(self) -> "LLMConfig":
        """A key must not travel to whichever supplier happens to be the default."""
        if self.api_key and not (self.supplier or self.model):
            raise ValueError("llm_config.supplier:key_of_whom")
        return self


class KnowledgeConfig(Input):
    """Which documents. Left out: those of the chat; in a new one the manual for the built-in model, none for any other."""

    knowledge_base_id: Ids | None = Field(
        default=None, description="one id or several; null or [] for none"
    )
    filter_by_file_md5: Md5s = Field(
        default_factory=list,
        description="only these files, by their md5; left out or []: all files",
    )
    search_k: int = Field(
        default=5, ge=1, le=50, description="how many passages are given to the model"
    )


class ChatBody(Input):
    """A question, or another answer to one, or the rest of an answer."""

    question: str | None = Field(
        default=None,
        min_length=1,
        max_length=QUESTION_MOST,
        description="needed, unless one of the next two is there",
    )
    question_id: Id | None = Field(
        default=None, description="a question's id: write another answer to it"
    )
    continue_id: Id | None = Field(
        default=None, description="an answer's id that was stopped, cut or failed: go on with it"
    )
    session_id: Id | None = Field(
        default=None, description="the chat to go on with; left out: a new one"
    )
    parent_id: Id | None = Field(
        default=None,
        description="the message to ask below, which makes a branch; left out: the last; null: a new beginning",
    )
    client_message_id: Id | None = Field(
        default=None, description="an id of yours; the same one again gets the first answer"
    )
    chat_config: Annotated[ChatConfig, BeforeValidator(_or_empty)] = Field(
        default_factory=ChatConfig
    )
    llm_config: Annotated[LLMConfig, BeforeValidator(_or_empty)] = Field(default_factory=LLMConfig)
    knowledge_config: KnowledgeConfig | None = None
    temporary: bool = Field(default=False, description="kept for 24 hours and never listed")

    @model_validator(mode="after")
    def _has_a_question(self) -> "ChatBody":
        if not (self.question or self.question_id or self.continue_id):
            raise ValueError("question:question_needed")
        if self.question is not None and not self.question.strip():
            raise ValueError("question:blank")
        return self

    def to_question(self, defaults: Defaults) -> Question:
        """Put the request into the words of the turn; what it does not name is as its asker has set it."""
        how = self._how(defaults)
        given = "knowledge_config" in self.model_fields_set
        knowledge = self.knowledge_config or KnowledgeConfig()
        bases = knowledge.knowledge_base_id
        if (
            given
            and bases is None
            and (self.knowledge_config is None or "knowledge_base_id" in knowledge.model_fields_set)
        ):
            bases = []
        return Question(
            text=self.question,
            question_id=self.question_id,
            continue_id=self.continue_id,
            session_id=self.session_id,
            parent_id=self.parent_id,
            at_root="parent_id" in self.model_fields_set and self.parent_id is None,
            client_message_id=self.client_message_id,
            system_prompt=how.system_prompt,
            max_length=how.max_length,
            documents_only=how.documents_only,
            model_request=ModelRequest(
                **self.llm_config.model_dump(exclude={"temperature"}), temperature=how.temperature
            ),
            bases=bases,
            md5s=knowledge.filter_by_file_md5 if self.knowledge_config else None,
            search_k=knowledge.search_k if self.knowledge_config else None,
            temporary=self.temporary,
        )

    def _how(self, defaults: Defaults) -> Defaults:
        """Return what the request names, be it empty, else the asker's defaults."""
        named = self.chat_config.model_dump(exclude_unset=True)
        named |= self.llm_config.model_dump(include={"temperature"}, exclude_unset=True)
        return replace(defaults, **named)
