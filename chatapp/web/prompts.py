"""/api/prompts: the user's saved prompts."""

from typing import Annotated, Any

from flask import jsonify
from flask_openapi3 import Tag
from pydantic import AfterValidator, Field

from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.fields import Input
from chatapp.web.request import current_user
from chatapp.web.responses import Page
from chatapp.web.services import services
from chatapp.web.session_responses import Prompt

bp = LazyBlueprint(
    "prompts",
    __name__,
    url_prefix="/api/prompts",
    abp_tags=[Tag(name="prompts", description="Saved prompts.")],
)


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("blank")
    return value.strip()


Name = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_not_blank)]
Text = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(_not_blank)]


class PromptPath(Input):
    """The id of a prompt."""

    prompt_id: str


class PromptBody(Input):
    """A prompt: its name, which is unique, and its text."""

    name: Name
    text: Text


class PromptChange(Input):
    """The fields of a prompt that can be updated; omitted ones are unchanged."""

    name: Name = ""
    text: Text = ""


@bp.get("", responses={200: Page[Prompt]})
def list_prompts() -> Any:
    """List the saved prompts by name."""
    return jsonify(items=services().prompts.all(current_user().id), next=None)


@bp.post("", responses={201: Prompt})
def create_prompt(body: PromptBody) -> Any:
    """Save a prompt."""
    return jsonify(services().prompts.create(current_user().id, body.model_dump())), 201


@bp.patch("/<prompt_id>", responses={200: Prompt})
def update_prompt(path: PromptPath, body: PromptChange) -> Any:
    """Change the name or text of a prompt."""
    values = body.model_dump(exclude_unset=True)
    return jsonify(services().prompts.change(current_user().id, path.prompt_id, values))


@bp.delete("/<prompt_id>")
def delete_prompt(path: PromptPath) -> tuple[str, int]:
    """Delete a prompt."""
    services().prompts.delete(current_user().id, path.prompt_id)
    return "", 204
