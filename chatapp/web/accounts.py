"""/api/auth: sign-in and sign-out; the current user, their data, password, sign-ins, tokens."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from flask import Response, g, jsonify, make_response
from flask_openapi3 import Tag
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from chatapp.core.passwords import LEAST, MOST
from chatapp.errors import InvalidRequest
from chatapp.identity.accounts import ADMIN
from chatapp.identity.names import MOST_NAME_CHARACTERS
from chatapp.identity.person import ADMINISTER, SCOPES, Person
from chatapp.settings import BUILTIN, OFF
from chatapp.storage.models import now
from chatapp.web.account_responses import (
    CurrentUser,
    Login,
    NewToken,
    Scope,
    SignedIn,
    SignedOut,
    Token,
)
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.cookies import browser_cookie, login_cookie
from chatapp.web.fields import Input, any_of
from chatapp.web.proxies import root_url
from chatapp.web.question import SettingsBody
from chatapp.web.request import bearer, current_user
from chatapp.web.responses import Page, StorageUsage
from chatapp.web.services import services
from chatapp.web.signing_in import device, log_refusal, set_login

bp = LazyBlueprint(
    "accounts",
    __name__,
    url_prefix="/api/auth",
    abp_tags=[Tag(name="accounts", description="Sign-in, the current user, personal tokens.")],
)


class LoginBody(Input):
    """A name and password, or the secret of a one-time link."""

    model_config = ConfigDict(json_schema_extra=any_of("password", "link"))

    name: str = Field(default=ADMIN, min_length=1, max_length=80)
    password: str | None = Field(default=None, max_length=1000, repr=False)
    link: str | None = Field(default=None, max_length=200, repr=False)

    @model_validator(mode="after")
    def _has_a_secret(self) -> "LoginBody":
        if not self.password and not self.link:
            raise ValueError("password:missing")
        return self


class PasswordBody(Input):
    """A new password, and the current one if there is one."""

    current: str | None = Field(default=None, max_length=1000, repr=False)
    password: str = Field(min_length=LEAST, max_length=MOST, repr=False)
    end_tokens: bool = Field(
        default=False, description="also revoke all personal tokens, except that of this request"
    )


class DefaultsBody(SettingsBody):
    """Chat defaults. null restores the built-in default; omitted fields are unchanged."""


class MeBody(Input):
    """The fields of the current user that can be updated."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["defaults"]}, {"required": ["name"]}]}
    )

    name: str | None = Field(default=None, min_length=1, max_length=MOST_NAME_CHARACTERS)
    defaults: DefaultsBody | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "MeBody":
        if self.name is None and self.defaults is None:
            raise ValueError("defaults:missing")
        return self


def _in_utc(value: datetime) -> datetime:
    """Return a time as it is stored; one without a zone is in UTC."""
    try:
        value = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    except OverflowError:
        raise ValueError("time") from None
    if value <= now():
        raise ValueError("past")
    return value


class TokenBody(Input):
    """The name of a token, what it may do, and when it ends."""

    name: str = Field(default="token", min_length=1, max_length=80)
    scopes: list[Scope] | None = Field(
        default=None, min_length=1, max_length=len(SCOPES), description="omitted: everything"
    )
    expires_at: Annotated[datetime, AfterValidator(_in_utc)] | None = Field(
        default=None, description="when it ends; omitted: never"
    )


class TokenPath(Input):
    """The id of a token."""

    token_id: str


class LoginPath(Input):
    """The id of a sign-in."""

    login_id: str


@bp.post("/login", responses={200: SignedIn})
def login(body: LoginBody) -> Response:
    """Sign in with a password or a one-time link.

    Sets the session cookie. After several wrong passwords, further attempts are refused for a
    while.
    """
    accounts = services().accounts
    with log_refusal():
        if body.link:
            user, secret = accounts.use_link(body.link, device())
        else:
            browser = browser_cookie().read()
            user, secret = accounts.sign_in(body.name, body.password or "", device(), browser)
    if before := login_cookie().read():
        accounts.sign_out(before)
    response = make_response(jsonify(user=_user(user)))
    set_login(response, user, secret)
    return response


@bp.post("/logout", responses={200: SignedOut, 204: None})
def logout() -> Response:
    """Sign out.

    Returns 204; after a sign-in at a provider that can sign out too, 200 with the address for that.
    """
    app = services()
    if secret := login_cookie().read():
        app.accounts.sign_out(secret)
    url = None
    if app.provider and app.identities.is_linked(current_user().id):
        url = app.provider.end_session(f"{root_url()}/sign-in")
    response = make_response(jsonify(end_session_url=url)) if url else make_response("", 204)
    login_cookie().set(response, "", 0)
    return response


