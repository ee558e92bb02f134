"""Links that share a chat: /api/shares for their owner, and the page that a link opens.

The page needs no account. It has headers of its own: nothing but its script and styles is loaded,
it connects to nothing, is not indexed and not stored.
"""

from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask_openapi3 import Tag
from pydantic import Field

from chatapp.errors import NotFound
from chatapp.web import pages
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.fields import Id, Input
from chatapp.web.request import current_user
from chatapp.web.responses import Page
from chatapp.web.services import services
from chatapp.web.session_responses import NewShare, Share

MOST_DAYS, DAYS = 365, 30

bp = LazyBlueprint(
    "shares",
    __name__,
    url_prefix="/api",
    abp_tags=[Tag(name="shares", description="Read-only links to chats.")],
)
public = Blueprint("shared", __name__)


class SessionPath(Input):
    """The id of a session."""

    session_id: str


class SharePath(Input):
    """The id of a link."""

    share_id: str


class ShareBody(Input):
    """What a link shows, and how long."""

    days: int = Field(default=DAYS, ge=1, le=MOST_DAYS, description="after which the link ends")
    leaf_id: Id | None = Field(
        default=None, description="last message of the branch; omitted: that of the current one"
    )


class SharesQuery(Input):
    """Whose links are listed."""

    session_id: Id | None = Field(default=None, description="only links to this session")


@bp.post("/sessions/<session_id>/shares", responses={201: NewShare})
def create_share(path: SessionPath, body: ShareBody) -> Any:
    """Create a read-only link to a branch of a session.

    Everyone who has the link can read this branch until the link ends or is revoked. Only this
    response contains it.
    """
    made = services().shares.create(current_user().id, path.session_id, body.leaf_id, body.days)
    address = f"{request.script_root}/shared/{made.pop('secret')}"
    return jsonify(**made, path=address), 201


@bp.get("/shares", responses={200: Page[Share]})
def list_shares(query: SharesQuery) -> Any:
    """List the links that have not ended, latest first."""
    return jsonify(items=services().shares.all(current_user().id, query.session_id), next=None)


@bp.delete("/shares/<share_id>")
def revoke_share(path: SharePath) -> tuple[str, int]:
    """Revoke a link.

    It ends at once.
    """
    services().shares.revoke(current_user().id, path.share_id)
    return "", 204


@public.get("/shared/<secret>")
def shared_chat(secret: str) -> tuple[Response, int]:
    """Show a shared chat, or that the link has ended."""
    try:
        chat: dict[str, Any] | None = services().shares.read(secret)
    except NotFound:
        chat = None
    response = pages.shared_page(chat)
    return response, 200 if chat else 404
