"""The three formats that are imported: our own export, ChatGPT's, Open WebUI's.

None of them is described by a standard, and any field may be missing or of another type. Ids name
messages within their conversation and nothing else.
"""

import hashlib
import html
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from chatapp.chat.transfer.tree import (
    Conversation,
    Node,
    NotTaken,
    arrange,
    list_of,
    moment_of,
    object_of,
    text_of,
)

TITLE_CHARACTERS = 200
NAME_CHARACTERS = 200  # of a model
MOST_SOURCES = 50
REASON_CHARACTERS = 2000  # as in web/sessions.py
# ChatGPT's marks of citations: private-use characters, or the older brackets.
_INNER = "[^\u3010\u3011]{0,100}"
_MARKS = re.compile(f"\ue200[^\ue201]{{0,500}}\ue201|\u3010{_INNER}\u2020{_INNER}\u3011")
_DETAILS, _DETAILS_END, _SUMMARY_END = "<details", "</details>", "</summary>"
_QUOTED = re.compile(r"^> ?", re.MULTILINE)


def conversation_of(value: Any) -> Conversation:
    """Read a conversation of any of the formats; raise NotTaken."""
    given = object_of(value)
    if isinstance(given.get("mapping"), dict):
        return arrange(_chatgpt(given))
    if isinstance(given.get("chat"), dict):
        return arrange(_open_webui(given))
    if isinstance(given.get("session"), dict) and isinstance(given.get("messages"), list):
        return arrange(_own(given), joins=False)
    raise NotTaken("unknown")


def title_in(value: Any) -> str:
    """Return the title of a conversation that is not taken, for the report."""
    given = object_of(value)
    inner = object_of(given.get("session")) or object_of(given.get("chat"))
    return text_of(given.get("title") or inner.get("title"), TITLE_CHARACTERS)


def _id(given: Any, conversation: Mapping[str, Any]) -> str:
    """Return a conversation's id, or one made of its content."""
    if isinstance(given, str) and given:
        return given
    return hashlib.sha256(json.dumps(conversation, sort_keys=True).encode()).hexdigest()


def _name(value: Any) -> str | None:
    return text_of(value, NAME_CHARACTERS) or None


# ChatGPT


def _chatgpt(given: Mapping[str, Any]) -> Conversation:
    left_out: Counter[str] = Counter()
    nodes = [
        _chatgpt_node(name, object_of(node), left_out) for name, node in given["mapping"].items()
    ]
    return Conversation(
        "chatgpt",
        _id(given.get("conversation_id") or given.get("id"), given),
        text_of(given.get("title"), TITLE_CHARACTERS),
        nodes,
        _name(given.get("current_node")),
        moment_of(given.get("create_time")),
        moment_of(given.get("update_time")),
        given.get("is_starred") is True,
        left_out=left_out,
    )


def _chatgpt_node(name: str, node: Mapping[str, Any], left_out: Counter[str]) -> Node:
    message, parent = object_of(node.get("message")), _name(node.get("parent"))
    if not message:
        return Node(name, parent, None)
    metadata, content = object_of(message.get("metadata")), object_of(message.get("content"))
    role = object_of(message.get("author")).get("role")
    kind = content.get("content_type", "text")
    reason = ""
    if role == "system" or metadata.get("is_visually_hidden_from_conversation") is True:
        reason = "hidden" if _texts(content, Counter()) else ""
    elif kind in ("thoughts", "reasoning_recap"):
        reason = "reasoning"
    elif role == "tool" or message.get("recipient", "all") != "all":
        reason = "tools"
    elif kind not in ("text", "multimodal_text", "code"):
        reason = "other"
    else:
        texts = "\n\n".join(_texts(content, left_out))
        left_out["files"] += len(list_of(metadata.get("attachments")))
        return Node(
            name,
            parent,
            role if isinstance(role, str) else None,
            _MARKS.sub("", texts),
            moment_of(message.get("create_time")),
            _name(metadata.get("model_slug")),
        )
    if reason:
        left_out[reason] += 1
    return Node(name, parent, None)


def _texts(content: Mapping[str, Any], left_out: Counter[str]) -> list[str]:
    if isinstance(content.get("text"), str):  # of code
        return [f"```\n{text_of(content['text'])}\n```"]
    found = []
    for part in list_of(content.get("parts")):
        if isinstance(part, str):
            found.append(text_of(part))
        elif isinstance(object_of(part).get("text"), str):  # of a spoken question
            found.append(text_of(part["text"]))
        elif part:
            left_out["files"] += 1
    return [text for text in found if text.strip()]


# Open WebUI


