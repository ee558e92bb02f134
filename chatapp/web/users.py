"""/api/users: administrators manage the accounts of others."""

from datetime import timedelta
from typing import Any, Literal

from flask import jsonify, request
from flask_openapi3 import Tag
from pydantic import Field

from chatapp.errors import Forbidden
from chatapp.home import host_id
from chatapp.identity.names import MOST_NAME_CHARACTERS
from chatapp.identity.person import MEMBER_ROLE
from chatapp.knowledge.handover import pass_on
from chatapp.web.account_responses import Account, Role, SignInLink
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.fields import Input
from chatapp.web.request import current_user, require_admin
from chatapp.web.responses import Page
from chatapp.web.services import services

MOST_DAYS = 30
INVITATION_DAYS, RESET_DAYS = 7, 1  # in which a link can be used, unless chosen otherwise

bp = LazyBlueprint(
    "users",
    __name__,
    url_prefix="/api/users",
    abp_tags=[Tag(name="users", description="Accounts; for administrators.")],
)
bp.before_request(require_admin)


class UserPath(Input):
    """The id of a user."""

    user_id: str


class InvitationBody(Input):
    """Whom to invite, and for how many days the link works."""

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_NAME_CHARACTERS,
        description="omitted: the invited person chooses it",
    )
    role: Role = MEMBER_ROLE  # type: ignore[assignment]
    days: int = Field(default=INVITATION_DAYS, ge=1, le=MOST_DAYS)


class ResetBody(Input):
    """For how many days the new link works."""

    days: int = Field(default=RESET_DAYS, ge=1, le=MOST_DAYS)


class UserBody(Input):
    """The fields of an account that can be updated."""

    role: Role | None = None
    disabled: bool | None = None


class DeletionQuery(Input):
    """What becomes of the knowledge bases of a deleted account."""

    knowledge_bases: Literal["delete", "keep"] = Field(
        description="delete them, or keep them as the administrator's who deletes the account"
    )


@bp.get("", responses={200: Page[Account]})
def list_users() -> Any:
    """List all accounts, oldest first."""
    return jsonify(items=services().users.all(), next=None)


@bp.post("", responses={201: SignInLink})
def invite_user(body: InvitationBody) -> Any:
    """Create an account and the link that signs its person in once.

    On the link's page, the person sets a password, and a name if none was given.
    """
    made = services().users.add(body.name, body.role)
    return _link(made["id"], body.days), 201


@bp.patch("/<user_id>", responses={200: Account})
def update_user(path: UserPath, body: UserBody) -> Any:
    """Change the role of an account, disable or enable it.

    A disabled account keeps its data; its browsers are signed out, its answers stop and its tokens
    do not work until it is enabled. The last administrator stays one.
    """
    app = services()
    user_id = (_another(path.user_id) if body.disabled else app.users.get(path.user_id))["id"]
    if body.role is not None:
        app.users.set_role(user_id, body.role)
    if body.disabled is not None:
        app.users.set_disabled(user_id, body.disabled)
    if body.disabled:
        app.runs.stop_all(user_id)
    return jsonify(app.users.get(user_id))


@bp.post("/<user_id>/reset", responses={200: SignInLink})
def reset_user(path: UserPath, body: ResetBody) -> Any:
    """Remove the password of an account, end its sign-ins and tokens, and create a sign-in link."""
    app, user = services(), _another(path.user_id)
    app.users.forget_password(user["id"])
    if (file := app.settings.home / "token").exists():  # this machine's token may have ended
        app.accounts.terminal_token(file, host_id(app.settings.home))
    return _link(user["id"], body.days)


@bp.delete("/<user_id>")
def delete_user(path: UserPath, query: DeletionQuery) -> tuple[str, int]:
    """Delete an account with its chats and tokens, and its knowledge bases unless they are kept."""
    app, user_id = services(), _another(path.user_id)["id"]
    app.users.set_disabled(user_id, True)  # first: nothing new is added meanwhile
    app.runs.stop_all(user_id)
    if query.knowledge_bases == "keep":
        pass_on(app.database, user_id, current_user().id)
    app.knowledge.delete_all_of(user_id)
    app.sessions.delete_all(user_id)
    app.images.delete_all(user_id)
    app.users.delete(user_id)
    return "", 204


def _another(user_id: str) -> dict[str, Any]:
    """Return an account that is not the current user's own; raise NotFound, Forbidden."""
    user = services().users.get(user_id)
    if user["id"] == current_user().id:
        raise Forbidden("yourself")
    return user


def _link(user_id: str, days: int) -> Any:
    secret = services().users.new_link(user_id, timedelta(days=days))
    user = services().users.get(user_id)
    path = f"{request.script_root}/sign-in#{secret}"
    return jsonify(user=user, path=path, expires_at=user["link_expires_at"])
