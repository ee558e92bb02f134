"""/api/suppliers for administrators, /api/models for all users."""

import time
from dataclasses import replace
from typing import Any

from flask import Response, g, jsonify
from flask_openapi3 import Tag
from pydantic import BaseModel, Field

from chatapp.chains.endpoint import Endpoint
from chatapp.chains.models import PRESETS, Preset, Tested
from chatapp.chains.models import preset as find_preset
from chatapp.chains.upstream_errors import UpstreamAuth, UpstreamProtocol
from chatapp.chat.chosen_model import ModelRequest
from chatapp.chat.supplier_options import mask, merge
from chatapp.chat.suppliers import is_same_address
from chatapp.errors import ChatAppError
from chatapp.i18n import catalogue, say
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.errors import error_json
from chatapp.web.fields import Input
from chatapp.web.request import current_user, require_admin
from chatapp.web.responses import ErrorDetails, Page
from chatapp.web.services import services
from chatapp.web.supplier_body import NewSupplier, SupplierBody, TestBody
from chatapp.web.supplier_responses import OfferedModel, Supplier

bp = LazyBlueprint(
    "suppliers",
    __name__,
    url_prefix="/api",
    abp_tags=[Tag(name="suppliers", description="Models and suppliers.")],
)


class SupplierPath(Input):
    """The id of a supplier."""

    supplier_id: str


class ChosenModel(BaseModel):
    """A supplier and one of its models."""

    supplier: str
    model: str


class ModelList(Page[OfferedModel]):
    """The models that can be chosen."""

    default: ChosenModel = Field(
        description="the model of a new session: the last one you used, else the first"
    )


class SupplierPreset(BaseModel):
    """A supplier whose address is known."""

    name: str
    label: str
    base_url: str
    needs_key: bool
    local: bool
    models: list[str]


class LocalServer(BaseModel):
    """A model server found on this machine."""

    preset: str
    label: str
    base_url: str
    models: list[str]


class SupplierModels(BaseModel):
    """The names of the models that a supplier offers for chatting."""

    items: list[str]
    next: None


class SupplierTest(BaseModel):
    """The result of a test: the supplier's models, or an error."""

    ok: bool
    models: list[str]
    base_url: str | None = Field(
        default=None,
        description="the address as it is understood; with /v1 if only that answers",
    )
    note: str | None = Field(default=None, description="why there are no models, and what to do")
    ms: int | None = None
    error: ErrorDetails | None = None


@bp.get("/models", responses={200: ModelList})
def list_models() -> Any:
    """List the models that can be chosen, and the default for a new session."""
    suppliers, user_id = services().suppliers, current_user().id
    resolved = services().database.read(
        lambda t: suppliers.resolve(t, user_id, ModelRequest(), ModelRequest())
    )
    default = {"supplier": resolved.supplier, "model": resolved.model}
    return jsonify(items=suppliers.offered(), default=default, next=None)


@bp.get("/suppliers", responses={200: Page[Supplier]})
def list_suppliers() -> Any:
    """List suppliers, without their keys."""
    require_admin()
    return jsonify(items=services().suppliers.all(), next=None)


@bp.post("/suppliers", responses={201: Supplier})
def create_supplier(body: NewSupplier) -> Any:
    """Create a supplier."""
    require_admin()
    return jsonify(services().suppliers.create(body.values(), body.api_key or "")), 201


@bp.patch("/suppliers/<supplier_id>", responses={200: Supplier})
def update_supplier(path: SupplierPath, body: SupplierBody) -> Any:
    """Update a supplier.

    A new `base_url` requires `api_key` and the secrets among the options again.
    """
    require_admin()
    return jsonify(services().suppliers.change(path.supplier_id, body.values(), body.api_key))


@bp.delete("/suppliers/<supplier_id>")
def delete_supplier(path: SupplierPath) -> tuple[str, int]:
    """Delete a supplier and its key."""
    require_admin()
    services().suppliers.delete(path.supplier_id)
    return "", 204


