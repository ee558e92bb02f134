"""Which suppliers there are and which model a turn uses. Keys are encrypted at rest, bound to their address, never shown again.

A supplier comes from the environment (`openai`, from OPENAI_*), from the database, or is a preset's name with a key that
came along with one request. `builtin` needs none of them. How a model is talked to is the business of `chains/`.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from chatapp import offload
from chatapp.chains import Model
from chatapp.chains.extractive import Extractive
from chatapp.chains.suppliers import Endpoint, Models, Parameters, context_tokens, preset
from chatapp.database import Database
from chatapp.errors import InvalidRequest, ModelGone, NoModel, NotFound
from chatapp.models import Message, Supplier, new_id
from chatapp.secret import Secret
from chatapp.settings import Settings

BUILTIN, EXTRACTIVE = "builtin", "extractive"
ENVIRONMENT = "openai"
OPENAI_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request, a session or a last answer names; any part may be missing."""

    supplier: str | None = None
    model: str | None = None
    temperature: float | None = None
    api_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """The model of a turn. `endpoint` None is the built-in one."""

    supplier: str
    model: str
    label: str
    context_tokens: int
    endpoint: Endpoint | None
    parameters: Parameters


class Suppliers:
    """The suppliers of this installation."""

    def __init__(self, database: Database, settings: Settings, secret: Secret, models: Models) -> None:
        self._database = database
        self._settings = settings
        self._secret = secret
        self.models = models

    def all(self) -> list[dict[str, Any]]:
        """Return all suppliers as administrators see them; the key is never among what is shown."""
        rows = self._database.read(lambda t: [_json(row) for row in t.scalars(select(Supplier).order_by(Supplier.created_at))])
        return [*self._environment(), *rows]

    def offered(self) -> list[dict[str, Any]]:
        """Return the models that can be chosen."""
        items = [
            {"supplier": row["name"], "model": model, "name": f"{model} · {row['label']}", "builtin": False}
            for row in self.all()
            if row["enabled"]
            for model in row["models"]
        ]
        return [*items, {"supplier": BUILTIN, "model": EXTRACTIVE, "name": EXTRACTIVE, "builtin": True}]

    def create(self, values: dict[str, Any], api_key: str) -> dict[str, Any]:
        """Save a supplier; raise InvalidRequest for a name that is taken or an address that is missing."""
        known = preset(values.get("preset") or "")
        base_url = values.get("base_url") or (known.base_url if known else "")
        if not base_url:
            raise InvalidRequest("base_url", "url")
        name = values.get("name") or (known.name if known else "custom")

        def add(t: Transaction) -> dict[str, Any]:
            taken = {*t.scalars(select(Supplier.name)), BUILTIN, *(row["name"] for row in self._environment())}
            free = name if values.get("name") else _free_name(name, taken)
            if free in taken:
                raise InvalidRequest("name", "taken")
            row = Supplier(
                id=new_id(),
                name=free,
                preset=known.name if known else None,
                base_url=base_url.rstrip("/"),
                key=self._secret.encrypt(api_key) if api_key else None,
                models=values.get("models") or [],
                enabled=values.get("enabled", True),
            )
            t.add(row)
            t.flush()
            return _json(row)

        return self._database.write(add)

    def change(self, supplier_id: str, values: dict[str, Any], api_key: str | None) -> dict[str, Any]:
        """Change a supplier; a new address without a new key drops the old key, so that it never travels elsewhere."""

        def save(t: Transaction) -> dict[str, Any]:
            row = _saved(t, supplier_id)
            base_url = values.get("base_url")
            if base_url and base_url.rstrip("/") != row.base_url:
                row.base_url, row.key = base_url.rstrip("/"), None
            if values.get("name") and values["name"] != row.name:
                if values["name"] in {*t.scalars(select(Supplier.name)), BUILTIN, ENVIRONMENT}:
                    raise InvalidRequest("name", "taken")
                row.name = values["name"]
            row.models = values.get("models", row.models)
            row.enabled = values.get("enabled", row.enabled)
            if api_key is not None:
                row.key = self._secret.encrypt(api_key) if api_key else None
            t.flush()
            return _json(row)

        return self._database.write(save)

    def delete(self, supplier_id: str) -> None:
        """Delete a supplier; raise NotFound."""
        self._database.write(lambda t: t.delete(_saved(t, supplier_id)))

    def endpoint(self, supplier_id: str) -> Endpoint:
        """Return a saved supplier as something to talk to; raise NotFound."""
        if supplier_id == ENVIRONMENT and (own := self._environment_endpoint()):
            return own
        return self._database.read(lambda t: self._endpoint(_saved(t, supplier_id)))

    def unsaved(self, values: dict[str, Any], api_key: str) -> Endpoint:
        """Return a supplier that is being entered as something to talk to; raise InvalidRequest."""
        known = preset(values.get("preset") or "")
        base_url = values.get("base_url") or (known.base_url if known else "")
        if not base_url:
            raise InvalidRequest("base_url", "url")
        name = known.name if known else "custom"
        return Endpoint(
            name, known.label if known else _host(base_url), base_url.rstrip("/"), api_key, name if known else None, {}
        )

    def choose(self, user_id: str, asked: Wish, session: Wish) -> Choice:
        """Find the model of a turn: the request's, else the session's, else the person's last, else the first, else builtin.

        Raises ModelGone for a named supplier that is not there any more, NoModel where a supplier has no model to take.
        """
        parameters = (asked.temperature, asked.api_key)
        if asked.supplier or asked.model:
            supplier = asked.supplier or self._supplier_of(asked.model or "", session.supplier)
            return self._choice(supplier, asked.model, *parameters)
        if session.supplier:
            return self._choice(session.supplier, session.model, *parameters)
        last = self._last(user_id)
        offered = self.offered()
        usable = [item for item in offered if (item["supplier"], item["model"]) == (last.supplier, last.model)]
        first = (usable or offered)[0]
        return self._choice(first["supplier"], first["model"], *parameters)

    def preload(self) -> None:
        """Load what the first question to a supplier would have to wait for, where there is one."""
        if len(self.offered()) > 1:
            offload.run(self.models.preload)

    def runnable(self, choice: Choice) -> Model:
        """Return the model itself."""
        if choice.endpoint is None:
            return Extractive()
        endpoint = choice.endpoint
        # The first one may have to load openai, which takes a second: off the hub, so that no other stream waits for it.
        made: Model = offload.run(lambda: self.models.model(endpoint, choice.parameters))
        return made

    def _choice(self, supplier: str, model: str | None, temperature: float | None, api_key: str | None) -> Choice:
        if supplier == BUILTIN:
            if model not in (None, EXTRACTIVE):
                raise ModelGone(model=model)
            parameters = Parameters(EXTRACTIVE)
            return Choice(BUILTIN, EXTRACTIVE, EXTRACTIVE, self._settings.context_tokens, None, parameters)
        endpoint, models = self._find(supplier, api_key)
        if endpoint is None:
            raise ModelGone(model=model or supplier)
        model = model or (models[0] if models else None)
        if not model:
            raise NoModel
        room = context_tokens(endpoint.preset, model, self._settings.context_tokens)
        label = f"{model} · {endpoint.label}"
        return Choice(supplier, model, label, room, endpoint, Parameters(model, temperature))

    def _find(self, name: str, api_key: str | None) -> tuple[Endpoint | None, list[str]]:
        own = self._environment_endpoint()
        if own and name == ENVIRONMENT:
            return _with_key(own, api_key), list(self._environment()[0]["models"])
        query = select(Supplier).where(Supplier.name == name, Supplier.enabled)
        row = self._database.read(lambda t: t.scalars(query).first())
        if row:
            return _with_key(self._endpoint(row), api_key), list(row.models)
        known = preset(name)
        if known and api_key:
            return Endpoint(known.name, known.label, known.base_url, api_key, known.name, {}), list(known.models)
        return None, []

    def _supplier_of(self, model: str, preferred: str | None) -> str:
        """Find who offers a model that was named alone; `<supplier>/<model>` is not taken apart here."""
        offers = [item["supplier"] for item in self.offered() if item["model"] == model]
        if not offers:
            raise ModelGone(model=model)
        return preferred if preferred and preferred in offers else str(offers[0])

    def _last(self, user_id: str) -> Wish:
        query = select(Message.supplier, Message.model).where(Message.user_id == user_id, Message.role == "assistant")
        query = query.where(Message.supplier != BUILTIN)  # it is what answers where nothing was chosen
        row = self._database.read(lambda t: t.execute(query.order_by(Message.number.desc()).limit(1)).first())
        return Wish(row.supplier, row.model) if row else Wish()

    def _endpoint(self, row: Supplier) -> Endpoint:
        key = self._secret.decrypt(row.key) if row.key else ""
        known = preset(row.preset or "")
        label = known.label if known and row.name.startswith(known.name) else row.name
        return Endpoint(row.name, label, row.base_url, key, row.preset, dict(row.options))

    def _environment_endpoint(self) -> Endpoint | None:
        settings = self._settings
        if not (settings.openai_api_key or settings.openai_base_url):
            return None
        base_url = settings.openai_base_url or OPENAI_URL
        own = base_url == OPENAI_URL
        label = "OpenAI" if own else _host(base_url)
        return Endpoint(ENVIRONMENT, label, base_url, settings.openai_api_key, ENVIRONMENT if own else None, {})

    def _environment(self) -> list[dict[str, Any]]:
        endpoint = self._environment_endpoint()
        if endpoint is None:
            return []
        known = preset(endpoint.preset or "")
        return [
            {
                "id": ENVIRONMENT,
                "name": ENVIRONMENT,
                "label": endpoint.label,
                "preset": endpoint.preset,
                "base_url": endpoint.base_url,
                "has_key": bool(endpoint.api_key),
                "models": list(self._settings.openai_models or (known.models if known else ())),
                "enabled": True,
                "source": "environment",
            }
        ]


def _saved(t: Transaction, supplier_id: str) -> Supplier:
    row = t.get(Supplier, supplier_id)
    if row is None:
        raise NotFound
    return row


def _with_key(endpoint: Endpoint, api_key: str | None) -> Endpoint:
    if not api_key:
        return endpoint
    return Endpoint(endpoint.name, endpoint.label, endpoint.base_url, api_key, endpoint.preset, endpoint.options)


def _free_name(name: str, taken: set[str]) -> str:
    free, n = name, 2
    while free in taken:
        free, n = f"{name}-{n}", n + 1
    return free


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _json(row: Supplier) -> dict[str, Any]:
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
        "source": "database",
    }
