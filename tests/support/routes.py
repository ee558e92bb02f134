"""What every route answers to every kind of person: one row for each route and method.

A new route needs a row. Its kind says who may use it, `ok` is the status that these get; all others
get what `KINDS` says. A new identity is a key in `KINDS` and a client in tests/web/test_routes.py.
"""

from dataclasses import dataclass
from typing import Any

OK, GONE, REFUSED, UNKNOWN, TO_SIGN_IN = 0, 404, 403, 401, 302
_NOBODY = {"nobody": UNKNOWN, "disabled": UNKNOWN, "expired": UNKNOWN}
_MEMBERS = ("member", "reader", "writer", "owner", "admin")
# The reader and the writer have a share of the owner's base; the member has none.
KINDS = {
    "open": dict.fromkeys([*_NOBODY, *_MEMBERS], OK),
    "page": dict.fromkeys(_NOBODY, TO_SIGN_IN) | dict.fromkeys(_MEMBERS, OK),
    "signed in": _NOBODY | dict.fromkeys(_MEMBERS, OK),
    "own": _NOBODY | dict.fromkeys(_MEMBERS, GONE) | {"owner": OK},
    "read": _NOBODY | dict.fromkeys(_MEMBERS, OK) | {"member": GONE},
    "write": _NOBODY | dict.fromkeys(_MEMBERS, OK) | {"member": GONE, "reader": REFUSED},
    "manage": _NOBODY | {"member": GONE, "reader": REFUSED, "writer": REFUSED, "owner": OK}
    | {"admin": OK},
    "admin": _NOBODY | dict.fromkeys(_MEMBERS, REFUSED) | {"admin": OK},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """Who may use a route, what they get, and the body and query to send."""

    kind: str
    ok: int = 200
    body: Any = None
    query: str = ""


_BASE, _FILE = "/api/knowledge/<base_id>", "/api/knowledge/<base_id>/files/<file_id>"
_SESSION, _MESSAGE = "/api/sessions/<session_id>", "/api/messages/<message_id>"
_SUPPLIER = "/api/suppliers/<supplier_id>"
ROWS = {
    # open to everybody
    "GET /auth/oidc/callback": Row("open", 404),  # without a provider
    "GET /auth/oidc/start": Row("open", 404),
    "GET /diagram": Row("open"),
    "GET /healthz": Row("open"),
    "GET /manifest.webmanifest": Row("open"),
    "GET /metrics": Row("open", 404),  # without CHATAPP_METRICS_TOKEN
    "GET /readyz": Row("open"),
    "GET /shared/<secret>": Row("open"),
    "GET /sign-in": Row("open"),
    "GET /static/v-<build>/<path:name>": Row("open"),
    "POST /api/auth/login": Row("open", 422, {}),
    # pages
    "GET /": Row("page"),
    "GET /c/<uuid:session_id>": Row("page"),
    "GET /docs": Row("page"),
    # without an id: about oneself, or the same for everybody
    "DELETE /api/auth/logins": Row("signed in", 204),
    "DELETE /api/auth/me/data": Row("signed in", 204),
    "GET /api/auth/logins": Row("signed in"),
    "GET /api/auth/me": Row("signed in"),
    "GET /api/auth/me/stored": Row("signed in"),
    "GET /api/auth/tokens": Row("signed in"),
    "GET /api/knowledge": Row("signed in"),
    "GET /api/models": Row("signed in"),
    "GET /api/presets": Row("signed in"),
    "GET /api/prompts": Row("signed in"),
    "GET /api/sessions": Row("signed in"),
    "GET /api/sessions/export": Row("signed in"),
    "GET /api/sessions/search": Row("signed in", query="q=leave"),
    "GET /api/shares": Row("signed in"),
    "GET /api/suggestions": Row("signed in"),
    "GET /api/suppliers/presets": Row("signed in"),
    "GET /api/usage": Row("signed in"),
    "GET /api/usage.csv": Row("signed in"),
    "GET /openapi.json": Row("signed in"),
    "GET /v1/models": Row("signed in"),
    "GET /v1/models/<path:model_id>": Row("signed in"),
    "PATCH /api/auth/me": Row("signed in", body={"defaults": {}}),
    "POST /api/auth/logout": Row("signed in", 204, {}),
    "POST /api/auth/tokens": Row("signed in", 201, {"name": "another"}),
    "POST /api/images": Row("signed in", 422, {}),
    "POST /api/knowledge": Row("signed in", 201, {"name": "Another"}),
    "POST /api/knowledge/files": Row("signed in", 422, {}),
    "POST /api/presets": Row("signed in", 422, {}),
    "POST /api/prompts": Row("signed in", 422, {}),
    "POST /api/sessions": Row("signed in", 201, {"title": "Another"}),
    "POST /api/sessions/import": Row("signed in", 422, {}),
    "POST /chat": Row("signed in", 422, {}),
    "POST /chat/stream": Row("signed in", 422, {}),
    "POST /mcp": Row("signed in", 400, {}),
    "POST /v1/chat/completions": Row("signed in", 400, {}),
    "POST /v1/embeddings": Row("signed in", 400, {}),
    "POST /v1/responses": Row("signed in", 400, {}),
    "PUT /api/auth/password": Row("signed in", 422, {}),
    # somebody's own
    "DELETE /api/auth/logins/<login_id>": Row("own", 204),
    "DELETE /api/auth/tokens/<token_id>": Row("own", 204),
    "DELETE /api/images/<image_id>": Row("own", 204),
    "GET /api/images/<image_id>": Row("own"),
    f"DELETE {_MESSAGE}": Row("own", 204),
    f"DELETE {_MESSAGE}/feedback": Row("own", 204),
    f"GET {_MESSAGE}": Row("own"),
    f"GET {_MESSAGE}/branch": Row("own"),
    f"GET {_MESSAGE}/search": Row("own"),
    f"PUT {_MESSAGE}/feedback": Row("own", body={"rating": "up"}),
    "DELETE /api/presets/<preset_id>": Row("own", 204),
    "PATCH /api/presets/<preset_id>": Row("own", body={"name": "Other"}),
    "DELETE /api/prompts/<prompt_id>": Row("own", 204),
    "PATCH /api/prompts/<prompt_id>": Row("own", body={"name": "Other"}),
    f"DELETE {_SESSION}": Row("own", 204),
    f"GET {_SESSION}": Row("own"),
    f"GET {_SESSION}/export": Row("own"),
    f"GET {_SESSION}/messages": Row("own"),
    f"PATCH {_SESSION}": Row("own", body={"pinned": True}),
    f"POST {_SESSION}/shares": Row("own", 201, {"days": 1}),
    "DELETE /api/shares/<share_id>": Row("own", 204),
    "DELETE /chat/stream/<message_id>": Row("own", 204),
    "GET /chat/stream/<message_id>": Row("own"),
    # knowledge bases, which are shared
    f"GET {_BASE}": Row("read"),
    f"GET {_BASE}/files": Row("read"),
    f"GET {_FILE}": Row("read"),
    f"GET {_FILE}/chunks": Row("read"),
    f"GET {_FILE}/content": Row("read"),
    f"GET {_FILE}/marks": Row("read", query="start=0&end=5"),
    f"GET {_FILE}/pages/<page>": Row("read"),
    f"POST {_BASE}/search": Row("read", body={"query": "leave"}),
    f"DELETE {_FILE}": Row("write", 204),
    f"POST {_BASE}/files": Row("write", 202, {"url": "https://www.example.com/leave"}),
    f"POST {_FILE}/fetch": Row("write", 422, {}),
    f"POST {_FILE}/retry": Row("write", 202, {}),
    f"DELETE {_BASE}": Row("manage", 204),
    f"PATCH {_BASE}": Row("manage", body={"description": "of ours"}),
    f"POST {_BASE}/reindex": Row("manage", 202, {}),
    # the installation
    "GET /api/audit": Row("admin"),
    "GET /api/metrics": Row("admin"),
    "GET /api/limits": Row("signed in"),
    "PATCH /api/limits/<user_id>": Row("admin", body={}),
    "GET /api/users": Row("admin"),
    "POST /api/users": Row("admin", 201, {}),
    "DELETE /api/users/<user_id>": Row("admin", 204, query="knowledge_bases=delete"),
    "PATCH /api/users/<user_id>": Row("admin", body={"role": "user"}),
    "POST /api/users/<user_id>/reset": Row("admin", body={}),
    "GET /api/suppliers": Row("admin"),
    "GET /api/suppliers/local": Row("admin"),
    "POST /api/suppliers": Row("admin", 422, {}),
    "POST /api/suppliers/test": Row("admin", 422, {}),
    f"DELETE {_SUPPLIER}": Row("admin", 204),
    f"GET {_SUPPLIER}/models": Row("admin", 502),
    f"PATCH {_SUPPLIER}": Row("admin", body={"enabled": True}),
    f"POST {_SUPPLIER}/test": Row("admin", body={}),
}
