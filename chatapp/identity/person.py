"""The current user as a plain value, which all layers above pass around."""

from dataclasses import dataclass

from chatapp.identity.defaults import Defaults
from chatapp.storage.models import User

ADMIN_ROLE, MEMBER_ROLE = "admin", "user"
# What a token with scopes may do. One without scopes may do all that its maker may.
ASK, READ, WRITE, ADMINISTER = SCOPES = ("ask", "read", "write", "admin")


@dataclass(frozen=True, slots=True)
class Person:
    """A user, without secrets. `scopes` limits a request whose token has some."""

    id: str
    name: str
    role: str
    has_password: bool
    defaults: Defaults = Defaults()
    scopes: frozenset[str] | None = None

    @property
    def is_admin(self) -> bool:
        """Whether this person administers the installation."""
        return self.role == ADMIN_ROLE

    @property
    def chosen_name(self) -> str | None:
        """The name; None while somebody who was invited without one has not chosen it."""
        return chosen_name(self.id, self.name)


def person_of(user: User, scopes: list[str] | None = None) -> Person:
    """Return a user's row as a Person.

    A token without the scope `admin` is a member's, whoever made it.
    """
    limits = None if scopes is None else frozenset(scopes)
    role = user.role if limits is None or ADMINISTER in limits else MEMBER_ROLE
    has_password = user.password_hash is not None
    return Person(user.id, user.name, role, has_password, Defaults(**user.defaults), limits)


def chosen_name(user_id: str, name: str) -> str | None:
    """Return an account's name; None for the id that stands in until one is chosen."""
    return None if name == user_id else name
