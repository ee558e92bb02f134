"""Which endpoints the audit log records, and how it reads them.

Each endpoint that changes accounts, suppliers, knowledge bases, limits, links or tokens has a row
here, or is listed with the reason why not; a test compares both with the routes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chatapp.errors import ChatAppError
from chatapp.web.request import current_user
from chatapp.web.services import services


@dataclass(frozen=True, slots=True)
class Audited:
    """How an endpoint is recorded.

    `argument` is the part of its path that names the target, and `name` finds the target's name
    before the view runs. Without them, the response names the target. `values` are fields of the
    body whose values are kept; of all others only the names are, so that no secret is.
    """

    action: str
    argument: str | None = None
    name: Callable[[str], str] | None = None
    values: tuple[str, ...] = ()


def _named(rows: Iterable[Mapping[str, Any]], target_id: str) -> str:
    return next((str(row["name"] or "") for row in rows if row["id"] == target_id), "")


def _person(target_id: str) -> str:
    return _named(services().users.all(), target_id)


def _supplier(target_id: str) -> str:
    return _named(services().suppliers.all(), target_id)


def _token(target_id: str) -> str:
    return _named(services().accounts.tokens.all(current_user()), target_id)


def _base(target_id: str) -> str:
    try:
        return str(services().knowledge.base(current_user().id, target_id)["name"])
    except ChatAppError:  # the view says so
        return ""


AUDITED: Mapping[str, Audited] = {
    "accounts.login": Audited("account.sign_in"),
    "provider.callback": Audited("account.sign_in"),
    "accounts.logout": Audited("account.sign_out"),
    "accounts.set_password": Audited("account.password"),
    "accounts.delete_my_data": Audited("account.delete_data"),
    "accounts.end_login": Audited("account.end_logins", "login_id"),
    "accounts.end_other_logins": Audited("account.end_logins"),
    "users.invite_user": Audited("account.create", values=("role", "days")),
    "users.update_user": Audited("account.change", "user_id", _person, ("role", "disabled")),
    "users.reset_user": Audited("account.reset", "user_id", _person),
    "users.delete_user": Audited("account.delete", "user_id", _person),
    "accounts.create_token": Audited("token.create"),
    "accounts.delete_token": Audited("token.delete", "token_id", _token),
    "suppliers.create_supplier": Audited("supplier.create", values=("preset", "models")),
    "suppliers.update_supplier": Audited(
        "supplier.change", "supplier_id", _supplier, ("name", "models", "enabled")
    ),
    "suppliers.delete_supplier": Audited("supplier.delete", "supplier_id", _supplier),
    "knowledge.create_knowledge_base": Audited("base.create"),
    "knowledge.upload_to_new_knowledge_base": Audited("base.create"),
    "knowledge.update_knowledge_base": Audited(
        "base.change", "base_id", _base, ("name", "access", "shared_with")
    ),
    "knowledge.reindex_knowledge_base": Audited("base.reindex", "base_id", _base),
    "knowledge.delete_knowledge_base": Audited("base.delete", "base_id", _base),
    # Without the chat's title, which is its owner's.
    "shares.create_share": Audited("link.create", values=("days",)),
    "shares.revoke_share": Audited("link.delete", "share_id"),
    "usage.update_limits": Audited(
        "limits.change", "user_id", values=("answers", "daily_tokens", "storage_mb")
    ),
}
NOT_AUDITED: Mapping[str, str] = {
    "accounts.update_current_user": "a person's own name and preferences",
    "mcp.call_mcp": "changes nothing",
    "suppliers.test_new_supplier": "changes nothing",
    "suppliers.test_supplier": "changes nothing",
    "knowledge.search_knowledge_base": "changes nothing",
    "knowledge.upload_knowledge_files": "content: the base lists its files",
    "knowledge.delete_knowledge_file": "content",
    "knowledge.retry_knowledge_file": "content",
    "knowledge.fetch_knowledge_file": "content",
}
# Blueprints of a person's own chats, pictures and texts: content, which the log does not hold.
CONTENT = frozenset(
    {"chat", "sessions", "images", "transfer", "prompts", "presets"}
    | {"completions", "v1_responses", "v1_embeddings"}
)
