"""Model ids of programs: what they name, and which are listed."""

import pytest

from chatapp.errors import InvalidRequest, ModelGone, NotFound
from chatapp.identity.person import Person
from chatapp.storage.models import User, new_id
from chatapp.web.services import Services

BASES = ("Handbook", "a/b", "mine @ home", "v1", "twin", "twin")


@pytest.fixture
def bases(services: Services, admin: Person) -> dict[str, str]:
    """Make a supplier and the bases; return the bases' ids by name."""
    models = ["m", "m@v1", "deep/er"]
    services.suppliers.create(
        {"name": "s", "base_url": "http://127.0.0.1:9/v1", "models": models}, ""
    )
    return {name: services.knowledge.create(admin.id, name)["id"] for name in BASES}


# The id ({Name} stands for a base's id): supplier, model, base.
NAMED = [
    ("s/m", "s", "m", None),
    ("s/deep/er", "s", "deep/er", None),
    ("s/unlisted", "s", "unlisted", None),
    ("s/m@Handbook", "s", "m", "Handbook"),
    ("s/m@{Handbook}", "s", "m", "Handbook"),
    ("s/m@a/b", "s", "m", "a/b"),
    ("s/m@v1", "s", "m@v1", None),
    ("s/m@v1@v1", "s", "m@v1", "v1"),
    ("s/m@{mine @ home}", "s", "m", "mine @ home"),
    ("s/@m", "s", "@m", None),
    ("m", None, "m", None),
    ("m@Handbook", None, "m", "Handbook"),
    ("builtin/extractive@Handbook", "builtin", "extractive", "Handbook"),
]


@pytest.mark.parametrize(("model_id", "supplier", "model", "base"), NAMED)
def test_an_id_names_a_model_and_a_base(
    services: Services,
    admin: Person,
    bases: dict[str, str],
    model_id: str,
    supplier: str | None,
    model: str,
    base: str | None,
) -> None:
    for name, base_id in bases.items():
        model_id = model_id.replace("{" + name + "}", base_id)
    named = services.model_ids.read(admin.id, model_id)
    assert (named.model.supplier, named.model.model) == (supplier, model)
    assert named.base_ids == ((bases[base],) if base else ())


def test_bases_of_others_and_ambiguous_names_are_refused(
    services: Services, admin: Person, bases: dict[str, str]
) -> None:
    other = User(id=new_id(), name="other", role="user")
    services.database.write(lambda t: t.add(other))
    for name in ("Handbook", bases["Handbook"]):
        with pytest.raises(NotFound):
            services.model_ids.read(other.id, f"s/m@{name}")
    assert not [each for each, _ in services.model_ids.listed(other.id) if "Handbook" in each]
    with pytest.raises(InvalidRequest) as refused:
        services.model_ids.read(admin.id, "s/m@twin")
    [(_, named)] = refused.value.reasons.values()
    assert bases["twin"] in str(named["ids"])


def test_listed_ids_can_be_asked(services: Services, admin: Person, bases: dict[str, str]) -> None:
    listed = services.model_ids.listed(admin.id)
    assert [each for each, _ in listed][:3] == ["s/m", "s/m@v1", "s/deep/er"]
    assert ("s/m@Handbook", "s") in listed and (f"s/m@{bases['v1']}", "s") in listed
    assert len(dict(listed)) == len(listed)
    for model_id, supplier in listed:
        named = services.model_ids.read(admin.id, model_id)
        assert services.model_ids.require_offered(named) == supplier
    with pytest.raises(ModelGone):
        services.model_ids.require_offered(services.model_ids.read(admin.id, "s/unlisted"))
