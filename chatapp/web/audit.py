"""The audit log around every view (audited.py says which), and /api/audit for administrators."""

import logging
from collections.abc import Mapping
from datetime import date
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, jsonify, request
from flask_openapi3 import Tag
from pydantic import Field

from chatapp.identity.audit import Entry
from chatapp.storage.paging import LONGEST_CURSOR
from chatapp.web.audit_responses import AuditEntry
from chatapp.web.audited import AUDITED, Audited
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.fields import Id, Input
from chatapp.web.request import require_admin
from chatapp.web.responses import Page
from chatapp.web.services import services

log = logging.getLogger("chatapp.audit")

REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
NAMES = ("name", "title")  # of a target in a response

bp = LazyBlueprint(
    "audit",
    __name__,
    url_prefix="/api/audit",
    abp_tags=[Tag(name="audit", description="The audit log.")],
)


class AuditQuery(Input):
    """Which entries."""

    action: str | None = Field(
        None,
        max_length=60,
        description="an action as `supplier.create`, or `supplier` for all of them",
    )
    actor_id: Id | None = Field(None, description="of the person who did it")
    first: date | None = Field(None, alias="from", description="the first day, in UTC")
    last: date | None = Field(None, alias="to", description="the last day, in UTC")
    after: str | None = Field(None, max_length=LONGEST_CURSOR)
    limit: int = Field(50, ge=1, le=200)


@bp.get("", responses={200: Page[AuditEntry]})
def list_audit_entries(query: AuditQuery) -> Any:
    """List who did what, latest first. For administrators."""
    require_admin()
    items, following = services().audit.page(
        query.action, query.actor_id, query.first, query.last, query.after, query.limit
    )
    return jsonify(items=items, next=following)


def init_app(app: Flask) -> None:
    """Record what audited endpoints did; call it after `request.init_app`."""
    app.before_request(_note_name)
    app.after_request(_record)


def _note_name() -> None:
    """Find the name of what is about to be changed, or deleted."""
    audited = AUDITED.get(request.endpoint or "")
    if audited is not None and audited.argument and audited.name:
        g.audited_name = audited.name(str((request.view_args or {})[audited.argument]))


def _record(response: Response) -> Response:
    audited = AUDITED.get(request.endpoint or "")
    if audited is None:
        return response
    try:
        if response.status_code < HTTPStatus.BAD_REQUEST:
            services().audit.record(_entry(audited, _object(response.get_json(silent=True))))
        elif response.status_code in REFUSED:
            services().audit.refuse(_entry(audited, {}), response.status_code)
    except Exception:  # what was done stands, and is answered
        log.exception("audit entry failed request=%s", g.get("request_id", "-"))
    return response


def _entry(audited: Audited, answered: Mapping[str, Any]) -> Entry:
    """Return the entry of this request; `answered` is the body of its response."""
    user = g.get("user")
    actor = {"id": user.id, "name": user.name} if user else _object(answered.get("user"))
    invited = _object(answered.get("user")) if user else {}
    target = _object(answered.get("knowledge_base")) or invited or answered
    argument = (request.view_args or {}).get(audited.argument or "")
    name = g.get("audited_name") or next((target[each] for each in NAMES if target.get(each)), "")
    return Entry(
        audited.action,
        actor=str(actor.get("name", "")),
        actor_id=actor.get("id"),
        target_id=argument or target.get("id"),
        target="" if audited.action.startswith("link.") else str(name),
        address=request.remote_addr or "",
        request_id=g.get("request_id", ""),
        details=_details(audited),
    )


def _details(audited: Audited) -> dict[str, Any]:
    """Return the names of the body's fields, and the values of those that may be kept."""
    body = _object(request.get_json(silent=True)) if request.is_json else {}
    details: dict[str, Any] = {name: body[name] for name in audited.values if name in body}
    if others := sorted(body.keys() - details.keys()):
        details["fields"] = others
    return details


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