@bp.get("/suppliers/presets", responses={200: Page[SupplierPreset]})
def list_supplier_presets() -> Any:
    """List the suppliers whose address is known."""
    items = [
        {
            "name": preset.name,
            "label": _label(preset),
            "base_url": preset.base_url,
            "needs_key": preset.needs_key,
            "local": preset.local,
            "models": list(preset.models),
        }
        for preset in PRESETS
    ]
    return jsonify(items=items, next=None)


@bp.get("/suppliers/local", responses={200: Page[LocalServer]})
def find_local_suppliers() -> Any:
    """Find model servers on this machine."""
    require_admin()
    items = [
        {
            "preset": server.preset,
            "label": server.label,
            "base_url": server.base_url,
            "models": list(server.models),
        }
        for server in services().suppliers.models.find_local()
    ]
    return jsonify(items=items, next=None)


@bp.post("/suppliers/test", responses={200: SupplierTest})
def test_new_supplier(body: TestBody) -> Any:
    """Test a supplier that is not saved yet.

    If nothing answers at the address, `/v1` is tried; `base_url` is the address to save. With
    `supplier_id` and no key, the saved key is used, at its own address only.
    """
    require_admin()
    known = find_preset(body.preset or "")
    if known and known.needs_key and not body.api_key and not body.supplier_id:
        error = UpstreamAuth("missing", supplier=_label(known))
        return jsonify(ok=False, models=[], error=error_json(error))
    return _test(_endpoint_to_test(body))


@bp.post("/suppliers/<supplier_id>/test", responses={200: SupplierTest})
def test_supplier(path: SupplierPath) -> Any:
    """Test the address and key of a supplier."""
    require_admin()
    endpoint = services().suppliers.endpoint(path.supplier_id)
    return _test(endpoint, saved=True)


@bp.get("/suppliers/<supplier_id>/models", responses={200: SupplierModels})
def list_supplier_models(path: SupplierPath) -> Any:
    """List the models that a supplier offers.

    The list is fetched from the supplier; if that fails, the response has the supplier's error.
    With the option `provider` it is the saved list, because other protocols have no common list.
    """
    require_admin()
    suppliers = services().suppliers
    endpoint = suppliers.endpoint(path.supplier_id)
    if endpoint.options.get("provider"):
        [names] = [row["models"] for row in suppliers.all() if row["id"] == path.supplier_id]
    else:
        names = suppliers.models.list(endpoint)
    return jsonify(items=names, next=None)


def _label(preset: Preset) -> str:
    """Return the name of a preset in the reader's language."""
    return catalogue(g.language).get(f"server.preset.{preset.name}", preset.label)


def _endpoint_to_test(body: TestBody) -> Endpoint:
    values = body.values()
    if body.supplier_id and not body.api_key:
        saved = services().suppliers.endpoint(body.supplier_id)
        if not body.base_url or is_same_address(body.base_url, saved.base_url):
            return replace(saved, options=merge(saved.options, values.get("options", {})))
    return services().suppliers.unsaved(values, body.api_key or "")


def _test(endpoint: Endpoint, saved: bool = False) -> Response:
    """Respond 200 with the supplier's models or with its error.

    A saved supplier is used at its own address, so another one that answers is an error.
    """
    started = time.monotonic()
    try:
        tested = services().suppliers.models.test(endpoint)
    except ChatAppError as error:  # of a provider
        tested = Tested(endpoint.base_url, error=error)
    address = mask({"base_url": tested.base_url})["base_url"]
    if saved and not tested.error and tested.base_url != endpoint.base_url:
        wrong = UpstreamProtocol("address", supplier=endpoint.label, address=address)
        tested = Tested(endpoint.base_url, error=wrong)
    if tested.error:
        error_body = error_json(tested.error)
        return jsonify(ok=False, models=[], base_url=address, error=error_body)
    note = None
    if tested.note:
        key = f"server.test.{tested.note}"
        note = say(g.language, key, {"supplier": endpoint.label})
    return jsonify(
        ok=True,
        models=tested.models,
        base_url=address,
        note=note,
        ms=round((time.monotonic() - started) * 1000),
    )
