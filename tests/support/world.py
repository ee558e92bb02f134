"""People with tokens and things that belong to one of them, to ask every route (routes.py)."""

import re
from datetime import timedelta
from itertools import count
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from chatapp.identity.tokens import Device
from chatapp.identity.users import Users
from chatapp.web.services import Services
from tests.support.images import uploaded
from tests.support.page_documents import lines_pdf
from tests.support.routes import Row
from tests.support.uploads import upload, work

NO_ID = "00000000-0000-4000-8000-000000000000"
DOCUMENT = lines_pdf([(100, "Employees get 25 days of paid leave in a year.")])
ASKED = "How many days of paid leave do employees get?"


class World:
    """People with tokens, and things that belong to one of them, made anew when they are gone."""

    def __init__(self, app: Flask, services: Services, admin: FlaskClient) -> None:
        self._app, self._services, self._admin = app, services, admin
        self._number = count(1)
        users = Users(services.database)
        names = ("member", "reader", "writer", "owner", "disabled", "expired")
        ids = {name: users.add(name)["id"] for name in names}
        life = {"expired": timedelta(seconds=-1)}
        issue = services.accounts.tokens.issue
        self.clients = {
            name: self._client(issue(user_id, "personal", life.get(name), "a"))
            for name, user_id in ids.items()
        } | {"admin": admin, "nobody": app.test_client()}
        users.set_disabled("disabled", True)
        self._owner_id = ids["owner"]
        self.ids: dict[str, str] = {}

    def _client(self, secret: str) -> FlaskClient:
        made = self._app.test_client()
        made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
        return made

    def make(self) -> None:
        """Make one thing of each kind: the supplier is the installation's, all others the
        owner's."""
        owner, number = self.clients["owner"], next(self._number)
        people = ("reader", "read"), ("writer", "write"), ("disabled", "write"), ("expired", "read")
        base = _made(owner.post("/api/knowledge", json={"name": "Handbook"}))["id"]
        shared = {"shared_with": [{"name": name, "access": access} for name, access in people]}
        _made(owner.patch(f"/api/knowledge/{base}", json=shared))
        file = _made(upload(owner, base, ("leave.pdf", DOCUMENT)))["items"][0]["id"]
        work(self._services)
        question = {
            "question": ASKED,
            "knowledge_config": {"knowledge_base_id": base},
            "llm_config": {"supplier": "builtin"},
        }
        answer = _made(owner.post("/chat", json=question))
        link = _made(owner.post(f"/api/sessions/{answer['session_id']}/shares", json={"days": 1}))
        named = {"name": f"p{number}", "text": "x"}
        supplier = {"name": f"s{number}", "base_url": "http://127.0.0.1:9/v1", "models": ["m"]}
        self._services.accounts.tokens.new_login(self._owner_id, Device("Firefox", ""))
        self.ids = {
            "base_id": base,
            "file_id": file,
            "page": "1",
            "session_id": answer["session_id"],
            "message_id": answer["message_id"],
            "share_id": link["id"],
            "secret": link["secret"] if "secret" in link else link["path"].rpartition("/")[2],
            "image_id": uploaded(owner),
            "login_id": owner.get("/api/auth/logins").json["items"][0]["id"],
            "model_id": "builtin/extractive",
            "preset_id": _made(owner.post("/api/presets", json={"name": f"p{number}"}))["id"],
            "user_id": Users(self._services.database).add(f"u{number}")["id"],
            "prompt_id": _made(owner.post("/api/prompts", json=named))["id"],
            "token_id": _made(owner.post("/api/auth/tokens", json={"name": "t"}))["id"],
            "supplier_id": _made(self._admin.post("/api/suppliers", json=supplier))["id"],
            "build": "0",
            "name": "js/main.js",
        }

    def ask(self, who: str, method: str, rule: str, row: Row, **ids: str) -> Any:
        known = self.ids | ids
        path = re.sub(r"<(?:[^:>]+:)?([^>]+)>", lambda found: known.get(found[1], NO_ID), rule)
        return self.clients[who].open(
            f"{path}?{row.query}",
            method=method,
            json=None if method == "GET" else row.body or {},
            buffered=True,  # a stream is read to its end
        )


def _made(reply: Any) -> Any:
    assert reply.status_code < 300, reply.data
    return reply.json


def routes(app: Flask) -> list[tuple[str, str, str]]:
    return [
        (method, rule.rule, str(rule.endpoint))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]
