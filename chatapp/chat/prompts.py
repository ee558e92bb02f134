"""Saved prompts: texts with a name, which a user inserts into questions."""

from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session as Transaction

from chatapp.errors import InvalidRequest, NotFound
from chatapp.storage.chat_models import Prompt
from chatapp.storage.database import Database

MOST = 200  # of one user


class Prompts:
    """The saved prompts of all users, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, user_id: str) -> list[dict[str, Any]]:
        """Return a user's prompts by name."""
        query = select(Prompt).where(Prompt.user_id == user_id).order_by(func.lower(Prompt.name))
        return self._database.read(lambda t: [_json(row) for row in t.scalars(query)])

    def create(self, user_id: str, name: str, text: str) -> dict[str, Any]:
        """Save a prompt; raise InvalidRequest for a name that is taken, or too many prompts."""

        def add(t: Transaction) -> dict[str, Any]:
            self._database.advisory_lock(t, user_id)
            count = select(func.count()).where(Prompt.user_id == user_id)
            if (t.scalar(count) or 0) >= MOST:
                raise InvalidRequest("name", "too_many_prompts", most=MOST)
            _check_free(t, user_id, name, None)
            prompt = Prompt(user_id=user_id, name=name, text=text)
            t.add(prompt)
            t.flush()
            return _json(prompt)

        return self._database.write(add)

    def change(self, user_id: str, prompt_id: str, values: dict[str, Any]) -> dict[str, Any]:
        """Change a prompt; raise NotFound, or InvalidRequest for a name that is taken."""

        def save(t: Transaction) -> dict[str, Any]:
            self._database.advisory_lock(t, user_id)
            prompt = t.get(Prompt, prompt_id)
            if prompt is None or prompt.user_id != user_id:
                raise NotFound
            if "name" in values:
                _check_free(t, user_id, values["name"], prompt_id)
            for name, value in values.items():
                setattr(prompt, name, value)
            t.flush()
            return _json(prompt)

        return self._database.write(save)

    def delete(self, user_id: str, prompt_id: str) -> None:
        """Delete a prompt; raise NotFound."""
        query = delete(Prompt).where(Prompt.id == prompt_id, Prompt.user_id == user_id)
        gone = self._database.write_deletion(
            lambda t: t.execute(query.returning(Prompt.id)).scalar()
        )
        if gone is None:
            raise NotFound

    def delete_all(self, user_id: str) -> None:
        """Delete all prompts of a user."""
        query = delete(Prompt).where(Prompt.user_id == user_id)
        self._database.write_deletion(lambda t: t.execute(query) and None)


def _check_free(t: Transaction, user_id: str, name: str, own_id: str | None) -> None:
    query = select(Prompt.id).where(Prompt.user_id == user_id, Prompt.name == name)
    if t.scalar(query) not in (None, own_id):
        raise InvalidRequest("name", "taken")


def _json(prompt: Prompt) -> dict[str, Any]:
    return {
        "id": prompt.id,
        "name": prompt.name,
        "text": prompt.text,
        "created_at": prompt.created_at,
    }
