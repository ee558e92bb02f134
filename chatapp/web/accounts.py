"""/api/auth: sign-in and sign-out, the current user and their data, password, personal tokens."""

import logging
from dataclasses import asdict
from typing import Any

from flask import Response, g, jsonify, make_response, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import ConfigDict, Field, model_validator

from chatapp.errors import Unauthorized
from chatapp.identity.accounts import ADMIN
from chatapp.identity.person import Person
from chatapp.identity.tokens import LOGIN_DAYS
from chatapp.settings import BUILTIN, OFF
from chatapp.web.fields import Input
from chatapp.web.openapi import operation_id
from chatapp.web.question import SettingsBody
from chatapp.web.request import bearer, current_user, login_cookie
from chatapp.web.responses import CurrentUser, NewToken, Page, SignedIn, StorageUsage, Token
from chatapp.web.services import services

log = logging.getLogger("chatapp.web")

bp = APIBlueprint(
    "accounts",
    __name__,
    url_prefix="/api/auth",
    abp_tags=[Tag(name="accounts", description="Sign-in, the current user, personal tokens.")],
    operation_id_callback=operation_id,
)


class LoginBody(Input):
    """A name and password, or the secret of a one-time link."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["password"]}, {"required": ["link"]}]}
    )

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
    password: str = Field(min_length=8, max_length=1000, repr=False)


class DefaultsBody(SettingsBody):
    """Chat defaults. null restores the built-in default; omitted fields are unchanged."""


class MeBody(Input):
    """The fields of the current user that can be updated."""

    defaults: DefaultsBody


class TokenBody(Input):
    """The name of a token."""

    name: str = Field(default="token", min_length=1, max_length=80)


class TokenPath(Input):
    """The id of a token."""

    token_id: str


@bp.post("/login", responses={200: SignedIn})
def login(body: LoginBody) -> Response:
    """Sign in with a password or a one-time link.

    Sets the session cookie.
    """
    accounts, address = services().accounts, request.remote_addr or ""
    try:
        if body.link:
            user, secret = accounts.use_link(body.link)
        else:
            user, secret = accounts.sign_in(body.name, body.password or "", address)
    except Unauthorized:
        # Without the name: people type their password there.
        log.info("request %s failed to sign in from %s", g.request_id, address or "a Unix socket")
        raise
    response = make_response(jsonify(user=_user(user)))
    _set_login_cookie(response, secret, LOGIN_DAYS * 86400)
    return response


@bp.post("/logout")
def logout() -> Response:
    """Sign out."""
    if secret := request.cookies.get(login_cookie().name):
        services().accounts.sign_out(secret)
    response = make_response("", 204)
    _set_login_cookie(response, "", 0)
    return response


@bp.get("/me", responses={200: CurrentUser})
def get_current_user() -> Any:
    """Get the current user."""
    return _me(current_user())


@bp.patch("/me", responses={200: CurrentUser})
def update_chat_defaults(body: MeBody) -> Any:
    """Update chat defaults.

    They apply to questions that omit these values. null restores the built-in default.
    """
    return _me(
        services().accounts.set_defaults(
            current_user(), body.defaults.model_dump(exclude_unset=True)
        )
    )


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

    Deletes sessions, pictures, knowledge bases, prompts, defaults and personal tokens, except the
    token of this request. The account is kept.
    """
    app, user = services(), current_user()
    app.sessions.delete_all(user.id)
    app.images.delete_all(user.id)
    app.prompts.delete_all(user.id)
    app.knowledge.delete_all_of(user.id)
    app.accounts.clear(user, keep=bearer())
    return "", 204


@bp.put("/password")
def set_password(body: PasswordBody) -> tuple[str, int]:
    """Set the password and sign out all other browsers."""
    services().accounts.set_password(
        current_user(), body.current, body.password, request.cookies.get(login_cookie().name)
    )
    return "", 204


@bp.get("/tokens", responses={200: Page[Token]})
def list_tokens() -> Any:
    """List personal tokens, without their secrets."""
    return jsonify(items=services().accounts.tokens.all(current_user()), next=None)


@bp.post("/tokens", responses={201: NewToken})
def create_token(body: TokenBody) -> Any:
    """Create a personal token; its secret is returned only once."""
    return jsonify(services().accounts.tokens.create(current_user(), body.name)), 201


@bp.delete("/tokens/<token_id>")
def delete_token(path: TokenPath) -> tuple[str, int]:
    """Revoke a personal token."""
    services().accounts.tokens.delete(current_user(), path.token_id)
    return "", 204


def _set_login_cookie(response: Response, secret: str, seconds: int) -> None:
    cookie = login_cookie()
    response.set_cookie(
        cookie.name,
        secret,
        max_age=seconds,
        path=cookie.path,
        secure=cookie.secure,
        httponly=True,
        samesite="Lax",
    )


def _me(user: Person) -> Response:
    return jsonify(
        user=_user(user),
        auth=services().settings.auth,
        language=g.language,
        defaults=asdict(user.defaults),
    )


def _user(user: Person) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "role": user.role,
        "has_password": user.has_password,
    }
