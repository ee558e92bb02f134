"""What tokens with scopes may call: one row for each endpoint, closed by default.

A token without scopes may call what its user may, as may a browser that is signed in. One with
scopes needs any of those in the row of the endpoint; rows without any are for the others alone:
signing in, passwords and tokens, all data at once. Roles are checked beside this.
"""

from collections.abc import Mapping

from chatapp.errors import Forbidden
from chatapp.identity.person import ADMINISTER, ASK, READ, SCOPES, WRITE, Person

Row = tuple[str, ...]
ALL: Row = SCOPES
NONE: Row = ()

SCOPES_OF: Mapping[str, Row] = {
    "ops.healthz": ALL,
    "ops.readyz": ALL,
    "ops.openapi": ALL,
    "metrics.get_metrics": ALL,
    "pages.chat": NONE,
    "pages.diagram": ALL,
    "pages.docs": ALL,
    "pages.sign_in": ALL,
    "pages.static_file": ALL,
    "manifest.manifest": ALL,
    "shared.shared_chat": ALL,
    "provider.start": ALL,
    "provider.callback": ALL,
    # accounts
    "accounts.get_current_user": ALL,
    "accounts.login": ALL,
    "accounts.logout": NONE,
    "accounts.update_current_user": NONE,
    "accounts.get_storage_usage": NONE,
    "accounts.delete_my_data": NONE,
    "accounts.set_password": NONE,
    "accounts.list_tokens": NONE,
    "accounts.create_token": NONE,
    "accounts.delete_token": NONE,
    "accounts.list_logins": NONE,
    "accounts.end_login": NONE,
    "accounts.end_other_logins": NONE,
    "users.list_users": (ADMINISTER,),
    "users.invite_user": (ADMINISTER,),
    "users.update_user": (ADMINISTER,),
    "users.reset_user": (ADMINISTER,),
    "users.delete_user": (ADMINISTER,),
    # questions and answers; of chats, those whose id is known
    "chat.ask": (ASK,),
    "chat.ask_stream": (ASK,),
    "chat.resume_stream": (ASK,),
    "chat.stop_answer": (ASK,),
    "images.upload_image": (ASK,),
    "images.get_image": (ASK,),
    "images.delete_image": (ASK,),
    "sessions.create_session": (ASK,),
    "sessions.get_session": (ASK,),
    "sessions.list_messages": (ASK,),
    "sessions.get_message": (ASK,),
    "sessions.get_message_search": (ASK,),
    "sessions.count_messages": (ASK,),
    "sessions.set_feedback": (ASK,),
    "sessions.delete_feedback": (ASK,),
    "suppliers.list_models": (ASK,),
    "prompts.list_prompts": (ASK,),
    "presets.list_presets": (ASK,),
    "completions.create_chat_completion": (ASK,),
    "v1_responses.create_response": (ASK,),
    "v1_embeddings.create_embeddings": (ASK,),
    "v1_models.list_openai_models": (ASK,),
    "v1_models.get_openai_model": (ASK,),
    "sessions.list_sessions": NONE,
    "sessions.search_sessions": NONE,
    "sessions.update_session": NONE,
    "sessions.delete_session": NONE,
    "sessions.delete_message": NONE,
    "sessions.export_session": NONE,
    "transfer.export_all_sessions": NONE,
    "transfer.import_sessions": NONE,
    "prompts.create_prompt": NONE,
    "prompts.update_prompt": NONE,
    "prompts.delete_prompt": NONE,
    "presets.create_preset": NONE,
    "presets.update_preset": NONE,
    "presets.delete_preset": NONE,
    "shares.create_share": NONE,
    "shares.list_shares": NONE,
    "shares.revoke_share": NONE,
    # documents; whoever asks or uploads has to find a base
    "knowledge.list_knowledge_bases": (READ, WRITE, ASK),
    "knowledge.get_knowledge_base": (READ, WRITE, ASK),
    "knowledge.list_knowledge_files": (READ, WRITE),
    "knowledge.get_knowledge_file": (READ, WRITE),
    "knowledge.list_knowledge_file_chunks": (READ,),
    "knowledge.download_knowledge_file": (READ,),
    "knowledge.search_knowledge_base": (READ,),
    "page_views.get_knowledge_file_page": (READ,),
    "page_views.get_knowledge_file_marks": (READ,),
    "suggestions.list_suggestions": (READ,),
    "mcp.call_mcp": (READ,),
    "knowledge.create_knowledge_base": (WRITE,),
    "knowledge.update_knowledge_base": (WRITE,),
    "knowledge.delete_knowledge_base": (WRITE,),
    "knowledge.reindex_knowledge_base": (WRITE,),
    "knowledge.upload_knowledge_files": (WRITE,),
    "knowledge.upload_to_new_knowledge_base": (WRITE,),
    "knowledge.retry_knowledge_file": (WRITE,),
    "knowledge.fetch_knowledge_file": (WRITE,),
    "knowledge.delete_knowledge_file": (WRITE,),
    # administration
    "suppliers.list_suppliers": (ADMINISTER,),
    "suppliers.create_supplier": (ADMINISTER,),
    "suppliers.update_supplier": (ADMINISTER,),
    "suppliers.delete_supplier": (ADMINISTER,),
    "suppliers.test_supplier": (ADMINISTER,),
    "suppliers.test_new_supplier": (ADMINISTER,),
    "suppliers.list_supplier_models": (ADMINISTER,),
    "suppliers.list_supplier_presets": (ADMINISTER,),
    "suppliers.find_local_suppliers": (ADMINISTER,),
    "usage.get_usage": (ADMINISTER,),
    "usage.get_usage_csv": (ADMINISTER,),
    "usage.list_limits": (ADMINISTER,),
    "usage.update_limits": (ADMINISTER,),
    "audit.list_audit_entries": (ADMINISTER,),
    "metrics.get_figures": (ADMINISTER,),
}


def require_scope(person: Person, endpoint: str) -> None:
    """Raise Forbidden if the token of this request has scopes, and none for the endpoint."""
    if person.scopes is None:
        return
    row = SCOPES_OF.get(endpoint, NONE)
    if not row:
        raise Forbidden("limited")
    if person.scopes.isdisjoint(row):
        raise Forbidden("scope", scope=row[0])
