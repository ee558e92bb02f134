"""What a question over HTTP may say, and how it is asked where it does not say: as its asker has set it. See wire.md."""

import re
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from chatapp.defaults import Defaults
from chatapp.suppliers import Wish
from chatapp.turns import Question
from chatapp.web import Input

QUESTION_MOST = 100_000


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Id = Annotated[str, Field(min_length=1, max_length=80)]
ONE_OR_MANY = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
Ids = Annotated[list[Id], BeforeValidator(_one_or_many), Field(max_length=100), ONE_OR_MANY]


def _md5s(values: list[str]) -> list[str]:
    found = [value.lower() for value in values]
    if not all(re.fullmatch("[0-9a-f]{32}", value) for value in found):
        raise ValueError("md5")
    return found


Md5s = Annotated[list[str], BeforeValidator(_one_or_many), Field(max_length=1000), AfterValidator(_md5s), ONE_OR_MANY]


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


SystemPrompt = Annotated[str, Field(max_length=20_000)]
MaxLength = Annotated[int, Field(ge=0, le=1000, description="how many earlier messages go along")]
Temperature = Annotated[float, Field(ge=0, le=2)]


class ChatConfig(Input):
    """How to talk. What is left out is the asker's default, which is what stands here where they have set none."""

    system_prompt: SystemPrompt = Defaults().system_prompt
    max_length: MaxLength = Defaults().max_length
    documents_only: bool = Defaults().documents_only


class LLMConfig(Input):
    """Which model. A key that comes along serves this one request."""

    supplier: str | None = Field(default=None, max_length=80)
    model: str | None = Field(default=None, max_length=200)
    temperature: Temperature | None = Field(default=None, description="left out: the asker's default; null: the model's own")
    api_key: str | None = Field(default=None, max_length=500, repr=False)


class KnowledgeConfig(Input):
    """Which documents."""

    knowledge_base_id: Ids | None = None
    filter_by_file_md5: Md5s = Field(default_factory=list)
    search_k: int = Field(default=5, ge=1, le=50)


class ChatBody(Input):
    """A question, or another answer to one, or the rest of an answer."""

    question: str | None = Field(default=None, min_length=1, max_length=QUESTION_MOST)
    question_id: Id | None = None
    continue_id: Id | None = None
    session_id: Id | None = None
    parent_id: Id | None = None
    client_message_id: Id | None = None
    chat_config: Annotated[ChatConfig, BeforeValidator(_or_empty)] = Field(default_factory=ChatConfig)
    llm_config: Annotated[LLMConfig, BeforeValidator(_or_empty)] = Field(default_factory=LLMConfig)
    knowledge_config: KnowledgeConfig | None = None
    temporary: bool = False

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
        if given and bases is None and (self.knowledge_config is None or "knowledge_base_id" in knowledge.model_fields_set):
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
            wish=Wish(**self.llm_config.model_dump(exclude={"temperature"}), temperature=how.temperature),
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
