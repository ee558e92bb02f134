"""/api/suppliers for administrators, /api/models for everybody."""

import time
from collections.abc import Callable
from typing import Any

from flask import g, jsonify
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field, field_validator

from chatapp.chains.endpoint import Endpoint
from chatapp.chains.models import PRESETS, Preset
from chatapp.chains.models import preset as find_preset
from chatapp.chat.suppliers import ModelRequest
from chatapp.errors import ChatAppError, UpstreamAuth
from chatapp.i18n import catalogue
from chatapp.web.refusals import error_json
from chatapp.web.request import Input, person, require_admin, services
from chatapp.web.shapes import Fault, ModelShape, Page, SupplierShape

bp = APIBlueprint(
    "suppliers",
    __name__,
    url_prefix="/api",
    abp_tags=[Tag(name="suppliers", description="Models.")],
)

Models = list[str]


class SupplierBody(Input):
    """A supplier: a preset's name, or an address."""

    preset: str | None = Field(default=None, max_length=40)
    name: str | None = Field(default=None, min_length=1, max_length=80, pattern=r"^[^/@]+$")
    base_url: str | None = Field(default=None, max_length=500)
    api_key: str | None = Field(default=None, max_length=500, repr=False)
    models: Models | None = Field(default=None, max_length=1000)
    enabled: bool | None = None

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value and (not value.startswith(("http://", "https://")) or "@" in value):
            raise ValueError("url")
        return value.strip() if value else None

    @field_validator("preset")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value and find_preset(value) is None:
            raise ValueError("no_such_preset")
        return value or None

    def values(self) -> dict[str, Any]:
        """Return what was given, without the key."""
        return {
            name: value
            for name, value in self.model_dump(exclude={"api_key"}).items()
            if value is not None
        }


class TestBody(SupplierBody):
    """A supplier that is being entered; with `supplier_id` and no key, the saved key is used at its own address."""

    supplier_id: str | None = Field(default=None, max_length=80)


class SupplierPath(Input):
    """A supplier's id."""

    supplier_id: str


class ChosenShape(BaseModel):
    """A model, by its two names."""

    supplier: str
    model: str


class ModelsShape(Page[ModelShape]):
    """The models that can be chosen."""

    default: ChosenShape = Field(
        description="what answers in a new chat where none is named: the last one you used, else the first"
    )


class PresetShape(BaseModel):
    """A supplier whose address is known here."""

    name: str
    label: str
    base_url: str
    needs_key: bool
    local: bool
    models: list[str]


class LocalShape(BaseModel):
    """A model server that was found on this machine."""

    preset: str
    label: str
    base_url: str
    models: list[str]


class TrialShape(BaseModel):
    """Whether a supplier answers: its models, or what is wrong."""

    ok: bool
    models: list[str]
    ms: int | None = None
    error: Fault | None = None


@bp.get("/models", responses={200: ModelsShape})
def list_models() -> Any:
    """List the models that can be chosen, and the one that is used where none is."""
    suppliers, user_id = services().suppliers, person().id
    resolved = services().database.read(
        lambda t: suppliers.resolve(t, user_id, ModelRequest(), ModelRequest())
    )
    default = {"supplier": resolved.supplier, "model": resolved.model}
    return jsonify(items=suppliers.offered(), default=default, next=None)


@bp.get("/suppliers", responses={200: Page[SupplierShape]})
def list_suppliers() -> Any:
    """List suppliers, without their keys."""
    require_admin()
    return jsonify(items=services().suppliers.all(), next=None)


@bp.post("/suppliers", responses={201: SupplierShape})
def create_supplier(body: SupplierBody) -> Any:
    """Save a supplier."""
    require_admin()
    return jsonify(services().suppliers.create(body.values(), body.api_key or "")), 201


@bp.patch("/suppliers/<supplier_id>", responses={200: SupplierShape})
def change_supplier(path: SupplierPath, body: SupplierBody) -> Any:
    """Change a supplier; a new address needs its key again."""
    require_admin()
    return jsonify(services().suppliers.change(path.supplier_id, body.values(), body.api_key))


@bp.delete("/suppliers/<supplier_id>")
def delete_supplier(path: SupplierPath) -> tuple[str, int]:
    """Delete a supplier and its key."""
    require_admin()
    services().suppliers.delete(path.supplier_id)
    return "", 204


@bp.get("/suppliers/presets", responses={200: Page[PresetShape]})
def list_presets() -> Any:
    """List the suppliers whose address is known here."""
    return jsonify(
        items=[
            {
                "name": row.name,
                "label": _label(row),
                "base_url": row.base_url,
                "needs_key": row.needs_key,
                "local": row.local,
                "models": list(row.models),
            }
            for row in PRESETS
        ],
        next=None,
    )


@bp.get("/suppliers/local", responses={200: Page[LocalShape]})
def find_local() -> Any:
    """Look for model servers on this machine, for at most half a second."""
    require_admin()
    found = services().suppliers.models.find_local()
    return jsonify(
        items=[
            {
                "preset": row.preset,
                "label": row.label,
                "base_url": row.base_url,
                "models": list(row.models),
            }
            for row in found
        ],
        next=None,
    )


@bp.post("/suppliers/test", responses={200: TrialShape})
def test_unsaved(body: TestBody) -> Any:
    """Try a supplier that is being entered."""
    require_admin()

    def endpoint() -> Endpoint:
        if body.supplier_id and not body.api_key:
            saved = services().suppliers.endpoint(body.supplier_id)
            if not body.base_url or body.base_url.rstrip("/") == saved.base_url:
                return saved
        return services().suppliers.unsaved(body.values(), body.api_key or "")

    known = find_preset(body.preset or "")
    if known and known.needs_key and not body.api_key and not body.supplier_id:
        return jsonify(
            ok=False, models=[], error=error_json(UpstreamAuth("missing", supplier=_label(known)))
        )
    return _tested(endpoint)


@bp.post("/suppliers/<supplier_id>/test", responses={200: TrialShape})
def test_saved(path: SupplierPath) -> Any:
    """Try a saved supplier."""
    require_admin()
    return _tested(lambda: services().suppliers.endpoint(path.supplier_id))


@bp.get("/suppliers/<supplier_id>/models", responses={200: TrialShape})
def supplier_models(path: SupplierPath) -> Any:
    """Ask a saved supplier which models it has."""
    require_admin()
    return _tested(lambda: services().suppliers.endpoint(path.supplier_id))


def _label(row: Preset) -> str:
    """Return what a preset's service is called in the reader's language."""
    return catalogue(g.language).get(f"server.preset.{row.name}", row.label)


def _tested(endpoint: Callable[[], Endpoint]) -> Any:
    """Answer 200 with what was found or with what is wrong, in words."""
    target = endpoint()
    started = time.monotonic()
    try:
        models = services().suppliers.models.test(target)
    except ChatAppError as fault:
        return jsonify(ok=False, models=[], error=error_json(fault))
    return jsonify(ok=True, models=models, ms=round((time.monotonic() - started) * 1000))
