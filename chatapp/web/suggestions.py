"""/api/suggestions: questions that the user's own documents answer."""

from typing import Any

from flask import g, jsonify
from flask_openapi3 import Tag
from pydantic import BaseModel, Field

from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.fields import Input
from chatapp.web.request import current_user
from chatapp.web.responses import Page
from chatapp.web.services import services

bp = LazyBlueprint(
    "suggestions",
    __name__,
    url_prefix="/api/suggestions",
    abp_tags=[Tag(name="suggestions", description="Questions about your documents.")],
)


class Suggestion(BaseModel):
    """A question, and the file that answers it."""

    question: str
    knowledge_base_id: str
    file_id: str
    name: str


class SuggestionQuery(Input):
    """About which knowledge base, and how many."""

    knowledge_base_id: str | None = Field(None, max_length=64)
    limit: int = Field(3, ge=1, le=6)


@bp.get("", responses={200: Page[Suggestion]})
def list_suggestions(query: SuggestionQuery) -> Any:
    """List questions that your own documents answer, from headings of the latest files."""
    items = services().suggestions.about(
        current_user().id, g.language, query.limit, query.knowledge_base_id
    )
    return jsonify(items=items, next=None)
