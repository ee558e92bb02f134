"""/api/auth: sign in and out, who I am and how I ask, what is stored of mine, password, personal tokens."""

from dataclasses import asdict
from typing import Any

from flask import Response, g, jsonify, make_response, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field, model_validator

from chatapp.identity.accounts import ADMIN
from chatapp.identity.person import Person
from chatapp.identity.tokens import LOGIN_DAYS
from chatapp.settings import BUILTIN, OFF
from chatapp.web.question import MaxLength, SystemPrompt, Temperature
from chatapp.web.request import LOGIN_COOKIE, Input, bearer, person, services
from chatapp.web.shapes import MeShape, Page, StoredShape, TokenMadeShape, TokenShape

bp = APIBlueprint(
    "auth", __name__, url_prefix="/api/auth", abp_tags=[Tag(name="auth", description="Accounts.")]
)


class LoginBody(Input):
    """A name and password, or a one-time link's secret."""

    name: str = Field(default=ADMIN, min_length=1, max_length=80)
    password: str | None = Field(default=None, max_length=1000, repr=False)
    link: str | None = Field(default=None, max_length=200, repr=False)

    @model_validator(mode="after")
    def _has_a_secret(self) -> "LoginBody":
        if not self.password and not self.link:
            raise ValueError("password:missing")
        return self


class PasswordBody(Input):
    """A new password; the current one where there is one."""

    current: str | None = Field(default=None, max_length=1000, repr=False)
    password: str = Field(min_length=8, max_length=1000, repr=False)


class DefaultsBody(Input):
    """How to ask where a question does not say so; null is the product's own again, what is left out stays."""

    temperature: Temperature | None = None
    system_prompt: SystemPrompt | None = None
    max_length: MaxLength | None = None
    documents_only: bool | None = None


class MeBody(Input):
    """What of oneself can be changed."""

    defaults: DefaultsBody


class TokenBody(Input):
    """What a token is called."""

    name: str = Field(default="token", min_length=1, max_length=80)


class TokenPath(Input):
    """A token's id."""

    token_id: str


@bp.post("/login")
def login(body: LoginBody) -> Response:
    """Sign this browser in."""
    accounts = services().accounts
    if body.link:
        who, secret = accounts.use_link(body.link)
    else:
        who, secret = accounts.sign_in(body.name, body.password or "", _client())
    response = make_response(jsonify(user=_user(who)))
    response.set_cookie(
        LOGIN_COOKIE,
        secret,
        max_age=LOGIN_DAYS * 86400,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )
    return response


@bp.post("/logout")
def logout() -> Response:
    """Sign this browser out."""
    if secret := request.cookies.get(LOGIN_COOKIE):
        services().accounts.sign_out(secret)
    response = make_response("", 204)
    response.delete_cookie(LOGIN_COOKIE)
    return response


@bp.get("/me", responses={200: MeShape})
def me() -> Any:
    """Say who asks, and how."""
    return _me(person())


@bp.patch("/me", responses={200: MeShape})
def change_me(body: MeBody) -> Any:
    """Set how to ask where a question does not say so."""
    return _me(
        services().accounts.set_defaults(person(), body.defaults.model_dump(exclude_unset=True))
    )


@bp.get("/me/stored", responses={200: StoredShape})
def stored() -> Any:
    """Say how much of the asker's is stored, and administrators where."""
    found, who = services(), person()
    kind = "sqlite" if found.database.sqlite else "postgresql"
    return jsonify(
        **found.sessions.stored(who.id),
        **found.knowledge.usage(who.id),
        embedder=None if found.settings.embedder in (BUILTIN, OFF) else found.settings.embedder,
        home=str(found.settings.home) if who.is_admin else None,
        database=kind if who.is_admin else None,
    )


@bp.delete("/me/data")
def delete_data() -> tuple[str, int]:
    """Delete all chats, knowledge bases, defaults and personal tokens of the asker but the one that asks; the account stays."""
    found, who = services(), person()
    found.runs.stop_all(who.id)
    found.sessions.delete_all(who.id)
    found.knowledge.delete_all_of(who.id)
    found.accounts.clear(who, keep=bearer())
    return "", 204


@bp.put("/password")
def set_password(body: PasswordBody) -> tuple[str, int]:
    """Set the password and sign all other browsers out."""
    services().accounts.set_password(
        person(), body.current, body.password, request.cookies.get(LOGIN_COOKIE)
    )
    return "", 204


@bp.get("/tokens", responses={200: Page[TokenShape]})
def list_tokens() -> Any:
    """List personal tokens, without their secrets."""
    return jsonify(items=services().accounts.tokens.all(person()), next=None)


@bp.post("/tokens", responses={201: TokenMadeShape})
def create_token(body: TokenBody) -> Any:
    """Make a personal token; its secret is shown this once."""
    return jsonify(services().accounts.tokens.create(person(), body.name)), 201


@bp.delete("/tokens/<token_id>")
def delete_token(path: TokenPath) -> tuple[str, int]:
    """Revoke a personal token."""
    services().accounts.tokens.delete(person(), path.token_id)
    return "", 204


def _client() -> str:
    """Return where a request comes from; only a proxy on this machine is believed when it names somebody else."""
    address = request.remote_addr or ""
    if address in ("127.0.0.1", "::1"):
        return request.headers.get("X-Forwarded-For", address).rpartition(",")[2].strip()
    return address


def _me(who: Person) -> Response:
    return jsonify(
        user=_user(who),
        auth=services().settings.auth,
        language=g.language,
        defaults=asdict(who.defaults),
    )


def _user(who: Person) -> dict[str, Any]:
    return {
        "id": who.id,
        "name": who.name,
        "role": who.role,
        "has_password": who.has_password,
    }
