"""The current user as a plain value, which all layers above pass around."""

from dataclasses import dataclass

from chatapp.identity.defaults import Defaults
from chatapp.storage.models import User


@dataclass(frozen=True, slots=True)
class Person:
    """A user, without secrets."""

    id: str
    name: str
    role: str
    has_password: bool
    defaults: Defaults = Defaults()

    @property
    def is_admin(self) -> bool:
        """Whether this person administers the installation."""
        return self.role == "admin"


def person_of(user: User) -> Person:
    """Return a user's row as a Person."""
    has_password = user.password_hash is not None
    return Person(user.id, user.name, user.role, has_password, Defaults(**user.defaults))
