"""Model ids of programs: `<supplier>/<model>`, with documents `<supplier>/<model>@<base>`.

The supplier ends at the first `/`. What follows is a model if the supplier offers it; else the
knowledge base, an id or a name, begins at the last `@`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chatapp.chat.chosen_model import ModelRequest
from chatapp.chat.suppliers import Suppliers
from chatapp.errors import InvalidRequest, ModelGone, NotFound
from chatapp.knowledge.selection import Bases, bases_named, visible_bases
from chatapp.storage.database import Database

MOST_LISTED = 1000
MOST_BASES = 100  # of a list
MOST_CANDIDATES = 10  # named in an error

Offered = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class NamedModel:
    """What a model id names: a supplier's model, and the knowledge bases to search."""

    model: ModelRequest
    base_ids: tuple[str, ...] = ()

    @property
    def label(self) -> tuple[str | None, str | None]:
        """Supplier and model."""
        return self.model.supplier, self.model.model


class ModelIds:
    """Lists and reads model ids for a user."""

    def __init__(self, database: Database, suppliers: Suppliers) -> None:
        self._database = database
        self._suppliers = suppliers

    def listed(self, user_id: str) -> list[tuple[str, str]]:
        """Return ids and suppliers: all models, then each with the user's bases, at most 1000."""
        offered = self._offered()
        found = {f"{supplier}/{model}": supplier for supplier, model in offered}
        models = list(found.items())
        bases = self._database.read(lambda t: visible_bases(t, user_id, MOST_BASES))
        for name, base_id in zip(_handles(bases), bases.ids, strict=True):
            for model_id, supplier in models:
                named = f"{model_id}@{name}"
                found[f"{model_id}@{base_id}" if named in found else named] = supplier
            if len(found) >= MOST_LISTED:
                break
        return list(found.items())[:MOST_LISTED]

    def read(self, user_id: str, model_id: str) -> NamedModel:
        """Return what an id names.

        Raises NotFound for an unknown base, InvalidRequest for a name that several bases have.
        """
        supplier, slash, rest = model_id.partition("/")
        if not slash:
            supplier, rest = "", model_id
        model, at, base = rest.rpartition("@")
        asked = ModelRequest(supplier or None, rest)
        if not (at and model and base) or self._offers(asked):
            return NamedModel(asked)
        return NamedModel(ModelRequest(supplier or None, model), (self._base(user_id, base),))

    def require_offered(self, named: NamedModel) -> str:
        """Return the supplier of a model; raise ModelGone for one that is not offered."""
        for supplier, model in self._offered():
            if named.model.model == model and named.model.supplier in (None, supplier):
                return supplier
        raise ModelGone(model=named.model.model or "")

    def _offers(self, asked: ModelRequest) -> bool:
        return any(
            asked.model == model and asked.supplier in (None, supplier)
            for supplier, model in self._offered()
        )

    def _offered(self) -> Offered:
        return [(item["supplier"], item["model"]) for item in self._suppliers.offered()]

    def _base(self, user_id: str, name: str) -> str:
        found = self._database.read(lambda t: bases_named(t, user_id, name, MOST_CANDIDATES))
        if not found.ids:
            raise NotFound("knowledge_base")
        if len(found.ids) > 1:
            raise InvalidRequest("model", "base_ambiguous", name=name, ids=", ".join(found.ids))
        return found.ids[0]


def _handles(bases: Bases) -> list[str]:
    """Return how each base is named in an id: by its name where that names no other."""
    known = {*bases.ids}
    return [
        name if "@" not in name and bases.names.count(name) == 1 and name not in known else base_id
        for base_id, name in zip(bases.ids, bases.names, strict=True)
    ]
