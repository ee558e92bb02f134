"""What a user saves under a name: prompts, which are inserted into questions, and presets, which
start chats."""

from typing import Any, Generic, TypeVar

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session as Transaction

from chatapp.errors import InvalidRequest, NotFound
from chatapp.storage.chat_models import Preset, Prompt
from chatapp.storage.database import Database

MOST = 200  # of one kind and one user
Row = TypeVar("Row", Prompt, Preset)


class Named(Generic[Row]):
    """The rows of all users in a table where a user's names are unique."""

    def __init__(self, database: Database, model: type[Row]) -> None:
        self._database = database
        self._model: type[Row] = model
        self._columns = [column.key for column in model.__table__.c if column.key != "user_id"]

    def all(self, user_id: str) -> list[dict[str, Any]]:
        """Return a user's rows by name."""
        model = self._model
        query = select(model).where(model.user_id == user_id).order_by(func.lower(model.name))
        return self._database.read(lambda t: [self._json(row) for row in t.scalars(query)])

    def create(self, user_id: str, values: dict[str, Any]) -> dict[str, Any]:
        """Add a row; raise InvalidRequest for a name that is taken, or too many rows."""
        model = self._model

        def add(t: Transaction) -> dict[str, Any]:
            self._database.advisory_lock(t, user_id)
            count = select(func.count()).where(model.user_id == user_id)
            if (t.scalar(count) or 0) >= MOST:
                raise InvalidRequest("name", "too_many_saved", most=MOST)
            self._check_free(t, user_id, values["name"], None)
            row = model(user_id=user_id, **values)
            t.add(row)
            t.flush()
            return self._json(row)

        return self._database.write(add)

    def change(self, user_id: str, row_id: str, values: dict[str, Any]) -> dict[str, Any]:
        """Change a row; raise NotFound, or InvalidRequest for a name that is taken."""

        def save(t: Transaction) -> dict[str, Any]:
            self._database.advisory_lock(t, user_id)
            row = t.get(self._model, row_id)
            if row is None or row.user_id != user_id:
                raise NotFound
            if "name" in values:
                self._check_free(t, user_id, values["name"], row_id)
            for name, value in values.items():
                setattr(row, name, value)
            t.flush()
            return self._json(row)

        return self._database.write(save)

    def delete(self, user_id: str, row_id: str) -> None:
        """Delete a row; raise NotFound."""
        model = self._model
        query = delete(model).where(model.id == row_id, model.user_id == user_id)
        gone = self._database.write_deletion(
            lambda t: t.execute(query.returning(model.id)).scalar()
        )
        if gone is None:
            raise NotFound

    def delete_all(self, user_id: str) -> None:
        """Delete all rows of a user."""
        query = delete(self._model).where(self._model.user_id == user_id)
        self._database.write_deletion(lambda t: t.execute(query) and None)

    def _check_free(self, t: Transaction, user_id: str, name: str, own_id: str | None) -> None:
        model = self._model
        query = select(model.id).where(model.user_id == user_id, model.name == name)
        if t.scalar(query) not in (None, own_id):
            raise InvalidRequest("name", "taken")

    def _json(self, row: Row) -> dict[str, Any]:
        return {name: getattr(row, name) for name in self._columns}
