"""/api/presets: the user's presets, each a model, knowledge bases and settings for new chats."""

from typing import Any

from flask import jsonify
from flask_openapi3 import Tag
from pydantic import Field

from chatapp.chat.sessions import SETTINGS
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.fields import Ids, Input
from chatapp.web.prompts import Name
from chatapp.web.question import SettingsBody
from chatapp.web.request import current_user
from chatapp.web.responses import Page
from chatapp.web.services import services
from chatapp.web.session_responses import Preset

bp = LazyBlueprint(
    "presets",
    __name__,
    url_prefix="/api/presets",
    abp_tags=[Tag(name="presets", description="Presets for chats.")],
)


class PresetPath(Input):
    """The id of a preset."""

    preset_id: str


class PresetChange(Input):
    """The fields of a preset that can be updated; omitted ones are unchanged."""

    name: Name = ""
    supplier: str | None = Field(default=None, max_length=80)
    model: str | None = Field(default=None, max_length=200)
    knowledge_base_id: Ids | None = Field(
        default=None, description="one id or several; null or [] for none"
    )
    settings: SettingsBody = Field(
        default_factory=SettingsBody,
        description="settings of its chats, all at once; null or omitted ones: the user's defaults",
    )


class PresetBody(PresetChange):
    """A preset: its name, which is unique, and what its chats use."""

    name: Name


@bp.get("", responses={200: Page[Preset]})
def list_presets() -> Any:
    """List the presets by name."""
    rows = services().presets.all(current_user().id)
    return jsonify(items=[_json(row) for row in rows], next=None)


@bp.post("", responses={201: Preset})
def create_preset(body: PresetBody) -> Any:
    """Save a preset."""
    values = {"knowledge_base_ids": [], "settings": {}} | _values(body)
    return jsonify(_json(services().presets.create(current_user().id, values))), 201


@bp.patch("/<preset_id>", responses={200: Preset})
def update_preset(path: PresetPath, body: PresetChange) -> Any:
    """Change a preset."""
    return jsonify(
        _json(services().presets.change(current_user().id, path.preset_id, _values(body)))
    )


@bp.delete("/<preset_id>")
def delete_preset(path: PresetPath) -> tuple[str, int]:
    """Delete a preset."""
    services().presets.delete(current_user().id, path.preset_id)
    return "", 204


def _values(body: PresetChange) -> dict[str, Any]:
    """Return the columns that a request sets; raise NotFound for a base that may not be used."""
    values = body.model_dump(exclude_unset=True)
    if "settings" in values:
        values["settings"] = body.settings.model_dump(exclude_none=True)
    if "knowledge_base_id" in values:
        wanted = values.pop("knowledge_base_id") or []
        bases = services().knowledge.select_bases(current_user().id, wanted).ids if wanted else []
        values["knowledge_base_ids"] = bases
    return values


def _json(row: dict[str, Any]) -> dict[str, Any]:
    """Return a preset with the fields that a session has."""
    bases = row.pop("knowledge_base_ids")
    one = bases[0] if bases else None
    return row | {
        "knowledge_base_id": bases if len(bases) > 1 else one,
        "settings": dict.fromkeys(SETTINGS) | row["settings"],
    }
