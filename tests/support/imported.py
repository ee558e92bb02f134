"""Chats with given texts, imported into a running service."""

import json
from typing import Any
from uuid import uuid4

from tests.support.service import Service

_HEAD = 'Content-Disposition: form-data; name="files"; filename="chats.json"'
_KIND = {"Content-Type": "multipart/form-data; boundary=x"}


def import_chat(service: Service, title: str, *turns: tuple[str, str], **answer: Any) -> str:
    """Import a chat of questions and answers; more fields of the answers may be given.

    Return the chat's id.
    """
    messages: list[dict[str, Any]] = []
    for question, text in turns:
        for role, content, more in (("user", question, {}), ("assistant", text, answer)):
            above = messages[-1]["id"] if messages else None
            each = {"id": str(len(messages)), "parent_id": above, "role": role}
            messages.append({**each, "content": content, **more})
    session = {"id": str(uuid4()), "title": title, "leaf_id": messages[-1]["id"]}
    export = json.dumps([{"session": session, "messages": messages}])
    body = f"--x\r\n{_HEAD}\r\n\r\n{export}\r\n--x--\r\n"
    reply = service.request("POST", "/api/sessions/import", body.encode(), **_KIND)
    assert reply.json["messages"] == len(messages), reply.body
    items = service.get("/api/sessions").json["items"]
    return next(str(item["id"]) for item in items if item["title"] == title)
