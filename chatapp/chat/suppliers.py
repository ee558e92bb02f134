"""The suppliers of this installation, and which model a turn uses.

API keys are encrypted at rest, bound to the supplier's address, and never returned. A supplier
comes from the environment (`openai`, by OPENAI_*), from the database, or is a preset with a key in
the request. `builtin` needs none of these. Requests to models are in `chains/`.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session as Transaction

from chatapp.chains import build
from chatapp.chains.endpoint import Endpoint, Parameters
from chatapp.chains.extractive import Extractive, Similar
from chatapp.chains.messages import Adjustable, Model
from chatapp.chains.models import Models, context_tokens, preset, whole_address
from chatapp.chat import environment_supplier, supplier_options
from chatapp.chat.chosen_model import ModelRequest, ResolvedModel
from chatapp.chat.environment_supplier import ENVIRONMENT
from chatapp.chat.sessions import last_model
from chatapp.core.pasted import pasted_address
from chatapp.core.unseen import visible
from chatapp.errors import InvalidRequest, ModelGone, NoModel, NotFound
from chatapp.identity.secrets import Secret
from chatapp.settings import Settings
from chatapp.storage import threads
from chatapp.storage.database import Database
from chatapp.storage.models import Supplier, new_id

BUILTIN, EXTRACTIVE = "builtin", "extractive"

_Row: TypeAlias = Row[*tuple[Any, ...]]

# Built once: a turn waits for them.
_suppliers = Supplier.__table__
_ENABLED = select(_suppliers).where(_suppliers.c.enabled).order_by(_suppliers.c.created_at)
_BY_NAME = select(_suppliers).where(_suppliers.c.name == bindparam("name"), _suppliers.c.enabled)


class Suppliers:
    """The suppliers of this installation. `similar` is for the built-in model (extractive.py)."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        secret: Secret,
        models: Models,
        similar: Similar | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._secret = secret
        self.models = models
        self._similar = similar
        self._own, self._own_models = environment_supplier.configured(settings)

    def all(self) -> list[dict[str, Any]]:
        """Return all suppliers as administrators see them, without keys."""
        rows = self._database.read(
            lambda t: [
                self._json(row) for row in t.scalars(select(Supplier).order_by(Supplier.created_at))
            ]
        )
        return [*self._environment(), *rows]

    def offered(self) -> list[dict[str, Any]]:
        """Return the models that can be chosen."""
        items = [
            {
                "supplier": row["name"],
                "model": model,
                "name": f"{model} · {row['label']}",
                "builtin": False,
                "vision": self.models.sees(row["base_url"], row["options"], model),
            }
            for row in self.all()
            if row["enabled"]
            for model in row["models"]
        ]
        return [
            *items,
            {
                "supplier": BUILTIN,
                "model": EXTRACTIVE,
                "name": EXTRACTIVE,
                "builtin": True,
                "vision": False,
            },
        ]

    def create(self, values: dict[str, Any], api_key: str) -> dict[str, Any]:
        """Save a supplier; raise InvalidRequest for a taken name or a missing address."""
        known = preset(values.get("preset") or "")
        base_url = values.get("base_url") or (known.base_url if known else "")
        if not base_url:
            raise InvalidRequest("base_url", "url")
        name = values.get("name") or (known.name if known else "custom")
        options = supplier_options.change({}, values.get("options") or {}, self._secret)

        def add(t: Transaction) -> dict[str, Any]:
            taken = {
                *t.scalars(select(Supplier.name)),
                BUILTIN,
                *(row["name"] for row in self._environment()),
            }
            free = name if values.get("name") else _free_name(name, taken)
            if free in taken or _is_builtin(free):
                raise InvalidRequest("name", "taken")
            row = Supplier(
                id=new_id(),
                name=free,
                preset=known.name if known else None,
                base_url=whole_address(base_url),
                key=self._secret.encrypt(api_key) if api_key else None,
                models=values.get("models") or [],
                options=options,
                enabled=values.get("enabled", True),
            )
            t.add(row)
            t.flush()
            return self._json(row)

        return self._database.write(add)

    def change(
        self, supplier_id: str, values: dict[str, Any], api_key: str | None
    ) -> dict[str, Any]:
        """Change a supplier. A new address drops the stored key and the options' secrets."""

        def save(t: Transaction) -> dict[str, Any]:
            row = _saved(t, supplier_id)
            base_url = values.get("base_url") or row.base_url
            if not is_same_address(base_url, row.base_url):
                row.base_url, row.key = whole_address(base_url), None
                row.options = supplier_options.move(row.options, self._secret)
            if options := values.get("options"):
                row.options = supplier_options.change(row.options, options, self._secret)
            if values.get("name") and values["name"] != row.name:
                taken = {*t.scalars(select(Supplier.name)), ENVIRONMENT}
                if values["name"] in taken or _is_builtin(values["name"]):
                    raise InvalidRequest("name", "taken")
                row.name = values["name"]
            row.models = values.get("models", row.models)
            row.enabled = values.get("enabled", row.enabled)
            if api_key is not None:
                row.key = self._secret.encrypt(api_key) if api_key else None
            t.flush()
            return self._json(row)

        return self._database.write(save)

    def delete(self, supplier_id: str) -> None:
        """Delete a supplier; raise NotFound."""
        self._database.write_deletion(lambda t: t.delete(_saved(t, supplier_id)))

    def endpoint(self, supplier_id: str) -> Endpoint:
        """Return the endpoint of a saved supplier; raise NotFound."""
        if supplier_id == ENVIRONMENT and self._own is not None:
            return self._own
        return self._database.read(lambda t: self._endpoint(_saved(t, supplier_id)))

    def unsaved(self, values: dict[str, Any], api_key: str) -> Endpoint:
        """Return the endpoint of a supplier that is not saved yet; raise InvalidRequest."""
        known = preset(values.get("preset") or "")
        base_url = values.get("base_url") or (known.base_url if known else "")
        if not base_url:
            raise InvalidRequest("base_url", "url")
        name = known.name if known else "custom"
        return Endpoint(
            name,
            known.label if known else environment_supplier.host(base_url),
            whole_address(base_url),
            api_key,
            name if known else None,
            supplier_options.merge({}, values.get("options") or {}),
        )

    def resolve(
        self, t: Transaction, user_id: str, asked: ModelRequest, session: ModelRequest
    ) -> ResolvedModel:
        """Return a turn's model: requested, the session's, the user's last, the first, builtin.

        Raises ModelGone if a named supplier no longer exists, NoModel if it offers no model.
        """
        if asked.supplier or asked.model:
            supplier = asked.supplier or self._supplier_of(t, asked.model or "", session.supplier)
            return self._resolve(
                t, ModelRequest(supplier, asked.model, asked.temperature, asked.api_key)
            )
        model_request = session if session.supplier else self._last(t, user_id) or self._first(t)
        return self._resolve(
            t,
            ModelRequest(
                model_request.supplier, model_request.model, asked.temperature, asked.api_key
            ),
        )

    def preload(self) -> None:
        """Import what the first question needs and, where there is a supplier, what that needs."""
        threads.run(build.preload, threads.MODELS)
        if len(self.offered()) > 1:
            threads.run(self.models.preload, threads.MODELS)

    def runnable(self, resolved: ResolvedModel) -> Model:
        """Return the model itself."""
        if resolved.endpoint is None:
            return Extractive(self._similar)
        endpoint, parameters = resolved.endpoint, resolved.parameters
        if self.models.is_cached(endpoint, parameters):
            model = self.models.model(endpoint, parameters)
        else:  # in a thread: the first call may import openai, which takes a second
            model = threads.run(lambda: self.models.model(endpoint, parameters), threads.MODELS)
        if resolved.options and isinstance(model, Adjustable):
            return model.with_options(resolved.options)
        return model

    def _resolve(self, t: Transaction, model_request: ModelRequest) -> ResolvedModel:
        supplier, model = model_request.supplier or BUILTIN, model_request.model
        if supplier == BUILTIN:
            if model not in (None, EXTRACTIVE):
                raise ModelGone(model=model)
            parameters = Parameters(EXTRACTIVE)
            return ResolvedModel(
                BUILTIN,
                EXTRACTIVE,
                EXTRACTIVE,
                self._settings.context_tokens,
                None,
                parameters,
                False,
            )
        endpoint, models = self._find(t, supplier, model_request.api_key)
        if endpoint is None:
            raise ModelGone(model=model or supplier)
        model = model or (models[0] if models else None)
        if not model:
            raise NoModel
        room = context_tokens(endpoint.preset, model, self._settings.context_tokens)
        label = f"{model} · {endpoint.label}"
        parameters = Parameters(model, model_request.temperature)
        sees = self.models.sees(endpoint.base_url, endpoint.options, model)
        return ResolvedModel(supplier, model, label, room, endpoint, parameters, sees)

    def _find(
        self, t: Transaction, name: str, api_key: str | None
    ) -> tuple[Endpoint | None, Sequence[str]]:
        if self._own is not None and name == ENVIRONMENT:
            return _with_key(self._own, api_key), self._own_models
        row = t.execute(_BY_NAME, {"name": name}).first()
        if row is not None:
            return _with_key(self._endpoint(row), api_key), row.models
        known = preset(name)
        # An address on this machine is used only where an administrator has saved it.
        if known and not known.local and api_key:
            return Endpoint(
                known.name, known.label, known.base_url, api_key, known.name, {}
            ), known.models
        return None, ()

    def _offers(self, t: Transaction) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield the offered suppliers with their models; the database is read last."""
        if self._own is not None:
            yield ENVIRONMENT, self._own_models
        yield from ((row.name, row.models) for row in t.execute(_ENABLED).all())
        yield BUILTIN, (EXTRACTIVE,)

    def _supplier_of(self, t: Transaction, model: str, preferred: str | None) -> str:
        """Return a supplier that offers this model; `<supplier>/<model>` is not parsed here."""
        offers = [name for name, models in self._offers(t) if model in models]
        if not offers:
            raise ModelGone(model=model)
        return preferred if preferred and preferred in offers else offers[0]

    def _last(self, t: Transaction, user_id: str) -> ModelRequest | None:
        """Return the model of the user's last chat, if it is still offered."""
        supplier, model = last_model(t, user_id, BUILTIN)
        offered = supplier and any(
            supplier == name and model in models for name, models in self._offers(t)
        )
        return ModelRequest(supplier, model) if offered else None

    def _first(self, t: Transaction) -> ModelRequest:
        """Return the first model that is offered."""
        return next(ModelRequest(name, models[0]) for name, models in self._offers(t) if models)

    def _endpoint(self, row: Supplier | _Row) -> Endpoint:
        key = self._secret.decrypt(row.key) if row.key else ""
        known = preset(row.preset or "")
        label = known.label if known and row.name.startswith(known.name) else row.name
        options = supplier_options.unseal(row.options, self._secret)
        return Endpoint(row.name, label, row.base_url, key, row.preset, options)

    def _json(self, row: Supplier) -> dict[str, Any]:
        known = preset(row.preset or "")
        return {
            "id": row.id,
            "name": row.name,
            "label": known.label if known and row.name.startswith(known.name) else row.name,
            "preset": row.preset,
            "base_url": row.base_url,
            "has_key": row.key is not None,
            "models": list(row.models),
            "enabled": row.enabled,
            "options": supplier_options.mask(supplier_options.unseal(row.options, self._secret)),
            "source": "database",
        }

    def _environment(self) -> list[dict[str, Any]]:
        return [environment_supplier.as_json(self._own, self._own_models)] if self._own else []


def is_same_address(one: str, other: str) -> bool:
    """Return whether two addresses are the same, as they are understood."""
    try:
        return one == other or whole_address(pasted_address(one)) == whole_address(
            pasted_address(other)
        )
    except ValueError:
        return False


def _saved(t: Transaction, supplier_id: str) -> Supplier:
    row = t.get(Supplier, supplier_id)
    if row is None:
        raise NotFound
    return row


def _with_key(endpoint: Endpoint, api_key: str | None) -> Endpoint:
    return replace(endpoint, api_key=api_key) if api_key else endpoint


def _is_builtin(name: str) -> bool:
    """Return whether a name reads as the built-in supplier's."""
    return unicodedata.normalize("NFKC", visible(name)).strip().casefold() == BUILTIN


def _free_name(name: str, taken: set[str]) -> str:
    free, n = name, 2
    while free in taken:
        free, n = f"{name}-{n}", n + 1
    return free
