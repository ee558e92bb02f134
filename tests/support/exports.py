"""Export files of other products, in the shapes they have."""

from typing import Any

LONG_AGO = 1_700_000_000.0  # seconds since 1970


def chatgpt_node(
    name: str, parent: str | None, role: str, text: str, seconds: float = 0, **metadata: Any
) -> dict[str, Any]:
    """Return a node of ChatGPT's mapping."""
    return {
        "id": name,
        "parent": parent,
        "children": [],
        "message": {
            "id": name,
            "author": {"role": role, "metadata": {}},
            "create_time": LONG_AGO + seconds,
            "content": {"content_type": "text", "parts": [text]},
            "recipient": metadata.pop("recipient", "all"),
            "metadata": metadata,
        },
    }


def chatgpt_chat(name: str = "c1", title: str = "Tides") -> dict[str, Any]:
    """Return a conversation with a hidden message, a tool call, a picture and two branches."""
    nodes = [
        {"id": "root", "parent": None, "children": ["s"], "message": None},
        chatgpt_node("s", "root", "system", "secret", is_visually_hidden_from_conversation=True),
        chatgpt_node("q", "s", "user", "When is the tide high?", 1),
        chatgpt_node("call", "q", "assistant", "search()", 2, recipient="web"),
        chatgpt_node("tool", "call", "tool", "results", 3),
        chatgpt_node("a1", "tool", "assistant", "At noon \ue200cite\ue202turn0\ue201.", 4,
                     model_slug="gpt-4o"),
        chatgpt_node("a1b", "a1", "assistant", "And at midnight.", 5),
        chatgpt_node("a2", "q", "assistant", "It depends.", 6),
        chatgpt_node("q2", "a1b", "user", "And tomorrow?", 7),
    ]  # fmt: skip
    nodes[-1]["message"]["content"] = {
        "content_type": "multimodal_text",
        "parts": ["And tomorrow?", {"content_type": "image_asset_pointer"}],
    }
    return {
        "conversation_id": name,
        "id": name,
        "title": title,
        "create_time": LONG_AGO,
        "update_time": LONG_AGO + 100,
        "mapping": {node["id"]: node for node in nodes},
        "current_node": "q2",
    }


def open_webui_chat(name: str = "w1") -> dict[str, Any]:
    """Return a chat of Open WebUI with two answers to its question, and thinking in one."""
    thinking = (
        '<details type="reasoning" done="true" duration="3">\n<summary>Thought</summary>\n'
        "&gt; Is it &lt;wet&gt;?\n&gt; Yes.\n</details>\n"
    )
    messages: dict[str, dict[str, Any]] = {
        "1": {"parentId": None, "role": "user", "content": "Is water wet?", "timestamp": LONG_AGO},
        "2": {"parentId": "1", "role": "assistant", "content": f"{thinking}It is.",
              "model": "llama3", "timestamp": LONG_AGO + 1,
              "annotation": {"rating": 1, "reason": "", "comment": "Short and right"}},
        "3": {"parentId": "1", "role": "assistant", "content": "No.", "model": "qwen",
              "timestamp": (LONG_AGO + 2) * 1000, "files": [{"type": "image"}],
              "annotation": {"rating": -1, "reason": "factually_incorrect"}},
    }  # fmt: skip
    return {
        "id": name,
        "user_id": "somebody",
        "title": "Water",
        "pinned": True,
        "created_at": LONG_AGO,
        "updated_at": LONG_AGO + 2,
        "chat": {"title": "Water", "history": {"messages": messages, "currentId": "2"}},
    }
