"""Accounts of people whom somebody else has signed in: an identity provider, or a proxy.

A provider's person is known by issuer and subject only: names and e-mail addresses change hands.
A proxy names an account.
"""

from contextlib import suppress

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction

from chatapp.errors import InvalidRequest
from chatapp.identity.claims import Claims, account_name, matches
from chatapp.identity.names import MOST_NAME_CHARACTERS
from chatapp.identity.person import ADMIN_ROLE, MEMBER_ROLE, Person, person_of
from chatapp.identity.refusals import SignInRefused
from chatapp.identity.tokens import Device, Tokens
from chatapp.identity.users import Users
from chatapp.settings import Settings
from chatapp.storage.database import Database
from chatapp.storage.models import User, new_id
from chatapp.storage.sign_in_models import Identity

MOST_SUBJECT_CHARACTERS = 255  # as the specification has it
NUMBER_CHARACTERS = 6  # for ` (2)` behind a name that is taken


class Identities:
    """Who has which account, on one database."""

    def __init__(self, database: Database, settings: Settings, tokens: Tokens) -> None:
        self._database = database
        self._settings = settings
        self._tokens = tokens

    def sign_in(self, issuer: str, claims: Claims, device: Device) -> tuple[Person, str]:
        """Return a provider's person and a new login secret; raise SignInRefused.

        The account is created at the first sign-in. Roles follow the provider if
        CHATAPP_OIDC_ADMINS is set.
        """
        settings = self._settings
        if settings.oidc_allow and not matches(
            (*settings.oidc_allow, *settings.oidc_admins), claims
        ):
            raise SignInRefused("not_allowed")

        subject = str(claims["sub"])
        if len(subject) > MOST_SUBJECT_CHARACTERS or not subject.isprintable():
            raise SignInRefused("invalid")

        def save(t: Transaction) -> Person:
            self._database.advisory_lock(t, "identities")
            user = _find(t, issuer, subject) or _add(t, issuer, claims)
            if user.disabled:
                raise SignInRefused("disabled")
            if settings.oidc_admins:
                _set_role(
                    t, user, ADMIN_ROLE if matches(settings.oidc_admins, claims) else MEMBER_ROLE
                )
            t.flush()
            return person_of(user)

        person = self._database.write_deletion(save)  # on a full disk, users still sign in
        self._tokens.forget()
        return person, self._tokens.new_login(person.id, device)

    def is_linked(self, user_id: str) -> bool:
        """Return whether an account belongs to a person at a provider."""
        return self._database.read(lambda t: is_linked(t, user_id))

    def by_name(self, name: str) -> Person | None:
        """Return whom a trusted proxy names, None for an unknown or disabled account.

        The account is created if CHATAPP_AUTH_HEADER_CREATE is on.
        """
        named = select(User).where(User.name == name)

        def load() -> Person | None:
            user = self._database.read(lambda t: t.scalars(named).first())
            if user is None and self._settings.auth_header_create:
                with suppress(InvalidRequest):  # not a name, or another request was faster
                    Users(self._database).add(name)
                user = self._database.read(lambda t: t.scalars(named).first())
            return None if user is None or user.disabled else person_of(user)

        return self._tokens.cached(name, load)


def _find(t: Transaction, issuer: str, subject: str) -> User | None:
    known = select(Identity.user_id).where(Identity.issuer == issuer, Identity.subject == subject)
    return t.scalars(select(User).where(User.id.in_(known)).with_for_update()).first()


def is_linked(t: Transaction, user_id: str) -> bool:
    """Return whether an account belongs to a person at a provider."""
    return t.scalar(select(Identity.user_id).where(Identity.user_id == user_id)) is not None


def _add(t: Transaction, issuer: str, claims: Claims) -> User:
    """Create an account; one of the same name is somebody else's."""
    wanted = account_name(claims, MOST_NAME_CHARACTERS - NUMBER_CHARACTERS)
    name, number = wanted, 1
    while t.scalar(select(User.id).where(func.lower(User.name) == name.lower())):
        number += 1
        name = f"{wanted} ({number})"
    user = User(id=new_id(), name=name, role=MEMBER_ROLE, disabled=False, defaults={})
    t.add(user)
    t.flush()
    t.add(Identity(issuer=issuer, subject=str(claims["sub"]), user_id=user.id))
    return user


def _set_role(t: Transaction, user: User, role: str) -> None:
    """Set a role; the last administrator stays one."""
    admins = select(func.count()).where(User.role == ADMIN_ROLE, ~User.disabled, User.id != user.id)
    if role == ADMIN_ROLE or t.scalar(admins):
        user.role = role