def _open_webui(given: Mapping[str, Any]) -> Conversation:
    chat = given["chat"]
    history = object_of(chat.get("history"))
    left_out: Counter[str] = Counter()
    tree = object_of(history.get("messages"))
    nodes = [_open_webui_node(name, object_of(one), left_out) for name, one in tree.items()]
    if not nodes:  # before chats had branches
        nodes = list(_open_webui_list(list_of(chat.get("messages")), left_out))
    leaf = _name(history.get("currentId")) or (nodes[-1].id if nodes else None)
    return Conversation(
        "open_webui",
        _id(given.get("id") or chat.get("id"), given),
        text_of(given.get("title") or chat.get("title"), TITLE_CHARACTERS),
        nodes,
        leaf,
        moment_of(given.get("created_at") or chat.get("timestamp")),
        moment_of(given.get("updated_at")),
        given.get("pinned") is True,
        left_out=left_out,
    )


def _open_webui_list(messages: list[Any], left_out: Counter[str]) -> Iterator[Node]:
    above: str | None = None
    for number, message in enumerate(messages):
        name = str(number)
        yield _open_webui_node(name, object_of(message) | {"parentId": above}, left_out)
        above = name


def _open_webui_node(name: str, message: Mapping[str, Any], left_out: Counter[str]) -> Node:
    content = message.get("content")
    if isinstance(content, list):  # parts, as in OpenAI's protocol
        parts = [object_of(part) for part in content]
        left_out["files"] += sum(part.get("type") != "text" for part in parts)
        content = "\n\n".join(text_of(part.get("text")) for part in parts)
    text, reasoning = _without_details(text_of(content), left_out)
    left_out["files"] += len(list_of(message.get("files")))
    if message.get("role") == "system":
        left_out["hidden"] += 1
    if message.get("sources") or message.get("citations"):
        left_out["sources"] += 1
    role, annotation = message.get("role"), object_of(message.get("annotation"))
    return Node(
        name,
        _name(message.get("parentId")),
        role if isinstance(role, str) else None,
        text,
        moment_of(message.get("timestamp")),
        _name(message.get("model")),
        reasoning,
        rating={1: "up", -1: "down"}.get(_whole(annotation.get("rating")), ""),
        reason=text_of(
            annotation.get("comment") or text_of(annotation.get("reason")).replace("_", " "),
            REASON_CHARACTERS,
        ),
    )


def _whole(value: Any) -> int:
    return value if type(value) is int else 0


def _without_details(text: str, left_out: Counter[str]) -> tuple[str, str]:
    """Take thinking and tool calls out of an answer's text; return both."""
    kept: list[str] = []
    thoughts: list[str] = []
    at = 0
    while (begin := text.find(_DETAILS, at)) >= 0 and (end := text.find(_DETAILS_END, begin)) >= 0:
        head, _, inner = text[begin:end].partition(">")
        kept.append(text[at:begin])
        at = end + len(_DETAILS_END)
        if 'type="reasoning"' in head:
            thought = html.unescape(inner.partition(_SUMMARY_END)[2] or inner)
            thoughts.append(_QUOTED.sub("", thought.strip()))
        elif 'type="tool_calls"' in head or 'type="code_interpreter"' in head:
            left_out["tools"] += 1
        else:
            kept.append(text[begin:at])
    kept.append(text[at:])
    return "".join(kept).strip() if at else text, "\n\n".join(thoughts)


# Our own


def _own(given: Mapping[str, Any]) -> Conversation:
    session = given["session"]
    nodes = [_own_node(object_of(message)) for message in given["messages"]]
    return Conversation(
        "own",
        _id(session.get("id"), given),
        text_of(session.get("title"), TITLE_CHARACTERS),
        [node for node in nodes if node.id],
        _name(session.get("leaf_id")),
        moment_of(session.get("created_at")),
        moment_of(session.get("updated_at")),
        session.get("pinned") is True,
        settings=object_of(session.get("settings")),
    )


def _own_node(message: Mapping[str, Any]) -> Node:
    role, feedback = message.get("role"), object_of(message.get("feedback"))
    rating = feedback.get("rating")
    return Node(
        _name(message.get("id")) or "",
        _name(message.get("parent_id")),
        role if isinstance(role, str) else None,
        text_of(message.get("content")),
        moment_of(message.get("created_at")),
        _name(message.get("model")),
        text_of(message.get("reasoning")),
        [_source(object_of(one)) for one in list_of(message.get("sources"))[:MOST_SOURCES]],
        [n for n in list_of(message.get("citations"))[:MOST_SOURCES] if type(n) is int],
        message.get("status") == "stopped",
        rating if rating in ("up", "down") else "",
        text_of(feedback.get("reason"), REASON_CHARACTERS),
    )


def _source(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a passage with its words; the file it comes from is not here, so without its ids."""
    numbers = {
        name: given.get(name) if type(given.get(name)) is int else 0
        for name in ("n", "start", "end")
    }
    page, score = given.get("page"), given.get("score")
    texts = {name: text_of(given.get(name), 20_000) for name in ("heading", "quote", "text")}
    return {
        **numbers,
        **texts,
        "knowledge_base_id": "",
        "file_id": "",
        "md5": "",
        "name": text_of(given.get("name"), 255),
        "url": text_of(given.get("url"), 2000) or None,
        "page": page if type(page) is int else None,
        "score": score if isinstance(score, float) else 0.0,
        "by": {},
    }