@bp.get("/me", responses={200: CurrentUser})
def get_current_user() -> Any:
    """Get the current user."""
    return _me(current_user())


@bp.patch("/me", responses={200: CurrentUser})
def update_current_user(body: MeBody) -> Any:
    """Update the name or the chat defaults of the current user.

    Defaults apply to questions that omit these values. null restores the built-in default. The name
    is fixed where a proxy signs people in, which knows accounts by name.
    """
    accounts, user = services().accounts, current_user()
    if body.name is not None and body.name != user.name:
        if services().settings.auth_header and user.chosen_name:  # proxies know it by its name
            raise InvalidRequest("name", "of_proxy")
        user = accounts.rename(user, body.name)
    if body.defaults is not None:
        user = accounts.set_defaults(user, body.defaults.model_dump(exclude_unset=True))
    return _me(user)


@bp.get("/me/stored", responses={200: StorageUsage})
def get_storage_usage() -> Any:
    """Get the amount of data stored for the current user.

    Administrators also see where it is stored.
    """
    app, user = services(), current_user()
    kind = "sqlite" if app.database.sqlite else "postgresql"
    return jsonify(
        **app.sessions.stored(user.id),
        **app.knowledge.usage(user.id),
        embedder=None if app.settings.embedder in (BUILTIN, OFF) else app.settings.embedder,
        reranker=None if app.settings.reranker == OFF else app.settings.reranker,
        home=str(app.settings.home) if user.is_admin else None,
        database=kind if user.is_admin else None,
    )


@bp.delete("/me/data")
def delete_my_data() -> tuple[str, int]:
    """Delete all data of the current user.

    Deletes sessions, pictures, knowledge bases, prompts, presets, defaults and personal tokens,
    except the token of this request. The account is kept.
    """
    app, user = services(), current_user()
    app.sessions.delete_all(user.id)
    app.images.delete_all(user.id)
    app.prompts.delete_all(user.id)
    app.presets.delete_all(user.id)
    app.knowledge.delete_all_of(user.id)
    app.accounts.clear(user, keep=bearer())
    return "", 204


@bp.put("/password")
def set_password(body: PasswordBody) -> tuple[str, int]:
    """Set the password and sign out all other browsers."""
    keep = login_cookie().read()
    with log_refusal():
        services().accounts.set_password(
            current_user(),
            body.current,
            body.password,
            keep,
            bearer() if body.end_tokens else None,
        )
    return "", 204


@bp.get("/logins", responses={200: Page[Login]})
def list_logins() -> Any:
    """List the browsers in which the current user is signed in, latest use first."""
    current = login_cookie().read()
    return jsonify(items=services().accounts.tokens.logins(current_user(), current), next=None)


@bp.delete("/logins")
def end_other_logins() -> tuple[str, int]:
    """Sign out all browsers of the current user, except that of this request."""
    current = login_cookie().read()
    services().accounts.tokens.end_other_logins(current_user(), current)
    return "", 204


@bp.delete("/logins/<login_id>")
def end_login(path: LoginPath) -> tuple[str, int]:
    """Sign out one browser of the current user."""
    services().accounts.tokens.end_login(current_user(), path.login_id)
    return "", 204


@bp.get("/tokens", responses={200: Page[Token]})
def list_tokens() -> Any:
    """List personal tokens, without their secrets."""
    return jsonify(items=services().accounts.tokens.all(current_user()), next=None)


@bp.post("/tokens", responses={201: NewToken})
def create_token(body: TokenBody) -> Any:
    """Create a personal token; its secret is returned only once.

    It may do what its scopes say, and never more than its user may at the time of a request.
    """
    user = current_user()
    if body.scopes and ADMINISTER in body.scopes and not user.is_admin:
        raise InvalidRequest("scopes", "admin_scope")
    made = services().accounts.tokens.create(user, body.name, body.scopes, body.expires_at)
    return jsonify(made), 201


@bp.delete("/tokens/<token_id>")
def delete_token(path: TokenPath) -> tuple[str, int]:
    """Revoke a personal token."""
    services().accounts.tokens.delete(current_user(), path.token_id)
    return "", 204


def _me(user: Person) -> Response:
    return jsonify(
        user=_user(user),
        signed_in_by=_signed_in_by(user),
        auth=services().settings.auth,
        language=g.language,
        defaults=asdict(user.defaults),
    )


def _signed_in_by(user: Person) -> str | None:
    app = services()
    if g.signed_in_by == "login" and app.provider and app.identities.is_linked(user.id):
        return "provider"
    by: str | None = g.signed_in_by
    return by


def _user(user: Person) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.chosen_name,
        "role": user.role,
        "has_password": user.has_password,
    }
