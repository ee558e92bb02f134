"""Which model a turn uses, and what happens to keys."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from chatapp.chains.models import Models
from chatapp.chat.chosen_model import ModelRequest, ResolvedModel
from chatapp.chat.question import Question
from chatapp.chat.reaping import heartbeats, reap
from chatapp.chat.suppliers import Suppliers
from chatapp.errors import InvalidRequest, ModelGone, NoModel, NotFound
from chatapp.identity.person import Person
from chatapp.identity.secrets import Secret
from chatapp.web.services import Services

Choose = Callable[[ModelRequest, ModelRequest], ResolvedModel]


@pytest.fixture
def suppliers(services: Services) -> Suppliers:
    return services.suppliers


@pytest.fixture
def choose(services: Services, admin: Person) -> Choose:
    return lambda asked, session: services.database.read(
        lambda t: services.suppliers.resolve(t, admin.id, asked, session)
    )


def save(
    suppliers: Suppliers, name: str, models: list[str], key: str = "sk-canary", **more: object
):
    return suppliers.create(
        {"name": name, "base_url": "http://127.0.0.1:9/v1", "models": models, **more}, key
    )


def test_without_suppliers_the_built_in_model_answers(suppliers: Suppliers, choose: Choose) -> None:
    resolved = choose(ModelRequest(), ModelRequest())
    assert (resolved.supplier, resolved.model, resolved.endpoint) == ("builtin", "extractive", None)


def test_the_request_s_model_comes_before_the_session_s_before_the_first(
    suppliers: Suppliers, choose: Choose
) -> None:
    save(suppliers, "one", ["a", "b"])
    save(suppliers, "two", ["c"])
    assert choose(ModelRequest(), ModelRequest()).model == "a"
    assert choose(ModelRequest(), ModelRequest("two", "c")).model == "c"
    assert choose(ModelRequest("one", "b"), ModelRequest("two", "c")).model == "b"
    assert choose(ModelRequest(model="c"), ModelRequest()).supplier == "two"
    assert choose(ModelRequest("two"), ModelRequest()).model == "c"


def test_the_built_in_model_is_no_last_choice(
    services: Services, admin: Person, choose: Choose
) -> None:
    question = Question(text="q", bases=[])
    services.turns.open(admin.id, question)
    services.database.write(lambda t: reap(t, heartbeats(t)))
    save(services.suppliers, "one", ["a"])
    assert choose(ModelRequest(), ModelRequest()).model == "a"
    with pytest.raises(ModelGone):
        choose(ModelRequest("builtin", "nothing"), ModelRequest())


def test_a_preset_serves_without_being_saved_when_a_key_comes_along(
    suppliers: Suppliers, choose: Choose
) -> None:
    resolved = choose(ModelRequest("deepseek", "deepseek-chat", api_key="sk-mine"), ModelRequest())
    assert resolved.endpoint is not None
    assert resolved.endpoint.api_key == "sk-mine"
    assert "deepseek" in resolved.endpoint.base_url
    with pytest.raises(ModelGone):
        choose(ModelRequest("deepseek", "deepseek-chat"), ModelRequest())


def test_a_deleted_supplier_raises_model_gone(suppliers: Suppliers, choose: Choose) -> None:
    row = save(suppliers, "one", ["a"])
    suppliers.delete(row["id"])
    for model_request in (ModelRequest("one", "a"), ModelRequest(model="a")):
        with pytest.raises(ModelGone):
            choose(model_request, ModelRequest())
    with pytest.raises(ModelGone):
        choose(ModelRequest(), ModelRequest("one", "a"))


def test_a_supplier_without_models_needs_one_named(suppliers: Suppliers, choose: Choose) -> None:
    save(suppliers, "bare", [])
    with pytest.raises(NoModel):
        choose(ModelRequest("bare"), ModelRequest())
    assert choose(ModelRequest("bare", "any"), ModelRequest()).model == "any"


def test_a_disabled_supplier_is_not_offered(suppliers: Suppliers, choose: Choose) -> None:
    row = save(suppliers, "one", ["a"])
    suppliers.change(row["id"], {"enabled": False}, None)
    assert [item["supplier"] for item in suppliers.offered()] == ["builtin"]
    with pytest.raises(ModelGone):
        choose(ModelRequest("one", "a"), ModelRequest())


def test_a_key_is_encrypted_at_rest_and_never_shown(
    suppliers: Suppliers, services: Services
) -> None:
    row = save(suppliers, "one", ["a"])
    assert row["has_key"] is True
    assert "sk-canary" not in json.dumps(suppliers.all(), default=str)
    stored = (services.settings.home / "chatapp.db").read_bytes() + (
        services.settings.home / "chatapp.db-wal"
    ).read_bytes()
    assert b"sk-canary" not in stored
    assert suppliers.endpoint(row["id"]).api_key == "sk-canary"


def test_a_new_address_drops_the_key(suppliers: Suppliers) -> None:
    row = save(suppliers, "one", ["a"])
    changed = suppliers.change(row["id"], {"base_url": "http://127.0.0.1:10/v1"}, None)
    assert changed["has_key"] is False
    again = suppliers.change(row["id"], {"base_url": "http://127.0.0.1:11/v1"}, "sk-new")
    assert again["has_key"] is True


def test_credentials_in_an_address_are_not_shown(services: Services, admin: Person) -> None:
    settings = replace(
        services.settings, openai_base_url="http://user:s3cret@127.0.0.1:9/v1", openai_models=("m",)
    )
    mine = Suppliers(services.database, settings, Secret.of(settings), Models(settings))
    assert (
        "s3cret"
        not in json.dumps(mine.offered())
        + services.database.read(
            lambda t: mine.resolve(t, admin.id, ModelRequest(), ModelRequest())
        ).label
    )
    assert "sk-" not in repr(ModelRequest(api_key="sk-canary"))


def test_names_are_unique_and_builtin_is_taken(suppliers: Suppliers) -> None:
    save(suppliers, "one", [])
    for name in ("one", "builtin"):
        with pytest.raises(InvalidRequest):
            save(suppliers, name, [])
    assert suppliers.create({"preset": "ollama"}, "")["name"] == "ollama"
    assert suppliers.create({"preset": "ollama"}, "")["name"] == "ollama-2"


def test_an_unknown_supplier_is_not_found(suppliers: Suppliers) -> None:
    with pytest.raises(NotFound):
        suppliers.endpoint("nothing")
